"""A project to begin a format with: a module that works, its entry point, its tests.

The files in ``blank_plugin`` are written out with the plugin's name in place of ``$name``.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from zoo import atomic
from zoo.errors import UsageError, WriteError

if TYPE_CHECKING:
    from collections.abc import Container

_BLANK = Path(__file__).with_name("blank_plugin")
_FILES = {
    "pyproject.toml": "pyproject.toml.txt",
    "README.md": "README.md.txt",
    "zoo_{}.py": "module.py.txt",
    "tests/test_zoo_{}.py": "test.py.txt",
}
_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_MOST = 40


def write(name: str, folder: Path, taken: Container[str] = ()) -> Path:
    """Write a project for the format `name` as a new folder in `folder`; return its path.

    Parameters
    ----------
    name
        ``mine``, also spelled ``zoo-mine`` or ``zoo_mine``.
    taken
        Names of formats that there are.

    Raises
    ------
    UsageError
        `name` can be no module's, or is taken.
    WriteError
        The folder is there already, or cannot be made.
    """
    plain = name.replace("-", "_").removeprefix("zoo_")
    if not _NAME.fullmatch(plain) or len(plain) > _MOST:
        raise UsageError(
            f"{name!r} can be no format's name",
            hint=f"write lower-case letters, digits and single underscores, at most {_MOST}",
        )
    if plain in taken or importlib.util.find_spec(f"zoo_{plain}"):
        raise UsageError(f"the name {plain!r} is taken", hint="`zoo formats` lists those there are")
    path = folder / f"zoo-{plain.replace('_', '-')}"
    if path.exists() or path.is_symlink():
        raise WriteError(f"{path} is there already", hint="take another name, or --into DIR")
    with atomic.replacing(path) as draft:
        for target, blank in _FILES.items():
            file = draft / target.format(plain)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(_filled(blank, plain), encoding="utf-8")
    return path


def _filled(blank: str, name: str) -> str:
    text = (_BLANK / blank).read_text(encoding="utf-8")
    title = name.title().replace("_", "")
    return Template(text).substitute(name=name, title=title, distribution=name.replace("_", "-"))
