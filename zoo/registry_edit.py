"""Add entries to a registry's text, and take them out, line by line.

Every other line stays as a person wrote it: comments, order, blank lines, quotes.  What comes out
is parsed again and compared with what was meant, so that an edit is right or refused.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from zoo import yaml_events
from zoo.errors import RegistryError, UnknownNameError, UsageError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./ -]*(?<! )")
_NULLS = {"null", "~", ""}
_STRANGE_ENDS = re.compile("[\x85\u2028\u2029]|\r(?!\n)")
"""What YAML takes for the end of a line besides the usual two."""
_STEP = 2
EMPTY = "version: 1\nmodels:\n"


def with_entry(text: str, place: str, path: Sequence[str], entry: Any) -> str:
    """Return `text` with `entry` as the last one below the models, or deeper.

    Parameters
    ----------
    place
        What errors call the registry.
    path
        Keys that lead to the entry below ``models``: its name, or its name, ``weights`` and a tag.

    Raises
    ------
    RegistryError
        The text is no registry, or written so that lines cannot be added.
    UsageError
        Such an entry is there already.
    """
    document = yaml_events.parse(text, place)
    if "models" not in document:
        text += "models:\n" if text.endswith("\n") or not text else "\nmodels:\n"
        document = yaml_events.parse(text, place)
    holder = _below(document, ["models", *path[:-1]])
    if holder is not None and path[-1] in holder:
        raise UsageError(
            f"{place}:{holder.lines[path[-1]]}: {path[-1]!r} is there already",
            hint="--force replaces it; or choose another name or tag",
        )
    lines, end_of_line = _lines(text, place)
    at, indent = _end_of(lines, document, ["models", *path[:-1]])
    lines[at:at] = _spelled({path[-1]: entry}, indent)
    return _checked(
        end_of_line.join([*lines, ""]), place, _meant(document, ["models", *path], entry)
    )


def without_entry(text: str, place: str, path: Sequence[str]) -> str:
    """Return `text` without the entry at `path`, given as in `with_entry`.

    Raises
    ------
    RegistryError
        The text is no registry, or written so that lines cannot be taken out.
    UnknownNameError
        There is no such entry.
    """
    document = yaml_events.parse(text, place)
    holder = _below(document, ["models", *path[:-1]])
    if holder is None or path[-1] not in holder:
        known = [] if holder is None else [*holder]
        raise UnknownNameError(f"{place} has no {path[-1]!r}", hint=did_you_mean(path[-1], known))
    lines, end_of_line = _lines(text, place)
    end, _ = _end_of(lines, document, ["models", *path])
    del lines[holder.lines[path[-1]] - 1 : end]
    return _checked(
        end_of_line.join([*lines, ""]), place, _meant(document, ["models", *path], None)
    )


def _lines(text: str, place: str) -> tuple[list[str], str]:
    """Return the lines of `text`, and what they end with."""
    if _STRANGE_ENDS.search(text):
        raise _not_editable(place, "lines that end as few editors end them")
    end = "\r\n" if text.count("\r\n") == text.count("\n") > 0 else "\n"
    lines = text.split(end)
    return lines[:-1] if lines[-1] == "" else lines, end


def _not_editable(place: str, found: str) -> RegistryError:
    hint = "give each key a line of its own, or edit it by hand"
    return RegistryError(f"{place} cannot be edited", found=found, hint=hint)


def _below(document: Any, path: Sequence[str]) -> Any:
    """Return the mapping at `path`, None if there is none."""
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document if isinstance(document, yaml_events.Mapping) else None


def _end_of(
    lines: list[str], document: yaml_events.Mapping, path: Sequence[str]
) -> tuple[int, int]:
    """Return the line after the last one of the mapping at `path`, and how deep its keys stand."""
    holder, inner, after = document, document, len(lines)
    for key in path:
        holder = inner
        later = [line for line in holder.lines.values() if line > holder.lines[key]]
        after = min([after + 1, *later]) - 1
        inner = holder[key] if isinstance(holder[key], dict) else yaml_events.Mapping(0)
    own = _indent(lines[holder.lines[path[-1]] - 1])
    keys = [_indent(lines[line - 1]) for line in inner.lines.values()]
    while after > holder.lines[path[-1]] and _is_outside(lines[after - 1], own):
        after -= 1
    return after, min(keys, default=own + _STEP)


def _is_outside(line: str, depth: int) -> bool:
    """Tell whether `line` is blank, or a comment that stands no deeper than `depth`."""
    return not line.strip() or (line.lstrip().startswith("#") and _indent(line) <= depth)


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _spelled(value: Any, indent: int) -> list[str]:
    """Return the lines of `value`, a mapping, in YAML's block style."""
    lines = []
    for key, inner in value.items():
        start = f"{' ' * indent}{_scalar(key)}:"
        if isinstance(inner, dict) and inner:
            lines += [start, *_spelled(inner, indent + _STEP)]
        elif isinstance(inner, list) and inner and isinstance(inner[0], dict):
            lines.append(start)
            for item in inner:
                first, *rest = _spelled(item, indent + 2 * _STEP)
                lines += [f"{' ' * (indent + _STEP)}- {first.lstrip()}", *rest]
        elif isinstance(inner, list):
            lines.append(f"{start} [{', '.join(_item(item) for item in inner)}]")
        else:
            lines.append(f"{start} {_scalar(inner)}")
    return lines


def _scalar(value: object) -> str:
    text = str(value)
    plain = _PLAIN.fullmatch(text) and text.lower() not in _NULLS
    return text if plain else _quoted(text)


def _item(value: object) -> str:
    return _quoted(value) if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    """Return `text` in double quotes, with escapes for what YAML does not take as it is."""
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(letter if letter.isprintable() else f"\\U{ord(letter):08x}" for letter in quoted)


def _meant(document: Any, path: Sequence[str], entry: Any) -> Any:
    """Return `document` with `entry` at `path`, or without what is there where that is None."""
    meant = json.loads(json.dumps(document))
    holder = meant
    for key in path[:-1]:
        holder[key] = holder.get(key) or {}
        holder = holder[key]
    if entry is None:
        del holder[path[-1]]
    else:
        holder[path[-1]] = _as_text(entry)
    return meant


def _as_text(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _as_text(inner) for key, inner in value.items()}
    return [_as_text(item) for item in value] if isinstance(value, list) else str(value)


def _checked(text: str, place: str, meant: Any) -> str:
    try:
        found = json.loads(json.dumps(yaml_events.parse(text, place)))
    except RegistryError:
        found = None
    if found is None or _without_empty(found) != _without_empty(meant):
        raise _not_editable(place, "a style with braces, or several keys on one line")
    return text


def _without_empty(value: Any) -> Any:
    """Return `value` with nothing where it has an empty mapping: YAML spells both alike."""
    if isinstance(value, dict):
        return {key: _without_empty(inner) for key, inner in value.items()} or None
    return [_without_empty(item) for item in value] if isinstance(value, list) else value
