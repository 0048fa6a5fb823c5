"""A graph's saver: which stored tensor is which variable, and what saves and restores.

The names in a checkpoint are the saver's, not the graph's: ``Saver({"new": v})`` renames, a
partitioned variable is a slice of a stored tensor, and TensorFlow 2 uses paths through objects.
The restore operation says exactly which is which, whatever wrote it.

Source: ``tensorflow/core/protobuf/saver.proto``, ``tensorflow/python/training/saver.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo import protos
from zoo.errors import FormatError, UnsupportedError, some
from zoo.graph import by_name, consumers, data_inputs, port, source, subgraph, unique, upstream
from zoo.inline import expanded
from zoo.nodes import node as make_node
from zoo.nodes import strings, text
from zoo.tensor_protos import texts
from zoo.variables import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from zoo.dtypes import DType
    from zoo.ordered_code import Extents

_ASSIGN = {"Assign", "AssignVariableOp"}
_PASS_ON = {"Identity", "Reshape", "Cast"}
_IMPORT_TABLE = {"LookupTableImport", "LookupTableImportV2"}
_RESTORE_V1 = {"Restore", "RestoreSlice"}
_DEFAULT_PREFIX = "model"


@dataclass(frozen=True)
class Stored:
    """What a saver stores for one variable: the tensor `key`, or the part `extents` of it."""

    key: str
    extents: Extents | None = None


@dataclass(frozen=True)
class Saved:
    """A variable as a new saver shall handle it: under `key`, read by the edge `read`."""

    name: str
    key: str
    read: str
    dtype: DType
    resource: bool


def restored(meta_graph: protos.MetaGraphDef) -> dict[str, Stored]:
    """Return what the saver of `meta_graph` restores into each variable, by the variable's node.

    Empty if there is no saver.  Tables and other objects that a saver restores are passed over.
    """
    nodes = by_name(meta_graph.graph_def)
    root = source(meta_graph.saver_def.restore_op_name)
    if root not in nodes:
        return {}
    flow = _Flow(expanded(meta_graph.graph_def, upstream(nodes, [root])))
    found: dict[str, Stored] = {}
    for node in flow.nodes.values():
        reads = _reads(node, flow.nodes)
        for number, variable in flow.variables_given(node.name) if reads else ():
            if 0 <= number < len(reads):
                found[variable] = reads[number]
    return found


def restored_tables(meta_graph: protos.MetaGraphDef) -> dict[str, tuple[str, str]]:
    """Return the keys under which the saver finds what tables hold, by the table's node.

    The first is that of the table's own keys, the second that of its values.
    """
    nodes = by_name(meta_graph.graph_def)
    root = source(meta_graph.saver_def.restore_op_name)
    if root not in nodes:
        return {}
    flow = _Flow(expanded(meta_graph.graph_def, upstream(nodes, [root])))
    found = {}
    for node in flow.nodes.values():
        if node.op in _IMPORT_TABLE:
            table, *parts = data_inputs(node)
            stored = [flow.stored(edge) for edge in parts]
            if len(stored) == len([one for one in stored if one]) == 2:
                found[flow.first(table)] = (stored[0].key, stored[1].key)
    return found


def refuse_tables(meta_graph: protos.MetaGraphDef, needed: set[str] | None = None) -> None:
    """Raise `UnsupportedError` if `meta_graph` restores tables, which a new saver cannot.

    Parameters
    ----------
    needed
        The nodes that matter; all by default.
    """
    tables = sorted(restored_tables(meta_graph))
    lost = tables if needed is None else [name for name in tables if name in needed]
    if lost:
        raise UnsupportedError(
            "tables whose contents are stored with the weights cannot be rewritten",
            found=some(lost),
            hint="only the model as it was read keeps them; or choose outputs that do without",
        )


class _Flow:
    """Where the values go that a restore operation reads."""

    def __init__(self, nodes: Iterable[protos.NodeDef]) -> None:
        self.nodes = {node.name: node for node in nodes}
        self.users = consumers(self.nodes.values())

    def variables_given(self, name: str) -> Iterator[tuple[int, str]]:
        """Yield the outputs of the node `name` by number, each with a variable it is assigned."""
        for user, position in self.users.get(name, ()):
            number = port(user.input[position])
            if user.op in _ASSIGN and position == 1:
                variable = self._origin(user.input[0])
                if variable:
                    yield number, variable
            elif user.op in _PASS_ON and position == 0:
                for passed, variable in self.variables_given(user.name):
                    if passed == 0:
                        yield number, variable

    def stored(self, edge: str) -> Any:
        """Return what `edge` carries if it comes from a checkpoint, else None."""
        node, number = self.nodes.get(source(edge)), port(edge)
        while node is not None and node.op in _PASS_ON:
            number = port(node.input[0])
            node = self.nodes.get(source(node.input[0]))
        reads = _reads(node, self.nodes) if node is not None else []
        return reads[number] if 0 <= number < len(reads) else None

    def first(self, edge: str) -> str:
        """Return the node from which `edge` comes, through what only passes it on."""
        node = self.nodes[source(edge)]
        while node.op == "Identity":
            node = self.nodes[source(node.input[0])]
        return str(node.name)

    def _origin(self, edge: str) -> str | None:
        node = self.nodes.get(source(edge))
        while node is not None and node.op not in VARIABLES:
            inputs = data_inputs(node)
            node = self.nodes.get(source(inputs[0])) if inputs else None
        return None if node is None else str(node.name)


def _reads(node: protos.NodeDef, nodes: Mapping[str, protos.NodeDef]) -> list[Stored]:
    """Return what each output of `node` reads from a checkpoint, if it is one that does."""
    if node.op != "RestoreV2" and node.op not in _RESTORE_V1:
        return []
    inputs = data_inputs(node)
    try:
        keys = _constant(nodes, inputs[1])
        slices = _constant(nodes, inputs[2]) if len(inputs) > 2 else [""]
        return [_stored(*pair) for pair in zip(keys, slices, strict=True)]
    except (IndexError, ValueError) as error:
        raise FormatError("the graph's saver is damaged", found=f"{node.name}: {error}") from error


def _constant(nodes: Mapping[str, protos.NodeDef], edge: str) -> list[str]:
    node = nodes.get(source(edge))
    if node is None or node.op != "Const":
        raise ValueError(f"{edge} is not constant")
    return [item.decode() for item in texts(node.attr["value"].tensor)]


def _stored(key: str, spelled: str) -> Stored:
    """Return `key` with a slice: ``"10 4 0,4:-"`` is rows 0 to 3 of (10, 4)."""
    if not spelled:
        return Stored(key)
    extents: list[tuple[int, int] | None] = []
    for part in spelled.rpartition(" ")[2].split(":"):
        start, _, length = part.partition(",")
        extents.append(None if part == "-" else (int(start), int(length)))
    return Stored(key, tuple(extents))


def without_saver(meta_graph: protos.MetaGraphDef, keep: Iterable[str]) -> protos.MetaGraphDef:
    """Return `meta_graph` without its saver and the nodes that only the saver needed.

    Parameters
    ----------
    keep
        Nodes and tensors that stay though nothing else needs them: outputs, variables' own nodes.
    """
    edited = protos.MetaGraphDef()
    edited.CopyFrom(meta_graph)
    edited.ClearField("saver_def")
    nodes = by_name(meta_graph.graph_def)
    saver = meta_graph.saver_def
    roots = [n for n in (saver.save_tensor_name, saver.restore_op_name) if source(n) in nodes]
    if roots:
        dead = _only_for(meta_graph.graph_def, roots, {source(name) for name in keep})
        edited.graph_def.CopyFrom(subgraph(meta_graph.graph_def, set(nodes) - dead))
    return edited


def _only_for(graph: protos.GraphDef, roots: list[str], keep: set[str]) -> set[str]:
    """Return the nodes that only `roots` need, these included."""
    nodes = by_name(graph)
    candidates = {
        name
        for name in upstream(nodes, roots)
        if name not in keep and nodes[name].op not in VARIABLES
    }
    users = {
        name: {user.name for user, _ in pairs} for name, pairs in consumers(graph.node).items()
    }
    dead = {source(root) for root in roots if source(root) in candidates}
    todo = list(dead)
    while todo:
        for edge in nodes[todo.pop()].input:
            name = source(edge)
            if name in candidates and name not in dead and users[name] <= dead:
                dead.add(name)
                todo.append(name)
    return dead


def add_saver(meta_graph: protos.MetaGraphDef, saved: list[Saved]) -> None:
    """Give `meta_graph`, which has no saver, one that saves and restores `saved`."""
    taken = {node.name for node in meta_graph.graph_def.node}
    scope = unique("save", {name.partition("/")[0] for name in taken})
    nodes = _saver_nodes(scope, sorted(saved, key=lambda s: s.key.encode()))
    meta_graph.graph_def.node.extend(nodes)
    meta_graph.saver_def.CopyFrom(
        protos.SaverDef(
            filename_tensor_name=f"{scope}/Const:0",
            save_tensor_name=f"{scope}/control_dependency:0",
            restore_op_name=f"{scope}/restore_all",
            max_to_keep=5,
            keep_checkpoint_every_n_hours=10000.0,
            version=protos.SaverDef.V2,
        )
    )


def _saver_nodes(scope: str, saved: list[Saved]) -> list[protos.NodeDef]:
    from zoo.dtypes import STRING
    from zoo.nodes import Dims

    prefix, keys = f"{scope}/Const", [one.key for one in saved]
    slices, types = [""] * len(saved), [one.dtype for one in saved]
    nodes = [
        text(f"{scope}/filename/input", _DEFAULT_PREFIX),
        make_node(
            f"{scope}/filename",
            "PlaceholderWithDefault",
            [f"{scope}/filename/input"],
            dtype=STRING,
            shape=Dims(None),
        ),
        make_node(
            prefix, "PlaceholderWithDefault", [f"{scope}/filename"], dtype=STRING, shape=Dims([])
        ),
    ]
    for op in ("SaveV2", "RestoreV2"):
        nodes.append(strings(f"{scope}/{op}/tensor_names", keys))
        nodes.append(strings(f"{scope}/{op}/shape_and_slices", slices))
    inputs = {op: [prefix, f"{scope}/{op}/tensor_names", f"{scope}/{op}/shape_and_slices"]
              for op in ("SaveV2", "RestoreV2")}  # fmt: skip
    nodes.append(
        make_node(
            f"{scope}/SaveV2", "SaveV2", inputs["SaveV2"] + [s.read for s in saved], dtypes=types
        )
    )
    nodes.append(
        make_node(f"{scope}/control_dependency", "Identity", [prefix, f"^{scope}/SaveV2"], T=STRING)
    )
    nodes.append(make_node(f"{scope}/RestoreV2", "RestoreV2", inputs["RestoreV2"], dtypes=types))
    assigns = [_assign(scope, number, one) for number, one in enumerate(saved)]
    done = make_node(f"{scope}/restore_all", "NoOp", [f"^{node.name}" for node in assigns])
    return [*nodes, *assigns, done]


def _assign(scope: str, number: int, one: Saved) -> protos.NodeDef:
    value = f"{scope}/RestoreV2:{number}" if number else f"{scope}/RestoreV2"
    name = f"{scope}/Assign_{number}" if number else f"{scope}/Assign"
    if one.resource:
        return make_node(name, "AssignVariableOp", [one.name, value], dtype=one.dtype)
    return make_node(
        name, "Assign", [one.name, value], T=one.dtype, use_locking=True, validate_shape=True
    )
