"""Calls that wait for what nobody gives: a queue that is not filled, a barrier, a staging area.

In training, runners in threads of their own fill the queues of a graph.  A call has no runners:
what it does not fill itself stays empty, and taking from it waits for ever, without a word.

Source: ``tensorflow/core/ops/data_flow_ops.cc``, ``io_ops.cc`` and ``collective_ops.cc``.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, cast

from zoo import wire
from zoo.errors import RunError, UsageError, counted, some
from zoo.graph import CONTROL, by_name, data_inputs, port, source, tensor_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from zoo import protos
    from zoo.protos import NodeDef

LIMIT = 30.0
"""Seconds after which a call is given up that may wait for ever, where its caller says nothing."""
_LONGEST = 1e9
"""Seconds: TensorFlow counts a limit in nanoseconds since 1970, in 64 bits."""

TAKES = re.compile(
    r"QueueDequeue(Many|UpTo)?(V2)?|ReaderRead(UpTo)?(V2)?|BarrierTakeMany"
    r"|(OrderedMap|Map)?Unstage(NoKey)?|(StageP|MapP|OrderedMapP)eek"
    r"|(Resource|Sparse)?AccumulatorTakeGradient"
)
"""The operations that take from a store, and wait while it is empty."""
_MAY_WAIT = re.compile(
    r"QueueEnqueue(Many)?(V2)?|(OrderedMap|Map)?Stage|MutexLock|Collective(Reduce|Gather|Bcast).*"
)
"""Those that wait for something else: for room in a store, for other machines."""
_PASS_ON = {"Identity", "RefIdentity"}
_LEAVE = re.compile(
    r"(Ref)?Identity|Queue(Size|IsClosed)(V2)?|Barrier(Ready|Incomplete)Size|StageSize"
)
"""Those that leave a store as it is."""
_OF_A_READER = re.compile(r"ReaderRead.*")
_STAGES = re.compile(r".*([sS]tage|Peek)(NoKey)?")
_BRANCHES = {"Switch", "RefSwitch", "Merge", "RefMerge"}
_RUNNERS = "queue_runners"
_QUEUE, _ENQUEUES = 1, 2
"""Fields of ``tensorflow/core/protobuf/queue_runner.proto``."""


@dataclass(frozen=True)
class Waits:
    """What of one call may wait.

    Attributes
    ----------
    nodes
        The operations that may wait, those in functions too.
    empty
        Operations that take from a store which nothing in the call fills, by name; each with the
        name of the store.
    tensors
        What these give and the call needs: what to feed in their place.
    """

    nodes: tuple[str, ...] = ()
    empty: Mapping[str, str] = field(default_factory=dict)
    tensors: tuple[str, ...] = ()


def check_limit(seconds: object) -> None:
    """Check that a call can be given up after `seconds`; None is no limit, infinity is refused.

    Raises
    ------
    UsageError
        It is no number, not above 0, or longer than TensorFlow can count.
    """
    if seconds is None:
        return
    number = isinstance(seconds, Real) and not isinstance(seconds, bool)
    if not number or not 0 < cast("float", seconds) <= _LONGEST:
        hint = f"seconds above 0, at most {_LONGEST:.0e}; without, only what waits has a limit"
        raise UsageError("the timeout is no number of seconds", found=repr(seconds), hint=hint)


def executed(
    nodes: Mapping[str, NodeDef], fetches: Iterable[str], feeds: Iterable[str]
) -> dict[str, set[int]]:
    """Return the nodes that TensorFlow runs for `fetches`, with the outputs of each that are used.

    A tensor that is fed needs no node; one that only waits for a node runs it, fed or not, unless
    it is a placeholder.
    """
    fed = {tensor_name(name) for name in feeds}
    found: dict[str, set[int]] = {}
    seen: set[str] = set()
    todo = [tensor_name(fetch) for fetch in fetches]
    while todo:
        edge = todo.pop()
        name = source(edge)
        if edge in seen or name not in nodes or tensor_name(edge) in fed:
            continue
        seen.add(edge)
        if edge.startswith(CONTROL) and f"{name}:0" in fed and nodes[name].op == "Placeholder":
            continue
        if name not in found:
            todo += nodes[name].input
        found.setdefault(name, set()).add(port(edge))
    return found


def waits(
    nodes: Mapping[str, NodeDef],
    ran: Mapping[str, set[int]],
    inner: Iterable[NodeDef],
    initial: Iterable[str],
) -> Waits:
    """Return what may wait of a call that runs the nodes `ran`.

    Parameters
    ----------
    inner
        The nodes of the functions that they call.
    initial
        The operations that ran before the call, when the model was loaded.
    """
    takers = [name for name in ran if TAKES.fullmatch(nodes[name].op)]
    others = [name for name in ran if _MAY_WAIT.fullmatch(nodes[name].op)]
    others += [n.name for n in inner if TAKES.fullmatch(n.op) or _MAY_WAIT.fullmatch(n.op)]
    if not takers:
        return Waits(tuple(others))
    touched = _touched(nodes, [*ran, *executed(nodes, initial, ())])
    empty = {
        name: str(store)
        for name in takers
        if (store := _store(nodes, name)) is not None
        and store not in touched
        and not _on_a_branch(nodes, name)
    }
    tensors = tuple(f"{name}:{at}" for name in empty for at in sorted(ran[name]) if at >= 0)
    return Waits((*takers, *others), empty, tensors)


def refuse_empty(meta_graph: protos.MetaGraphDef, found: Waits) -> None:
    """Refuse a call that takes from a store which nothing fills.

    Raises
    ------
    RunError
        It does; the error says who fills the store in training, and what to feed in its place.
    """
    if not found.empty:
        return
    stores = dict.fromkeys(found.empty.values())
    raise RunError(
        f"the call would wait for ever: nothing fills {some(map(repr, stores))}",
        found=f"{_takers(meta_graph, found)}; {_who_fills(meta_graph, set(stores))}",
        hint=_instead(meta_graph, found),
    )


def too_late(meta_graph: protos.MetaGraphDef, found: Waits, seconds: float) -> RunError:
    """Return the error for a call that did not end within `seconds`."""
    problem = f"the call did not end within {seconds:g} seconds and was given up"
    if not found.nodes:
        return RunError(problem, hint="give it more time: timeout=SECONDS, --timeout SECONDS")
    return RunError(
        problem,
        found=f"it waits where others must give or take: {_takers(meta_graph, found)}",
        hint="feed what they give, or give it more time: timeout=SECONDS, --timeout SECONDS",
    )


def filled_by(meta_graph: protos.MetaGraphDef) -> dict[str, list[str]]:
    """Return the operations by which runners fill each queue in training, by the queue's name."""
    found: dict[str, list[str]] = {}
    if _RUNNERS not in meta_graph.collection_def:
        return found
    for data in meta_graph.collection_def[_RUNNERS].bytes_list.value:
        with suppress(ValueError):
            queue, *fills = _names(data, _QUEUE) + _names(data, _ENQUEUES)
            found.setdefault(source(queue), []).extend(map(source, fills))
    return found


