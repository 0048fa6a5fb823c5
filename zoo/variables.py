"""The variables of a graph: which nodes they are, which train, and where they are listed.

TensorFlow 1 keeps a list of its variables in two collections, ``variables`` and
``trainable_variables``, each entry a `VariableDef`: the variable's node, its initializer and the
node that reads it.  A loader that does not find them there has values but no variables.

Source: ``tensorflow/core/framework/variable.proto``, ``tensorflow/python/framework/ops.py``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import dtypes, protos
from zoo.errors import UnsupportedError
from zoo.graph import by_name, source, unique, upstream
from zoo.listed import ALL, TRAINABLE, all_definitions, definitions, edit_lists
from zoo.nodes import Dims, whole_numbers
from zoo.nodes import node as make_node
from zoo.objects import SLOT, trained_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from zoo.dtypes import DType
    from zoo.weights import Weights

VARIABLES = {"Variable", "VariableV2", "VarHandleOp"}
"""The operations that hold a value between runs; the first two are reference variables."""

_STATISTICS = ("moving_mean", "moving_variance", "moving_var", "running_mean", "running_var")


def is_variable(node: protos.NodeDef) -> bool:
    """Tell whether `node` is a variable."""
    return node.op in VARIABLES


def name_in_session(node: protos.NodeDef) -> str:
    """Return the name by which a session knows what the variable or table `node` holds."""
    shared = (
        node.attr["shared_name"].s.decode(errors="replace") if "shared_name" in node.attr else ""
    )
    return shared or str(node.name)


def is_resource(node: protos.NodeDef) -> bool:
    """Tell whether `node` is a resource variable, as TensorFlow 2 has them."""
    return bool(node.op == "VarHandleOp")


def dtype_of(node: protos.NodeDef) -> DType:
    """Return the dtype of the value that the variable `node` holds."""
    return dtypes.dtype(node.attr["dtype"].type)


def trainable(meta_graph: protos.MetaGraphDef, names: Iterable[str], weights: Weights) -> set[str]:
    """Return which of the variables called `names` are trained.

    What the graph says counts: its collection ``trainable_variables``, or its object graph.  Where
    it says nothing, a floating-point variable is, but for the statistics of batch normalisation.

    Parameters
    ----------
    weights
        Knows the keys by which the object graph calls the variables.
    """
    wanted = set(names)
    if TRAINABLE in meta_graph.collection_def:
        return wanted & set(definitions(meta_graph, TRAINABLE))
    nodes = {node.name: node for node in meta_graph.graph_def.node if node.name in wanted}
    stated = trained_keys(meta_graph.object_graph_def)
    return {
        name
        for name, node in nodes.items()
        if stated.get(weights.key(name), _looks_trained(node, weights.key(name)))
    }


def _looks_trained(node: protos.NodeDef, key: str) -> bool:
    floating = is_variable(node) and dtype_of(node).floating
    return floating and SLOT not in key and not is_statistic(node.name)


def is_statistic(name: str) -> bool:
    """Tell whether `name` is what batch normalisation calls the averages it keeps."""
    return name.rpartition("/")[2].startswith(_STATISTICS)


def handle(name: str, dtype: DType, shape: tuple[int, ...], device: str = "") -> protos.NodeDef:
    """Return a resource variable called `name`.

    It is shared under its own name: with none, all variables of a session would be one.
    """
    attrs = {"container": "", "shared_name": name, "debug_name": name}
    return make_node(
        name,
        "VarHandleOp",
        device=device,
        dtype=dtype,
        shape=Dims(shape),
        allowed_devices=[],
        **attrs,
    )


def declare(
    meta_graph: protos.MetaGraphDef, shapes: Mapping[str, tuple[int, ...]], trained: set[str]
) -> None:
    """Make `meta_graph` list the variables in `shapes`, each with initializer and read.

    Entries that are there and name nodes that are there stay as they are, but for their mark of
    being a resource and of being trained.
    """
    nodes = {node.name: node for node in meta_graph.graph_def.node}
    taken = set(nodes)
    listed = all_definitions(meta_graph)
    entries = {}
    for name, sizes in shapes.items():
        entry = listed.get(name)
        if entry is None or not _stands(entry, nodes):
            entry, added = _entry(nodes[name], sizes, taken)
            meta_graph.graph_def.node.extend(added)
        entry.is_resource = is_resource(nodes[name])
        entry.trainable = name in trained
        entries[name] = entry
    _list(meta_graph, ALL, [*entries.values()])
    _list(meta_graph, TRAINABLE, [entry for name, entry in entries.items() if name in trained])


def declaring(meta_graph: protos.MetaGraphDef) -> set[str]:
    """Return the nodes by which variables are declared: they initialize them, and read them."""
    ends = (
        name
        for entry in all_definitions(meta_graph).values()
        for name in (entry.initializer_name, entry.initial_value_name, entry.snapshot_name)
    )
    nodes = by_name(meta_graph.graph_def)
    return {name for name in upstream(nodes, ends) if not is_variable(nodes[name])}


def detached(meta_graph: protos.MetaGraphDef, weights: Weights) -> protos.MetaGraphDef:
    """Return a copy of `meta_graph` without its object graph, to be edited.

    What the object graph said of the variables is said by the collections then.
    """
    edited = protos.MetaGraphDef()
    edited.CopyFrom(meta_graph)
    nodes = [node.name for node in meta_graph.graph_def.node if is_variable(node)]
    held = [name for name in nodes if name in weights]
    if TRAINABLE not in meta_graph.collection_def and held:
        shapes = {name: weights.tensor(name).shape for name in held}
        declare(edited, shapes, trainable(meta_graph, held, weights))
    edited.ClearField("object_graph_def")
    return edited


def listed_tensors(meta_graph: protos.MetaGraphDef) -> list[str]:
    """Return the tensors, not the operations, that collections name."""
    return [
        name
        for _, collection in sorted(meta_graph.collection_def.items())
        for name in collection.node_list.value
        if ":" in name
    ]


def rename_listed(meta_graph: protos.MetaGraphDef, renamed: Callable[[str], str]) -> None:
    """Let collections of `meta_graph` call each of their tensors as `renamed` says."""
    for _, collection in sorted(meta_graph.collection_def.items()):
        if collection.HasField("node_list"):
            names = collection.node_list.value
            names[:] = [renamed(name) if ":" in name else name for name in names]


def readable(meta_graph: protos.MetaGraphDef, tensors: Iterable[str]) -> list[str]:
    """Return `tensors`, where one is a variable's handle the tensor that has its value.

    Raises
    ------
    UnsupportedError
        No node reads the variable.
    """
    handles = {node.name for node in meta_graph.graph_def.node if is_resource(node)}
    found = []
    for tensor in tensors:
        if source(tensor) in handles:
            tensor = _read(meta_graph, source(tensor))  # noqa: PLW2901  (the same thing's value)
        found.append(tensor)
    return found


def _read(meta_graph: protos.MetaGraphDef, name: str) -> str:
    for node in meta_graph.graph_def.node:
        if node.op == "ReadVariableOp" and source(node.input[0]) == name:
            return f"{node.name}:0"
    raise UnsupportedError(f"{name!r} is a variable that nothing reads", hint="name a tensor")


def mark_resources(meta_graph: protos.MetaGraphDef, names: set[str]) -> None:
    """Say of the variables `names`, wherever a collection lists them, that they are resources."""

    def marked(name: str, entry: protos.VariableDef) -> protos.VariableDef:
        """Return `entry`, said to be a resource if it is one of `names`."""
        entry.is_resource = entry.is_resource or name in names
        return entry

    edit_lists(meta_graph, marked)


def relist(meta_graph: protos.MetaGraphDef) -> None:
    """Let all collections say of a variable what ``variables`` says, and nothing of what is gone.

    One entry that names a node that is not there keeps TensorFlow from importing the graph.
    """
    said, nodes = definitions(meta_graph), by_name(meta_graph.graph_def)

    def standing(name: str, entry: protos.VariableDef) -> protos.VariableDef | None:
        """Return what ``variables`` says in the place of `entry`, None where a node is gone."""
        entry = said.get(name, entry)
        return entry if _stands(entry, nodes) else None

    edit_lists(meta_graph, standing)


def _stands(entry: protos.VariableDef, nodes: dict[str, protos.NodeDef]) -> bool:
    """Tell whether every node that `entry` names is there, and reads and writes as one should."""
    names = (entry.initializer_name, entry.initial_value_name, entry.snapshot_name)
    return all(name and source(name) in nodes for name in (entry.variable_name, *names))


def _entry(
    variable: protos.NodeDef, sizes: tuple[int, ...], taken: set[str]
) -> tuple[protos.VariableDef, list[protos.NodeDef]]:
    """Return a definition of `variable` that starts as zeros, and the nodes it needs."""
    name, dtype = variable.name, dtype_of(variable)
    zeros = unique(f"{name}/Initializer/zeros", taken)
    assign, read = unique(f"{name}/Assign", taken), unique(f"{name}/Read/ReadVariableOp", taken)
    added = _zeros(zeros, dtype, sizes)
    if is_resource(variable):
        added.append(make_node(assign, "AssignVariableOp", [name, zeros], dtype=dtype))
        added.append(make_node(read, "ReadVariableOp", [name], dtype=dtype))
    else:
        added.append(make_node(assign, "Assign", [name, zeros], T=dtype))
        added.append(make_node(read, "Identity", [name], T=dtype))
    entry = protos.VariableDef(
        variable_name=f"{name}:0",
        initial_value_name=f"{zeros}:0",
        initializer_name=assign,
        snapshot_name=f"{read}:0",
    )
    return entry, added


def _zeros(name: str, dtype: DType, sizes: tuple[int, ...]) -> list[protos.NodeDef]:
    """Return nodes that make zeros (empty strings) of the shape `sizes`, however large that is."""
    dims = whole_numbers(f"{name}/dims", sizes)
    value = make_node(f"{name}/value", "Const", dtype=dtype)
    value.attr["value"].tensor.dtype = dtype.number
    value.attr["value"].tensor.tensor_shape.SetInParent()
    if dtype is dtypes.STRING:
        value.attr["value"].tensor.string_val.append(b"")
    fill = make_node(name, "Fill", [dims.name, value.name], T=dtype, index_type=dtypes.INT32)
    return [dims, value, fill]


def _list(
    meta_graph: protos.MetaGraphDef, collection: str, entries: list[protos.VariableDef]
) -> None:
    """Put `entries` first into the collection, in place of those of the same variables."""
    ours = {entry.variable_name for entry in entries}
    others = [
        entry
        for entry in definitions(meta_graph, collection).values()
        if entry.variable_name not in ours and collection == ALL
    ]
    target = meta_graph.collection_def[collection].bytes_list
    del target.value[:]
    target.value.extend(entry.SerializeToString() for entry in [*entries, *others])
