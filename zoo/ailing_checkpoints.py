"""What can be wrong with stored weights: files, formats, names, values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zoo import bundle, bundle_v1, checkpoint_file
from zoo.attach import METADATA
from zoo.diagnosis import ERROR, NOTE, WARNING, Case, Diagnosis
from zoo.errors import FormatError, ZooError, counted, some
from zoo.output import size
from zoo.saved_model_file import folder_of
from zoo.slots import slots
from zoo.tensors import FileTensor, MissingTensor
from zoo.variables import is_variable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_MANY = 0.25
"""The share of a checkpoint's bytes from which on an optimizer's are worth a word."""
_OBJECT_KEY = re.compile(r"/\.ATTRIBUTES/")


def missing_shard(case: Case) -> Iterator[Diagnosis]:
    """Find data files that the index speaks of and that are not there."""
    alone = case.facts is not None and case.facts["format"] in ("graph", "meta_graph")
    if case.model is None or alone:
        return
    tensors = [case.model.weights.tensor(name) for name in case.model.weights]
    places = sorted({tensor.where for tensor in tensors if isinstance(tensor, MissingTensor)})
    if places:
        yield Diagnosis(
            "missing_shard", ERROR,
            "a data file is missing: opening succeeds, and restoring says 'a Variable name or other"
            " graph key that is missing', which is misleading",
            some(places), "copy every file of the checkpoint: .index and each .data-*",
        )  # fmt: skip


def missing_index(case: Case) -> Iterator[Diagnosis]:
    """Find data without the index that says what it is."""
    facts = case.facts
    if facts is not None and facts["format"] == "checkpoint" and not case.format:
        yield Diagnosis(
            "missing_index", ERROR, "values alone: the index with names and shapes is missing",
            facts["what"], some(facts["notes"]),
        )  # fmt: skip


def old_checkpoint(case: Case) -> Iterator[Diagnosis]:
    """Find a checkpoint of before 2016, whole or in shards."""
    files = [path.name for path in _old_files(case)]
    if not files:
        return
    if any("-of-" in name for name in files):
        yield Diagnosis(
            "sharded_v1_checkpoint", ERROR,
            "a checkpoint of before 2016 in shards: restoring by its prefix says 'Failed to find"
            " any matching files'",
            some(files), f"give TensorFlow the pattern {case.at.name}-?????-of-?????, or:"
            f" zoo convert {case.at} OUT --to checkpoint",
        )  # fmt: skip
    else:
        yield Diagnosis(
            "v1_checkpoint", NOTE, "a checkpoint of before 2016, one file without an .index",
            some(files), f"zoo convert {case.at} OUT --to checkpoint",
        )  # fmt: skip


def _old_files(case: Case) -> list[Path]:
    """Return the files that hold weights in the format of before 2016."""
    if case.format == "saved_model":
        inner = folder_of(case.at) / "variables" / "variables"
        return bundle_v1.files(inner) if bundle_v1.recognises(inner) else []
    if case.facts is None or case.facts["format"] != "checkpoint_v1":
        return []
    return [p for p in case.forms["checkpoint"].files_at(case.at) if p.suffix != ".meta"]


def no_graph(case: Case) -> Iterator[Diagnosis]:
    """Find weights without the graph they belong to."""
    if case.format == "checkpoint" and case.model is not None and not case.model.graph.node:
        keys = [case.model.weights.key(name) for name in case.model.weights]
        if METADATA in case.model.weights.metadata or any(map(_OBJECT_KEY.search, keys)):
            yield Diagnosis(
                "object_checkpoint", WARNING,
                "a checkpoint of TensorFlow 2's objects, as model.save_weights wrote them: Keras 3"
                " says 'File format not supported', and import_meta_graph finds no .meta",
                counted(len(keys), "weight"),
                f"tf.train.load_checkpoint reads it; zoo inspect {case.at} --weights lists it",
            )  # fmt: skip
        else:
            yield Diagnosis(
                "no_graph", WARNING,
                "a checkpoint without its .meta: weights, and no graph that could run",
                counted(len(keys), "weight"),
                f"zoo run {case.at} --graph GRAPH.pbtxt, if you have the graph",
            )  # fmt: skip


def state_file(case: Case) -> Iterator[Diagnosis]:
    """Find a file ``checkpoint`` that names what is not there."""
    folder = case.path if case.path.is_dir() else case.path.parent
    if not (folder / checkpoint_file.NAME).is_file() or not folder.is_dir():
        return
    try:
        state = checkpoint_file.read(folder)
    except ZooError:
        return
    named = state.model_checkpoint_path if state else ""
    here = folder / named.rpartition("/")[2]
    if named.startswith("/") and checkpoint_file.is_there(here) and folder.as_posix() not in named:
        yield Diagnosis(
            "moved_checkpoint", WARNING,
            "the file `checkpoint` names a path of the machine where it was written:"
            " tf.train.latest_checkpoint gives None here",
            named, f"give the prefix {here}; zoo finds it by its name",
        )  # fmt: skip
    elif named and not checkpoint_file.is_there(here):
        yield Diagnosis(
            "latest_missing", ERROR, "the file `checkpoint` names a checkpoint that is not there",
            named, "give the prefix of one that is",
        )  # fmt: skip


def damaged_values(case: Case) -> Iterator[Diagnosis]:
    """Find values that are not what was written: every byte is compared with its checksum."""
    for name, tensor in _stored(case):
        try:
            for _ in tensor.chunks():
                pass
        except FormatError as error:
            found = f"{name}: {error.found or error.problem}"
            cause = "a weight is damaged: its bytes are not those that were written"
            yield Diagnosis("damaged_values", ERROR, cause, found, "fetch or copy the file again")
            return


def _stored(case: Case) -> Iterator[tuple[str, FileTensor]]:
    if case.model is not None:
        for name in case.model.weights:
            tensor = case.model.weights.tensor(name)
            if isinstance(tensor, FileTensor) and tensor.crc is not None:
                yield name, tensor


def uninitialized(case: Case) -> Iterator[Diagnosis]:
    """Find variables that the outputs need and nothing is stored for."""
    if case.model is None or case.facts is None:
        return
    if case.facts["format"] in ("graph", "meta_graph"):
        return
    names = [
        name
        for name, node in case.view.nodes.items()
        if is_variable(node) and name in case.needed and name not in case.model.weights
        and not (node.op == "VarHandleOp" and node.attr["dtype"].type == 0)
    ]  # fmt: skip
    if names:
        yield Diagnosis(
            "uninitialized", WARNING,
            "nothing is stored for variables that the outputs need: running says 'Attempting to use"
            " uninitialized value', unless an initializer runs",
            some(names), "is it the checkpoint of this graph? `zoo inspect --weights` lists both",
        )  # fmt: skip


def optimizer_slots(case: Case) -> Iterator[Diagnosis]:
    """Find weights that only an optimizer needs."""
    if case.model is None or not case.model.weights:
        return
    weights = case.model.weights
    found = [n for n in slots(weights) if not isinstance(weights.tensor(n), MissingTensor)]
    part = sum(weights.tensor(name).nbytes for name in found)
    whole = sum(weights.tensor(name).nbytes for name in weights)
    if found and part >= _MANY * whole:
        yield Diagnosis(
            "optimizer_slots", NOTE, "an optimizer's slots make the file larger than the model",
            f"{counted(len(found), 'weight')}, {size(part)} of {size(whole)}",
            "zoo convert --to frozen leaves them out",
        )  # fmt: skip


def partitioned(case: Case) -> Iterator[Diagnosis]:
    """Find variables that are stored in parts."""
    if case.facts is None:
        return
    found = [one["name"] for one in case.facts["weights"] if "parts" in one]
    if found and case.format == "checkpoint":
        yield Diagnosis(
            "partitioned", NOTE,
            "partitioned variables: the graph has parts, the checkpoint one tensor, so that neither"
            " has the other's names",
            some(found), f"zoo inspect {bundle.index_path(case.at).stem} --weights lists the parts",
        )  # fmt: skip


QUESTIONS = (
    missing_shard, missing_index, old_checkpoint, no_graph, state_file, damaged_values,
    uninitialized, optimizer_slots, partitioned,
)  # fmt: skip
