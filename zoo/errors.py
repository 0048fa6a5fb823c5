"""One tree of errors, one message form: what could not be done, what was found, what to try.

A command prints the message as it stands and ends with `ZooError.code`; nothing else that zoo
raises on purpose leaves a function.
"""

import difflib
from collections.abc import Iterable
from typing import ClassVar


class ZooError(Exception):
    """Something zoo could not do.

    Parameters
    ----------
    problem
        What could not be done, and to what: one clause, no full stop.
    found
        What was there instead, as it was read (a path, a shape, the names that exist).
    hint
        The next thing to try.
    """

    code: ClassVar[int] = 65
    """The exit code of a command that ends with this error (65: the data is wrong)."""

    def __init__(self, problem: str, *, found: str = "", hint: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.found = found
        self.hint = hint

    def __str__(self) -> str:
        parts = (("", self.problem), ("  found: ", self.found), ("  hint:  ", self.hint))
        return "\n".join(label + text for label, text in parts if text)

    def facts(self) -> dict[str, str | int]:
        """Return the error as the ``error`` object of a ``--json`` document."""
        return {
            "kind": type(self).__name__,
            "problem": self.problem,
            "found": self.found,
            "hint": self.hint,
            "code": self.code,
        }


class UsageError(ZooError):
    """A command or function was given arguments it does not take."""

    code = 2


class InputError(UsageError):
    """A value does not fit the input it was given for: name, dtype, rank or shape."""


class RegistryError(ZooError):
    """A ``registry.yaml`` is wrong; the message starts with ``path:line``."""


class FormatError(ZooError):
    """Bytes on disk are not the format they were taken for, or are damaged."""


class LimitError(FormatError):
    """What a file claims to be is far more than it holds; ``ZOO_BUDGET`` allows more."""


class DataError(ZooError):
    """Examples to learn from are broken, too few, or do not fit the model."""


class UnsupportedError(ZooError):
    """A sound model says something that this format or operation cannot."""


class PluginError(ZooError):
    """A plugin did not load, clashes with another, or broke a hook's contract."""


class RunError(ZooError):
    """TensorFlow refused to build or run the graph."""


class UnknownNameError(ZooError):
    """Nobody registered this name, or nothing lies at this path."""

    code = 66


class FetchError(ZooError):
    """No source gave the bytes."""

    code = 69


class IntegrityError(FetchError):
    """The bytes that arrived are not the bytes that were pinned."""

    code = 76


class MissingError(FetchError):
    """A server answered that there is nothing at this address."""

    code = 66


class RefusedError(FetchError):
    """A server wants other credentials, or an address is one that zoo does not ask."""

    code = 77


class WriteError(ZooError):
    """The target cannot be created: it exists, or its folder forbids it."""

    code = 73


class AccessError(ZooError):
    """The system does not let zoo look at a file, or a file would run its author's code."""

    code = 77


class TrustError(ZooError):
    """A model would do more than compute, and nobody said that it may."""

    code = 77


class DifferenceError(ZooError):
    """What was written does not compute what its source does: nothing was published."""

    code = 1


class BusyError(ZooError):
    """Another process holds what is needed; trying again later may do."""

    code = 75


class DiskError(ZooError):
    """The disk is full, or reading or writing failed."""

    code = 74


def nearest(name: str, names: Iterable[str]) -> list[str]:
    """Return at most three of `names` that look like `name`, the likest first."""
    return difflib.get_close_matches(name, list(names), n=3, cutoff=0.6)


def did_you_mean(name: str, names: Iterable[str], otherwise: str = "") -> str:
    """Return a hint that offers the nearest of `names`, or `otherwise` if none is near.

    >>> did_you_mean("frozn", ["checkpoint", "frozen"])
    "did you mean 'frozen'?"
    """
    near = nearest(name, names)
    return f"did you mean {' or '.join(map(repr, near))}?" if near else otherwise


def some(names: Iterable[str], limit: int = 8) -> str:
    """Return `names` as one line, the first `limit` of them and a count of the rest.

    >>> some(["a", "b", "c"], limit=2)
    'a, b and 1 more'
    """
    shown = list(names)
    rest = len(shown) - limit
    return ", ".join(shown[:limit]) + (f" and {rest} more" if rest > 0 else "")


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return `count` with its noun, which gets an ``s`` where it has no `plural` of its own.

    >>> counted(1, "model"), counted(2, "model"), counted(2, "registry", "registries")
    ('1 model', '2 models', '2 registries')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
