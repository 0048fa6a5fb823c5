"""Are two models the same: signatures, weights bit for bit, graph up to names and node order."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from zoo import matched_ends, weight_pairs
from zoo.attributes import ABSENT
from zoo.contrast import EXACT, Tolerance
from zoo.matched_ends import Ends
from zoo.nets import net
from zoo.specs import spec_of
from zoo.walk import MOST, Difference, Pair, Walk
from zoo.weight_pairs import Stock, Values, WeightPairs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from zoo import protos
    from zoo.matched_ends import Tensors
    from zoo.model import Model
    from zoo.normal_form import Net
    from zoo.tensors import Tensor


def compare(a: Model, b: Model, tolerance: Tolerance = EXACT) -> dict[str, Any]:
    """Return in what `a` and `b` are the same and in what not, as ``zoo diff --json`` prints it.

    Where one of them has no graph, weights alone are compared.

    Raises
    ------
    UnsupportedError
        A graph calls functions without end.
    FormatError
        A file is damaged.
    """
    values = Values(tolerance)
    if not (a.graph.node and b.graph.node):
        weights = WeightPairs(_stock(a, None), _stock(b, None), (), values).facts()
        bare = [name for name, model in (("A", a), ("B", b)) if not model.graph.node]
        notes = [f"no graph in {' and '.join(bare)}: only weights were compared"]
        equal = not weight_pairs.differ(weights)
        found = {"weights": weights, "signatures": None, "graph": None, "notes": notes}
        return {"equal": equal, **found}
    return _Comparison((a, b), values).facts()


def _stock(model: Model, needed: Net | None) -> Stock:
    tensors = {name: model.weights.tensor(name) for name in model.weights}
    if needed is None:
        names = {node.name for node in model.graph.node}
        return Stock(model.weights, tensors, names or None)
    for name in [*needed.nodes]:  # looking at one may add what it implies
        value = needed.operation(name).value
        if value is not None:
            tensors[name] = value
    return Stock(model.weights, tensors, set(needed.nodes))


@dataclass
class _Judge:
    """Knows the values of two models, and what their graphs say of their inputs."""

    models: tuple[Model, Model]
    values: Values
    nets: tuple[Net, Net]

    def same(self, a: Tensor, b: Tensor) -> bool:
        """Tell whether two tensors are the same."""
        return self.values.same(a, b)

    def is_weight(self, pair: Pair) -> bool:
        """Tell whether two nodes hold a weight: one that either model takes for one."""
        names = (point[0] for point in pair.points)
        sides = zip(names, self.models, strict=True)
        return pair.nets == self.nets and any(name in model.weights for name, model in sides)

    def shape(self, side: int, node: protos.NodeDef) -> tuple[int | None, ...] | None:
        """Return the shape that an input wants to have."""
        return spec_of(self.models[side].graph, node.name, {node.name: node}).shape


class _Comparison:
    """Two models that both have a graph."""

    def __init__(self, models: tuple[Model, Model], values: Values) -> None:
        self.models, self.values = models, values
        self.ends = a, b = Ends(models[0]), Ends(models[1])
        given = {*a.outputs, *a.inputs}, {*b.outputs, *b.inputs}
        every = sorted(given[0] | given[1])
        self.nets = (
            net(models[0], [t for t in every if t in given[0] or a.has(t)]),
            net(models[1], [t for t in every if t in given[1] or b.has(t)]),
        )
        self.sizes = len(self.nets[0].nodes), len(self.nets[1].nodes)
        self.judge = _Judge(models, values, self.nets)

    def facts(self) -> dict[str, Any]:
        """Return in what the two are the same and in what not."""
        signatures = matched_ends.facts(self.ends)
        tensors, only_a, only_b = matched_ends.matched(self.ends, self._alike)
        walk, differences = self._walked(tensors)
        differences = [*_lost(only_a, only_b), *differences]
        stocks = _stock(self.models[0], self.nets[0]), _stock(self.models[1], self.nets[1])
        weights = WeightPairs(stocks[0], stocks[1], walk.weights, self.values).facts()
        graph = {
            "equal": not differences,
            "nodes_a": self.sizes[0],
            "nodes_b": self.sizes[1],
            "outputs": [{"a": a, "b": b} for a, b in tensors if self._is_output(a, b)],
            "differences": [asdict(one) for one in differences],
        }
        same = graph["equal"] and signatures["equal"] and not weight_pairs.differ(weights)
        return {
            "equal": same,
            "weights": weights,
            "signatures": signatures,
            "graph": graph,
            "notes": self._notes(differences),
        }

    def _walked(self, tensors: Sequence[Tensors]) -> tuple[Walk, list[Difference]]:
        """Return the walk that explains the two models with fewer words, and what it found."""
        best: tuple[int, Walk, list[Difference]] | None = None
        for by_name in (True, False):
            walk = Walk(self.judge, blind=True)
            found = walk.differences(map(self._pair, tensors), by_name=by_name)
            words = len(found) + sum(not self._same(*pair) for pair in walk.weights)
            if best is None or words < best[0]:
                best = words, walk, found
            if not found:
                break
        assert best is not None  # noqa: S101  (two walks were made)
        return best[1], best[2]

    def _same(self, a: str, b: str) -> bool:
        ours, theirs = self.nets[0].value(a), self.nets[1].value(b)
        return ours is not None and theirs is not None and self.values.same(ours, theirs)

    def _alike(self, tensors: Tensors) -> bool:
        return Walk(self.judge, blind=False).equal([self._pair(tensors)])

    def _is_output(self, a: str, b: str) -> bool:
        return a in self.ends[0].outputs or b in self.ends[1].outputs

    def _pair(self, tensors: Tensors) -> Pair:
        points = self.nets[0].output(tensors[0]), self.nets[1].output(tensors[1])
        return Pair(self.nets, points)

    def _notes(self, differences: Sequence[Difference]) -> list[str]:
        silent = [name for name, end in zip("AB", self.ends, strict=True) if not end.stated]
        notes = []
        if silent:
            said = "states no signature: its graph shows"
            if len(silent) > 1:
                said = "state no signature: their graphs show"
            notes.append(f"{' and '.join(silent)} {said} the outputs")
        if len(differences) >= MOST:
            notes.append(f"the graphs have little in common: only {MOST} differences are told")
        return notes


def _lost(only_a: Sequence[str], only_b: Sequence[str]) -> list[Difference]:
    """Return a difference for each output that the other model does not have."""
    found = [Difference("output", one, "", "", one, ABSENT) for one in only_a]
    return found + [Difference("output", "", one, "", ABSENT, one) for one in only_b]
