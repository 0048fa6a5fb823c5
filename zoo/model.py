"""The one value: a graph plus named weights.

Everything a user can ask of a model starts here; the work itself is done in the rooms below, each
brought in when it is first needed.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zoo import protos, signatures
from zoo.graph import tensor_names
from zoo.signatures import DEFAULT
from zoo.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from zoo.calls import Calls
    from zoo.signatures import Signature


@dataclass(frozen=True, eq=False)
class Model:
    """A graph plus named weights; formats differ only in where the weights live.

    A model is a value: no method changes it, and `run` starts from the stored weights at each call.

    Attributes
    ----------
    meta_graph
        A ``MetaGraphDef``: the graph, its signatures, collections, saver, tags and versions.  Not
        to be edited: copy it, and make a new model.
    weights
        Arrays by the name of the node that holds the weight: a variable, or a ``Const`` whose value
        was taken out of the graph.  Read when asked for.
    assets
        Files that the graph refers to, by name.
    """

    meta_graph: protos.MetaGraphDef
    weights: Weights
    assets: Mapping[str, Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", Weights.of(self.weights))

    def __repr__(self) -> str:
        return f"<zoo.Model: {len(self.graph.node)} nodes, {len(self.weights)} weights>"

    @property
    def graph(self) -> protos.GraphDef:
        """The ``GraphDef`` of the model."""
        return self.meta_graph.graph_def

    @property
    def signatures(self) -> dict[str, Signature]:
        """The signatures that the model states, by key; empty where it states none."""
        return signatures.signatures(self.meta_graph)

    def signature(self, key: str | None = None) -> Signature:
        """Return the signature `key`, or the default one, or what the graph shows.

        Raises
        ------
        UnknownNameError
            There is no signature `key`.
        UsageError
            There are several, none of them the default.
        """
        return self._calls.signature(key)

    def __call__(self, **inputs: object) -> dict[str, np.ndarray]:
        """Return the outputs of the default signature, by name, for `inputs` given by name."""
        outputs: dict[str, np.ndarray] = self.run(None, inputs)
        return outputs

    def run(
        self,
        fetches: str | Sequence[str] | Mapping[str, str] | None,
        feeds: Mapping[str, object] | None = None,
        *,
        signature: str | None = None,
    ) -> Any:
        """Return the values of `fetches` for `feeds`, starting from the stored weights.

        Parameters
        ----------
        fetches
            A signature's output or a tensor (``"prob"``, ``"prob:0"``), which gives an array;
            several, which give a list; several by name, or None for all outputs of the signature,
            which give a dict.
        feeds
            Values by the signature's input or by tensor.  Any tensor can be fed.
        signature
            Key of the signature whose names are used; the default one if not given.

        Raises
        ------
        InputError
            A value has the wrong dtype, rank or size, or one is missing.
        UnknownNameError
            A name is neither the signature's nor a tensor's.
        RunError
            TensorFlow failed.
        """
        return self._calls.run(fetches, feeds or {}, self.signature(signature))

    @contextmanager
    def session(self, config: Any = None) -> Iterator[Any]:
        """Yield a ``tf.compat.v1.Session`` with the graph, its collections and the weights in it.

        It keeps state from one run to the next, as sessions do, and is closed when the block ends.

        Parameters
        ----------
        config
            A ``tf.compat.v1.ConfigProto``.
        """
        from zoo.running import Runner

        runner = Runner(self.meta_graph, self.weights, self.assets, config=config, collections=True)
        try:
            with runner.session:
                yield runner.session
        finally:
            runner.close()

    def captured(self, session: Any) -> Model:
        """Return the model with the values that its variables have in `session`.

        Parameters
        ----------
        session
            One that `session` gave, or a ``tf.compat.v1.Session`` over a graph with these
            variables.

        Raises
        ------
        UsageError
            The session's graph lacks a variable.
        RunError
            A variable has no value there.
        """
        from zoo.capture import captured

        return self._with(self.meta_graph, captured(self.meta_graph, self.weights, session))

    def with_signature(
        self,
        inputs: Mapping[str, str],
        outputs: Mapping[str, str],
        key: str = DEFAULT,
    ) -> Model:
        """Return the model with a signature: tensors to feed and to fetch, by names of your own.

        Parameters
        ----------
        inputs, outputs
            Tensors, ``"images:0"``, by the names that callers shall use.
        key
            What the signature is called; one of that name is replaced.

        Raises
        ------
        UnknownNameError
            The graph has no such tensor.
        """
        stated = signatures.named(self.meta_graph, inputs, outputs)
        edited = signatures.stating(self.meta_graph, self.weights, key, stated)
        return self._with(edited, self.weights)

    def extend(self, build: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Model:
        """Return the model with more operations: those that `build` makes with TensorFlow.

        Parameters
        ----------
        build
            Called once with the graph's tensors by name, inside the graph, which has its
            collections.  What it returns, tensors by name, become outputs; variables it makes
            become weights; what it adds to collections stays there.

        Examples
        --------
        ``model.extend(lambda t: {"doubled": t["op_to_restore:0"] * 2})``
        """
        from zoo.extending import extend

        return self._with(*extend(self.meta_graph, self.weights, build))

    def import_graph_def(
        self,
        input_map: Mapping[str, Any] | None = None,
        return_elements: Sequence[str] | None = None,
        name: str = "imported",
    ) -> list[Any]:
        """Add the model, frozen, to TensorFlow's current graph; its weights are constants there.

        Parameters
        ----------
        input_map
            Tensors of that graph by the inputs, or any tensors of the model, that they take the
            place of.
        return_elements
            Outputs or tensors of the model to return; by default all outputs of the signature.
        name
            What stands in front of the model's names there.

        Raises
        ------
        UnsupportedError
            It cannot be frozen, or is too large for a graph.
        RunError
            TensorFlow does not take it: a name is unknown, a dtype or shape does not fit.
        """
        from zoo.embedding import import_graph_def

        given, wanted = input_map or {}, return_elements
        return import_graph_def(self.meta_graph, self.weights, given, wanted, name)

    def placed(self, device: str | None) -> Model:
        """Return the model with every operation on `device`, ``"/gpu:0"``; None frees them.

        Raises
        ------
        UsageError
            No device is called so.
        """
        from zoo.devices import placed

        return self._with(placed(self.meta_graph, device), self.weights)

    def freeze(self, outputs: str | Iterable[str] | None = None) -> Model:
        """Return the model with constants for variables, and only what `outputs` need.

        Parameters
        ----------
        outputs
            Tensors; by default the outputs of every signature.

        Raises
        ------
        UnsupportedError
            The outputs change a variable on the way, or need one that has no value.
        """
        from zoo.freeze import freeze

        wanted = self.outputs() if outputs is None else tensor_names(outputs)
        return self._with(*freeze(self.meta_graph, self.weights, wanted))

    def thaw(self) -> Model:
        """Return the model with variables for those of its constants that are weights."""
        from zoo.restorable import thawed

        return self._with(*thawed(self.meta_graph, self.weights))

    def prune(self, outputs: str | Iterable[str]) -> Model:
        """Return the model with only what the tensors `outputs` need."""
        from zoo.prune import prune

        wanted = tensor_names(outputs)
        return self._with(*prune(self.meta_graph, self.weights, wanted))

    def outputs(self) -> list[str]:
        """Return the tensors that some signature puts out, or that look like outputs.

        Raises
        ------
        UnsupportedError
            The graph has none.
        """
        return signatures.all_outputs(self.meta_graph)

    def require_graph(self) -> None:
        """Raise `UnsupportedError` if the model has no graph, only weights."""
        from zoo.calls import require_graph

        require_graph(self.meta_graph, self.weights)

    def close(self) -> None:
        """Give back what running took: sessions and their memory.  The next run takes it again."""
        self._calls.close()

    @cached_property
    def _calls(self) -> Calls:
        """What runs the model, and keeps what that took."""
        from zoo.calls import Calls

        return Calls(self.meta_graph, self.weights, self.assets)

    def _with(self, meta_graph: protos.MetaGraphDef, weights: Weights) -> Model:
        return replace(self, meta_graph=meta_graph, weights=weights)
