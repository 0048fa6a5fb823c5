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
from zoo.edits import Edits
from zoo.trust import Trust
from zoo.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from zoo.calls import Calls
    from zoo.matching import Report
    from zoo.signatures import Signature


@dataclass(frozen=True, eq=False)
class Model(Edits):
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
    attached
        What became of the weights when they were attached to this graph; None where they came
        with it.
    trust
        How far it is trusted to do more than compute, when it runs; edits keep it.
    """

    meta_graph: protos.MetaGraphDef
    weights: Weights
    assets: Mapping[str, Path] = field(default_factory=dict)
    attached: Report | None = None
    trust: Trust = Trust.USUAL

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
        timeout: float | None = None,
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
        timeout
            Seconds after which the call is given up, at most 1e9.  If not given, a call that takes
            from a queue has 30 of them, and no other has a limit.

        Raises
        ------
        InputError
            A value has the wrong dtype, rank or size, or one is missing.
        UnknownNameError
            A name is neither the signature's nor a tensor's.
        UsageError
            The timeout is none: not a number, not above 0, infinite.
        RunError
            TensorFlow failed, or the call did not end: nothing fills a queue that it takes from.
        TrustError
            It needs an operation that does more than compute; see `trusted`.
        """
        return self._calls.run(fetches, feeds or {}, self.signature(signature), timeout)

    @contextmanager
    def session(self, config: Any = None) -> Iterator[Any]:
        """Yield a ``tf.compat.v1.Session`` with the graph, its collections and the weights in it.

        It keeps state from one run to the next, as sessions do, and is closed when the block ends.

        Parameters
        ----------
        config
            A ``tf.compat.v1.ConfigProto``.

        Raises
        ------
        TrustError
            Something in the graph does more than compute, needed or not; see `trusted`.
        """
        from zoo.running import Runner

        given: dict[str, Any] = {"config": config, "collections": True, "guard": self.guard}
        runner = Runner(self.meta_graph, self.weights, self.assets, **given)
        try:
            with runner.session:
                yield runner.session
        finally:
            runner.close()

    def function(
        self,
        inputs: Sequence[str] | None = None,
        outputs: str | Sequence[str] | None = None,
        *,
        trainable: bool = True,
    ) -> Any:
        """Return a function of TensorFlow 2 from `inputs` to `outputs`, which has gradients.

        Its weights are ``tf.Variable``: those in ``.trainable_variables`` are what training would
        change, constants of a frozen graph among them.

        Parameters
        ----------
        inputs
            Inputs of the default signature, or any tensors, in the order of the arguments; by
            default the signature's inputs.
        outputs
            An output or tensor, which gives a tensor; several, which give a list; by default the
            signature's outputs, which give a dict.
        trainable
            Whether any weight is trained at all.

        Raises
        ------
        InputError
            The outputs need an input that is not among `inputs`.
        UnsupportedError
            They need what a function cannot hold: a table, a queue.
        TrustError
            They need an operation that does more than compute; see `trusted`.
        """
        from zoo.functions import Function

        given: dict[str, Any] = {"trainable": trainable, "guard": self.guard}
        return Function(self.meta_graph, self.weights, inputs, outputs, **given)

    def layer(
        self,
        inputs: Sequence[str] | None = None,
        outputs: str | Sequence[str] | None = None,
        *,
        trainable: bool = True,
        name: str | None = None,
    ) -> Any:
        """Return a Keras layer that computes `outputs` from `inputs`, its weights the model's.

        It is saved with the Keras model it stands in; ``import zoo`` comes before loading that.

        Parameters
        ----------
        inputs, outputs, trainable
            As for `function`.
        name
            What the layer is called.
        """
        from zoo.keras_layer import layer_of

        ends = (inputs, outputs)
        return layer_of(self.meta_graph, self.weights, *ends, trainable, name, guard=self.guard)

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
        TrustError
            It does more than compute; see `trusted`.
        """
        from zoo.embedding import import_graph_def

        ends = (input_map or {}, return_elements)
        return import_graph_def(self.meta_graph, self.weights, *ends, name, self.guard)

    def trusted(self) -> Model:
        """Return the model as one that may do anything: files, network, Python.

        A model is a program.  It is run without being asked about where it computes, restores its
        own weights and reads its own files; who knows its author may let it do more.
        """
        return replace(self, trust=self.trust.full())

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

        return Calls(self.meta_graph, self.weights, self.assets, self.guard)
