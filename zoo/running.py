"""Run a model in a TensorFlow 1 session that holds its graph and its weights.

The graph goes into a TensorFlow 1 session as it is; weights are fed into its variables, and a
constant whose value lies outside the graph becomes a variable of the session, so that no large
value is ever copied through a graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo import waiting
from zoo.assets import asset_files
from zoo.engine import failing, imported, tensorflow
from zoo.errors import UnsupportedError
from zoo.graph import by_name, called_functions, tensor_name, waits
from zoo.importable import importable
from zoo.saver import restored_tables
from zoo.state import keeps_state, may_change_state
from zoo.variables import VARIABLES, is_resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from zoo import protos
    from zoo.feeds import Feeds
    from zoo.waiting import Waits
    from zoo.weights import Weights

_AT_ONCE = 64 << 20
"""Bytes of weights fed in one step."""

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
            self._tables = self._table_operations()
        self._config = config or _config()
        self.session = tf.compat.v1.Session(graph=self._graph, config=self._config)
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
        for fill, feeds in self._tables:
            self.session.run(fill, feeds)

    def run(
        self, fetches: Sequence[str], feeds: Feeds, timeout: float | None = None
    ) -> list[np.ndarray]:
        """Return the values of the tensors `fetches` for `feeds`, starting from the stored weights.

        Parameters
        ----------
        timeout
            Seconds after which the call is given up; by default as `zoo.waiting` has it for a call
            that may wait for ever, and never for any other.

        Raises
        ------
        RunError
            TensorFlow failed, its own words are what was found; or the call waits for ever.
        """
        self._check_ranks(feeds)
        call = self._call(tuple(fetches), tuple(feeds.values))
        waiting.refuse_empty(self._meta_graph, call.waits)
        limit = waiting.LIMIT if timeout is None and call.waits.nodes else timeout
        with failing("TensorFlow does not run the graph"):
            try:
                return self._values(call, feeds, limit)
            finally:
                if call.changes:
                    self._begin_anew(call)

    def _values(self, call: _Call, feeds: Feeds, limit: float | None) -> list[np.ndarray]:
        tf = tensorflow()
        fed = dict(zip(call.feeds, feeds.values.values(), strict=True))
        if limit is None:
            options = None
        else:
            options = tf.compat.v1.RunOptions(timeout_in_ms=max(1, round(limit * 1000)))
        try:
            values: list[np.ndarray] = self.session.run(call.fetches, fed, options)
        except tf.errors.DeadlineExceededError as error:
            if limit is None:
                raise
            raise waiting.too_late(self._meta_graph, call.waits, limit) from error
        return values

    def _begin_anew(self, call: _Call) -> None:
        """Set back what `call` changed; for tables and queues that takes another session."""
        if call.keeps:
            self.session.close()
            self.session = tensorflow().compat.v1.Session(graph=self._graph, config=self._config)
        self.restore()

    def _call(self, fetches: tuple[str, ...], feeds: tuple[str, ...]) -> _Call:
        key = (fetches, feeds)
        if key not in self._calls:
            tensor = self._graph.get_tensor_by_name
            ran = waiting.executed(self._nodes, fetches, feeds)
            inner = self._called(ran)
            nodes = [*(self._nodes[name] for name in ran), *inner]
            initial = _initial_operations(self._meta_graph)
            self._calls[key] = _Call(
                [self._value(tensor(name)) for name in fetches],
                [tensor(name) for name in feeds],
                changes=any(map(may_change_state, nodes)),
                keeps=any(map(keeps_state, nodes)),
                waits=waiting.waits(self._nodes, ran, inner, initial),
            )
        return self._calls[key]

    def _value(self, tensor: Any) -> Any:
        """Return what can be fetched for `tensor`: for a variable's handle, its value."""
        tf = tensorflow()
        node = self._nodes.get(tensor.op.name)
        if tensor.dtype != tf.resource or node is None:
            return tensor
        if not is_resource(node):
            raise UnsupportedError(f"{tensor.name!r} is a handle, not a value", found=node.op)
        with self._graph.as_default(), tf.name_scope("zoo_read"):
            return tf.raw_ops.ReadVariableOp(resource=tensor, dtype=node.attr["dtype"].type)

    def _called(self, names: Iterable[str]) -> list[protos.NodeDef]:
        """Return the nodes of the functions that the nodes `names` call."""
        graph = self._meta_graph.graph_def
        called = called_functions(graph, (self._nodes[name] for name in names))
        functions = (f for f in graph.library.function if f.signature.name in called)
        return [node for function in functions for node in function.node_def]

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


@dataclass(frozen=True)
class _Call:
    """What is fetched and fed, whether that changes state, a table's too, and what may wait."""

    fetches: list[Any]
    feeds: list[Any]
    changes: bool
    keeps: bool
    waits: Waits


def _has_its_value(node: protos.NodeDef) -> bool:
    """Tell whether `node` is a constant that was imported with its value."""
    return node.op == "Const" and waits(node)


def _config() -> Any:
    return tensorflow().compat.v1.ConfigProto(allow_soft_placement=True)


def _initial_operations(meta_graph: protos.MetaGraphDef) -> list[str]:
    """Return the operations that a loaded model runs first: tables, its main operation."""
    if _OWN_INIT in meta_graph.signature_def:
        info = meta_graph.signature_def[_OWN_INIT].outputs[_OWN_INIT]
        return [info.name.partition(":")[0]]
    for name in _INIT_COLLECTIONS:
        if name in meta_graph.collection_def:
            return list(meta_graph.collection_def[name].node_list.value)
    return []
