"""Each classic error is recognised, with its cause and what helps; what is well is left alone."""

import json
import re
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

import zoo
from zoo import doctor, dtypes, plugins, protos, registered
from zoo.nodes import Dims, node, placeholder, text
from zoo.samples import FLOAT, sample_model
from zoo.tensors import ArrayTensor

FORMS = plugins.formats(plugins.installed())
PAGE = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()
BOOL = dtypes.named("bool")


def names(path):
    """Return the names of what is found at `path`."""
    return [one["name"] for one in doctor.examine(path, FORMS)["diagnoses"]]


def const(name, values, dtype=None, **attributes):
    tensor = ArrayTensor.of(np.asarray(values), dtype)
    return node(name, "Const", dtype=tensor.dtype, value=tensor, **attributes)


def op(name, kind, *inputs, **attributes):
    return node(name, kind, inputs, **({"T": FLOAT} | attributes))


def shaped(made, key, *shapes):
    """Return the node `made` with a list of shapes as an attribute."""
    for sizes in shapes:
        proto = made.attr[key].list.shape.add()
        for size in sizes:
            proto.dim.add(size=size)
    return made


def graph(*nodes, **versions):
    made = protos.GraphDef()
    made.node.extend(nodes)
    for field, value in ({"producer": 27} | versions).items():
        setattr(made.versions, field, value)
    return made


def frozen(*nodes, name="model.pb", **versions):
    """Return a maker of a frozen graph of `nodes`."""

    def make(folder):
        path = folder / name
        path.write_bytes(graph(*nodes, **versions).SerializeToString())
        return path

    return make


def bytes_of(data, name="model.pb"):
    """Return a maker of a file that holds `data`."""

    def make(folder):
        path = folder / name
        path.write_bytes(data)
        return path

    return make


def saved_as(form, name, change=lambda path: path):
    """Return a maker of the sample model in a format, and of what became of it then."""

    def make(folder):
        zoo.save(sample_model(), folder / name, format=form)
        return change(folder / name)

    return make


def saved_model(change, **options):
    """Return a maker of a SavedModel whose first MetaGraph was changed."""

    def make(folder):
        zoo.save(sample_model(), folder / "m", format="saved_model", **options)
        path = folder / "m" / "saved_model.pb"
        stored = protos.SavedModel.FromString(path.read_bytes())
        change(stored.meta_graphs[0], stored)
        path.write_bytes(stored.SerializeToString())
        return path.parent

    return make


def keras(config, version="2.4.0", weights=("kernel",)):
    """Return a maker of a Keras file."""

    def make(folder):
        with h5py.File(folder / "net.h5", "w") as file:
            if config is not None:
                file.attrs["model_config"] = json.dumps(config)
                file.attrs["keras_version"] = version
            for name in weights:
                file.create_dataset(f"model_weights/d/{name}", data=np.ones((2, 2), np.float32))
        return folder / "net.h5"

    return make


def sequential(*layers):
    return {"class_name": "Sequential", "config": {"name": "m", "layers": list(layers)}}


def layer(kind, **settings):
    return {"class_name": kind, "config": {"name": kind.lower(), **settings}}


def packed(name, *members):
    """Return a maker of an archive."""

    def make(folder):
        if name.endswith(".zip"):
            with zipfile.ZipFile(folder / name, "w") as whole:
                for member in members:
                    whole.writestr(member, "x")
        else:
            (folder / "x").write_text("x")
            with tarfile.open(folder / name, "w") as whole:
                for member in members:
                    whole.add(folder / "x", member)
        return folder / name

    return make


def without(path, *gone):
    """Remove files beside `path`."""
    for suffix in gone:
        path.with_name(path.name + suffix).unlink()
    return path


def flipped(path):
    data = path.with_name(f"{path.name}.data-00000-of-00001")
    data.write_bytes(bytes([data.read_bytes()[0] ^ 1]) + data.read_bytes()[1:])
    return path


def state(path, named):
    (path.parent / "checkpoint").write_text(f'model_checkpoint_path: "{named}"\n')
    return path.parent


def tagged(*tag_sets):
    def change(meta_graph, stored):
        for _ in tag_sets[1:]:
            stored.meta_graphs.add().CopyFrom(meta_graph)
        for one, tags in zip(stored.meta_graphs, tag_sets, strict=True):
            one.meta_info_def.tags[:] = tags

    return change


