"""What of a model is converted: which outputs, under which names, and what is repaired for them.

A model that is cut to its outputs is one for use.  What only made sense in training is repaired
then; what would change the results is repaired only when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from zoo import guessing, in_training, objects, protos, stale
from zoo.batch_norm import with_moving_averages
from zoo.dropout import without_dropout
from zoo.errors import UsageError, counted, some
from zoo.fed_pipelines import with_placeholders
from zoo.fixed_switches import with_switches_fixed
from zoo.graph import by_name, source, upstream
from zoo.inline import inlined
from zoo.prune import left_out
from zoo.renaming import averaged, averages_of
from zoo.repairs import Repaired
from zoo.restorable import flattened
from zoo.signatures import DEFAULT
from zoo.slots import slots
from zoo.twins import twins
from zoo.updates import without_updates
from zoo.variables import is_variable

if TYPE_CHECKING:
    from collections.abc import Callable

    from zoo.model import Model
    from zoo.repairs import Choice

_EVERYWHERE: dict[str, Callable[[protos.MetaGraphDef], Repaired]] = {
    "attributes": stale.without_unknown_attributes,
    "devices": stale.without_devices,
    "shapes": stale.without_shapes,
    "colocation": stale.without_strange_neighbours,
}
_OTHER_RESULTS = {"batch-norm": with_moving_averages, "dropout": without_dropout}


@dataclass(frozen=True)
class Wanted:
    """What of a model is wanted.

    Attributes
    ----------
    inputs
        Tensors by the names that the new signature has for them.
    outputs
        Signature outputs or tensors; by name, they are the outputs of a new signature.
    signature
        The signature whose outputs are wanted; with names, what the new one is called.
    """

    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Iterable[str] | Mapping[str, str] = ()
    signature: str | None = None

    @property
    def is_named(self) -> bool:
        """Whether the model gets a new signature of these names."""
        return bool(self.inputs) or isinstance(self.outputs, Mapping)

    @property
    def is_all(self) -> bool:
        """Whether nothing was said."""
        return not (self.inputs or self.outputs or self.signature)

    def tensors(self, model: Model) -> list[str]:
        """Return the tensors that are wanted of `model`; none where nothing was said of outputs."""
        if isinstance(self.outputs, Mapping):
            return list(self.outputs.values())
        named = [self.outputs] if isinstance(self.outputs, str) else [*self.outputs]
        if self.is_named or (not named and self.signature is None):
            return named
        stated = model.signature(self.signature).outputs
        if not named:
            return [spec.tensor for spec in stated.values()]
        return [stated[name].tensor if name in stated else name for name in named]


ALL = Wanted()
"""Everything."""


@dataclass(frozen=True)
class Prepared:
    """A model as it is to be converted.

    Attributes
    ----------
    model
        What is to be written.
    reference
        What its results are held against: the source, but for what makes results others.
    notes
        A sentence for each repair, its name in front, and for each choice.
    feeds, moved
        How the reference is fed what the model is: as `zoo.repairs.Repaired` has them.
    """

    model: Model
    reference: Model
    notes: list[str] = field(default_factory=list)
    feeds: Mapping[str, Any] = field(default_factory=dict)
    moved: Mapping[str, str] = field(default_factory=dict)


def prepared(model: Model, wanted: Wanted, choice: Choice, *, outputs_only: bool) -> Prepared:
    """Return `model` as it is to be converted.

    Parameters
    ----------
    outputs_only
        Whether what is written holds nothing but what outputs need, where there are variables.
    """
    if not model.graph.node:
        return Prepared(model, model)
    needs_cut = outputs_only and any(is_variable(node) for node in model.graph.node)
    return _Preparing(model, wanted, choice, needs_cut).prepared()


class _Preparing:
    """One model on its way."""

    def __init__(self, model: Model, wanted: Wanted, choice: Choice, needs_cut: bool) -> None:
        self.model, self.wanted, self.choice = model, wanted, choice
        self.needs_cut = needs_cut
        self.averages = averages_of(model.weights)
        self.averaging = choice.makes("moving-averages", for_use=False)
        self.for_use = needs_cut or not wanted.is_all or choice.cuts
        self.inlined = False
        self.notes: list[str] = []
        self.feeds: dict[str, Any] = {}
        self.moved: dict[str, str] = {}
        if needs_cut and choice.wanted.get("training-nodes") is False:
            raise UsageError(
                "a frozen graph holds nothing but what its outputs need",
                found="the repair 'training-nodes' is refused",
                hint="a checkpoint or a SavedModel can hold the rest",
            )

    def prepared(self) -> Prepared:
        """Return the model and what became of it."""
        self._average()
        for name, repair in _EVERYWHERE.items():
            if self._makes(name):
                self._apply(name, repair(self.model.meta_graph))
        outputs = self._outputs()
        for name, repair_of in _OTHER_RESULTS.items():
            if self._makes(name):
                repaired = repair_of(inlined(self.model.meta_graph), outputs)
                unsaid = Repaired(self.model.meta_graph)
                self._apply(name, repaired if repaired.said else unsaid)
                self.inlined = self.inlined or bool(repaired.said)
        reference = self.model
        view = guessing.view(self.model.graph)
        needed = view.upstream(outputs)
        made = [name for name in _OTHER_RESULTS if self._makes(name)]
        self.notes += in_training.modes(view, needed, made)
        if not self.for_use and not self.model.signatures:
            self.notes += in_training.needs(view, needed)
        if self.for_use:
            self._make_useful(outputs)
            self._cut(outputs)
        if self._makes("unused-inputs"):
            self._leave_unused_inputs()
        return Prepared(self.model, reference, self.notes, self.feeds, self.moved)

    def _makes(self, name: str) -> bool:
        return self.choice.makes(name, for_use=self.for_use)

    def _apply(self, name: str, repaired: Repaired) -> None:
        if repaired.said:
            self.notes.append(f"{name}: {repaired.said}")
        elif self.choice.wanted.get(name):
            self.notes.append(f"{name}: found nothing that it repairs")
        self.feeds.update(repaired.feeds)
        self.moved.update(repaired.moved)
        self.model = replace(self.model, meta_graph=repaired.meta_graph)

    def _average(self) -> None:
        """Put moving averages in the place of weights, or say that they are left."""
        count = counted(len(self.averages), "moving average")
        if self.averaging and self.averages:
            self.notes.append(f"moving-averages: took {count} in the place of weights")
            self.model = replace(self.model, weights=averaged(self.model.weights))
        elif self.averaging:
            self._apply("moving-averages", Repaired(self.model.meta_graph))
        elif self.for_use and self.averages:
            self.notes.append(f"left out {count} of weights (--repair moving-averages takes them)")

    def _outputs(self) -> list[str]:
        """Return the tensors to keep, those that look most like outputs where none are stated."""
        named = self.wanted.tensors(self.model)
        if not named and self.needs_cut:
            view = guessing.view(self.model.graph)
            named, others = twins(self.model.meta_graph, view)
            told = f"took {DEFAULT}; {some(others)} is the same net with inputs of its own"
            self.notes += [told] if named else []
        if not named and self.for_use:
            self.notes += guessing.said(self.model.meta_graph)
        return named or self.model.outputs()

    def _make_useful(self, outputs: list[str]) -> None:
        """Repair what keeps the outputs from being computed outside of training."""
        stated = [s.tensor for one in self.model.signatures.values() for s in one.inputs.values()]
        fed = (*stated, *self.wanted.inputs.values())
        keep = {source(tensor) for one in fed for tensor in one.split(",")}
        before = self.model
        self.model = replace(self.model, meta_graph=inlined(self.model.meta_graph))
        made = len(self.notes)
        for name, repair in (("switches", with_switches_fixed), ("queues", with_placeholders)):
            if self._makes(name):
                self._apply(name, repair(self.model.meta_graph, outputs, keep))
        if self._makes("updates"):
            self._apply("updates", without_updates(self.model.meta_graph, outputs))
        if made == len(self.notes):
            self.model = before
        else:
            self.inlined = True

    def _cut(self, outputs: list[str]) -> None:
        """Leave what `outputs` need, and state the signature that is wanted."""
        before = self.model
        names = self.wanted.outputs
        if self._makes("training-nodes"):
            self.model = self.model.prune(outputs)
            self.notes += left_out(before.meta_graph, self.model.meta_graph)
            gone = {*before.weights} - {*self.model.weights}
            count = counted(len(gone & {*slots(before.weights)}), "slot")
            told = f"training-nodes: left out weights that the outputs do not need: {len(gone)}"
            self.notes += [f"{told}, {count} of optimizers among them"] if gone else []
        elif self.inlined and before.meta_graph.object_graph_def.nodes:
            self.notes.append(objects.LEFT_OUT)
            self.model = replace(before, meta_graph=flattened(before.meta_graph, before.weights))
        if not self.wanted.is_named:
            return
        if not isinstance(names, Mapping):
            names = {source(name): name for name in outputs}
        there = {old: new for new, old in self.moved.items()}
        inputs = {key: there.get(tensor, tensor) for key, tensor in self.wanted.inputs.items()}
        if not inputs:
            shown = self.model.signature().inputs
            inputs = {name: spec.tensor for name, spec in shown.items()}
        _check_inputs(before, self.model, inputs, names)
        key = self.wanted.signature or DEFAULT
        self.model = self.model.with_signature(inputs, names, key)
        if key != DEFAULT and DEFAULT not in before.signatures:  # pruning stated one
            self.model.meta_graph.signature_def.pop(DEFAULT, None)

    def _leave_unused_inputs(self) -> None:
        nodes = by_name(self.model.graph)
        gone: list[str] = []
        for key, one in self.model.signatures.items():
            outputs = {name: spec.tensor for name, spec in one.outputs.items()}
            needed = upstream(nodes, [t for one in outputs.values() for t in one.split(",")])
            inputs = {n: s.tensor for n, s in one.inputs.items() if source(s.tensor) in needed}
            if len(inputs) < len(one.inputs):
                gone += sorted(set(one.inputs) - set(inputs))
                self.model = self.model.with_signature(inputs, outputs, key)
        said = f"left out inputs that no output depends on: {some(gone)}" if gone else ""
        self._apply("unused-inputs", Repaired(self.model.meta_graph, said))
        if gone and self.for_use:
            self.model = self.model.prune(self.model.outputs())


def _check_inputs(
    before: Model, model: Model, inputs: Mapping[str, str], outputs: Mapping[str, str]
) -> None:
    nodes = by_name(model.graph)
    gone = {node.name for node in before.graph.node} - {*nodes}
    loose = [tensor for tensor in inputs.values() if source(tensor) in gone]
    if loose:
        hint = "leave it out of the inputs, or name an output that does"
        raise UsageError(f"no output depends on {some(loose)}", hint=hint)
    given = {source(tensor) for tensor in inputs.values()}
    needed = upstream(nodes, outputs.values(), stop=given) - given
    missing = sorted(name for name in needed if nodes[name].op == "Placeholder")
    if missing:
        raise UsageError(
            "the inputs named do not suffice for the outputs",
            found=f"{some(missing)} would be left to feed",
            hint="name them too, as in -i NAME=TENSOR",
        )
