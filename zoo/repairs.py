"""The repairs that a conversion makes of a graph, by name: what there is, and which are wanted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError, did_you_mean, some

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zoo import protos

ALL = "all"
_ALWAYS, _FOR_USE, _ASKED = "wherever needed", "where outputs are kept", "only when asked for"


@dataclass(frozen=True)
class Repair:
    """One kind of repair.

    Attributes
    ----------
    name
        What it is called on the command line, and in front of what is said of it.
    summary
        What it does.
    when
        When it is made if nobody says anything of it.
    """

    name: str
    summary: str
    when: str

    @property
    def is_for_use(self) -> bool:
        """Whether it makes sense only in a model that is not trained any more."""
        return self.when == _FOR_USE or (self.when == _ASKED and self.name != "unused-inputs")


REPAIRS = {
    repair.name: repair
    for repair in (
        Repair("attributes", "leave out attributes unknown to this TensorFlow", _ALWAYS),
        Repair("devices", "free operations of GPUs, TPUs and parts of a cluster", _ALWAYS),
        Repair("shapes", "leave out noted shapes that the graph contradicts", _ALWAYS),
        Repair("colocation", "free operations of places beside what is not there", _ALWAYS),
        Repair("switches", "fix dropout rates and training switches for use", _FOR_USE),
        Repair("queues", "put placeholders for queues, readers and iterators", _FOR_USE),
        Repair("updates", "leave out changes of variables on the way to outputs", _FOR_USE),
        Repair("training-nodes", "leave out what the outputs do not need", _FOR_USE),
        Repair("unused-inputs", "leave out inputs that no output depends on", _ASKED),
        Repair("batch-norm", "normalise by moving averages, not by each batch", _ASKED),
        Repair("dropout", "switch dropout off that is built in", _ASKED),
        Repair("moving-averages", "take the weights' moving averages", _ASKED),
    )
}
"""Every repair, in the order in which they are made."""


@dataclass(frozen=True)
class Choice:
    """Which repairs are to be made, and which not; the others when they are usual.

    Attributes
    ----------
    wanted
        By name of the repair, or ``"all"``, which counts for those that are not named.
    """

    wanted: Mapping[str, bool] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = [name for name in self.wanted if name not in REPAIRS and name != ALL]
        if unknown:
            raise UsageError(
                f"no repair is called {some(unknown)}",
                found=f"there are {', '.join(REPAIRS)}",
                hint=did_you_mean(unknown[0], REPAIRS),
            )

    @classmethod
    def of(cls, asked: Iterable[str], refused: Iterable[str]) -> Choice:
        """Return the choice with some repairs asked for and some refused.

        Raises
        ------
        UsageError
            One is both, or there is no such repair.
        """
        asked, refused = list(asked), list(refused)
        both = [name for name in asked if name in refused]
        if both:
            raise UsageError(f"the repair {both[0]!r} is asked for and refused")
        return cls({**dict.fromkeys(asked, True), **dict.fromkeys(refused, False)})

    def makes(self, name: str, *, for_use: bool) -> bool:
        """Tell whether the repair `name` is to be made.

        Parameters
        ----------
        for_use
            Whether the model is cut to what its outputs need.
        """
        when = REPAIRS[name].when
        usual = when == _ALWAYS or (for_use and when == _FOR_USE)
        return self.wanted.get(name, self.wanted.get(ALL, usual))

    @property
    def cuts(self) -> bool:
        """Whether a repair is asked for that leaves only what the outputs need."""
        cutting = (name for name, repair in REPAIRS.items() if repair.is_for_use)
        return any(self.wanted.get(name, self.wanted.get(ALL, False)) for name in cutting)


USUAL = Choice()
"""What is usual."""


@dataclass(frozen=True)
class Repaired:
    """A graph after a repair.

    Attributes
    ----------
    meta_graph
        The graph; the one that was given if there was nothing to repair.
    said
        What was done, one clause; empty for nothing.
    feeds
        What the graph before must be fed to compute the same: values by tensor.
    moved
        Tensors to feed now, by which the graph before had the values: its tensors.
    """

    meta_graph: protos.MetaGraphDef
    said: str = ""
    feeds: Mapping[str, Any] = field(default_factory=dict)
    moved: Mapping[str, str] = field(default_factory=dict)
