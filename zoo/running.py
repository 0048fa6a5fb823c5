"""Run a model in a TensorFlow 1 session that holds its graph and its weights.

The graph goes into a TensorFlow 1 session as it is; weights are fed into its variables, and a
constant whose value lies outside the graph becomes a variable of the session, so that no large
value is ever copied through a graph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.assets import asset_files
from zoo.engine import failing, imported, tensorflow
from zoo.graph import by_name, called_functions, source, tensor_name, upstream, waits
from zoo.importable import importable
from zoo.variables import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from zoo import protos
    from zoo.feeds import Feeds
    from zoo.weights import Weights

_AT_ONCE = 64 << 20
"""Bytes of weights fed in one step."""

_ONLY_READ = {
    "Enter",
    "Exit",
    "Identity",
    "IdentityN",
    "If",
    "IsVariableInitialized",
    "LookupTableFindV2",
    "LookupTableSizeV2",
    "Merge",
    "NextIteration",
    "PartitionedCall",
    "ReadVariableOp",
    "ResourceGather",
    "ResourceGatherNd",
    "StatefulPartitionedCall",
    "StatelessIf",
    "StatelessWhile",
    "Switch",
    "VarIsInitializedOp",
    "VariableShape",
    "While",
}
"""What takes handles and leaves their contents alone; functions are looked into."""

_OF_ONE_RUN = ("TensorArray", "Stack")
_OWN_INIT = "__saved_model_init_op"
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op", "table_initializer")


class Runner:
    """A session that holds a model's graph and weights, and runs any part of it.

    Parameters
    ----------
    meta_graph, weights, assets
        The model.
    config
        A ``tf.compat.v1.ConfigProto``; by default one that falls back to the devices there are.
    collections
        Whether the graph's collections are imported too: variables, train_op, summaries.
    """

    def __init__(
        self,
        meta_graph: protos.MetaGraphDef,
        weights: Weights,
        assets: Mapping[str, Path],
        *,
        config: Any = None,
        collections: bool = False,
    ) -> None:
        self._meta_graph = meta_graph
        self._weights = weights
        self._assets = assets
        self._nodes = by_name(meta_graph.graph_def)
        self._calls: dict[tuple[tuple[str, ...], tuple[str, ...]], _Call] = {}
        self._ranks: set[tuple[tuple[str, int], ...]] = set()
        self._graph = imported(importable(meta_graph, weights), collections)
        tf = tensorflow()
        with failing("TensorFlow does not take the weights"), self._graph.as_default():
            self._loads = self._loading_operations()
        self.session = tf.compat.v1.Session(graph=self._graph, config=config or _config())
        with failing("TensorFlow does not initialize the graph"):
            self.restore()

    def close(self) -> None:
        """Give the session's memory back."""
        self.session.close()

    def restore(self) -> None:
        """Set every variable to its weight, then run what the model runs when it is loaded."""
        for batch in self._batches():
            feeds = {self._loads[name][1]: self._as_fed(name) for name in batch}
            self.session.run([self._loads[name][0] for name in batch], feeds)
        for init in _initial_operations(self._meta_graph):
            self.session.run(init, self._asset_feeds())

    def run(self, fetches: Sequence[str], feeds: Feeds) -> list[np.ndarray]:
        """Return the values of the tensors `fetches` for `feeds`, starting from the stored weights.

        Raises
        ------
        RunError
            TensorFlow failed; its own words are what was found.
        """
        self._check_ranks(feeds)
        call = self._call(tuple(fetches), tuple(feeds.values))
        with failing("TensorFlow does not run the graph"):
            try:
                values: list[np.ndarray] = self.session.run(
                    call.fetches, dict(zip(call.feeds, feeds.values.values(), strict=True))
                )
            finally:
                if call.changes:
                    self.restore()
        return values

    def _call(self, fetches: tuple[str, ...], feeds: tuple[str, ...]) -> _Call:
        key = (fetches, feeds)
        if key not in self._calls:
            tensor = self._graph.get_tensor_by_name
            self._calls[key] = _Call(
                [tensor(name) for name in fetches],
                [tensor(name) for name in feeds],
                self._changes_state(upstream(self._nodes, fetches, map(source, feeds))),
            )
        return self._calls[key]

    def _changes_state(self, names: set[str]) -> bool:
        """Tell whether running the nodes `names`, and what they call, may change a stored value."""
        graph = self._meta_graph.graph_def
        nodes = [self._nodes[name] for name in names]
        called = called_functions(graph, nodes)
        for function in graph.library.function:
            if function.signature.name in called:
                nodes += function.node_def
        return any(map(_may_change_state, nodes))

    def _loading_operations(self) -> dict[str, tuple[Any, Any]]:
        """Add to the graph, for each variable with a weight, a placeholder and what assigns it."""
        tf = tensorflow()
        found = {}
        for name in self._weights:
            node = self._nodes.get(name)
            if node is None or node.op not in VARIABLES | {"Const"} or _has_its_value(node):
                continue
            target = self._graph.get_tensor_by_name(f"{name}:0")
            tensor = self._weights.tensor(name)
            with tf.device(None), tf.name_scope("zoo_load"):
                value = tf.compat.v1.placeholder(tf.as_dtype(tensor.dtype.number), tensor.shape)
                if target.dtype == tf.resource:
                    assign = tf.raw_ops.AssignVariableOp(resource=target, value=value)
                else:
                    assign = tf.compat.v1.assign(target, value, validate_shape=False).op
            found[name] = assign, value
        return found

    def _batches(self) -> Iterator[list[str]]:
        """Yield the names of the weights in groups of about `_AT_ONCE` bytes."""
        batch: list[str] = []
        size = 0
        for name in self._loads:
            batch.append(name)
            size += self._weights.tensor(name).nbytes
            if size > _AT_ONCE:
                yield batch
                batch, size = [], 0
        if batch:
            yield batch

    def _as_fed(self, name: str) -> np.ndarray:
        """Return a weight as TensorFlow wants it fed; quantized ones have dtypes of their own."""
        import numpy as np

        array = self._weights[name]
        wanted = np.dtype(self._loads[name][1].dtype.as_numpy_dtype)
        return array if array.dtype == wanted else np.ascontiguousarray(array).view(wanted)

    def _asset_feeds(self) -> dict[str, str]:
        return {
            tensor_name(asset.tensor_info.name): str(self._assets[asset.filename])
            for asset in asset_files(self._meta_graph)
            if asset.filename in self._assets
        }

    def _check_ranks(self, feeds: Feeds) -> None:
        """Let TensorFlow infer shapes for ranks that the graph leaves open, once for each pattern.

        A kernel that wants another rank would abort the process; shape inference says so instead.
        """
        if not feeds.open_ranks or feeds.open_ranks in self._ranks:
            return
        ranks = {name: [None] * rank for name, rank in feeds.open_ranks}
        given = " and ".join(f"rank {rank} for {name}" for name, rank in feeds.open_ranks)
        imported(
            importable(self._meta_graph, self._weights, ranks),
            problem=f"the graph does not take {given}",
        )
        self._ranks.add(feeds.open_ranks)


