"""The net that is trained: a model with a new head, as Keras layers over its graph."""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from zoo import facts, protos, signatures
from zoo.batch_norm import with_moving_averages
from zoo.batch_statistics import Normalisation, normalisations, with_batch_statistics
from zoo.errors import UnsupportedError, UsageError, some
from zoo.fixed_switches import with_switches_fixed
from zoo.graph import by_name, consumers, source, tensor_name, upstream
from zoo.heads import copies
from zoo.inline import expanded, inlined
from zoo.keras_layer import layer_of
from zoo.layers import FORM, Head
from zoo.new_head import with_new_head
from zoo.portable import portable
from zoo.specs import TensorSpec, spec_of
from zoo.switches import constant_of
from zoo.tensors import ArrayTensor
from zoo.view import View
from zoo_finetune import normalising
from zoo_finetune.depth import layers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from zoo.model import Model
    from zoo_finetune.recipe import Recipe

_ENDS = {"ArgMax", "LogSoftmax", "Sigmoid", "Softmax", "TopK", "TopKV2"}


@dataclass(frozen=True)
class Net:
    """A model on its way to be trained.

    Attributes
    ----------
    model
        With its new head.
    head
        That head.
    fed
        What is fed: the input of the model, or a tensor in its place.
    learned
        The tensor that is compared with labels: the logits, places averaged.
    trained
        The names of the weights that learn.
    normalisations
        The batch normalisations that go by each batch while the net is trained, which moves their
        averages.
    notes
        A sentence for each thing to know.
    """

    model: Model
    head: Head
    fed: TensorSpec
    learned: str
    trained: frozenset[str]
    normalisations: tuple[Normalisation, ...] = ()
    notes: list[str] = field(default_factory=list)

    @property
    def trains_head_alone(self) -> bool:
        """Whether nothing before the head learns, so that its features stay what they are."""
        return self.trained <= set(self.head.weights) and not self.normalisations

    def backbone(self) -> Any:
        """Return the function from the input to the features."""
        return self.model.function([self.fed.tensor], self.head.features, trainable=False)

    def layer(self, *, of_features: bool) -> Any:
        """Return the Keras layer that is trained: the head on its features, or the whole net."""
        given = self.head.features if of_features else self.fed.tensor
        ends, guard = ([given], self.learned), self.model.guard
        layer = layer_of(
            self.model.meta_graph, self.model.weights, *ends, True, whole=True, guard=guard
        )
        for name, variable in zip(layer.part.weights, layer.graph_weights, strict=True):
            variable.trainable = name in self.trained
        return self._normalising(layer) if self.normalisations else layer

    def variables(self, layer: Any) -> dict[str, Any]:
        """Return the variables of `layer` that training changes, by the names of the weights."""
        within = layer.layer if self.normalisations else layer
        return {
            name: variable
            for name, variable in zip(within.part.weights, within.graph_weights, strict=True)
            if variable.trainable or name in self.averages
        }

    @property
    def averages(self) -> list[str]:
        """The weights that are averages of statistics, which no gradient changes."""
        return [name for one in self.normalisations for name in (one.mean, one.variance)]

    def _normalising(self, layer: Any) -> Any:
        """Return `layer` as it is trained: by batches."""
        graph, moved = with_batch_statistics(self.model.meta_graph, self.normalisations)
        outputs = [self.learned, *(one.statistic for one in moved)]
        part = portable(graph, self.model.weights, [self.fed.tensor], outputs)
        held = dict(zip(layer.part.weights, layer.graph_weights, strict=True))
        return normalising.learning(layer, part, [held[one.average] for one in moved])

    def with_weights(self, values: Mapping[str, Any]) -> Model:
        """Return the model with other values for some of its weights."""
        stored = self.model.weights
        dtypes = {name: stored.tensor(name).dtype for name in values}
        tensors = {n: ArrayTensor(v.astype(dtypes[n].numpy), dtypes[n]) for n, v in values.items()}
        return replace(self.model, weights=self.model.weights.overlay(tensors))


def net_for(model: Model, recipe: Recipe, head: str | None = None) -> Net:
    """Return `model` as `recipe` wants it trained.

    Parameters
    ----------
    head
        The features before the last layer, as a registry has them.

    Raises
    ------
    UsageError
        Nobody can tell which layer is the last, or what is to learn.
    TrustError
        It does more than compute, and is not trusted with it.
    """
    model, told = _of_signature(model, recipe)
    model, notes = _for_use(model, recipe)
    usual = "softmax" if recipe.outputs > 1 else "sigmoid"
    activation = recipe.activation or (usual if recipe.classifies else "none")
    made = with_new_head(
        model.meta_graph, model.weights, recipe.outputs, model.outputs(),
        features=recipe.features or head, activation=activation, seed=recipe.seed,  # type: ignore[arg-type]
    )  # fmt: skip
    new = replace(model, meta_graph=made.meta_graph, weights=made.weights)
    last = _called(new, made.head, recipe)
    learned = _learned(new, last)
    found = normalisations(View(new.graph), new.weights, [learned])
    if recipe.train_batch_norm:
        _learning(new, learned, found)
    averages = {name for one in found for name in (one.mean, one.variance)}
    trained = _trained(new, last, learned, recipe) - averages
    fed = _fed(new, recipe, last)
    new.guard.require_call([learned], [fed.tensor])
    return Net(
        new, last, fed, learned, trained,
        tuple(found) if recipe.train_batch_norm else (), [*told, *notes, *made.notes],
    )  # fmt: skip


