"""What can be wrong with a file before it is read: the wrong one, part of one, none at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import saved_model_file
from zoo.diagnosis import ERROR, NOTE, WARNING, Case, Diagnosis
from zoo.errors import FormatError, UnknownNameError, UsageError, some
from zoo.file_types import file_type

if TYPE_CHECKING:
    from collections.abc import Iterator

_PARTS = (".index", ".meta")
_FOREIGN = {"7z", "data", "elf", "jpeg", "json", "npy", "pdf", "png", "rar", "riff", "text", "zip"}
_SPECIAL = {
    "elf": "a program, not a model",
    "json": "a JSON document: TensorFlow.js keeps graphs so, TensorFlow does not",
}
_MOST = (1 << 31) - 1


def not_there(case: Case) -> Iterator[Diagnosis]:
    """Find nothing lies at the path."""
    if isinstance(case.refusal, UnknownNameError):
        error = case.refusal
        yield Diagnosis("not_there", ERROR, error.problem, error.found, error.hint)


def no_model(case: Case) -> Iterator[Diagnosis]:
    """Find a file of another kind: a page, a pointer, another framework's model."""
    if case.facts is None or case.facts["format"] != "unknown" or _is_loose_saved_model(case):
        return
    seen = file_type(case.path)
    name = "no_model" if seen.name in _FOREIGN else seen.name
    what = _SPECIAL.get(seen.name, seen.what)
    cause = f"{what}: TensorFlow says 'Wire format was corrupt', or takes it for an empty graph"
    yield Diagnosis(name, ERROR, cause, case.path.name, seen.hint)


def archive(case: Case) -> Iterator[Diagnosis]:
    """Find an archive, which TensorFlow needs unpacked, and members that nobody should unpack."""
    if case.facts is None or case.facts["format"] != "archive":
        return
    unpack = "unzip" if file_type(case.path).name == "zip" else "tar xf"
    yield Diagnosis(
        "archive", ERROR, "the model is inside of an archive, which TensorFlow does not open",
        some(note for note in case.facts["notes"]) or "no model that its names show",
        f"zoo takes it as it is; for TensorFlow, {unpack} {case.path.name}",
    )  # fmt: skip
    escaping = [note for note in case.facts["notes"] if "not unpacked" in note]
    if escaping:
        cause = "members of the archive lie outside of its folder, are links, or no plain files"
        yield Diagnosis("archive_escapes", ERROR, cause, some(escaping), "do not unpack it")


def part_given(case: Case) -> Iterator[Diagnosis]:
    """Find one file of a checkpoint where TensorFlow wants the prefix."""
    is_part = case.path.suffix in _PARTS or ".data-" in case.path.name
    if case.format != "checkpoint" or not is_part or case.at == case.path:
        return
    yield Diagnosis(
        "part_of_checkpoint", WARNING,
        "a file of a checkpoint, whose name is the prefix: given the .index, TensorFlow reads 0"
        " variables without an error; given another, it says 'not an sstable'",
        case.path.name, f"give the prefix {case.at}",
    )  # fmt: skip


def saved_model_file_given(case: Case) -> Iterator[Diagnosis]:
    """Find the graph file of a SavedModel where its folder is wanted."""
    names = (saved_model_file.BINARY, saved_model_file.TEXT)
    if case.format == "saved_model" and case.path.is_file() and case.path.name in names:
        cause = (
            "the graph file of a SavedModel: tf.saved_model.load wants the folder, and parsed as a"
            " GraphDef it fails with 'Wire format was corrupt', or is empty"
        )
        help_ = f"give the folder {case.path.parent}"
        yield Diagnosis("saved_model_file", WARNING, cause, case.path.name, help_)


def frozen_as_saved_model(case: Case) -> Iterator[Diagnosis]:
    """Find a frozen graph under the name that a SavedModel's file has."""
    if case.format == "frozen" and case.at.name == saved_model_file.BINARY:
        cause = "a frozen graph under the name of a SavedModel's file: its loader cannot parse it"
        help_ = f"zoo convert {case.at} OUT --to saved_model"
        yield Diagnosis("frozen_as_saved_model", ERROR, cause, case.at.name, help_)


def _is_loose_saved_model(case: Case) -> bool:
    if not case.path.is_file() or case.path.name == saved_model_file.BINARY:
        return False
    try:
        with case.path.open("rb") as file:
            if file.read(1) != b"\x08":
                return False
        meta_graphs = saved_model_file.parse(case.path).meta_graphs
    except (FormatError, OSError):
        return False
    return any(meta_graph.graph_def.node for meta_graph in meta_graphs)


def loose_saved_model(case: Case) -> Iterator[Diagnosis]:
    """Find the graph file of a SavedModel under another name."""
    if case.format == "" and _is_loose_saved_model(case):
        yield Diagnosis(
            "loose_saved_model", ERROR,
            "the graph file of a SavedModel under another name: it is no GraphDef, and its weights"
            " are elsewhere",
            case.path.name,
            f"put it into a folder as {saved_model_file.BINARY}, beside its folder variables/",
        )  # fmt: skip


