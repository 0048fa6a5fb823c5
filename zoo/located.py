"""Where a model lies and how it is read from there: all that opening it takes, and no model yet.

So a model can be opened in another process than the one that found, or fetched, it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import plugins
from zoo.opened import Opened
from zoo.renaming import NONE, Wishes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.entries import Entry
    from zoo.loaded import Loaded
    from zoo.model import Model

BUILT = "architecture"
"""The format of a model that no file holds: a plugin builds it."""


@dataclass(frozen=True)
class Located:
    """Where a model lies, and what it becomes when it is opened.

    Attributes
    ----------
    format
        The name of its format, `BUILT` if a plugin builds it.
    path
        Where it lies; None if it is built.
    wishes
        The architecture or graph that its weights are attached to, and what becomes of them before.
    inputs, outputs
        Tensors by the names they are to have; those of the model stay where no output is named.
    entry
        What a registry says of it, if it was called by name.
    """

    format: str
    path: Path | None
    wishes: Wishes = NONE
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    entry: Entry | None = None

    def opened(self, loaded: Loaded, options: Mapping[str, Any]) -> Opened:
        """Return the model, read by one of the plugins `loaded`.

        Parameters
        ----------
        options
            What the format's ``load`` is given besides; it must declare them.

        Raises
        ------
        FormatError
            What lies there is damaged.
        UsageError
            An option is not the format's, or a wish is none.
        """
        from zoo import joining  # late: what only fetches has no graph to join

        if self.path is None:
            built = plugins.architecture_named(loaded, str(self.wishes.architecture)).build()
            model = joining.prepared(built, replace(self.wishes, architecture=None))
        else:
            form = plugins.format_named(loaded, self.format)
            model = joining.prepared(form.read(self.path, options), self.wishes)
            model = self._attached(model, loaded)
        model = joining.with_names(model, self.inputs, self.outputs)
        if self.wishes.graph is not None:
            model = joining.with_graph(self.wishes.graph, model)
        return Opened(model, self.format, self.path, self.entry)

    def _attached(self, model: Model, loaded: Loaded) -> Model:
        """Return `model`, its weights in the net that the wishes name."""
        from zoo import joining

        if self.wishes.architecture is None:
            return model
        chosen = plugins.architecture_named(loaded, self.wishes.architecture)
        return joining.with_architecture(chosen, model.weights)

    def takes_tensorflow(self, loaded: Loaded) -> bool:
        """Tell whether opening it runs more than our own readers: it has facts without that."""
        if self.path is None:
            return False
        return plugins.format_named(loaded, self.format).facts is not None

    def at(self, path: Path) -> Located:
        """Return the same model as it lies at another `path`."""
        return replace(self, path=path)

    def files(self, loaded: Loaded) -> list[Path]:
        """Return the files of which it consists, a graph for its weights too; none if built."""
        graph = [] if self.wishes.graph is None else [self.wishes.graph]
        if self.path is None:
            return graph
        return [*plugins.format_named(loaded, self.format).files_at(self.path), *graph]

    def facts(self) -> dict[str, Any]:
        """Return it as JSON can hold it, without its entry; `from_facts` reads that."""
        wishes = self.wishes
        return {
            "format": self.format,
            "path": None if self.path is None else str(self.path.absolute()),
            "architecture": wishes.architecture,
            "graph": None if wishes.graph is None else str(wishes.graph.absolute()),
            "rename": list(wishes.rename),
            "ema": wishes.ema,
            "drop_slots": wishes.drop_slots,
            "inputs": dict(self.inputs),
            "outputs": dict(self.outputs),
        }

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Located:
        """Return what `facts` were made of."""
        path, graph = (None if facts[k] is None else Path(facts[k]) for k in ("path", "graph"))
        wishes = Wishes(
            facts["architecture"], graph, facts["rename"], facts["ema"], facts["drop_slots"]
        )
        return cls(facts["format"], path, wishes, facts["inputs"], facts["outputs"])
