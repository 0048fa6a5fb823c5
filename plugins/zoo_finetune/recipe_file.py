"""Recipes as YAML: read with the line of each fault, checked one option after the other."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, get_type_hints

from zoo import yaml_events
from zoo.errors import FormatError, RegistryError, UnknownNameError, UsageError, did_you_mean
from zoo_finetune import option_values
from zoo_finetune.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SECTIONS = ("base", "data", "result", "made_by", "metrics", "weights")
"""What a record says besides the options."""


def read(path: Path, given: Mapping[str, Any] | None = None) -> tuple[Recipe, dict[str, Any]]:
    """Return the recipe in the file `path`, and everything that the file says.

    Parameters
    ----------
    given
        Options that count before those of the file.

    Raises
    ------
    UnknownNameError
        There is no such file.
    FormatError
        It is no YAML, or a key stands twice.
    UsageError
        It has options that nobody reads, or of the wrong kind or size; all are listed.
    """
    import yaml

    text = _text(path)
    try:
        lines = yaml_events.parse(text, str(path)).lines
    except RegistryError as error:
        hint = "text that begins with * or & needs quotes"
        raise FormatError(error.problem, found=error.found, hint=hint) from error
    values = yaml.safe_load(text)
    return _recipe(values, str(path), lines, given or {}), values


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UnknownNameError(f"there is no recipe {path}") from error
    except UnicodeDecodeError as error:
        raise FormatError(f"{path}: the file is not UTF-8", found=error.reason) from error
    except OSError as error:
        raise FormatError(f"{path} cannot be read", found=error.strerror or "") from error


def _recipe(
    values: dict[str, Any], place: str, lines: Mapping[str, int], given: Mapping[str, Any]
) -> Recipe:
    known = [field.name for field in dataclasses.fields(Recipe)]
    for key in values:
        if key not in (*known, *SECTIONS):
            raise UsageError(
                f"{place}:{lines.get(str(key), 1)}: no option is called {key!r}",
                hint=did_you_mean(str(key), known, f"the options are {', '.join(known)}"),
            )
    stated = {key: value for key, value in values.items() if key in known}
    if "outputs" not in stated and "outputs" not in given:
        raise UsageError(f"{place} does not say how many outputs", hint="add outputs: 2")
    return _made({**stated, **given}, place, lines)


def _made(options: Mapping[str, Any], place: str, lines: Mapping[str, int]) -> Recipe:
    """Return `options` as a recipe, each of them in its own type."""
    kinds, kept, faults = get_type_hints(Recipe), {}, []
    for name, value in options.items():
        kept[name], fault = option_values.fitted(name, value, str(kinds[name]))
        if fault:
            where = f"line {lines[name]}: " if name in lines else ""
            faults.append(f"{where}{name} must be {fault}, and is {value!r}")
    if faults:
        raise UsageError(f"{place} cannot be followed", found="; ".join(faults))
    return Recipe(**kept)
