"""Batch normalisation by each batch's statistics, in a graph that normalises by averages it keeps.

What `batch_norm` does, the other way round: a net in use is made one that learns.  The averages
are known by where they stand: beside a fused normalisation, or below the root that is divided by.

Source: ``tensorflow/python/ops/nn_impl.py`` (``batch_normalization``, ``moments``,
``fused_batch_norm``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from zoo import dtypes, protos
from zoo.graph import by_name, forget_output_shapes, source, unique
from zoo.nodes import node as make_node
from zoo.nodes import whole_number
from zoo.specs import spec_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from zoo.view import View
    from zoo.weights import Weights

FUSED = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
_FLOAT32 = dtypes.named("float32")
_READS = {"Cast", "Identity", "ReadVariableOp"}
_SUMS = {"Add", "AddV2"}
_ROOTS = ("Rsqrt", "Sqrt")

Place = tuple[str, int]
"""An input of a node: its name, and the position of the edge."""


@dataclass(frozen=True)
class Normalisation:
    """A normalisation by averages.

    Attributes
    ----------
    node
        The fused operation, or the root of the variance.
    values
        The edge of what is normalised; its last axis is that of the channels unless `node` is
        fused.
    mean, variance
        The weights that hold the averages.
    takes_mean, takes_variance
        Where these are used.
    """

    node: str
    values: str
    mean: str
    variance: str
    takes_mean: Place
    takes_variance: Place


@dataclass(frozen=True)
class Moved:
    """An average, and the tensor that is the statistic of each batch to move it towards."""

    average: str
    statistic: str


def normalisations(view: View, weights: Weights, outputs: Sequence[str]) -> list[Normalisation]:
    """Return the normalisations by averages that `outputs` need, in the order of the graph."""
    needed = view.upstream(outputs)
    fused = (_fused(view, weights, name) for name in view.named(*FUSED) if name in needed)
    written = (_written_out(view, weights, name) for name in view.named(*_ROOTS) if name in needed)
    return [one for one in (*fused, *written) if one is not None]


def with_batch_statistics(
    meta_graph: protos.MetaGraphDef, found: Sequence[Normalisation]
) -> tuple[protos.MetaGraphDef, tuple[Moved, ...]]:
    """Return a copy of the graph in which `found` go by each batch, and where its statistics are.

    Gradients pass the statistics, as they do in a net that is trained from the start.
    """
    edited = protos.MetaGraphDef()
    edited.CopyFrom(meta_graph)
    forget_output_shapes(edited.graph_def.node)
    editing = _Editing(edited.graph_def)
    moved = [one for each in found for one in editing.go_by_batch(each)]
    return edited, tuple(moved)


def _fused(view: View, weights: Weights, name: str) -> Normalisation | None:
    attributes, edges = view.nodes[name].attr, view.data_inputs(name)
    if "is_training" not in attributes or attributes["is_training"].b:
        return None
    mean, variance = (_average(view, weights, edge) for edge in edges[3:5])
    if mean is None or variance is None:
        return None
    return Normalisation(name, edges[0], mean, variance, (name, 3), (name, 4))


def _written_out(view: View, weights: Weights, root: str) -> Normalisation | None:
    """Return what divides by `root`, if that is the root of a variance that is kept."""
    (below,) = view.sources[root]
    if view.ops.get(below) not in _SUMS:
        return None
    variances = [*_averages(view, weights, below)]
    means = [*_means(view, weights, _factor(view, weights, root))]
    if len(variances) != 1 or len(means) != 1:
        return None
    (variance, at), (values, mean, place) = variances[0], means[0]
    return Normalisation(root, values, mean, variance, place, (below, at))


def _factor(view: View, weights: Weights, root: str) -> str:
    """Return the node that values are multiplied by: `root`, times a weight where it learns one."""
    while True:
        users = view.data_users.get(root, ())
        if len(users) != 1 or view.ops[users[0][0]] != "Mul":
            return root
        user, at = users[0]
        if _average(view, weights, view.data_inputs(user)[1 - at]) is None:
            return root
        root = user


def _means(view: View, weights: Weights, factor: str) -> Iterator[tuple[str, str, Place]]:
    """Yield what is normalised by `factor`, its average, and where that is used."""
    scaled = {}
    for user, at in view.data_users.get(factor, ()):
        if view.ops[user] in {"Mul", "RealDiv"}:
            scaled[user] = 1 - at
    for user, at in scaled.items():
        edge, place = view.data_inputs(user)[at], (user, at)
        inner = source(edge)
        if view.ops.get(inner) == "Sub":
            values, other = view.data_inputs(inner)
            mean = _average(view, weights, other)
            if mean is not None:
                yield values, mean, (inner, 1)
        elif view.ops.get(inner) == "Neg":
            edge, place = view.data_inputs(inner)[0], (inner, 0)
        mean = _average(view, weights, edge)
        others = [one for one in scaled if one != user]
        if mean is not None and len(others) == 1:
            yield view.data_inputs(others[0])[scaled[others[0]]], mean, place


def _averages(view: View, weights: Weights, name: str) -> Iterator[tuple[str, int]]:
    """Yield the averages that the node `name` takes, each with its position."""
    for at, edge in enumerate(view.data_inputs(name)):
        average = _average(view, weights, edge)
        if average is not None:
            yield average, at


def _average(view: View, weights: Weights, edge: str) -> str | None:
    """Return the weight whose value `edge` has, if it is one number for each last axis."""
    name = source(edge)
    while name not in weights and view.ops.get(name) in _READS:
        name = view.sources[name][0]
    shape = weights.tensor(name).shape if name in weights else ()
    return name if shape and set(shape[:-1]) <= {1} else None


class _Editing:
    """One graph, edited in place."""

    def __init__(self, graph: protos.GraphDef) -> None:
        self.graph, self.nodes = graph, by_name(graph)
        self.taken = set(self.nodes)

    def go_by_batch(self, one: Normalisation) -> list[Moved]:
        """Let `one` take the statistics of what it is given."""
        if self.nodes[one.node].op in FUSED:
            statistics = self._fused(one.node)
        else:
            statistics = self._moments(one)
            for (name, at), statistic in zip(
                (one.takes_mean, one.takes_variance), statistics, strict=True
            ):
                self.nodes[name].input[at] = statistic
        return [Moved(one.mean, statistics[0]), Moved(one.variance, statistics[1])]

    def _fused(self, name: str) -> tuple[str, str]:
        """Let the operation compute statistics, which it takes none for then."""
        node = self.nodes[name]
        node.attr["is_training"].b = True
        node.attr.pop("exponential_avg_factor", None)
        empty = self._nothing(f"{name}/no_average")
        node.input[3], node.input[4] = empty, empty
        return f"{name}:1", f"{name}:2"

    def _nothing(self, scope: str) -> str:
        """Return a tensor without elements; a constant in its place would be taken for a weight."""
        zero, one = (self._number(f"{scope}/{n}", n) for n in (0, 1))
        whole = self._add(f"{scope}/whole", "Range", zero, zero, one, Tidx=dtypes.INT32)
        return self._add(scope, "Cast", whole, SrcT=dtypes.INT32, DstT=_FLOAT32, Truncate=False)

    def _moments(self, one: Normalisation) -> tuple[str, str]:
        """Return mean and variance of `one.values` over all axes but the last."""
        kind, scope = spec_of(self.graph, one.values, self.nodes).dtype, f"{one.node}/of_batch"
        rank = self._add(f"{scope}/rank", "Rank", one.values, T=kind)
        numbers = [self._number(f"{scope}/{name}", n) for name, n in (("first", 0), ("step", 1))]
        last = self._add(f"{scope}/last", "Sub", rank, numbers[1], T=dtypes.INT32)
        axes = self._add(f"{scope}/axes", "Range", numbers[0], last, numbers[1], Tidx=dtypes.INT32)
        kept = {"T": kind, "Tidx": dtypes.INT32, "keep_dims": False}
        mean = self._add(f"{scope}/mean", "Mean", one.values, axes, **kept)
        still = self._add(f"{scope}/still", "StopGradient", mean, T=kind)
        squares = self._add(f"{scope}/squares", "SquaredDifference", one.values, still, T=kind)
        return mean, self._add(f"{scope}/variance", "Mean", squares, axes, **kept)

    def _number(self, name: str, value: int) -> str:
        name = unique(name, self.taken)
        self._put(whole_number(name, value))
        return name

    def _add(self, name: str, op: str, *inputs: str, **attributes: object) -> str:
        name = unique(name, self.taken)
        self._put(make_node(name, op, inputs, **attributes))  # type: ignore[arg-type]
        return name

    def _put(self, node: protos.NodeDef) -> None:
        self.graph.node.append(node)
        self.nodes[node.name] = self.graph.node[-1]
