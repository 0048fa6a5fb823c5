"""Plugins of strangers, installed into a folder: sound ones, and those that are broken in some way.

Nothing is built: a module and its metadata are all that an installation leaves.
"""

import os
import subprocess
import sys
from pathlib import Path

SOUND = """\
import zoo

zoo_api = 1
"""
OFFERING = (
    SOUND
    + """

@zoo.hookimpl
def zoo_formats():
    return [zoo.Format({name!r}, "a format", lambda p: False, lambda p: None, lambda m, p: None)]
"""
)
SLOW = """

@zoo.hookimpl
def zoo_formats():
    import time
    while True:
        time.sleep(0.05)
"""
BROKEN = {
    "raises": 'raise ValueError("boom on import")',
    "exits": "import sys\nsys.exit(3)",
    "lacks": "import a_module_that_nobody_has",
    "hangs": "import time\nwhile True:\n    time.sleep(0.05)",
    "signature": SOUND + "\n\n@zoo.hookimpl\ndef zoo_formats(everything):\n    return []\n",
    "other-api": "zoo_api = 99",
    "thief": OFFERING.format(name="frozen"),
}
"""The seven ways in which a plugin is broken, as the source of its module."""
ALSO_BROKEN = {
    "hangs-in-hook": SOUND + SLOW,
    "unmarked": SOUND + "\n\ndef zoo_formats():\n    return []\n",
    "nonsense": SOUND + "\n\n@zoo.hookimpl\ndef zoo_transforms():\n    return ['text']\n",
    "nameless": OFFERING.format(name=None),
    "takes-list": SOUND
    + "\n\n@zoo.hookimpl\ndef zoo_commands(cli):\n    @cli.command('list')\n    def other(): ...\n",
    "takes-https": SOUND
    + "\n\n@zoo.hookimpl\ndef zoo_sources():\n    return [zoo.Source('https', lambda url: [])]\n",
    "unspeakable": "class Odd(Exception):\n    def __str__(self):\n        raise self\nraise Odd",
}
"""Others."""


def install(folder: Path, name: str, source: str, *, entry: str | None = None) -> None:
    """Install a distribution ``zoo-NAME`` with one plugin called `name` into `folder`.

    Parameters
    ----------
    source
        The text of its module.
    entry
        The name of its entry point, where that is another than `name`.
    """
    module = f"made_{name.replace('-', '_')}"
    (folder / f"{module}.py").write_text(source)
    info = folder / f"zoo_{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: zoo-{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[zoo]\n{entry or name} = {module}\n")


def zoo(*arguments: str, beside: Path, at: Path, **environment: str) -> subprocess.CompletedProcess:
    """Run ``zoo`` in the folder `at`, with what is installed in `beside`."""
    path = os.pathsep.join([str(beside), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, "PYTHONPATH": path, **environment}
    command = [sys.executable, "-m", "zoo", *arguments]
    return subprocess.run(command, cwd=at, env=env, capture_output=True, text=True, timeout=120)
