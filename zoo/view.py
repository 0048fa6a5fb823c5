"""A graph as it is asked about: read out of its message once, since each look at a message costs.

Inspecting asks the same graph many questions; on a graph of some thousand nodes, reading the
names and edges anew for each would take longer than everything else together.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import TYPE_CHECKING

from zoo.graph import CONTROL, source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zoo import protos


class View:
    """The nodes of a graph by name: their operations, their edges, and who uses them.

    Parameters
    ----------
    nodes
        The nodes that are viewed, where they are not those of `graph`: its calls expanded.

    Attributes
    ----------
    graph
        The message itself, which must not change while it is viewed.
    nodes, ops, inputs
        By the name of a node: itself, its operation, and its edges in their order.
    """

    def __init__(
        self, graph: protos.GraphDef, nodes: Iterable[protos.NodeDef] | None = None
    ) -> None:
        self.graph = graph
        self.nodes: dict[str, protos.NodeDef] = {}
        self.ops: dict[str, str] = {}
        self.inputs: dict[str, list[str]] = {}
        for node in graph.node if nodes is None else nodes:
            name = node.name
            self.nodes[name] = node
            self.ops[name] = node.op
            self.inputs[name] = list(node.input)

    @cached_property
    def sources(self) -> dict[str, list[str]]:
        """The nodes from which each node takes values."""
        return {
            name: [source(edge) for edge in edges if edge[:1] != CONTROL]
            for name, edges in self.inputs.items()
        }

    @cached_property
    def users(self) -> dict[str, list[tuple[str, int]]]:
        """Who uses each node: pairs of a name and the position among its inputs."""
        users: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for name, edges in self.inputs.items():
            for position, edge in enumerate(edges):
                users[source(edge)].append((name, position))
        return dict(users)

    @cached_property
    def data_users(self) -> dict[str, list[tuple[str, int]]]:
        """Who uses the values of each node, those left out that only wait for it."""
        return {
            name: [(user, at) for user, at in users if self.inputs[user][at][:1] != CONTROL]
            for name, users in self.users.items()
        }

    @cached_property
    def _by_op(self) -> dict[str, list[tuple[int, str]]]:
        """The nodes of each operation, with their places in the graph."""
        found: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for place, (name, op) in enumerate(self.ops.items()):
            found[op].append((place, name))
        return dict(found)

    @cached_property
    def library(self) -> dict[str, protos.FunctionDef]:
        """The functions of the graph by name."""
        return {function.signature.name: function for function in self.graph.library.function}

    def data_inputs(self, name: str) -> list[str]:
        """Return the edges of the node `name` that carry values."""
        return [edge for edge in self.inputs[name] if edge[:1] != CONTROL]

    def named(self, *ops: str) -> list[str]:
        """Return the nodes whose operation is one of `ops`, in the order of the graph."""
        places = [pair for op in set(ops) for pair in self._by_op.get(op, ())]
        return [name for _, name in sorted(places)]

    def upstream(self, roots: Iterable[str], *, control: bool = True) -> set[str]:
        """Return the names of `roots` and of all nodes that they need.

        Parameters
        ----------
        roots
            Names of nodes or tensors; what is not there is passed over.
        control
            Whether waiting for a node counts as needing it.
        """
        found: set[str] = set()
        todo = [source(root) for root in roots]
        while todo:
            name = todo.pop()
            if name in found or name not in self.nodes:
                continue
            found.add(name)
            todo += map(source, self.inputs[name]) if control else self.sources[name]
        return found

    def downstream(self, roots: Iterable[str], *, control: bool = True) -> set[str]:
        """Return the names of `roots` and of all nodes that need one of them."""
        users = self.users if control else self.data_users
        found: set[str] = set()
        todo = list(roots)
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo.extend(user for user, _ in users.get(name, ()))
        return found
