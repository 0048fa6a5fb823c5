"""What a model may do beyond computing, and what is in force while TensorFlow or Keras open one.

Trust is given by people: with ``--trust`` or ``trust=True`` for once, with ``zoo trust`` for the
bytes as they are, with a policy in a registry of theirs.  No file of a model ever gives it.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from zoo import findings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    Parts = Sequence[tuple[str, Path]]
    """The files of a model: what each is called in its digest, and where it lies."""


@dataclass(frozen=True)
class Origin:
    """Where a model came from.

    Attributes
    ----------
    ref
        What its user called it.
    place
        What it is called from any folder: a registered name, an absolute path, an address.
    parts
        Returns its files; none where a plugin built it.
    """

    ref: str
    place: str
    parts: Callable[[], Parts] = field(compare=False)


@dataclass(frozen=True)
class Trust:
    """How far a model is trusted.

    Attributes
    ----------
    levels
        Those of `zoo.findings.LEVELS` that may run.
    origin
        Where the model came from, by which the user's own file knows it; None if it was made.
    """

    levels: frozenset[str] = findings.USUAL
    origin: Origin | None = None

    USUAL: ClassVar[Trust]
    FULL: ClassVar[Trust]

    @property
    def is_full(self) -> bool:
        """Whether anything may run."""
        return self.levels.issuperset(findings.LEVELS)

    def facts(self) -> dict[str, Any]:
        """Return it as JSON can hold it; `from_facts` reads that."""
        origin = None if self.origin is None else [self.origin.ref, self.origin.place]
        return {"levels": sorted(self.levels), "origin": origin}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Trust:
        """Return what `facts` were made of, for a process that cannot read the model's files."""
        origin = facts["origin"]
        known = None if origin is None else Origin(origin[0], origin[1], tuple)
        return cls(frozenset(facts["levels"]), known)

    def full(self) -> Trust:
        """Return the trust in the same model that lets anything run."""
        return replace(self, levels=Trust.FULL.levels)


Trust.USUAL = Trust()
Trust.FULL = Trust(frozenset(findings.LEVELS))
_granted: ContextVar[Trust] = ContextVar("granted", default=Trust.USUAL)


@contextmanager
def trusting(trust: Trust = Trust.FULL) -> Iterator[None]:
    """Trust what TensorFlow and Keras open by themselves in the block.

    Those are layers of zoo in a Keras model that is loaded, which no argument of ours reaches.

    Examples
    --------
    ``with zoo.trusting(): net = keras.models.load_model("net.keras")``
    """
    token = _granted.set(trust)
    try:
        yield
    finally:
        _granted.reset(token)


def granted() -> Trust:
    """Return the trust in what is opened now, by `trusting`; the usual one outside of it."""
    return _granted.get()