class _Call:
    """What is fetched and fed: the graph's tensors, and whether running changes state."""

    def __init__(self, fetches: list[Any], feeds: list[Any], changes: bool) -> None:
        self.fetches = fetches
        self.feeds = feeds
        self.changes = changes


def _has_its_value(node: protos.NodeDef) -> bool:
    """Tell whether `node` is a constant that was imported with its value."""
    return node.op == "Const" and waits(node)


def _config() -> Any:
    return tensorflow().compat.v1.ConfigProto(allow_soft_placement=True)


def _may_change_state(node: protos.NodeDef) -> bool:
    from tensorflow.python.framework import op_def_registry

    op = op_def_registry.get(node.op)
    if op is None or node.op in _ONLY_READ or node.op.startswith(_OF_ONE_RUN):
        return False
    resource = tensorflow().resource.as_datatype_enum
    listed = [
        number
        for argument in op.input_arg
        if argument.type_list_attr in node.attr
        for number in node.attr[argument.type_list_attr].list.type
    ]
    return any(argument.is_ref or resource in (argument.type, *listed) for argument in op.input_arg)


def _initial_operations(meta_graph: protos.MetaGraphDef) -> list[str]:
    """Return the operations that a loaded model runs first: tables, its main operation."""
    if _OWN_INIT in meta_graph.signature_def:
        info = meta_graph.signature_def[_OWN_INIT].outputs[_OWN_INIT]
        return [info.name.partition(":")[0]]
    for name in _INIT_COLLECTIONS:
        if name in meta_graph.collection_def:
            return list(meta_graph.collection_def[name].node_list.value)
    return []
