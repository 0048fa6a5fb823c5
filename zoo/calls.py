"""Call a model by names: find the tensors behind them, check the values, run it.

What a call looks up it keeps, so that the next one with the same names costs little more than the
session's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zoo import signatures, waiting
from zoo.errors import UnknownNameError, UnsupportedError, counted, did_you_mean, some
from zoo.feeds import Checks
from zoo.graph import tensor_name
from zoo.objects import function_names

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import numpy as np

    from zoo import protos
    from zoo.policy import Guard
    from zoo.running import Runner
    from zoo.signatures import Signature
    from zoo.weights import Weights


class Calls:
    """The calls of one model, which must not change.

    Parameters
    ----------
    meta_graph, weights, assets
        The model.
    guard
        What of it may run.
    """

    def __init__(
        self,
        meta_graph: protos.MetaGraphDef,
        weights: Weights,
        assets: Mapping[str, Path],
        guard: Guard | None = None,
    ) -> None:
        self._model = meta_graph, weights, assets
        self._guard = guard
        self._meta_graph = meta_graph
        self._signatures: dict[str | None, Signature] = {}
        self._runners: list[Runner] = []
        self._known: set[str] = set()

    def signature(self, key: str | None) -> Signature:
        """Return the signature `key`, or the one to take when none is named."""
        if key not in self._signatures:
            self._signatures[key] = signatures.signature(self._meta_graph, key)
        return self._signatures[key]

    def run(
        self,
        fetches: Any,
        feeds: Mapping[str, object],
        signature: Signature,
        timeout: float | None = None,
    ) -> Any:
        """Return the values of `fetches`, in the form in which these are given."""
        waiting.check_limit(timeout)
        if fetches is None:
            require_graph(self._meta_graph, self._model[1])
            require_outputs(self._meta_graph, signature)
            fetches = {key: spec.tensor for key, spec in signature.outputs.items()}
        if isinstance(fetches, str):
            return self._values([fetches], feeds, signature, timeout)[0]
        if isinstance(fetches, Mapping):
            values = self._values(fetches.values(), feeds, signature, timeout)
            return dict(zip(fetches, values, strict=True))
        return self._values(fetches, feeds, signature, timeout)

    def _values(
        self,
        names: Iterable[str],
        feeds: Mapping[str, object],
        signature: Signature,
        timeout: float | None,
    ) -> list[np.ndarray]:
        tensors = [self._fetched(name, signature) for name in names]
        checked = self._checks.checked(signature, feeds, tensors)
        return self._runner().run(tensors, checked, timeout)

    def close(self) -> None:
        """Close the session; the next call opens one again."""
        while self._runners:
            self._runners.pop().close()

    @cached_property
    def _checks(self) -> Checks:
        return Checks(self._meta_graph.graph_def)

    def _runner(self) -> Runner:
        from zoo.running import Runner

        if not self._runners:
            require_graph(self._meta_graph, self._model[1])
            self._runners.append(Runner(*self._model, guard=self._guard))
        return self._runners[0]

    def _fetched(self, name: str, signature: Signature) -> str:
        """Return the tensor that `name`, a signature's output or a tensor, means."""
        if name in signature.outputs:
            return signature.outputs[name].tensor
        if name not in self._known and not self._checks.has_tensor(name):
            raise UnknownNameError(
                f"the model has no output {name!r}",
                found=some(signature.outputs) or "no outputs",
                hint=did_you_mean(
                    name, signature.outputs, "give a key of these, or a tensor's name"
                ),
            )
        self._known.add(name)
        return tensor_name(name)


def require_graph(meta_graph: protos.MetaGraphDef, weights: Weights) -> None:
    """Check that a model has a graph.

    Raises
    ------
    UnsupportedError
        It has only weights.
    """
    if not meta_graph.graph_def.node:
        raise UnsupportedError(
            "the model has no graph, only weights",
            found=counted(len(weights), "weight"),
            hint="the graph of a checkpoint is in its .meta file; --graph attaches one",
        )


def require_outputs(meta_graph: protos.MetaGraphDef, signature: Signature) -> None:
    """Check that `signature` has something to put out.

    Raises
    ------
    UnsupportedError
        It has nothing: the model states no signature, and its graph shows no outputs.
    """
    if not signature.outputs:
        functions = function_names(meta_graph.object_graph_def)
        found, hint = "no signature", "name a tensor, as in -o NAME"
        if functions:
            found = f"functions without a signature: {some(functions)}"
            hint = "save it again: tf.saved_model.save(model, path, signatures=model.FUNCTION)"
        raise UnsupportedError(
            "the model says of no tensor that it is an output", found=found, hint=hint
        )