def _of_signature(model: Model, recipe: Recipe) -> tuple[Model, list[str]]:
    """Return `model` with the signature that is trained, and those that take the same inputs.

    A net that was exported for several signatures is in the graph once for each.
    """
    stated = model.signatures
    if len(stated) <= 1:
        return model, []
    taken = {
        s.tensor for s in signatures.signature(model.meta_graph, recipe.signature).inputs.values()
    }
    others = sorted(
        key
        for key, one in stated.items()
        if one.inputs and taken.isdisjoint(spec.tensor for spec in one.inputs.values())
    )
    if not others:
        return model, []
    kept = protos.MetaGraphDef()
    kept.CopyFrom(model.meta_graph)
    for key in others:
        del kept.signature_def[key]
    told = f"left out the signatures {some(others)}: they take other inputs"
    return replace(model, meta_graph=kept), [told]


def _for_use(model: Model, recipe: Recipe) -> tuple[Model, list[str]]:
    """Return `model` as it is in use, and what was done for it.

    Switches have their values, and batch normalisation goes by its averages.
    """
    outputs, notes = model.outputs(), []
    fed = {source(recipe.input)} if recipe.input is not None else set()
    switched = with_switches_fixed(inlined(model.meta_graph), outputs, fed)
    if switched.said:
        model = replace(model, meta_graph=switched.meta_graph)
        notes.append(f"switches: {switched.said}")
    repaired = with_moving_averages(inlined(model.meta_graph), outputs)
    if repaired.said:
        model = replace(model, meta_graph=repaired.meta_graph)
        notes.append(f"batch-norm: {repaired.said}")
    elif by_batch := _by_batch(model, outputs):
        told = f"batch normalisation stays as it was built, by each batch: {some(by_batch, 3)}"
        notes.append(told)
    return model, notes


def _by_batch(model: Model, outputs: Sequence[str]) -> list[str]:
    """Return the normalisations that `outputs` need and that have no averages."""
    view = View(model.graph, expanded(model.graph))
    found: list[str] = facts.training(view, view.upstream(outputs))["batch_norm"]
    return found


def _learning(model: Model, learned: str, found: Sequence[Normalisation]) -> None:
    """Refuse to let batch normalisation learn where there is none of `found` and no other."""
    if not found and not _by_batch(model, [learned]):
        raise UnsupportedError(
            "the model has no batch normalisation that could learn",
            found="none that goes by averages it keeps, and none that goes by each batch",
            hint="leave out --train-batch-norm: folded into kernels, it is a part of them",
        )


def _fed(model: Model, recipe: Recipe, head: Head) -> TensorSpec:
    """Return what is fed to `model`: the only input that its head needs."""
    nodes = by_name(model.graph)
    if recipe.input is not None:
        return spec_of(model.graph, tensor_name(recipe.input), nodes)
    needed = upstream(nodes, [head.features])
    stated = signatures.signature(model.meta_graph, recipe.signature).inputs
    specs = {name: spec for name, spec in stated.items() if source(spec.tensor) in needed}

    view = View(model.graph)
    fed = [s for s in specs.values() if constant_of(view, source(s.tensor)) is None]
    if len(fed) != 1:
        raise UsageError(
            "the model takes several inputs" if fed else "the features need no input",
            found=some(sorted(specs)) or "none",
            hint="name the tensor that the examples are fed to: --input NAME",
        )
    return fed[0]


def _called(model: Model, head: Head, recipe: Recipe) -> Head:
    """Return that copy of `head` which gives the outputs of the signature in question."""
    view = View(model.graph)
    stated = signatures.signature(model.meta_graph, recipe.signature).outputs
    needed = view.upstream(spec.tensor for spec in stated.values())
    found = [head, *copies(view, head, model.weights)]
    return next((one for one in found if source(one.logits) in needed), head)


def _learned(model: Model, head: Head) -> str:
    """Return the tensor behind the logits to which nothing but a choice of classes is done."""
    users = consumers(model.graph.node)
    tensor = head.logits
    while True:
        later = [user for user, at in users.get(source(tensor), ()) if at == 0]
        if len(later) != 1 or later[0].op in _ENDS or later[0].op not in FORM:
            return tensor
        tensor = f"{later[0].name}:0"


def _trained(model: Model, head: Head, learned: str, recipe: Recipe) -> frozenset[str]:
    """Return the names of the weights that learn, as `recipe` says."""
    if recipe.train == "head" and recipe.last_layers is None:
        return frozenset(head.weights)
    able = portable(model.meta_graph, model.weights, [_fed(model, recipe, head).tensor], [learned])
    if recipe.last_layers is not None:
        return _last(model, able.trained, learned, recipe.last_layers)
    if recipe.train == "all":
        return able.trained | frozenset(head.weights)
    called = _matching(recipe.train, sorted(able.weights))
    chosen = [name for name in called if able.weights.tensor(name).dtype.floating]
    if not chosen:
        raise UsageError(
            f"no weight is called {recipe.train!r}"
            if not called
            else f"what is called {recipe.train!r} cannot learn",
            found=some(sorted(able.trained)) if not called else f"whole numbers: {some(called)}",
            hint="a glob as in 'conv5*', or 're:' and a regular expression",
        )
    return frozenset(chosen) | frozenset(head.weights)


def _matching(pattern: str, names: list[str]) -> list[str]:
    if not pattern.startswith("re:"):
        return fnmatch.filter(names, pattern)
    try:
        compiled = re.compile(pattern.removeprefix("re:"))
    except re.error as error:
        raise UsageError(f"{pattern!r} is no regular expression", found=str(error)) from error
    return [name for name in names if compiled.search(name)]


def _last(model: Model, able: frozenset[str], learned: str, count: int) -> frozenset[str]:
    return frozenset(name for layer in layers(model, able, learned)[:count] for name in layer)
