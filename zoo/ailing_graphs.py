"""What can be wrong with what a graph does: as in training, elsewhere, without inputs."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from zoo import facts, pipelines, ranking
from zoo.assets import asset_files
from zoo.diagnosis import ERROR, NOTE, WARNING, Case, Diagnosis
from zoo.errors import counted, some
from zoo.graph import source
from zoo.specs import INPUTS, scalar_means_unknown
from zoo.stale import is_elsewhere
from zoo.waiting import TAKES

if TYPE_CHECKING:
    from collections.abc import Iterator

_CONV = {"Conv2D", "DepthwiseConv2dNative"}
_FILES = ("InitializeTableFromTextFile", "InitializeTableFromTextFileV2")
_ONE_MORE = 1001


def scalar_placeholders(case: Case) -> Iterator[Diagnosis]:
    """Find placeholders of any shape that were written as scalars."""
    if case.model is None:
        return
    graph = case.model.graph
    names = [n.name for n in graph.node if n.op in INPUTS and scalar_means_unknown(graph, n)]
    if names and case.format == "saved_model":
        yield Diagnosis(
            "scalar_placeholder", WARNING,
            "inputs of any shape, which releases before 1.0 wrote as scalars: tf.saved_model.load"
            " takes them at their word, 'Shape must be rank 1 but is rank 0'",
            some(names), f"zoo run {case.at}; zoo convert {case.at} OUT --to saved_model",
        )  # fmt: skip


def baked_devices(case: Case) -> Iterator[Diagnosis]:
    """Find devices of another machine."""
    devices = (case.facts or {}).get("devices", {})
    found = {device: n for device, n in devices.items() if is_elsewhere(device)}
    if found:
        yield Diagnosis(
            "baked_devices", WARNING,
            "nodes ask for devices of the machine that built the graph: 'Cannot assign a device for"
            " operation', without soft placement",
            some(f"{device} ({count})" for device, count in found.items()),
            f"zoo convert {case.at} OUT --to FORMAT takes them out; zoo run places softly",
        )  # fmt: skip


def training_mode(case: Case) -> Iterator[Diagnosis]:
    """Find a graph that behaves as in training."""
    if case.model is None:
        return
    found = facts.training(case.view, case.needed)
    if found["batch_norm"]:
        yield Diagnosis(
            "batch_norm_training", WARNING,
            "batch normalisation uses the statistics of each batch: an answer depends on what else"
            " is in the batch, and one example alone gives nonsense",
            some(found["batch_norm"], 4),
            f"zoo convert {case.at} OUT --to FORMAT --repair batch-norm takes the moving averages,"
            " where the graph has them",
        )  # fmt: skip
    if found["dropout"]:
        yield Diagnosis(
            "dropout_on", WARNING, "dropout is on: the same input gives other answers each time",
            some(found["dropout"], 4), f"zoo convert {case.at} OUT --to FORMAT --repair dropout",
        )  # fmt: skip


def must_be_fed(case: Case) -> Iterator[Diagnosis]:
    """Find inputs that should be constants."""
    stated = {
        spec["tensor"]
        for signature in (case.facts or {}).get("signatures", {}).values()
        for spec in signature["inputs"].values()
    }
    marked = [
        end
        for end in case.ends[0]
        if end.constant is not None
        and case.view.ops.get(source(end.spec.tensor)) != "PlaceholderWithDefault"
        and (source(end.spec.tensor) in case.needed or end.spec.tensor in stated)
    ]
    if marked:
        feeds = " ".join(f"-i {end.spec.tensor}={str(end.constant).lower()}" for end in marked)
        yield Diagnosis(
            "must_be_fed", WARNING,
            "inputs that have one right value in use: left out, 'You must feed a value for"
            " placeholder tensor'; wrong, the answers are wrong in silence",
            some(f"{end.spec.tensor}: {end.why}" for end in marked),
            f"zoo run {case.path} {feeds}; zoo convert {case.at} OUT --to FORMAT --repair switches"
            " makes them constants",
        )  # fmt: skip


def queues(case: Case) -> Iterator[Diagnosis]:
    """Find a graph that waits for queues."""
    takers = {op for op in case.view.ops.values() if TAKES.fullmatch(op)}
    names = [n for n in case.view.named(*pipelines.GIVERS | takers) if n in case.needed]
    if names:
        fed = [end.spec.tensor for end in case.ends[0] if source(end.spec.tensor) in names]
        fed = fed or [f"{name}:0" for name in names]
        given = any(case.view.ops[name] in pipelines.GIVERS for name in names)
        puts = f"; zoo convert {case.at} OUT --to FORMAT --repair queues puts placeholders there"
        yield Diagnosis(
            "waits_for_input", WARNING,
            "the inputs come from queues, readers or iterators of the training program: without it,"
            " running waits for ever, or says that an iterator is not initialized",
            some(names), "feed a value in their place: zoo run -i "
            + " -i ".join(f"{tensor}=@x.npy" for tensor in fed[:3])
            + (puts if given else ""),
        )  # fmt: skip


def any_rank(case: Case) -> Iterator[Diagnosis]:
    """Find inputs of any rank that go straight into a convolution."""
    found = []
    for end in case.ends[0]:
        name = source(end.spec.tensor)
        users = {case.view.ops[user] for user, _ in case.view.data_users.get(name, ())}
        if end.spec.shape is None and users & _CONV:
            found.append(end.spec.tensor)
    if found:
        yield Diagnosis(
            "any_rank", WARNING,
            "an input without a stated rank feeds a convolution: a value of another rank than 4"
            " ends the whole process, 'Check failed: index >= 0 && index < num_total_dims'",
            some(found), "feed rank 4: batch, height, width, channels",
        )  # fmt: skip


def old_loops(case: Case) -> Iterator[Diagnosis]:
    """Find loops that plain TensorFlow cannot differentiate once they are imported."""
    frames = case.view.named("Enter", "RefEnter")
    if frames:
        yield Diagnosis(
            "old_loops", NOTE,
            "loops in the way of TensorFlow 1: in a session they run; imported by plain TensorFlow,"
            " they have no gradient, and do not run in a tf.function",
            counted(len({case.view.nodes[n].attr["frame_name"].s for n in frames}), "loop"),
            "model.function and model.layer rewrite them; or fine-tune what comes after the loops",
        )  # fmt: skip


def one_class_more(case: Case) -> Iterator[Diagnosis]:
    """Find the 1001 classes of nets that count a background."""
    head = (case.facts or {}).get("head")
    if head and head["outputs"] == _ONE_MORE:
        yield Diagnosis(
            "one_class_more", NOTE,
            "1001 classes: class 0 is a background, and all numbers are one more than in the usual"
            " list of 1000",
            f"{head['logits']}", "subtract 1, or use a list of labels that begins with background",
        )  # fmt: skip


def fixed_batch(case: Case) -> Iterator[Diagnosis]:
    """Find inputs that take batches of one size only."""
    found = []
    for end in ranking.best(case.ends[0]) if case.ends[0] else ():
        shape = end.spec.shape
        if shape and len(shape) > 1 and shape[0] is not None and end.constant is None:
            found.append(f"{end.spec.tensor} {list(shape)}")
    if found:
        yield Diagnosis(
            "fixed_batch", NOTE, "the size of the batch is built in: others are refused",
            some(found), "feed batches of that size",
        )  # fmt: skip


def files_by_path(case: Case) -> Iterator[Diagnosis]:
    """Find tables that are filled from files of another machine."""
    if case.model is None:
        return
    assets = {source(one.tensor_info.name) for one in asset_files(case.model.meta_graph)}
    found: list[str] = []
    for name in case.view.named(*_FILES):
        paths = case.view.sources[name][1:2]
        nodes = [case.view.nodes[path] for path in paths if path in case.view.nodes]
        for node in nodes:
            if node.op == "Const" and node.name not in assets:
                values = node.attr["value"].tensor.string_val
                found += [value.decode(errors="replace") for value in values]
    if found:
        yield Diagnosis(
            "file_by_path", WARNING,
            "tables are filled from files by their path: 'No such file or directory' on any other"
            " machine",
            some(found), "put the files there, or export with the files as assets",
        )  # fmt: skip


def twice_the_same_name(case: Case) -> Iterator[Diagnosis]:
    """Find nodes that share a name."""
    counts = Counter(node.name for node in case.model.graph.node) if case.model else Counter()
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        yield Diagnosis(
            "same_name", ERROR, "nodes share a name: 'Node name already exists in the Graph'",
            some(twice), "the graph was put together wrongly; rename one of each",
        )  # fmt: skip


QUESTIONS = (
    scalar_placeholders, baked_devices, training_mode, must_be_fed, queues, any_rank, old_loops,
    one_class_more, fixed_batch, files_by_path, twice_the_same_name,
)  # fmt: skip
