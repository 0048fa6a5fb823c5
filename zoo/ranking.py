"""The ends of a graph, ranked with reasons: which tensors to ask for, and which to feed.

A graph that was trained has more ends than those its users want: losses and measures beside the
predictions, labels beside the inputs, rates and switches that should be constants by now, and
queues where the inputs come from.  What an end is shows in the operations around it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zoo import ends, pipelines, signatures
from zoo.endpoints import endpoints
from zoo.graph import port, source
from zoo.operands import PASS_ON
from zoo.specs import INPUTS, TensorSpec, spec_of
from zoo.supervision import Supervision, origin, passed
from zoo.switches import constant_of
from zoo.variables import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from zoo import protos
    from zoo.view import View

_LIKELY = {
    "ArgMax": "the number of the likeliest class",
    "LogSoftmax": "logarithms of probabilities",
    "Sigmoid": "probabilities, each for itself",
    "Softmax": "probabilities that add up to one",
    "TopK": "the likeliest classes",
    "TopKV2": "the likeliest classes",
}
_REDUCES = {"All", "Any", "Max", "Mean", "Min", "Prod", "Sum"}
_OPTIMIZES = re.compile(r"(Resource)?(Sparse)?Apply[A-Z]")
_LOOSE = "no other operation uses it"


@dataclass(frozen=True)
class End:
    """An input or output.

    Attributes
    ----------
    spec
        The tensor.
    why
        One clause on what makes it one.
    rank
        Its class, 0 for what users want; within a class the order is the graph's.
    constant
        The value that an input should always have when the model is used: 1.0 for the rate at
        which dropout keeps, false for a training switch.  None for an input proper.
    """

    spec: TensorSpec
    why: str
    rank: int
    constant: Any = None

    @property
    def tensors(self) -> list[str]:
        """The tensors it consists of, several for a sparse or ragged value."""
        return self.spec.tensor.split(",")


def ranked(meta_graph: protos.MetaGraphDef, view: View) -> tuple[list[End], list[End]]:
    """Return the inputs and the outputs of a graph, each best first.

    Parameters
    ----------
    view
        The graph of `meta_graph`, with its calls inlined or not.
    """
    looking = _Looking(meta_graph, view)
    outputs = sorted(looking.outputs(), key=lambda end: end.rank)
    return sorted(looking.inputs(outputs), key=lambda end: end.rank), outputs


def best(found: list[End]) -> list[End]:
    """Return those of `found`, which is ranked, that stand in the first class."""
    return [end for end in found if end.rank == found[0].rank]


class _Looking:
    """One graph, looked at for its ends."""

    def __init__(self, meta_graph: protos.MetaGraphDef, view: View) -> None:
        self.meta_graph = meta_graph
        self.view = view
        self.placeholders = ends.found_inputs(meta_graph, view)
        self.learning = Supervision(view, self.placeholders)
        self.stated = sorted(
            signatures.signatures(meta_graph).items(),
            key=lambda item: item[0] != signatures.DEFAULT,
        )

    @cached_property
    def aside(self) -> set[str]:
        """What saves, initializes and trains."""
        return ends.set_aside(self.meta_graph, self.view)

    @cached_property
    def sinks(self) -> list[ends.Output]:
        """What no operation uses but those set aside."""
        return ends.found_outputs(self.meta_graph, self.view, self.aside)

    def outputs(self) -> list[End]:
        """Return the outputs: what signatures state, else what the graph shows."""
        found: dict[str, End] = {}
        for key, one in self.stated:
            for spec in one.outputs.values():
                found.setdefault(spec.tensor, End(spec, f"signature {key}", 0))
        if found:
            return [*found.values()]
        for end in [*self._loose(), *self._logits(), *self._endpoints()]:
            found.setdefault(end.spec.tensor, end)
        return [*found.values()]

    def _loose(self) -> Iterator[End]:
        """Yield what no operation uses."""
        net = any(source(output.spec.tensor) in self.learning.after_layers for output in self.sinks)
        later = self.view.downstream(map(source, self.learning.predicted), control=False)
        for output in self.sinks:
            name = source(output.spec.tensor)
            if name in self.learning.judged:
                yield End(output.spec, f"{_LOOSE}: a loss or measure, it depends on labels", 3)
            elif self._is_constant(name):
                yield End(output.spec, f"{_LOOSE}, and it is always the same", 4)
            elif self.view.users.get(name):
                yield End(output.spec, "others wait for it, but no operation uses it", 2)
            elif net and name not in self.learning.after_layers:
                yield End(output.spec, f"{_LOOSE}, but it does not depend on the weights", 2)
            elif self.learning.predicted and name not in later:
                yield End(output.spec, f"{_LOOSE}, but the loss does not look at it", 2)
            elif (self.learning.compared or self.learning.trains) and self._is_one_number(output):
                yield End(output.spec, f"{_LOOSE}: one number, a loss or measure", 2)
            else:
                says = _LIKELY.get(self._last(name)[0])
                yield End(output.spec, output.why + (f": {says}" if says else ""), 0)

    def _logits(self) -> Iterator[End]:
        """Yield what losses compare with labels, and what probabilities are made of."""
        for tensor, why in self.learning.predicted.items():
            name = source(tensor)
            if not self._is_constant(name) and self.view.ops[name] not in INPUTS:
                yield End(self._spec(tensor), why, 0)
        for output in self.sinks:
            kind, node = self._last(source(output.spec.tensor))
            if kind in _LIKELY and self.view.data_inputs(node):
                tensor = origin(self.view, self.view.data_inputs(node)[0])
                yield End(self._spec(tensor), f"what {kind} makes {output.spec.tensor} of", 1)

    def _endpoints(self) -> Iterator[End]:
        """Yield what else somebody may want."""
        for tensor, why in endpoints(self.view, self.aside):
            yield End(self._spec(tensor), why, 5)

    def _last(self, name: str) -> tuple[str, str]:
        """Return the operation that makes the values of `name`, and the node it is."""
        name = source(passed(self.view, name, PASS_ON))
        return self.view.ops[name], name

    def _is_constant(self, name: str) -> bool:
        kind, _ = self._last(name)
        return kind == "Const" or kind in VARIABLES

    def _is_one_number(self, output: ends.Output) -> bool:
        """Tell whether `output` is a number into which a whole batch was summed up."""
        name = source(passed(self.view, output.spec.tensor, {"Div", "Mul", "RealDiv"}))
        return output.spec.shape == () or self.view.ops[name] in _REDUCES

    def inputs(self, outputs: list[End]) -> Iterable[End]:
        """Yield the inputs: those of signatures, placeholders, and what pipelines give."""
        named: dict[str, str] = {}
        for key, one in self.stated:
            for name, spec in one.inputs.items():
                for tensor in spec.tensor.split(","):
                    named.setdefault(tensor, f"signature {key}: {name}")
        self.needed = self.view.upstream(tensor for end in best(outputs) for tensor in end.tensors)
        fed = [self._placeholder(spec, named) for spec in self.placeholders]
        known = {end.spec.tensor for end in fed}
        inner = [t for t in named if t not in known and source(t) in self.view.nodes]
        fed += [End(self._spec(tensor), named[tensor], 0) for tensor in inner]
        return [*fed, *self._from_pipelines(any(end.rank == 0 for end in fed))]

    def _placeholder(self, spec: TensorSpec, named: dict[str, str]) -> End:
        name = source(spec.tensor)
        switch = constant_of(self.view, name)
        if switch is not None:
            return End(spec, switch.why, 2, switch.value)
        if spec.tensor in named:
            return End(spec, named[spec.tensor], 0)
        if spec.tensor in self.learning.compared:
            return End(spec, "labels: only losses and measures need it", 3)
        if name not in self.needed:
            return End(spec, self._idle(name), 4)
        if self.view.ops[name] == "PlaceholderWithDefault":
            return End(spec, "the outputs depend on it, but it has a default", 1)
        return End(spec, "the outputs depend on it", 0)

    def _idle(self, name: str) -> str:
        """Return what is to be said of a placeholder that no output needs."""
        after = self.view.downstream([name], control=False)
        if any(_OPTIMIZES.match(self.view.ops[user]) for user in after):
            return "only training uses it"
        return "no output depends on it"

    def _from_pipelines(self, fed: bool) -> Iterator[End]:
        """Yield what queues and iterators give to the outputs, in whose place one can feed."""
        for name in self.view.named(*pipelines.GIVERS):
            users = self.view.data_users.get(name, ()) if name in self.needed else ()
            used = {port(self.view.inputs[user][at]) for user, at in users if user in self.needed}
            why = pipelines.why(self.view, name)
            for number in sorted(used):
                yield End(pipelines.given(self.view, name, number), why, 1 if fed else 0)

    def _spec(self, tensor: str) -> TensorSpec:
        return spec_of(self.view.graph, tensor, self.view.nodes)
