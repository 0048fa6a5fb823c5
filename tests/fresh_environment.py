"""A virtual environment of its own, in which this zoo and all that it needs are there already."""

import os
import site
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

ROOT = Path(__file__).parents[1]
OFFLINE = {
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_BUILD_ISOLATION": "false",  # which switches isolation off
    "PIP_NO_DEPS": "1",
    "PIP_NO_INDEX": "1",
    "PIP_QUIET": "2",  # what it thinks of the packages beside is not what is tested
    "PIP_ROOT_USER_ACTION": "ignore",
}
"""What lets ``pip install FOLDER`` do without a network."""


class FreshEnvironment:
    """An environment that is made in `folder`, and commands run in it."""

    def __init__(self, folder):
        venv.create(folder, with_pip=False, symlinks=True)
        self.bin = folder / "bin"
        places = [ROOT, ROOT / "plugins", *site.getsitepackages()]
        (packages,) = folder.glob("lib/*/site-packages")
        (packages / "beside.pth").write_text("".join(f"{place}\n" for place in places))
        _describe_zoo(packages / "zoo-0.dist-info")
        for name in ("zoo", "pytest", "pip"):
            script = self.bin / name
            script.write_text(f'#!/bin/sh\nexec "{self.bin / "python"}" -m {name} "$@"\n')
            script.chmod(0o755)

    @property
    def variables(self):
        """Return the variables of a shell in which this environment is the one that is used."""
        path = f"{self.bin}{os.pathsep}{os.environ['PATH']}"
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        return {**kept, **OFFLINE, "PATH": path, "PYTHONDONTWRITEBYTECODE": "1"}

    def run(self, command, folder):
        """Run `command` of a shell in `folder`; its `stdout` is what it prints, errors in front."""
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=folder,
            capture_output=True,
            text=True,
            env=self.variables,
        )
        return subprocess.CompletedProcess(command, done.returncode, done.stderr + done.stdout)


def _describe_zoo(folder):
    """Say in `folder` which plugins this zoo has, whichever checkout is installed here besides."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    about = f"Metadata-Version: 2.1\nName: zoo\nVersion: {project['version']}\n"
    entries = project["entry-points"]["zoo"].items()
    folder.mkdir()
    (folder / "METADATA").write_text(about)
    (folder / "entry_points.txt").write_text(
        "[zoo]\n" + "".join(f"{n} = {m}\n" for n, m in entries)
    )


def why_not():
    """Return why a project cannot be built here without a network, None where it can be."""
    build = "import setuptools.build_meta, wheel; from setuptools import Distribution as D"
    check = f"{build}; D().get_command_class('bdist_wheel')"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True)
    return done.stderr.strip().rpartition("\n")[2] if done.returncode else None