def _names(runner: bytes, number: int) -> list[str]:
    """Return the texts of field `number` of a serialized ``QueueRunnerDef``."""
    return [
        runner[field.start : field.end].decode(errors="replace")
        for field in wire.fields(runner, 0, len(runner))
        if (field.number, field.kind) == (number, wire.BYTES)
    ]


def _takers(meta_graph: protos.MetaGraphDef, found: Waits) -> str:
    nodes = by_name(meta_graph.graph_def)
    names = found.empty or found.nodes
    return some(f"{name} ({nodes[name].op})" if name in nodes else name for name in names)


def _who_fills(meta_graph: protos.MetaGraphDef, stores: set[str]) -> str:
    """Return a clause on what fills `stores` where there is a program around the graph."""
    runners = [op for queue, ops in filled_by(meta_graph).items() if queue in stores for op in ops]
    if runners:
        fill = f"{counted(len(runners), 'queue runner')}, {some(dict.fromkeys(runners), 2)}"
        return f"in training {fill}, would fill it"
    nodes = by_name(meta_graph.graph_def)
    fillers = [n for n in nodes if _store(nodes, n) in stores and _MAY_WAIT.fullmatch(nodes[n].op)]
    return f"{some(fillers, 2)} would fill it" if fillers else "no operation of the graph fills it"


def _instead(meta_graph: protos.MetaGraphDef, found: Waits) -> str:
    feeds = " ".join(f"-i {tensor}=@x.npy" for tensor in found.tensors[:3])
    feed = f"feed what it gives in its place: {feeds}" if feeds else "choose other outputs"
    if filled_by(meta_graph).keys() & set(found.empty.values()):
        return f"{feed}; or in model.session(), tf.compat.v1.train.start_queue_runners(session)"
    return f"{feed}; or fill it in model.session()"


def _touched(nodes: Mapping[str, NodeDef], names: Iterable[str]) -> set[str | None]:
    """Return the stores that some of `names` fill, close or change."""
    return {
        _store(nodes, name)
        for name in names
        if not TAKES.fullmatch(nodes[name].op) and not _LEAVE.fullmatch(nodes[name].op)
    }


def _store(nodes: Mapping[str, NodeDef], name: str) -> str | None:
    """Return the name of the store that the node `name` works on, None where nobody can tell."""
    node = nodes[name]
    if _STAGES.fullmatch(node.op):
        return _shared_name(node)
    edges = data_inputs(node)
    at = 1 if _OF_A_READER.fullmatch(node.op) else 0
    origin = nodes.get(source(edges[at])) if len(edges) > at else None
    seen = {name}
    while origin is not None and origin.op in _PASS_ON:
        if origin.name in seen:
            return None
        seen.add(origin.name)
        origin = nodes.get(source(origin.input[0])) if origin.input else None
    return None if origin is None or data_inputs(origin) else _shared_name(origin)


def _shared_name(node: NodeDef) -> str:
    """Return the name under which TensorFlow keeps the store that `node` makes."""
    shared = (
        node.attr["shared_name"].s.decode(errors="replace") if "shared_name" in node.attr else ""
    )
    return shared or node.name


def _on_a_branch(nodes: Mapping[str, NodeDef], name: str) -> bool:
    """Tell whether the node `name` may be on a branch that is not taken."""
    return any(nodes[above].op in _BRANCHES for above in executed(nodes, [name], ()))
