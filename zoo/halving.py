"""A graph whose weights become half as wide: who reads one gets it cast back.

Whatever gave a weight's value keeps its name and its dtype: a ``Cast`` is called so now, and what
it casts, the same operation as before on fewer bits, has a name of its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import ops, protos
from zoo.graph import CONTROL, by_name, consumers, port, shell, source, unique
from zoo.nodes import node as make_node
from zoo.signatures import sides
from zoo.variables import is_resource, is_statistic, is_variable, listed_tensors

if TYPE_CHECKING:
    from zoo.dtypes import DType
    from zoo.tensors import Tensor
    from zoo.weights import Weights

_WIDE = {"float32", "float64"}
_READS = {"ReadVariableOp": "dtype", "ResourceGather": "dtype", "ResourceGatherNd": "dtype"}
"""What reads a resource, and the attribute with the dtype of that."""
_ASSIGNS = {"Assign": "T", "AssignVariableOp": "dtype"}
_ASKS = {"VarIsInitializedOp", "VariableShape"}
_PASS_ON = {"Identity", "ReadVariableOp", "Cast", "Enter"}
_BATCH_NORM = {"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"}
_MEAN_AND_VARIANCE = (3, 4)


class Halving:
    """One graph on its way to weights of half the width.

    Attributes
    ----------
    names
        The weights that become narrower, with the dtype they had.
    stored
        For a weight and a tensor of its full dtype, the tensor of the stored dtype behind it.
    """

    def __init__(self, meta_graph: protos.MetaGraphDef, weights: Weights, half: DType) -> None:
        self.graph, self.half = meta_graph.graph_def, half
        self.nodes = by_name(self.graph)
        self.users = consumers(self.graph.node)
        self.taken = set(self.nodes)
        both = [sides(stated) for stated in meta_graph.signature_def.values()]
        self.wanted = {source(tensor) for inputs, outputs in both for tensor in inputs + outputs}
        self.wanted |= {source(tensor) for tensor in listed_tensors(meta_graph)}
        self.names = {
            name: weights.tensor(name).dtype
            for name in weights
            if name in self.nodes and self._can_be_halved(name, weights.tensor(name))
        }
        self.stored: dict[tuple[str, str], str] = {}
        self.out: list[protos.NodeDef] = []

    def halved(self) -> protos.GraphDef:
        """Return the graph in which the weights `names` are narrower."""
        self.casts = {n: self._name(n, "full") for n in self.names if self.nodes[n].op == "Const"}
        for node in self.graph.node:
            held = [e for e in node.input if not e.startswith(CONTROL) and source(e) in self.names]
            if node.name in self.names:
                self._weight(node)
            elif held:
                self._user(node, source(held[0]))
            else:
                self.out.append(node)
        graph = shell(self.graph)
        graph.node.extend(self.out)
        return graph

    def _can_be_halved(self, name: str, tensor: Tensor) -> bool:
        node, wide = self.nodes[name], tensor.dtype.name in _WIDE and tensor.shape
        if not wide or name in self.wanted or not (is_variable(node) or node.op == "Const"):
            return False
        if is_statistic(name) or self._is_statistic(name):
            return False
        users = self.users.get(name, [])
        return node.op == "Const" or all(self._may_use(node, *user) for user in users)

    def _is_statistic(self, name: str) -> bool:
        """Tell whether batch normalisation takes the weight `name` as a mean or a variance."""
        todo, seen = [name], {name}
        while todo:
            for user, position in self.users.get(todo.pop(), ()):
                if user.op in _BATCH_NORM and position in _MEAN_AND_VARIANCE:
                    return True
                if user.op in _PASS_ON and user.name not in seen:
                    seen.add(user.name)
                    todo.append(user.name)
        return False

    def _may_use(self, variable: protos.NodeDef, user: protos.NodeDef, position: int) -> bool:
        """Tell whether `user` reads `variable` or gives it its first value, and no more."""
        if user.input[position].startswith(CONTROL) or user.op in _ASKS:
            return True
        if user.op in _ASSIGNS:
            used = any(port(u.input[at]) == 0 for u, at in self.users.get(user.name, ()))
            return position == 0 and not used and user.name not in self.wanted
        if is_resource(variable):
            return user.op in _READS
        known = ops.op(user.op)
        return known is not None and position not in known.refs

    def _name(self, name: str, what: str) -> str:
        return unique(f"{name}/{what}", self.taken)

    def _weight(self, node: protos.NodeDef) -> None:
        """Put out the narrower weight, and for a constant what casts it for all its users."""
        made = self._copy(node)
        made.attr["dtype"].type = self.half.number
        if node.op == "Const":
            made.attr["value"].tensor.dtype = self.half.number
        self.out.append(made)
        if node.name in self.casts:
            self._cast(self.casts[node.name], node.name, node.name, node.device)

    def _user(self, node: protos.NodeDef, weight: str) -> None:
        reads = is_resource(self.nodes[weight]) or node.op == "Identity"
        if self.nodes[weight].op == "Const" or not (reads or node.op in _ASSIGNS):
            self._spare(node)
        elif node.op in _ASSIGNS:
            self._assign(node, weight)
        elif node.op in _ASKS:
            self.out.append(node)
        else:
            self._read(node, weight)

    def _read(self, node: protos.NodeDef, weight: str) -> None:
        """Put out a narrow `node` under another name, and a cast under its own."""
        made = self._copy(node)
        made.name = self._name(node.name, "half")
        made.attr[_READS.get(node.op, "T")].type = self.half.number
        self.out.append(made)
        self._cast(node.name, made.name, weight, node.device)
        self.stored[weight, f"{node.name}:0"] = f"{made.name}:0"

    def _assign(self, node: protos.NodeDef, weight: str) -> None:
        """Put out `node` with a cast before the value that it assigns."""
        value, cast = node.input[1], self._name(node.name, "half")
        made = self._copy(node)
        made.input[1] = cast
        made.attr[_ASSIGNS[node.op]].type = self.half.number
        types = {"SrcT": self.names[weight], "DstT": self.half}
        self.out += [make_node(cast, "Cast", [value], device=node.device, **types), made]
        spelled = value if ":" in value else f"{value}:0"
        self.stored[weight, spelled] = f"{cast}:0"

    def _spare(self, node: protos.NodeDef) -> None:
        """Put out `node`, with each narrow value it takes cast before."""
        made = self._copy(node)
        for position, edge in enumerate(node.input):
            name = source(edge)
            if edge.startswith(CONTROL) or name not in self.names:
                continue
            if name in self.casts:
                made.input[position] = self.casts[name]
            else:
                after = [e for e in node.input if e.startswith(CONTROL)]
                made.input[position] = self._name(node.name, "full")
                self._cast(made.input[position], name, name, node.device, after)
        self.out.append(made)

    def _cast(
        self, name: str, edge: str, weight: str, device: str, after: list[str] | None = None
    ) -> None:
        inputs, types = [edge, *(after or [])], {"SrcT": self.half, "DstT": self.names[weight]}
        self.out.append(make_node(name, "Cast", inputs, device=device, **types))

    def _copy(self, node: protos.NodeDef) -> protos.NodeDef:
        made = protos.NodeDef()
        made.CopyFrom(node)
        return made