def keyed(*keys):
    def change(meta_graph, _):
        stated = protos.SignatureDef()
        stated.CopyFrom(meta_graph.signature_def["serving_default"])
        del meta_graph.signature_def["serving_default"]
        for key in keys:
            meta_graph.signature_def[key].CopyFrom(stated)

    return change


def same_input(meta_graph, _):
    inputs = meta_graph.signature_def["serving_default"].inputs
    first = next(iter(inputs.values()))
    inputs["again"].CopyFrom(first)


def needs_a_file(meta_graph, _):
    meta_graph.graph_def.node.append(text("words", "w.txt"))
    meta_graph.asset_file_def.add(filename="w.txt").tensor_info.name = "words:0"


def another(folder):
    for name in ("a.pb", "b.pb"):
        zoo.save(sample_model(), folder / name, format="frozen")
    return folder


def meta(change=lambda meta_graph: None, name="model.meta"):
    """Return a maker of a MetaGraphDef alone."""

    def make(folder):
        meta_graph = protos.MetaGraphDef()
        meta_graph.CopyFrom(sample_model().meta_graph)
        change(meta_graph)
        (folder / name).write_bytes(meta_graph.SerializeToString())
        return folder / name

    return make


def checkpoint(change):
    """Return a maker of a checkpoint whose graph was changed."""

    def make(folder):
        zoo.save(sample_model(), folder / "model", format="checkpoint")
        path = folder / "model.meta"
        meta_graph = protos.MetaGraphDef.FromString(path.read_bytes())
        change(meta_graph)
        path.write_bytes(meta_graph.SerializeToString())
        return folder / "model"

    return make


def written_by(version):
    def change(meta_graph):
        meta_graph.meta_info_def.tensorflow_version = version

    return change


def wants_more(meta_graph):
    """Let the output depend on a variable that nothing is stored for."""
    named = {n.name: n for n in meta_graph.graph_def.node}
    made = [node("new", "VariableV2", dtype=FLOAT, shape=Dims((2,)), container="", shared_name="")]
    made.append(op("new/read", "Identity", "new"))
    made.append(op("sum", "AddV2", "probabilities", "new/read"))
    meta_graph.graph_def.node.extend(made)
    assert "probabilities" in named
    for signature in meta_graph.signature_def.values():
        for info in signature.outputs.values():
            info.name = "sum:0"


def shaped_otherwise(meta_graph):
    for one in meta_graph.graph_def.node:
        if one.name == "dense/bias":
            one.attr["shape"].shape.dim[0].size = 3


X = placeholder("x", FLOAT)
IMAGE = node("x", "Placeholder", dtype=FLOAT)
KERNEL = const("k", np.ones((1, 1, 2, 2), np.float32))
WIDE = const("w", np.ones((3, 1001), np.float32))
RANDOM = node("u", "RandomUniform", ["s"], dtype=FLOAT, T=dtypes.INT32, seed=1, seed2=1)
BATCH_NORM = op("bn", "FusedBatchNorm", "x", "c", "c", "e", "e", is_training=True)
GRADIENT = shaped(
    op("g", "FusedBatchNormGrad", "x", "x", "c", "c", "c"), "_output_shapes",
    (1,), (1,), (1,), (5,), (5,),
)  # fmt: skip

