"""Two graphs walked side by side, from their outputs towards what goes in.

Two tensors are the same if the same operation makes them, out of the same.  A pair that was met
before is taken for the same, so that loops end: what is left at the end is the largest likeness
there is, up to the names and the order of nodes.  To tell where two graphs differ, names help: if
nodes of one name are taken for each other, an edge that goes elsewhere is one difference.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from zoo.attributes import brief, called, plain, text
from zoo.normal_form import RETURN, Net, Operation, Point, body
from zoo.op_defaults import default
from zoo.specs import INPUTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from zoo import protos
    from zoo.tensors import Tensor

MOST = 100
"""Differences after which a walk ends: two graphs that have little in common."""


@dataclass(frozen=True)
class Difference:
    """What one place of the graphs has in common with the other, and what not.

    Attributes
    ----------
    kind
        ``operation``, ``attribute``, ``constant``, ``edge``, ``inputs``, ``shape``, ``effects``,
        ``shared`` or ``output``.
    a, b
        The node in each graph.
    what
        Which attribute or input it is, if one.
    in_a, in_b
        What is there.
    """

    kind: str
    a: str
    b: str
    what: str
    in_a: str
    in_b: str


@dataclass(frozen=True)
class Pair:
    """A tensor of each graph, or of a function of each."""

    nets: tuple[Net, Net]
    points: tuple[Point, Point]

    @property
    def operations(self) -> tuple[Operation, Operation]:
        """The nodes that make the two."""
        return self.nets[0].operation(self.points[0][0]), self.nets[1].operation(self.points[1][0])


class Judge(Protocol):
    """What is asked about the values that two nodes hold."""

    def same(self, a: Tensor, b: Tensor) -> bool:
        """Tell whether two tensors are the same."""

    def is_weight(self, pair: Pair) -> bool:
        """Tell whether what two nodes hold is a weight of the model, to be told as such."""

    def shape(self, side: int, node: protos.NodeDef) -> tuple[int | None, ...] | None:
        """Return the shape that an input wants to have."""


@dataclass
class Walk:
    """One walk through two graphs.

    Attributes
    ----------
    judge
        Knows the values.
    blind
        Whether weights that differ count as the same, if their name or shape is the same.
    partners
        From each node that must not be two to the one that stands for it, in both directions.
    weights
        The weights that stand in the same place.
    """

    judge: Judge
    blind: bool
    partners: dict[tuple[int, Net, str], str] = field(default_factory=dict)
    bodies: dict[tuple[int, str], Net] = field(default_factory=dict)
    weights: set[tuple[str, str]] = field(default_factory=set)
    seen: set[tuple[int, Point, int, Point]] = field(default_factory=set)

    def equal(self, pairs: Iterable[Pair]) -> bool:
        """Tell whether both tensors of each of `pairs` are the same."""
        return next(self._walked(pairs, self._all), None) is None

    def differences(self, pairs: Iterable[Pair], *, by_name: bool) -> list[Difference]:
        """Return where `pairs` differ, and note in `weights` what they have for weights.

        Parameters
        ----------
        by_name
            Whether nodes of one name are taken for each other where the graphs differ.
        """
        found = []
        for difference in self._walked(pairs, self._likely if by_name else self._all):
            found.append(difference)
            if len(found) == MOST:
                break
        return found

    def _walked(
        self,
        pairs: Iterable[Pair],
        choose: Callable[[Pair, list[Pair]], Iterator[Difference | Pair]],
    ) -> Iterator[Difference]:
        todo = [*pairs]
        todo.reverse()
        while todo:
            pair = todo.pop()
            key = (id(pair.nets[0]), pair.points[0], id(pair.nets[1]), pair.points[1])
            if key in self.seen:
                continue
            self.seen.add(key)
            yield from self._here(pair)
            further = []
            for found in choose(pair, self._further(pair)):
                if isinstance(found, Difference):
                    yield found
                else:
                    further.append(found)
            todo += reversed(further)

    def _all(self, _: Pair, further: list[Pair]) -> Iterator[Difference | Pair]:
        yield from further

    def _likely(self, pair: Pair, further: list[Pair]) -> Iterator[Difference | Pair]:
        """Yield the pairs that come next; where an edge goes elsewhere, that, and who meant to be.

        A name that both graphs know is taken for the same node, unless what it makes shows that
        the names moved.
        """
        nets = pair.nets
        for number, one in enumerate(further):
            (a, _), (b, _) = one.points
            named = a != b and (a in one.nets[1].nodes or b in one.nets[0].nodes)
            if one.nets != nets or not named or self._alike(one):
                yield one
                continue
            yield self._told(pair, "edge", str(number), *map(_spelled, one.points))
            for point in one.points:
                if all(point[0] in net.nodes for net in nets):
                    yield Pair(nets, (point, point))

    def _alike(self, pair: Pair) -> bool:
        return Walk(self.judge, False, dict(self.partners), self.bodies).equal([pair])

    def _here(self, pair: Pair) -> Iterator[Difference]:
        """Yield what differs at the two nodes themselves."""
        a, b = pair.operations
        if a.value is not None and b.value is not None:
            yield from self._values(pair, a.value, b.value)
        elif a.op != b.op:
            yield self._told(pair, "operation", "", a.op, b.op)
        else:
            yield from self._attributes(pair)
            if pair.points[0][1] != pair.points[1][1]:
                yield self._told(pair, "edge", "", *map(_spelled, pair.points))
        if a.op == b.op and len(a.edges) != len(b.edges):
            yield self._told(pair, "inputs", "", str(len(a.edges)), str(len(b.edges)))
        ours, theirs = _kinds(pair.nets[0], a.effects), _kinds(pair.nets[1], b.effects)
        if ours != theirs:
            yield self._told(pair, "effects", "", ", ".join(ours), ", ".join(theirs))
        if a.op == b.op and (a.unique or b.unique):
            yield from self._partners(pair)

    def _values(self, pair: Pair, a: Tensor, b: Tensor) -> Iterator[Difference]:
        (ours, _), (theirs, _) = pair.points
        same = self.judge.same(a, b)
        if self.judge.is_weight(pair):
            related = same or ours == theirs or sorted(a.shape) == sorted(b.shape)
            if related:
                self.weights.add((ours, theirs))
            if related and self.blind:
                return
        if not same:
            yield self._told(pair, "constant", "", brief(a), brief(b))

    def _attributes(self, pair: Pair) -> Iterator[Difference]:
        a, b = pair.operations
        keys = sorted({*a.attrs, *b.attrs})
        if a.op in INPUTS and "shape" in keys:
            keys.remove("shape")
            nodes = pair.nets[0].nodes[a.name], pair.nets[1].nodes[b.name]
            sizes = [self.judge.shape(side, node) for side, node in enumerate(nodes)]
            if None not in sizes and sizes[0] != sizes[1]:
                yield self._told(pair, "shape", "", *map(_sizes, sizes))
        for key in keys:
            ours, theirs = (one.attrs.get(key) or default(one.op, key) for one in (a, b))
            if plain(ours) != plain(theirs):
                yield self._told(pair, "attribute", key, text(ours), text(theirs))

    def _partners(self, pair: Pair) -> Iterator[Difference]:
        """Yield a difference where one node stands for two of the other graph."""
        (a, _), (b, _) = pair.points
        for side, mine, other in ((0, a, b), (1, b, a)):
            known = self.partners.setdefault((side, pair.nets[side], mine), other)
            if known != other:
                names = (known, other) if side == 1 else (mine, mine)
                others = (mine, mine) if side == 1 else (known, other)
                yield self._told(pair, "shared", "", " and ".join(dict.fromkeys(names)),
                                 " and ".join(dict.fromkeys(others)))  # fmt: skip
                return

    def _further(self, pair: Pair) -> list[Pair]:
        """Return the pairs that the two nodes are made of."""
        a, b = pair.operations
        if a.op != b.op and a.name != b.name and len(a.edges) != len(b.edges):
            return []  # two that have nothing in common
        found = [Pair(pair.nets, points) for points in zip(a.edges, b.edges, strict=False)]
        found += _paired(pair.nets, a.effects, b.effects)
        if a.op == b.op:
            for key in sorted({*a.attrs} & {*b.attrs}):
                for names in zip(called(a.attrs[key]), called(b.attrs[key]), strict=False):
                    found += self._of_functions(pair.nets, names)
            found += self._of_functions(pair.nets, (a.op, b.op))
        return found

    def _of_functions(self, nets: tuple[Net, Net], names: tuple[str, str]) -> list[Pair]:
        """Return what the functions `names` put out, in pairs."""
        if any(name not in net.library for name, net in zip(names, nets, strict=True)):
            return []
        for side, name in enumerate(names):
            if (side, name) not in self.bodies:
                library = nets[side].library
                self.bodies[side, name] = body(library[name], library)
        a, b = (self.bodies[side, name] for side, name in enumerate(names))
        return [Pair((a, b), ((RETURN, 0), (RETURN, 0)))]

    def _told(self, pair: Pair, kind: str, what: str, in_a: str, in_b: str) -> Difference:
        return Difference(kind, pair.points[0][0], pair.points[1][0], what, in_a, in_b)


def _paired(nets: tuple[Net, Net], a: Iterable[str], b: Iterable[str]) -> list[Pair]:
    """Return nodes that act, in pairs: those of one operation in the order of their names."""
    ours, theirs = (
        sorted(names, key=lambda name, net=net: (net.nodes[name].op, name))  # type: ignore[misc]
        for net, names in zip(nets, (a, b), strict=True)
    )
    return [Pair(nets, ((x, 0), (y, 0))) for x, y in zip(ours, theirs, strict=False)]


def _kinds(net: Net, names: Iterable[str]) -> list[str]:
    return sorted(net.operation(name).op for name in names)


def _sizes(sizes: tuple[int | None, ...] | None) -> str:
    return "[" + ", ".join("?" if size is None else str(size) for size in sizes or ()) + "]"


def _spelled(point: Point) -> str:
    return f"{point[0]}:{point[1]}" if point[1] else point[0]
