"""Other names for what a model takes and gives: in its signatures, or of the nodes themselves."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zoo import protos
from zoo.errors import UnknownNameError, UnsupportedError, UsageError, did_you_mean, some
from zoo.graph import COLOCATED, CONTROL, by_name, port, source, tensor_name
from zoo.guessing import completed
from zoo.nodes import node as make_node
from zoo.signatures import tensors
from zoo.specs import INPUTS, spec_of
from zoo.variables import detached, rename_listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.weights import Weights

_NODE = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")
_OWN = "__"
_RECORDS = ("cond_context", "while_context")
"""Collections that speak of nodes, and that only the making of gradients in a session asks."""


def renamed(
    meta_graph: protos.MetaGraphDef,
    weights: Weights,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    *,
    nodes: bool,
) -> protos.MetaGraphDef:
    """Return the graph with other names for inputs and outputs, in every signature that has them.

    A model without signatures gets one.  An object graph, which has signatures of its own, goes.

    Parameters
    ----------
    inputs, outputs
        New names by the old ones.
    nodes
        Whether nodes are called so as well: the placeholder of an input, and for an output an
        ``Identity`` that is put behind it.  Records of the loops of TensorFlow 1 go then.

    Raises
    ------
    UnknownNameError
        No signature has such an input or output.
    UsageError
        Two would have one name.
    """
    edited = protos.MetaGraphDef()
    has_objects = bool(meta_graph.object_graph_def.nodes)
    edited.CopyFrom(completed(detached(meta_graph, weights) if has_objects else meta_graph))
    stated = [one for key, one in edited.signature_def.items() if not key.startswith(_OWN)]
    _rename_keys("input", [one.inputs for one in stated], inputs)
    _rename_keys("output", [one.outputs for one in stated], outputs)
    if nodes:
        _rename_placeholders(edited, _ends([one.inputs for one in stated], inputs))
        _name_outputs(edited, _ends([one.outputs for one in stated], outputs))
        for key in _RECORDS:
            edited.collection_def.pop(key, None)
    return edited


def _rename_keys(
    side: str,
    signatures: list[dict[str, protos.TensorInfo]],
    names: Mapping[str, str],
) -> None:
    there = {key for infos in signatures for key in infos}
    for old in names:
        if old not in there:
            raise UnknownNameError(
                f"the model has no {side} {old!r}",
                found=some(sorted(there)) or f"no {side}s",
                hint=did_you_mean(old, there, "`zoo inspect` lists them"),
            )
    for infos in signatures:
        new = [names.get(key, key) for key in infos]
        twice = sorted({name for name in new if new.count(name) > 1 or not name})
        if twice:
            raise UsageError(
                f"two {side}s would be called {twice[0]!r}",
                found=some(sorted(infos)),
                hint="choose a name that no other has, or rename that one too",
            )
        copies = {names.get(key, key): infos[key].SerializeToString() for key in infos}
        infos.clear()
        for key, serialized in copies.items():
            infos[key].MergeFromString(serialized)


def _ends(
    signatures: list[dict[str, protos.TensorInfo]], names: Mapping[str, str]
) -> dict[str, str]:
    """Return the tensor that each new name in `names` means."""
    found: dict[str, str] = {}
    for new in names.values():
        meant = {t for infos in signatures if new in infos for t in tensors(infos[new])}
        if len(meant) != 1:
            raise UnsupportedError(
                f"no one node can be called {new!r}", found=some(sorted(map(tensor_name, meant)))
            )
        found[new] = tensor_name(meant.pop())
    return found


def _rename_placeholders(meta_graph: protos.MetaGraphDef, ends: Mapping[str, str]) -> None:
    graph = meta_graph.graph_def
    there = by_name(graph)
    names = {source(tensor): new for new, tensor in ends.items() if source(tensor) != new}
    for old, new in names.items():
        if there[old].op not in INPUTS:
            raise UnsupportedError(f"{old!r} is no placeholder", found=there[old].op)
        _check_free(new, set(there) - set(names))
    for node in graph.node:
        node.name = names.get(node.name, node.name)
        node.input[:] = [_edge(edge, names) for edge in node.input]
        if "_class" in node.attr:
            beside = node.attr["_class"].list.s
            beside[:] = [_beside(item, names) for item in beside]
    for stated in meta_graph.signature_def.values():
        for info in (*stated.inputs.values(), *stated.outputs.values()):
            if info.WhichOneof("encoding") == "name":
                info.name = _edge(info.name, names)
    rename_listed(meta_graph, lambda tensor: _edge(tensor, names))


def _edge(edge: str, names: Mapping[str, str]) -> str:
    """Return `edge` as it is called when nodes have other `names`."""
    name = source(edge)
    return edge.replace(name, names[name], 1) if name in names else edge


def _beside(item: bytes, names: Mapping[str, str]) -> bytes:
    name = item.decode(errors="replace").removeprefix(COLOCATED)
    return f"{COLOCATED}{names[name]}".encode() if name in names else item


def _name_outputs(meta_graph: protos.MetaGraphDef, ends: Mapping[str, str]) -> None:
    graph = meta_graph.graph_def
    there = set(by_name(graph))
    for new, tensor in ends.items():
        if tensor == f"{new}:0":
            continue
        _check_free(new, there)
        spec = spec_of(graph, tensor)
        edge = tensor if port(tensor) else source(tensor)
        graph.node.append(make_node(new, "Identity", [edge], T=spec.dtype))
        there.add(new)
        for stated in meta_graph.signature_def.values():
            if new in stated.outputs and tensor_name(stated.outputs[new].name) == tensor:
                stated.outputs[new].name = f"{new}:0"


def _check_free(name: str, taken: set[str]) -> None:
    if name in taken:
        raise UsageError(
            f"a node of the graph is called {name!r}", hint="names of nodes are all different"
        )
    if not _NODE.fullmatch(name) or name.startswith(CONTROL):
        raise UsageError(
            f"no node can be called {name!r}", hint="use letters, digits and any of _ . / -"
        )
