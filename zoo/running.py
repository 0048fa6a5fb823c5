"""Run a model in a TensorFlow 1 session that holds its graph and its weights.

The graph goes into a TensorFlow 1 session as it is; weights are fed into its variables, and a
constant whose value lies outside the graph becomes a variable of the session, so that no large
value is ever copied through a graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo import claimed, policy, runnable, sizes, stand_ins, waiting
from zoo.engine import failing, imported, tensorflow
from zoo.errors import UnsupportedError, some
from zoo.graph import by_name, called_functions, source
from zoo.importable import importable
from zoo.loading import Loading, asset_feeds, initial_operations, with_paths
from zoo.state import keeps_state, may_change_state
from zoo.variables import is_resource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from zoo import protos
    from zoo.feeds import Feeds
    from zoo.policy import Guard
    from zoo.waiting import Waits
    from zoo.weights import Weights


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
    guard
        What of the model may run; by default that of one that nobody trusts.

    Raises
    ------
    TrustError
        What it runs when it is loaded is not trusted; with `collections`, anything in it.
    """

    def __init__(
        self,
        meta_graph: protos.MetaGraphDef,
        weights: Weights,
        assets: Mapping[str, Path],
        *,
        config: Any = None,
        collections: bool = False,
        guard: Guard | None = None,
    ) -> None:
        held = {n: weights.tensor(n) for n in weights}
        claimed.afford((), held, "the weights of the model")
        self._meta_graph = meta_graph
        self._weights, self._assets = weights, assets
        self._nodes = by_name(meta_graph.graph_def)
        self._guard = guard or policy.Guard(meta_graph)
        self._config = config or _config()
        self._own = asset_feeds(meta_graph, assets)
        self._missing = {} if collections else runnable.unknown(meta_graph.graph_def)
        if collections:
            self._guard.require_whole(runnable.is_registered)
        self._import(collections)
        self._open()

    def _import(self, collections: bool = False) -> None:
        """Import the graph, but for what TensorFlow lacks and what is not trusted."""
        meta_graph = self._meta_graph
        self._calls: dict[tuple[tuple[str, ...], tuple[str, ...]], _Call] = {}
        self._ranks: set[tuple[tuple[str, int], ...]] = set()
        initial = initial_operations(meta_graph)
        runnable.refuse(meta_graph.graph_def, map(source, initial), self._missing)
        ran = waiting.executed(self._nodes, initial, self._own)
        self._guard.require_nodes(ran, self._guard.barred())
        self._left_out = {} if collections else self._guard.barred()
        found = [] if collections else self._guard.beyond
        there = stand_ins.without(with_paths(meta_graph, self._own), self._left_out, found)
        self._there = runnable.without(there, self._missing)
        self._graph = imported(importable(self._there, self._weights), collections)
        with failing("TensorFlow does not take the weights"), self._graph.as_default():
            names = self._nodes if self._there is meta_graph else by_name(self._there.graph_def)
            self._loading = Loading(self._graph, names, meta_graph, self._weights, self._assets)

    def _admit(self, ran: Iterable[str], ends: Iterable[str]) -> None:
        """Refuse a call that runs the nodes `ran`, if it may not; bring them in if it may.

        Parameters
        ----------
        ends
            The nodes that are fetched and fed.

        Raises
        ------
        TrustError
            The call needs what the model is not trusted with.
        """
        ran = list(ran)
        self._guard.refuse_saving(ran)
        if not self._left_out:
            return
        there = by_name(self._there.graph_def)
        gone = [name for name in ends if name in self._nodes and name not in there]
        names = self._left_out if gone else ran
        if self._guard.require_nodes(names, self._left_out):
            self.close()
            self._import()
            self._open()

    def close(self) -> None:
        """Give the session's memory back."""
        self.session.close()

    def _open(self) -> None:
        """Open a session, and give it the weights."""
        self.session = tensorflow().compat.v1.Session(graph=self._graph, config=self._config)
        try:
            with failing("TensorFlow does not initialize the graph"):
                self._loading.into(self.session)
        except BaseException:
            self.session.close()
            raise

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
        with failing(f"TensorFlow does not give {some(fetches, 2)}"):
            try:
                self._check_sizes(call, feeds)
                return self._values(call, feeds, limit)
            finally:
                if call.changes:
                    self._begin_anew(call)

    def _values(self, call: _Call, feeds: Feeds, limit: float | None) -> list[np.ndarray]:
        tf = tensorflow()
        fed = call.own | dict(zip(call.feeds, feeds.values.values(), strict=True))
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
            self._open()
        else:
            self._loading.into(self.session)

    def _call(self, fetches: tuple[str, ...], feeds: tuple[str, ...]) -> _Call:
        key = (fetches, feeds)
        if key not in self._calls:
            ran = waiting.executed(self._nodes, fetches, feeds)
            needed = {*ran, *map(source, fetches), *map(source, feeds)}
            runnable.refuse(self._meta_graph.graph_def, needed, self._missing)
            self._admit(ran, needed)
            tensor = self._graph.get_tensor_by_name
            inner = self._called(ran)
            nodes = [*(self._nodes[name] for name in ran), *inner]
            constants = {n: self._weights.tensor(n) for n in ran if n in self._weights}
            claimed.afford(nodes, constants, "what this call computes with")
            initial = initial_operations(self._meta_graph)
            whole = [name for name in feeds if tensor(name).dtype.is_integer]
            unchecked = sizes.fed_sizes(self._nodes, ran, whole)
            self._calls[key] = _Call(
                [self._value(tensor(name)) for name in fetches],
                [tensor(name) for name in feeds],
                {tensor(name): path for name, path in self._own.items() if source(name) in ran},
                changes=any(map(may_change_state, nodes)),
                keeps=any(map(keeps_state, nodes)),
                waits=waiting.waits(self._nodes, ran, inner, initial),
                sizes={name: [*map(tensor, edges)] for name, edges in unchecked.items()},
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

    def _check_sizes(self, call: _Call, feeds: Feeds) -> None:
        """Compute the sizes that depend on what is fed and that a kernel would not check."""
        if call.sizes:
            fed = call.own | dict(zip(call.feeds, feeds.values.values(), strict=True))
            for name, values in self.session.run(call.sizes, fed).items():
                sizes.check(name, values)

    def _check_ranks(self, feeds: Feeds) -> None:
        """Let TensorFlow infer shapes for ranks that the graph leaves open, once for each pattern.

        A kernel that wants another rank would abort the process; shape inference says so instead.
        """
        if not feeds.open_ranks or feeds.open_ranks in self._ranks:
            return
        ranks = {name: [None] * rank for name, rank in feeds.open_ranks}
        given = " and ".join(f"rank {rank} for {name}" for name, rank in feeds.open_ranks)
        imported(
            importable(self._there, self._weights, ranks),
            problem=f"the graph does not take {given}",
        )
        self._ranks.add(feeds.open_ranks)


@dataclass(frozen=True)
class _Call:
    """What is fetched, fed by its caller and by us, what may wait, and sizes to look at before."""

    fetches: list[Any]
    feeds: list[Any]
    own: dict[Any, str]
    changes: bool
    keeps: bool
    waits: Waits
    sizes: dict[str, list[Any]]


def _config() -> Any:
    """Return a configuration for the devices there are, and for graphs with foreign parts.

    Only what runs is placed: one operation without a kernel would keep all others from running.
    """
    config = tensorflow().compat.v1.ConfigProto(allow_soft_placement=True)
    config.graph_options.place_pruned_graph = True
    return config
