"""The tools of others, in a virtual environment of their own: ``python -m benchmarks.theirs DIR``.

They find zoo's packages behind their own, so that TensorFlow is not installed a second time.
A tool that cannot be installed is named as missing, and the rest is measured.
"""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import venv
from dataclasses import dataclass
from pathlib import Path

TOOLS = ("pooch", "huggingface_hub", "tf2onnx", "modelscan", "modelaudit", "matplotlib")
"""What is installed; matplotlib draws the plots of `benchmarks.growth`."""
_RECORD = "tools.json"
_ABSENT = "not installed: `make bench` does that"


@dataclass(frozen=True)
class Theirs:
    """A Python that has the tools of others.

    Attributes
    ----------
    python
        Its path.
    versions
        Of those that are there.
    missing
        Why each of the others is not.
    """

    python: str
    versions: dict[str, str]
    missing: dict[str, str]

    def has(self, tool: str) -> bool:
        """Tell whether `tool` is there."""
        return tool in self.versions

    @staticmethod
    def at(folder: Path) -> Theirs:
        """Return what `make` put into `folder`; nothing is there where it put nothing."""
        try:
            record = json.loads((folder / _RECORD).read_text())
        except OSError:
            return Theirs(sys.executable, {}, dict.fromkeys(TOOLS, _ABSENT))
        return Theirs(str(_python(folder)), record["versions"], record["missing"])


def make(folder: Path) -> None:
    """Make the environment, and write down what is in it."""
    venv.create(folder, with_pip=True, clear=True)
    python = _python(folder).absolute()
    lines = subprocess.check_output(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
    )
    Path(lines.strip(), "zoo-others.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    versions, missing = {}, {}
    for tool in TOOLS:
        fault = _install(python, tool)
        if fault:
            missing[tool] = fault
            print(f"{tool} is missing: {fault}")
            continue
        versions[tool] = _version(python, tool)
        print(f"{tool} {versions[tool]}")
    record = {"versions": versions, "missing": missing}
    (folder / _RECORD).write_text(json.dumps(record, indent=1) + "\n")


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def _install(python: Path, tool: str) -> str:
    """Install `tool`, and return why that failed; nothing when it did not."""
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", tool]
    done = subprocess.run(pip, capture_output=True, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    return (lines or ["pip failed"])[-1].removeprefix("ERROR: ") if done.returncode else ""


def _version(python: Path, tool: str) -> str:
    asks = "import sys; from importlib.metadata import version; print(version(sys.argv[1]))"
    return subprocess.check_output([python, "-c", asks, tool], text=True).strip()


if __name__ == "__main__":
    make(Path(sys.argv[1]))
