"""What can be made of a model: each edit gives a new one, and leaves the old one as it is."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zoo import protos, signatures
from zoo.graph import tensor_names
from zoo.signatures import DEFAULT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path
    from typing import Self

    from zoo.after_head import Activation
    from zoo.policy import Guard
    from zoo.trust import Trust
    from zoo.weights import Weights


class Edits:
    """The edits of a graph and its weights, which `zoo.model.Model` is."""

    meta_graph: protos.MetaGraphDef
    weights: Weights
    assets: Mapping[str, Path]
    trust: Trust

    @cached_property
    def guard(self) -> Guard:
        """What of the model may run: what was found in it, which is looked for once."""
        from zoo.policy import Guard

        return Guard(self.meta_graph, self.trust)

    def captured(self, session: Any) -> Self:
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
    ) -> Self:
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

    def with_shapes(self, shapes: Mapping[str, Sequence[int | None]]) -> Self:
        """Return the model with inputs of other shapes: another batch size, larger images.

        A fixed size may become another one; TensorFlow shows whether the rest of the graph can
        compute with it.

        Parameters
        ----------
        shapes
            Sizes by the input's name or tensor; None or -1 for an open axis.

        Raises
        ------
        UnknownNameError
            The model has no such input.
        InputError
            The graph contradicts the shape: another rank, a kernel or reshape it does not fit.

        Examples
        --------
        ``model.with_shapes({"images": (1, 224, 224, 3)})``
        """
        from zoo.input_shapes import with_shapes

        return self._with(with_shapes(self.meta_graph, self.weights, shapes), self.weights)

    def renamed(
        self,
        inputs: Mapping[str, str] | None = None,
        outputs: Mapping[str, str] | None = None,
        *,
        nodes: bool = False,
    ) -> Self:
        """Return the model with other names for its inputs and outputs.

        Parameters
        ----------
        inputs, outputs
            New names by those that signatures have now, or the graph shows where there are none.
        nodes
            Whether the nodes are called so too, since a frozen graph has no other names.

        Raises
        ------
        UnknownNameError
            Nothing is called so.
        UsageError
            Two would have one name.
        """
        from zoo.end_names import renamed

        given = (inputs or {}, outputs or {})
        return self._with(renamed(self.meta_graph, self.weights, *given, nodes=nodes), self.weights)

    def with_weights_as(self, dtype: str) -> Self:
        """Return the model with floating weights stored as `dtype`, and cast back where used.

        Scalars, the statistics of batch normalisation and what the graph itself changes stay as
        they are.  A weight is converted when it is read or written.

        Parameters
        ----------
        dtype
            ``"float16"`` or ``"bfloat16"``.

        Raises
        ------
        UsageError
            It is another one.
        UnsupportedError
            When a weight is read: it has a value that is too large for `dtype`.
        """
        from zoo.half_precision import with_weights_as

        return self._with(*with_weights_as(self.meta_graph, self.weights, dtype))

    def extend(self, build: Callable[[Mapping[str, Any]], Mapping[str, Any]]) -> Self:
        """Return the model with more operations: those that `build` makes with TensorFlow.

        Parameters
        ----------
        build
            Called once with the graph's tensors by name, inside the graph, which has its
            collections.  What it returns, tensors by name, become outputs; variables it makes
            become weights; what it adds to collections stays there.

        Raises
        ------
        TrustError
            Something in the graph does more than compute.  What `build` adds may do anything.

        Examples
        --------
        ``model.extend(lambda t: {"doubled": t["op_to_restore:0"] * 2})``
        """
        from zoo.extending import extend

        made = extend(self.meta_graph, self.weights, build, self.guard)
        return replace(self._with(*made), trust=self.trust.full())  # type: ignore[type-var]

    def placed(self, device: str | None) -> Self:
        """Return the model with every operation on `device`, ``"/gpu:0"``; None frees them.

        Raises
        ------
        UsageError
            No device is called so.
        """
        from zoo.devices import placed

        return self._with(placed(self.meta_graph, device), self.weights)

    def freeze(self, outputs: str | Iterable[str] | None = None) -> Self:
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

    def thaw(self) -> Self:
        """Return the model with variables for those of its constants that are weights."""
        from zoo.restorable import thawed

        return self._with(*thawed(self.meta_graph, self.weights))

    def replace_head(
        self,
        outputs: int,
        *,
        features: str | None = None,
        activation: Activation | None = None,
        seed: int = 0,
    ) -> Self:
        """Return the model with a last layer of `outputs` outputs, its weights new.

        Parameters
        ----------
        outputs
            How many; 0 for the features before the last layer, and no such layer.
        features
            The tensor before the last layer, where nobody can tell which that is.
        activation
            What follows the logits: ``"softmax"``, ``"sigmoid"`` or ``"none"``; by default as it
            was, but a sigmoid on one output where there was a softmax.
        seed
            Of the generator that the new kernel is drawn from.

        Raises
        ------
        UsageError
            Nobody can tell which layer is the last; the candidates are listed.
        """
        from zoo.new_head import features_alone, with_new_head

        if not outputs:
            return self._with(*features_alone(self.meta_graph, self.weights, features))
        made = with_new_head(
            self.meta_graph, self.weights, outputs, self.outputs(),
            features=features, activation=activation, seed=seed,
        )  # fmt: skip
        return self._with(made.meta_graph, made.weights)

    def prune(self, outputs: str | Iterable[str]) -> Self:
        """Return the model with only what the tensors `outputs` need."""
        from zoo.assets import asset_files
        from zoo.prune import prune

        wanted = tensor_names(outputs)
        meta_graph, weights = prune(self.meta_graph, self.weights, wanted)
        kept = {file.filename for file in asset_files(meta_graph)}
        files = {name: path for name, path in self.assets.items() if name in kept}
        pruned = self._with(meta_graph, weights)
        return replace(pruned, assets=files)  # type: ignore[type-var]

    def outputs(self) -> list[str]:
        """Return the tensors that some signature puts out, or that look most like outputs.

        Raises
        ------
        UnsupportedError
            The graph has none.
        """
        from zoo.guessing import outputs

        return outputs(self.meta_graph)

    def _with(self, meta_graph: protos.MetaGraphDef, weights: Weights) -> Self:
        return replace(self, meta_graph=meta_graph, weights=weights)  # type: ignore[type-var]
