"""What a command prints: one JSON document, or plain text for people."""

from __future__ import annotations

import base64
import errno
import json
import math
import os
import sys
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any

from zoo.errors import DiskError, WriteError
from zoo.redaction import redacted

SCHEMA = 1
_STANDARD_ERROR = 2
_silent: ContextVar[bool] = ContextVar("silent", default=False)
_kept: ContextVar[bool] = ContextVar("kept", default=False)


def document(facts: Mapping[str, Any]) -> str:
    """Return `facts` as the JSON document of a command.

    Numbers that JSON lacks (NaN, infinities) become text, bytes become ``{"base64": ...}``, arrays
    become nested lists.
    """
    lines = (f"  {json.dumps(key)}: {_lines(value)}" for key, value in facts.items())
    return "{\n" + ",\n".join([f'  "schema": {SCHEMA}', *lines]) + "\n}"


def _lines(value: Any) -> str:
    """Return `value` as JSON, a list of mappings with each on a line of its own."""
    if isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
        return "[\n    " + ",\n    ".join(map(_encoded, value)) + "\n  ]"
    return _encoded(value)


def _encoded(value: Any) -> str:
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return json.dumps(_plain(value))


class ClosedError(Exception):
    """Nobody reads what is printed any more, as when it was piped into ``head``."""


def keep_places() -> None:
    """Open what was closed of the standard descriptors on nothing.

    A file that zoo opens would have their place, and get what TensorFlow prints.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_ERROR:
        pass
    os.close(opened)


def say(text: str) -> None:
    """Print `text` to standard output, with what could steer a terminal made visible.

    Raises
    ------
    ClosedError
        Nobody reads it.
    DiskError, WriteError
        It goes into a file that cannot be written.
    """
    if sys.stdout is None:  # it was closed before zoo began
        raise ClosedError
    try:
        sys.stdout.write(printable(text) + "\n")
        sys.stdout.flush()
    except BrokenPipeError as error:
        _give_up()
        raise ClosedError from error
    except OSError as error:
        _give_up()
        kind = DiskError if error.errno == errno.ENOSPC else WriteError
        raise kind("the output could not be written", found=error.strerror or "") from error


def _give_up() -> None:
    """Let what is still to be printed go nowhere: Python would try again when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def note(text: str) -> None:
    """Print `text` to standard error: progress, remarks, errors; nothing where that is closed."""
    if sys.stderr is not None:
        with suppress(OSError):
            sys.stderr.write(printable(redacted(text)) + "\n")


def progress(text: str) -> None:
    """Print `text`, how far a long work is, to standard error, unless the block is `silent`."""
    if not _silent.get():
        note(text)


@contextmanager
def silent(wanted: bool = True) -> Iterator[None]:
    """Print no progress in the block, if that is `wanted`."""
    before = _silent.set(wanted)
    try:
        yield
    finally:
        _silent.reset(before)


def keep_errors() -> None:
    """Say that who started this process keeps what it writes to standard error: `hushed` does not.

    A process that is locked in has no place for it.
    """
    _kept.set(True)


@contextmanager
def hushed() -> Iterator[None]:
    """Keep what the block writes to the file descriptor of standard error, to show it if it fails.

    TensorFlow greets there while it is imported, whatever its log level is.
    """
    if sys.stderr is None or _kept.get():
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except Exception:  # who ends zoo does not want to read it
            aside.seek(0)
            os.write(kept, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def printable(text: str) -> str:
    r"""Return `text` with control and direction characters as escapes.

    >>> printable("a\x1b[31mb\n")
    'a\\x1b[31mb\n'
    """
    return "\n".join(
        line if line.isprintable() else "".join(map(_visible, line)) for line in text.split("\n")
    )


def _visible(letter: str) -> str:
    """Return `letter`, as an escape if it may steer a terminal."""
    if letter == "\t" or unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co", "Cn"):
        return letter
    return letter.encode("unicode_escape").decode()


def table(rows: Sequence[Sequence[str]], indent: str = "") -> str:
    """Return `rows` as lines whose columns stand below each other.

    >>> print(table([["w", "float32"], ["bias", "int64"]]))
    w     float32
    bias  int64
    """
    if not rows:
        return ""
    rows = [[cell.replace("\n", "\\n") for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join((indent + line).rstrip() for line in lines)


def size(count: int) -> str:
    """Return `count` bytes as people read them.

    >>> size(999), size(553_467_096)
    ('999 bytes', '553.5 MB')
    """
    if count < 1000:
        return f"{count} bytes"
    value, unit = float(count), ""
    for unit in ("kB", "MB", "GB", "TB"):  # noqa: B007  (the last one is used)
        value /= 1000
        if value < 999.95:
            break
    return f"{value:.1f} {unit}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        return {"base64": base64.b64encode(value).decode()}
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, complex):
        return [_plain(value.real), _plain(value.imag)]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return value
