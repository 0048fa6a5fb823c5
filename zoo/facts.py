"""What a graph carries besides its net: training, devices, control flow, collections, assets."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from zoo.assets import asset_files
from zoo.ends import is_backward
from zoo.graph import source
from zoo.slots import slots
from zoo.switches import constant_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from zoo import protos
    from zoo.view import View
    from zoo.weights import Weights

_BATCH_NORM = ("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3")
_BRANCHES = ("Case", "If", "StatelessCase", "StatelessIf")
_ENTERS = ("Enter", "RefEnter")
_LOOPS = ("StatelessWhile", "While")
RANDOM = ("RandomUniform", "StatelessRandomUniform", "StatelessRandomUniformV2")
"""The operations that dropout draws its numbers by."""
_DROPS = {"Floor", "Greater", "GreaterEqual", "Less", "LessEqual"}
_AROUND = {"Add", "AddV2", "Cast", "Identity", "Mul", "Sub"}
_ADDS = {"Add", "AddV2"}
_STEPS = 6


def facts(
    meta_graph: protos.MetaGraphDef, view: View, weights: Weights, needed: set[str]
) -> dict[str, Any]:
    """Return what `meta_graph` carries besides its net, as data.

    Parameters
    ----------
    view
        The graph with its calls inlined.
    needed
        The nodes that the outputs need.
    """
    counts = census(meta_graph.graph_def)
    return {
        "ops": ops(meta_graph.graph_def, counts),
        "functions": len(meta_graph.graph_def.library.function),
        "collections": {
            key: _length(meta_graph.collection_def[key])
            for key in sorted(meta_graph.collection_def)
        },
        "assets": sorted({asset.filename for asset in asset_files(meta_graph)}),
        "devices": _devices(counts),
        "control_flow": _control_flow(meta_graph.graph_def, counts),
        "training": training(view, needed),
        "optimizer_slots": _slots(weights),
    }


def census(graph: protos.GraphDef) -> Counter[tuple[str, str]]:
    """Return how often each operation stands on each device, in `graph` and in its functions."""
    counts = Counter((node.op, node.device) for node in graph.node)
    for function in graph.library.function:
        counts.update((node.op, node.device) for node in function.node_def)
    return counts


def ops(graph: protos.GraphDef, counts: Counter[tuple[str, str]]) -> dict[str, int]:
    """Return how often each operation was counted, calls of the functions of `graph` left out."""
    found = _first(counts)
    for function in graph.library.function:
        found.pop(function.signature.name, None)
    return dict(sorted(found.items()))


def _first(counts: Counter[tuple[str, str]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for (op, _), count in counts.items():
        found[op] += count
    return found


def _length(collection: protos.CollectionDef) -> int:
    kind = collection.WhichOneof("kind")
    return 0 if kind is None else len(getattr(collection, kind).value)


def _devices(counts: Counter[tuple[str, str]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for (_, device), count in counts.items():
        found[device] += count
    return {device: found[device] for device in sorted(found) if device}


def _control_flow(graph: protos.GraphDef, counts: Counter[tuple[str, str]]) -> dict[str, int]:
    """Return how many loops and branches there are, and how many in the way of TensorFlow 1."""
    kinds = _first(counts)
    bodies = [graph.node, *(function.node_def for function in graph.library.function)]
    looped = any(kinds[op] for op in _ENTERS)
    enters = [n for body in bodies for n in body if n.op in _ENTERS] if looped else []
    frames = {node.attr["frame_name"].s for node in enters}
    old = kinds["Merge"] + kinds["RefMerge"] - kinds["NextIteration"] - kinds["RefNextIteration"]
    return {
        "loops": len(frames) + sum(kinds[op] for op in _LOOPS),
        "branches": max(old, 0) + sum(kinds[op] for op in _BRANCHES),
        "of_tensorflow_1": len(frames) + max(old, 0),
    }


def training(view: View, needed: set[str]) -> dict[str, Any]:
    """Return what shows that the graph was made for training, or still behaves so.

    Parameters
    ----------
    needed
        The nodes that the outputs need.
    """
    return {
        "gradients": any(is_backward(name) for name in view.ops),
        "updates": sorted(op for op in set(view.ops.values()) if "Apply" in op),
        "batch_norm": [n for n in view.named(*_BATCH_NORM) if n in needed and _trains(view, n)],
        "dropout": [n for n in view.named(*RANDOM) if n in needed and _drops(view, n)],
    }


def _trains(view: View, name: str) -> bool:
    """Tell whether a batch normalisation uses the statistics of the batch, whatever is fed."""
    attributes = view.nodes[name].attr
    switched = any(_is_switched(view, edge) for edge in view.inputs[name][:1])
    return not switched and ("is_training" not in attributes or attributes["is_training"].b)


def _is_switched(view: View, edge: str) -> bool:
    name = source(edge)
    return view.ops.get(name) in {"Switch", "RefSwitch"}


def _drops(view: View, name: str) -> bool:
    """Tell whether the random numbers `name` are compared with a rate, which nobody can feed."""
    todo = [(name, 0)]
    around = {name}
    found = False
    while todo:
        current, steps = todo.pop()
        for user, _ in view.data_users.get(current, ()):
            around.add(user)
            found = found or view.ops[user] in _DROPS
            if view.ops[user] in _AROUND and steps < _STEPS:
                todo.append((user, steps + 1))
    return found and not _can_be_fed(view, around)


def _can_be_fed(view: View, names: Iterable[str]) -> bool:
    """Tell whether a rate that one of `names` is held against is fed, or chosen on a branch."""
    for name in names:
        if view.ops[name] not in _DROPS | _ADDS:
            continue
        for above in view.upstream(view.sources[name], control=False):
            kind = view.ops[above]
            switch = kind.startswith("Placeholder") and constant_of(view, above) is not None
            if switch or kind in {"Switch", "RefSwitch"}:
                return True
    return False


def _slots(weights: Weights) -> dict[str, int]:
    found = slots(weights)
    return {"weights": len(found), "bytes": sum(weights.tensor(name).nbytes for name in found)}
