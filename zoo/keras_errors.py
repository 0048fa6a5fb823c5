"""What Keras raises while it makes or traces a net, which is of all kinds, as one error."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING

from zoo.errors import UnsupportedError, ZooError

if TYPE_CHECKING:
    from collections.abc import Iterator

_LONGEST = 500


@contextmanager
def building(problem: str) -> Iterator[None]:
    """Turn whatever Keras raises in the block into one error; it raises of all kinds."""
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except (ZooError, KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:
        first = _first(error)
        if isinstance(first, ZooError):
            raise first from error
        raise UnsupportedError(problem, found=first_line(first)) from error


def _first(error: BaseException) -> BaseException:
    """Return the error with which it began: Keras wraps each in another."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return error


def first_line(error: BaseException) -> str:
    """Return the first line of what `error` says, its kind where it says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:_LONGEST]
