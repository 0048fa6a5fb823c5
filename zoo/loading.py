"""Give a session what a model keeps: weights for variables, contents for tables, files by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo import protos
from zoo.assets import asset_files
from zoo.engine import tensorflow
from zoo.graph import source, tensor_name, waits
from zoo.nodes import text
from zoo.saver import restored_tables
from zoo.variables import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy as np

    from zoo.weights import Weights

_AT_ONCE = 64 << 20
"""Bytes of weights fed in one step."""

_OWN_INIT = "__saved_model_init_op"
_NOWHERE = "a file of the model that is missing"
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op", "table_initializer")


class Loading:
    """What sets the state of a session; making it adds to `graph` what does so.

    Parameters
    ----------
    graph
        The ``tf.Graph`` of the session, which must be the default one meanwhile.
    nodes
        The nodes that are in it.
    meta_graph, weights, assets
        The model.
    """

    def __init__(
        self,
        graph: Any,
        nodes: Mapping[str, protos.NodeDef],
        meta_graph: protos.MetaGraphDef,
        weights: Weights,
        assets: Mapping[str, Path],
    ) -> None:
        self._graph = graph
        self._nodes = nodes
        self._meta_graph = meta_graph
        self._weights = weights
        self._assets = assets
        self._loads = self._loading_operations()
        self._tables = self._table_operations()

    def into(self, session: Any) -> None:
        """Set every variable to its weight, then run what the model runs when it is loaded."""
        for batch in self._batches():
            feeds = {self._loads[name][1]: self._as_fed(name) for name in batch}
            session.run([self._loads[name][0] for name in batch], feeds)
        for init in initial_operations(self._meta_graph):
            session.run(init, asset_feeds(self._meta_graph, self._assets))
        for fill, feeds in self._tables:
            session.run(fill, feeds)

    def _table_operations(self) -> list[tuple[Any, dict[Any, np.ndarray]]]:
        """Add to the graph what fills each table whose contents are among the weights."""
        tf = tensorflow()
        stored = self._weights.by_key()
        found = []
        for table, keys in restored_tables(self._meta_graph).items():
            if table not in self._nodes or not all(key in stored for key in keys):
                continue
            parts = [stored[key].read() for key in keys]
            with tf.device(None), tf.name_scope("zoo_load"):
                values = [
                    tf.compat.v1.placeholder(tf.as_dtype(stored[key].dtype.number)) for key in keys
                ]
                handle = self._graph.get_tensor_by_name(f"{table}:0")
                fill = tf.raw_ops.LookupTableImportV2(
                    table_handle=handle, keys=values[0], values=values[1]
                )
            found.append((fill, dict(zip(values, parts, strict=True))))
        return found

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


def initial_operations(meta_graph: protos.MetaGraphDef) -> list[str]:
    """Return the operations that a loaded model runs first: tables, its main operation."""
    if _OWN_INIT in meta_graph.signature_def:
        info = meta_graph.signature_def[_OWN_INIT].outputs[_OWN_INIT]
        return [info.name.partition(":")[0]]
    for name in _INIT_COLLECTIONS:
        if name in meta_graph.collection_def:
            return list(meta_graph.collection_def[name].node_list.value)
    return []


def asset_feeds(meta_graph: protos.MetaGraphDef, assets: Mapping[str, Path]) -> dict[str, str]:
    """Return the paths of the files that belong to a model by the tensors that are fed them.

    A file that is not there gets a path where nothing is: what the graph itself has in its place is
    a path on the machine that wrote it, or whatever else its author wants to be read.
    """
    return {
        tensor_name(asset.tensor_info.name): str(assets.get(asset.filename, _NOWHERE))
        for asset in asset_files(meta_graph)
    }


def with_paths(meta_graph: protos.MetaGraphDef, paths: Mapping[str, str]) -> protos.MetaGraphDef:
    """Return `meta_graph` with `paths`, by tensor, in the constants that stand for assets.

    TensorFlow evaluates constants while it imports a graph, which may read what the author's path
    names on this machine.
    """
    named = {source(tensor): path for tensor, path in paths.items()}
    if not any(node.op == "Const" and node.name in named for node in meta_graph.graph_def.node):
        return meta_graph
    changed = protos.MetaGraphDef()
    changed.CopyFrom(meta_graph)
    for node in changed.graph_def.node:
        if node.op == "Const" and node.name in named:
            node.attr["value"].tensor.CopyFrom(
                text(node.name, named[node.name]).attr["value"].tensor
            )
    return changed


def _has_its_value(node: protos.NodeDef) -> bool:
    """Tell whether `node` is a constant that was imported with its value."""
    return node.op == "Const" and waits(node)
