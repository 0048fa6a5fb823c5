"""Recipes as YAML: read with the line of each fault, checked one option after the other."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING, Any, get_type_hints

from zoo import yaml_events
from zoo.errors import FormatError, RegistryError, UnknownNameError, UsageError, did_you_mean
from zoo_finetune.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SECTIONS = ("base", "data", "result", "made_by", "metrics", "weights")
"""What a record says besides the options."""
_CHOICES = {
    "task": ("classification", "regression"),
    "optimizer": ("adam", "sgd", "rmsprop", "adamw"),
    "schedule": ("constant", "cosine"),
    "activation": ("softmax", "sigmoid", "none"),
    "strategy": ("mirrored",),
}
_RANGES: dict[str, tuple[str, Callable[[float], bool]]] = {
    "outputs": ("0 or more", lambda value: value >= 0),
    "last_layers": ("1 or more", lambda value: value >= 1),
    "epochs": ("0 or more", lambda value: value >= 0),
    "batch_size": ("1 or more", lambda value: value >= 1),
    "learning_rate": ("above 0", lambda value: value > 0),
    "warmup": ("0 or more epochs", lambda value: value >= 0),
    "layer_decay": ("above 0 and at most 1", lambda value: 0 < value <= 1),
    "patience": ("1 or more epochs", lambda value: value >= 1),
    "validation_split": ("0 or more and below 1", lambda value: 0 <= value < 1),
    "seed": ("0 or more", lambda value: value >= 0),
    "max_to_keep": ("0 or more", lambda value: value >= 0),
    "keep_checkpoint_every_n_hours": ("above 0", lambda value: value > 0),
}
_WORDS = {"int": "a whole number", "float": "a number", "bool": "true or false", "str": "text"}


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


def checked(recipe: Recipe) -> Recipe:
    """Return `recipe`, if every option has a value of its kind, and one that makes sense.

    Raises
    ------
    UsageError
        One has not; all of them are listed.
    """
    return _made(dataclasses.asdict(recipe), "the recipe", {})


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
        kept[name], fault = _fitted(name, value, str(kinds[name]))
        if fault:
            where = f"line {lines[name]}: " if name in lines else ""
            faults.append(f"{where}{name} must be {fault}, and is {value!r}")
    if faults:
        raise UsageError(f"{place} cannot be followed", found="; ".join(faults))
    return Recipe(**kept)


def _fitted(name: str, value: Any, kind: str) -> tuple[Any, str]:
    """Return `value` as the option `name` has it, and what it should be where it is not that."""
    if value is None and "None" in kind:
        return None, ""
    wanted = next(word for word in _WORDS if word in kind)
    value = _as(wanted, value)
    if type(value).__name__ != wanted:
        return value, _WORDS[wanted]
    if name in _CHOICES and value not in _CHOICES[name]:
        return value, " or ".join(_CHOICES[name])
    if wanted == "float" and not math.isfinite(value):
        return value, "a finite number"
    words, fits = _RANGES.get(name, ("", bool))
    return value, words if words and not fits(value) else ""


def _as(wanted: str, value: Any) -> Any:
    """Return `value` as a float where one is wanted: YAML takes ``1e-3`` for text."""
    if wanted == "float" and isinstance(value, int | str) and not isinstance(value, bool):
        try:
            return float(value)
        except (ValueError, OverflowError):
            return value
    return value