CASES = {
    "not_there": lambda folder: folder / "gone.pb",
    "no_model": bytes_of(b"only words"),
    "no_model_inside": lambda folder: bytes_of(b"x", "notes.txt")(folder).parent,
    "html": bytes_of(b"<!DOCTYPE html><html>"),
    "xml": bytes_of(b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"),
    "git_lfs": bytes_of(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
    "empty": bytes_of(b""),
    "zeros": bytes_of(bytes(5000)),
    "mangled": bytes_of(b"\x0a\x10\x0a" + "\ufffd".encode() * 5 + b"\x01\x02"),
    "tflite": bytes_of(b"\x1c\x00\x00\x00TFL3\x00\x00"),
    "onnx": bytes_of(b"\x08\x07\x12\x07pytorch\x1a\x01x:\x01y"),
    "pickle": bytes_of(b"\x80\x04\x95\x00"),
    "gzip": bytes_of(b"\x1f\x8b\x08 cut"),
    "bzip2": bytes_of(b"BZh9 cut"),
    "xz": bytes_of(b"\xfd7zXZ\x00 cut"),
    "zstd": bytes_of(b"\x28\xb5\x2f\xfd cut"),
    "archive": packed("m.tar", "m/saved_model.pb"),
    "archive_escapes": packed("m.zip", "../../evil.pb"),
    "part_of_checkpoint": saved_as("checkpoint", "m", lambda p: p.with_name("m.index")),
    "saved_model_file": saved_as("saved_model", "m", lambda p: p / "saved_model.pb"),
    "frozen_as_saved_model": frozen(X, op("y", "Neg", "x"), name="saved_model.pb"),
    "loose_saved_model": saved_as(
        "saved_model", "m", lambda p: (p / "saved_model.pb").rename(p.parent / "net.pb")
    ),
    "inner_folder": saved_as("saved_model", "m", lambda p: p / "variables"),
    "outer_folder": saved_as("saved_model", "m/1", lambda p: p.parent),
    "several_models": another,
    "both_graph_files": saved_as(
        "saved_model", "m", lambda p: ((p / "saved_model.pbtxt").write_text("x"), p)[1]
    ),
    "text_as_binary": bytes_of(b'node { name: "x" op: "NoOp" }\n'),
    "meta_graph_as_graph": meta(name="graph.pb"),
    "another_programs_graph": bytes_of(b'node { name: "x" opType: "NoOp" }\n', "g.pbtxt"),
    "damaged": saved_as(
        "frozen", "m.pb", lambda p: (p.write_bytes(p.read_bytes()[:-9]), p)[1]
    ),
    "no_values": meta(),
    "missing_shard": saved_as("checkpoint", "m", lambda p: without(p, ".data-00000-of-00001")),
    "missing_index": saved_as(
        "checkpoint", "m",
        lambda p: without(p, ".index", ".meta").with_name("m.data-00000-of-00001"),
    ),
    "v1_checkpoint": "tf-tfprof-v1ckpt/ckpt",
    "sharded_v1_checkpoint": "tf-session-bundle-v1ckpt",
    "no_graph": saved_as("checkpoint", "m", lambda p: without(p, ".meta")),
    "object_checkpoint": "hub-saved-model-v2-mini/variables",
    "moved_checkpoint": saved_as("checkpoint", "m", lambda p: state(p, "/home/other/run/m")),
    "latest_missing": saved_as("checkpoint", "m", lambda p: state(p, "m-99")),
    "damaged_values": saved_as("checkpoint", "m", flipped),
    "uninitialized": checkpoint(wants_more),
    "does_not_fit": checkpoint(shaped_otherwise),
    "optimizer_slots": "dotnet-mnist-conv-model",
    "partitioned": "made-here-gaps/partitioned_ref",
    "several_tags": saved_model(tagged(["serve"], ["train"])),
    "no_tags": saved_model(tagged([])),
    "not_for_serving": saved_model(tagged(["transform"])),
    "no_default_signature": saved_model(keyed("a", "b")),
    "same_tensor_twice": saved_model(same_input),
    "reference_output": "serving-sm-counter/00000123",
    "not_trainable": "serving-sm-half-plus-two-cpu/00000123",
    "missing_assets": saved_model(needs_a_file),
    "keras_saved_model": "mlperf-tiny-kws-savedmodel",
    "keras_weights": keras(None),
    "keras_lambda": keras(sequential(layer("Lambda"))),
    "keras_list_config": keras({"class_name": "Sequential", "config": [layer("Dense", units=2)]}),
    "keras_groups": keras(sequential(layer("DepthwiseConv2D", groups=1))),
    "keras_other_meaning": keras(sequential(layer("Dense", activation="hard_sigmoid"))),
    "keras_strangers": keras(
        sequential({**layer("Own"), "module": None, "registered_name": "Own"}), version="3.5.0"
    ),
    "keras_1": keras(sequential(layer("Dense", units=2)), version="1.2.2"),
    "unregistered_operation": frozen(X, op("y", "Resampler", "x", "x")),
    "no_kernel": frozen(X, node("y", "BoostedTreesBucketize", ["x"], num_features=1)),
    "refused_operation": frozen(X, op("y", "TopK", "x", k=1)),
    "python_function": frozen(X, node("y", "PyFunc", ["x"], Tin=[FLOAT], Tout=[FLOAT])),
    "unknown_attribute": frozen(X, op("y", "Neg", "x", sharpness=1)),
    "newer_version": frozen(X, op("y", "Neg", "x"), min_consumer=9999),
    "unparsable_version": checkpoint(written_by("0.12.head")),
    "reference_input": frozen(X, const("c", [1.0]), op("y", "AssignAdd", "c", "x")),
    "stale_shapes": frozen(X, const("c", [1.0]), GRADIENT),
    "scalar_placeholder": "serving-sm-half-plus-three",
    "baked_devices": frozen(X, op("y", "Neg", "x", device="/job:ps/task:3/device:GPU:1")),
    "batch_norm_training": frozen(
        IMAGE, const("c", [1.0, 1.0]), const("e", np.ones(0, np.float32)), BATCH_NORM
    ),
    "dropout_on": frozen(
        X, const("s", np.array([2], np.int32)), RANDOM, const("r", np.float32(0.5)),
        op("keep", "GreaterEqual", "u", "r"), node("f", "Cast", ["keep"], SrcT=BOOL, DstT=FLOAT),
        op("y", "Mul", "x", "f"),
    ),
    "must_be_fed": "tf2onnx-gru",
    "waits_for_input": frozen(
        node("q", "FIFOQueueV2", component_types=[FLOAT], capacity=1),
        node("d", "QueueDequeueV2", ["q"], component_types=[FLOAT], timeout_ms=-1),
        const("w", np.ones((3, 2), np.float32)), op("y", "MatMul", "d", "w"),
    ),
    "any_rank": frozen(IMAGE, KERNEL, op("y", "Conv2D", "x", "k")),
    "old_loops": "arm-kws/GRU",
    "one_class_more": frozen(X, WIDE, op("y", "MatMul", "x", "w")),
    "fixed_batch": frozen(
        node("x", "Placeholder", dtype=FLOAT, shape=Dims((8, 3))), op("y", "Neg", "x")
    ),
    "file_by_path": frozen(
        X, text("path", "/home/other/vocab.txt"),
        node("t", "HashTableV2", key_dtype=dtypes.STRING, value_dtype=dtypes.named("int64")),
        node("init", "InitializeTableFromTextFileV2", ["t", "path"], key_index=-2, value_index=-1),
        op("y", "Neg", "x"),
    ),
    "same_name": frozen(X, op("y", "Neg", "x"), op("y", "Abs", "x")),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_diagnosis_has_its_case(tmp_path, request, name):
    """A file that has it is found to have it, with a cause, and what helps."""
    make = CASES[name]
    path = request.getfixturevalue("fixtures") / make if isinstance(make, str) else make(tmp_path)

    found = {one["name"]: one for one in doctor.examine(path, FORMS)["diagnoses"]}

    assert name in found
    assert found[name]["cause"]
    assert found[name]["help"] or name in {"no_model", "not_there", "pickle"}


def test_every_diagnosis_is_documented_and_tested():
    """The page lists what there are cases for; a graph of 2 GB is not made for a test."""
    table = PAGE.partition("## zoo doctor")[2].partition("\n## ")[0].partition("| --- |")[2]
    documented = set(re.findall(r"`(\w+)`", table))

    assert documented - {"too_large"} == set(CASES)
    assert len(CASES) > 60


@pytest.mark.parametrize("form", ["checkpoint", "frozen", "saved_model"])
def test_a_sound_model_has_nothing(tmp_path, form):
    """Nothing is found where nothing is wrong."""
    zoo.save(sample_model(), tmp_path / "m", format=form)

    assert names(tmp_path / "m") == []


def test_a_graph_of_more_than_two_gigabytes(tmp_path, monkeypatch):
    """What no message may be is said before TensorFlow dies of it."""
    from zoo import ailing_files

    path = frozen(X, op("y", "Neg", "x"))(tmp_path)
    monkeypatch.setattr(ailing_files, "_MOST", 10)

    assert "too_large" in names(path)


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("model.pb", b"\x0a\x10\x12\x01"),
        ("saved_model.pb", b"\x08\x01\x12\x01"),
        ("model.meta", sample_model().meta_graph.SerializeToString()),
    ],
    ids=["graph", "saved_model", "meta_graph"],
)
def test_an_endless_file_is_not_read(tmp_path, name, start):
    """Five gigabytes that begin as a message does are refused by their length."""
    path = tmp_path / name
    path.write_bytes(start)
    with path.open("r+b") as file:
        file.truncate(5 << 30)

    tracemalloc.start()
    assert names(path)
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


def test_whether_the_outputs_need_it(tmp_path):
    """An operation nobody knows is worse where the outputs need it."""
    path = frozen(X, op("y", "Resampler", "x", "x"))(tmp_path)
    (needed,) = (
        one for one in doctor.examine(path, FORMS)["diagnoses"] if "Resampler" in one["cause"]
    )

    assert "the outputs need it" in needed["found"]
    assert "tf.contrib" in needed["cause"]


def test_what_nobody_calls_is_a_note(tmp_path):
    """An operation that cannot run stops nothing where the outputs do without it."""
    body = protos.FunctionDef()
    body.signature.name = "unused"
    body.node_def.append(node("p", "PyFunc", [], Tin=[], Tout=[FLOAT]))
    body.node_def.append(node("b", "CudnnRNN", [], T=FLOAT))
    made = graph(X, op("y", "Neg", "x"))
    made.library.function.append(body)
    (tmp_path / "m.pb").write_bytes(made.SerializeToString())

    found = doctor.examine(tmp_path / "m.pb", FORMS)["diagnoses"]

    severities = {one["name"]: one["severity"] for one in found}
    assert severities == {"python_function": "note", "no_kernel": "note"}


@pytest.mark.parametrize(
    ("function", "codes"),
    [("relu", False), ({"class_name": "function", "config": "relu"}, False),
     ({"class_name": "__lambda__"}, True), (["4wEA", None, None], True), ("lambda x: x", True)],
)  # fmt: skip
def test_which_lambdas_are_code(tmp_path, function, codes):
    """A function that Keras knows by its name is none."""
    path = keras(sequential(layer("Lambda", function=function)))(tmp_path)

    assert ("keras_lambda" in names(path)) is codes


def test_the_worst_comes_first(fixtures):
    """Errors, then warnings, then notes."""
    found = doctor.examine(fixtures / "tfnet-meta-vd-cnn", FORMS)["diagnoses"]
    order = [one["severity"] for one in found]

    assert order == sorted(order, key=["error", "warning", "note"].index)


def test_another_release_is_asked_itself(monkeypatch):
    """The table counts for its release; any other TensorFlow is imported."""
    monkeypatch.setattr(registered, "installed", lambda: "2.99.0")
    monkeypatch.setattr(registered, "_asked", lambda: {"Known": registered.ops.op("Neg")})

    assert not registered.by_table()
    assert registered.registered("Known")
    assert registered.registered("Neg") is None


def test_a_saved_model_without_its_variables(tmp_path):
    """The folder is gone whole: nothing is stored, and that is no sound model."""
    saved = zoo.save(sample_model(), tmp_path / "m", "saved_model")
    for file in (saved.path / "variables").iterdir():
        file.unlink()
    (saved.path / "variables").rmdir()

    assert "uninitialized" in names(saved.path)


@pytest.mark.parametrize(
    "taker",
    [
        node("d", "Unstage", dtypes=[FLOAT], shared_name="area"),
        node("d", "BarrierTakeMany", ["b", "n"], component_types=[FLOAT]),
    ],
)
def test_other_stores_that_are_waited_for(tmp_path, taker):
    """Staging areas and barriers, as running refuses them."""
    barrier = node("b", "Barrier", component_types=[FLOAT], capacity=1)
    path = frozen(barrier, const("n", np.int32(1)), taker, op("y", "Neg", "d"))(tmp_path)

    found = doctor.examine(path, FORMS)["diagnoses"]

    assert [one["help"] for one in found if one["name"] == "waits_for_input"] == [
        "feed a value in their place: zoo run -i d:0=@x.npy"
    ]
