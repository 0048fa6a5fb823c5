"""What can be wrong with how a SavedModel is called: tags, signatures, variables, assets."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from zoo.assets import asset_files
from zoo.diagnosis import ERROR, NOTE, WARNING, Case, Diagnosis
from zoo.errors import ZooError, counted, some
from zoo.graph import source
from zoo.ops import op as known_op
from zoo.saved_model_file import folder_of
from zoo.variables import is_resource, is_variable

if TYPE_CHECKING:
    from collections.abc import Iterator

_REFERENCES = {"Variable", "VariableV2"}


def several_tags(case: Case) -> Iterator[Diagnosis]:
    """Find several MetaGraphs, of which loaders want one chosen."""
    if case.format != "saved_model":
        return
    form = case.forms["saved_model"]
    try:
        tag_sets = form.choices(case.at)["tags"] if form.choices else []
    except ZooError:
        return
    named = [",".join(tags) or "(none)" for tags in tag_sets]
    if len(tag_sets) > 1:
        yield Diagnosis(
            "several_tags", WARNING,
            "several MetaGraphs: tf.saved_model.load says 'requires a tags= argument', TFSMLayer"
            " cannot choose at all",
            " | ".join(named), f"zoo inspect {case.at} --tags {next(filter(None, named))}",
        )  # fmt: skip
    elif [] in tag_sets:
        yield Diagnosis(
            "no_tags", WARNING,
            "a MetaGraph without tags, as TensorFlow Hub's first modules have: loaders that want"
            " 'serve' say 'MetaGraphDef associated with tags could not be found'",
            "no tags", f"zoo convert {case.at} OUT --to saved_model --option tags=serve",
        )  # fmt: skip
    elif tag_sets and not any("serve" in tags for tags in tag_sets):
        yield Diagnosis(
            "not_for_serving", WARNING, "no MetaGraph has the tag 'serve', which servers look for",
            named[0], f"zoo convert {case.at} OUT --to saved_model --option tags=serve",
        )  # fmt: skip


def no_default(case: Case) -> Iterator[Diagnosis]:
    """Find several signatures and no default."""
    stated = list((case.facts or {}).get("signatures", {}))
    if len(stated) > 1 and not {"serving_default", "default"} & set(stated):
        yield Diagnosis(
            "no_default_signature", WARNING,
            "several signatures and none is the default: 'unknown signature serving_default'",
            some(stated), f"zoo run {case.at} --signature {stated[0]}",
        )  # fmt: skip


def same_tensor_twice(case: Case) -> Iterator[Diagnosis]:
    """Find two names for one input."""
    for key, signature in (case.facts or {}).get("signatures", {}).items():
        counts = Counter(spec["tensor"] for spec in signature["inputs"].values())
        twice = [tensor for tensor, count in counts.items() if count > 1]
        if twice:
            yield Diagnosis(
                "same_tensor_twice", ERROR,
                "a signature has two names for one input: tf.saved_model.load says 'TF_Output"
                " appears more than once in the input list'",
                f"{key}: {some(twice)}", f"zoo run {case.at}, or tf.compat.v1.saved_model.load",
            )  # fmt: skip


def references_shown(case: Case) -> Iterator[Diagnosis]:
    """Find signatures that put out a variable's own memory."""
    outputs = {
        source(spec["tensor"])
        for signature in (case.facts or {}).get("signatures", {}).values()
        for spec in signature["outputs"].values()
    }
    found = []
    for name in sorted(outputs & set(case.view.ops)):
        known = known_op(case.view.ops[name])
        if known is not None and known.outputs and known.outputs[0].ref:
            found.append(name)
    if found:
        yield Diagnosis(
            "reference_output", ERROR,
            "a signature puts out a reference variable itself: tf.saved_model.load says 'has a"
            " reference type float_ref'",
            some(found), f"zoo run {case.at}, or tf.compat.v1.saved_model.load",
        )  # fmt: skip


def not_trainable(case: Case) -> Iterator[Diagnosis]:
    """Find variables that TensorFlow 2 loads without being able to train them."""
    if case.format != "saved_model" or case.model is None:
        return
    names = [n for n in case.model.weights if case.view.ops.get(n) in _REFERENCES]
    if names:
        yield Diagnosis(
            "not_trainable", WARNING,
            "reference variables: tf.saved_model.load says 'Unable to create a python object for"
            " variable', and gives 0 trainable ones",
            counted(len(names), "variable"), f"zoo convert {case.at} OUT --to saved_model",
        )  # fmt: skip


def missing_assets(case: Case) -> Iterator[Diagnosis]:
    """Find files that the graph needs and that are not there."""
    if case.model is None or case.format != "saved_model":
        return
    folder = folder_of(case.at) / "assets"
    gone = [
        a.filename for a in asset_files(case.model.meta_graph) if not (folder / a.filename).exists()
    ]
    if gone:
        yield Diagnosis(
            "missing_assets", ERROR, "files beside the graph are missing: tables cannot be filled",
            some(gone), f"copy them to {folder}",
        )  # fmt: skip


def no_longer_keras(case: Case) -> Iterator[Diagnosis]:
    """Find a SavedModel that Keras wrote, and Keras 3 does not load."""
    if case.model is None or case.format != "saved_model":
        return
    nodes = case.model.meta_graph.object_graph_def.nodes
    kinds = [n.user_object.identifier for n in nodes if n.HasField("user_object")]
    variables = [node for node in case.view.nodes.values() if is_variable(node)]
    if any(kind.startswith("_tf_keras_") for kind in kinds) and all(map(is_resource, variables)):
        yield Diagnosis(
            "keras_saved_model", NOTE,
            "a SavedModel that Keras 2 wrote: Keras 3 says 'File format not supported', and"
            " TFSMLayer runs it without training it",
            some(sorted(set(kinds)), 3), f"zoo run {case.at}, or tf.saved_model.load",
        )  # fmt: skip


QUESTIONS = (
    several_tags, no_default, same_tensor_twice, references_shown, not_trainable, missing_assets,
    no_longer_keras,
)  # fmt: skip