def inner_folder(case: Case) -> Iterator[Diagnosis]:
    """Find the folder ``variables`` of a SavedModel in place of the whole."""
    folder = case.path if case.path.is_dir() else case.path.parent
    names = (saved_model_file.BINARY, saved_model_file.TEXT)
    whole = any((folder.parent / name).is_file() for name in names)
    if folder.name == "variables" and whole:
        cause = "the weights of a SavedModel alone: the graph is in the folder above"
        help_ = f"give the folder {folder.parent}"
        yield Diagnosis("inner_folder", WARNING, cause, folder.name, help_)


def outer_folder(case: Case) -> Iterator[Diagnosis]:
    """Find a folder of versions, where TensorFlow wants one of them."""
    if case.path.is_dir() and case.format == "saved_model" and case.at != case.path:
        yield Diagnosis(
            "outer_folder", NOTE,
            "the SavedModel is deeper inside: tf.saved_model.load says 'SavedModel file does not"
            " exist'; TensorFlow Serving takes the folder of versions",
            str(case.at.relative_to(case.path)), f"give the folder {case.at}",
        )  # fmt: skip


def several_models(case: Case) -> Iterator[Diagnosis]:
    """Find a folder with more than one model."""
    error = case.refusal
    if isinstance(error, UsageError) and "several models" in error.problem:
        yield Diagnosis("several_models", ERROR, error.problem, error.found, error.hint)


def both_graph_files(case: Case) -> Iterator[Diagnosis]:
    """Find a SavedModel whose graph is there twice, and one may differ."""
    folder = saved_model_file.folder_of(case.at)
    files = [folder / saved_model_file.BINARY, folder / saved_model_file.TEXT]
    if all(file.is_file() for file in files):
        cause = "both files hold the graph; TensorFlow reads the binary one and never the text"
        yield Diagnosis(
            "both_graph_files", WARNING, cause, some(f.name for f in files), f"remove {files[1]}"
        )


def text_as_binary(case: Case) -> Iterator[Diagnosis]:
    """Find a graph in text form under a name that promises binary."""
    if case.is_text and case.path.suffix == ".pb":
        yield Diagnosis(
            "text_as_binary", WARNING,
            "a graph in text form: ParseFromString fails with 'Error parsing message'",
            case.path.name,
            "google.protobuf.text_format.Parse reads it, and so does every command of zoo",
        )  # fmt: skip


def meta_graph_as_graph(case: Case) -> Iterator[Diagnosis]:
    """Find a MetaGraphDef where a GraphDef is wanted."""
    is_meta = case.facts is not None and case.facts["format"] == "meta_graph"
    if is_meta and case.path.is_file() and case.path.suffix != ".meta":
        yield Diagnosis(
            "meta_graph_as_graph", ERROR,
            "a MetaGraphDef: parsed as a GraphDef it is empty or corrupt, and as a SavedModel too",
            case.path.name, "tf.compat.v1.train.import_meta_graph reads it, if it ends in .meta",
        )  # fmt: skip


def damaged(case: Case) -> Iterator[Diagnosis]:
    """Find what cannot be read though it is of a known kind."""
    error = case.refusal
    if isinstance(error, FormatError):
        name, help_ = "damaged", "fetch or copy it again, and compare its sha256"
        if case.path.is_dir() and "holds no" in error.problem:
            name, help_ = "no_model_inside", "name the folder or file that is the model"
        elif "has no field named" in error.found:
            name = "another_programs_graph"
        elif "does not fit what is stored" in error.problem:
            name = "does_not_fit"
        yield Diagnosis(name, ERROR, error.problem, error.found, error.hint or help_)


def too_large(case: Case) -> Iterator[Diagnosis]:
    """Find a graph in one file over what a message may have."""
    if case.format == "frozen" and case.path.is_file() and case.path.stat().st_size > _MOST:
        yield Diagnosis(
            "too_large", ERROR,
            "a graph of more than 2 GB: TensorFlow says 'Invalid GraphDef', as no message may be"
            " larger",
            f"{case.path.stat().st_size} bytes", f"zoo convert {case.path} OUT --to saved_model",
        )  # fmt: skip


def unfrozen(case: Case) -> Iterator[Diagnosis]:
    """Find a graph without the values of its variables."""
    if case.facts is None or case.facts["format"] not in ("graph", "meta_graph"):
        return
    count = len(case.facts["weights"])
    if count:
        yield Diagnosis(
            "no_values", ERROR,
            "a graph without the values of its variables: running it says 'Attempting to use"
            " uninitialized value'",
            f"{count} weights, {case.facts['weights'][0]['name']!r} first",
            f"zoo convert CHECKPOINT OUT --to frozen --graph {case.at}",
        )  # fmt: skip


QUESTIONS = (
    not_there, no_model, archive, part_given, saved_model_file_given, frozen_as_saved_model,
    loose_saved_model, inner_folder, outer_folder, several_models, both_graph_files,
    text_as_binary, meta_graph_as_graph, damaged, too_large, unfrozen,
)  # fmt: skip
