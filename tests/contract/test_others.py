"""What other people published is told right: formats, weights, ends, heads, of every fixture."""

import json
import warnings

import numpy as np
import pytest

import zoo
from zoo.errors import FormatError, UsageError

SEVERAL, DAMAGED, NOTHING = UsageError, FormatError, FormatError
FORMATS = {
    "arm-kws": SEVERAL,
    "arm-kws/Basic_LSTM": "frozen",
    "arm-kws/CNN/CNN_S.pb": "frozen",
    "arm-kws/silence.wav": "unknown",
    "dl4j-ckpt-simple-graph": "checkpoint",
    "dl4j-ckpt-simple-graph/checkpoint": "checkpoint",
    "dl4j-ckpt-simple-graph/data-all-1000": "checkpoint",
    "dl4j-ckpt-simple-graph/data-all-1000.index": "checkpoint",
    "dl4j-ckpt-simple-graph/frozen_graph.pbtxt": "frozen",
    "dl4j-ckpt-simple-graph/model.txt": "graph",
    "dl4j-keras-cnn-batchnorm": "keras",
    "dl4j-keras-lambda-h5/model_lambda.h5": "keras",
    "dl4j-keras-lambda-h5/sequential_lambda.h5": "keras",
    "dl4j-keras-optimizers/sgd.h5": "keras",
    "dl4j-lenet-frozen-pb": "frozen",
    "dl4j-pbtxt-controlflow/max_graph.pb.txt": DAMAGED,
    "dl4j-pbtxt-controlflow/max_log_reg.pb.txt": DAMAGED,
    "dl4j-pbtxt-controlflow/nested_while.pb.txt": "graph",
    "dl4j-pbtxt-controlflow/tensor_array.pb.txt": "frozen",
    "dl4j-pbtxt-controlflow/train_iris.pb": "graph",
    "dl4j-pbtxt-frozen-pair/ae/frozen_graph.pbtxt": "frozen",
    "dotnet-mnist-conv-model": "saved_model",
    "dotnet-mnist-conv-model/variables": "checkpoint",
    "dotnet-mnist-missing-weights": "saved_model",
    "dotnet-mnist-missing-weights/variables/variables.index": "checkpoint",
    "dotnet-model-string-test": "saved_model",
    "dotnet-model-types-test": "saved_model",
    "hostile-modelaudit-samples/archives/path_traversal.zip": "archive",
    "hostile-modelaudit-samples/archives/safe_model.zip": "archive",
    "hostile-modelaudit-samples/keras/malicious_lambda.h5": "keras",
    "hostile-modelaudit-samples/keras/safe_model.h5": "keras",
    "hostile-modelaudit-samples/tensorflow/malicious_pyfunc": "saved_model",
    "hostile-modelaudit-samples/tensorflow/safe_savedmodel": "saved_model",
    "hub-half-plus-two-v1/half_plus_two_v1.tar.gz": "archive",
    "hub-half-plus-two-v1/unpacked": "hub_module",
    "hub-hub-module-v1-mini": "hub_module",
    "hub-saved-model-v2-mini": "saved_model",
    "images/cat.jpg": "unknown",
    "made-here-gaps/decodejpeg_frozen": "frozen",
    "made-here-gaps/partitioned_ref": "checkpoint",
    "made-here-gaps/partitioned_resource": "checkpoint",
    "made-here-gaps/pyfunc_meta": "checkpoint",
    "made-here-gaps/quantized_dequantize": "frozen",
    "made-here-gaps/three_metagraphs": "saved_model",
    "mlperf-tiny-kws-savedmodel": "saved_model",
    "mlperf-tiny-resnet-cifar10-h5": "keras",
    "mlperf-tiny-resnet-cifar10-h5/expected.npz": "npz",
    "mlperf-tiny-resnet-cifar10-h5/pretrainedResnet.tflite": "unknown",
    "rust-addition-pb": "frozen",
    "rust-keras-multiple-inputs-saved-model": "saved_model",
    "rust-regression-checkpoint-pb": "graph",
    "rust-regression-savedmodel": "saved_model",
    "serving-half-plus-two-v2": "checkpoint",
    "serving-sm-counter": "saved_model",
    "serving-sm-half-plus-three": "saved_model",
    "serving-sm-half-plus-three/00000123/assets": NOTHING,
    "serving-sm-half-plus-two-cpu": "saved_model",
    "serving-sm-half-plus-two-tf2-cpu": "saved_model",
    "t2t-transformer-sharded-ckpt": "checkpoint",
    "t2t-transformer-sharded-ckpt/hparams.json": "unknown",
    "tf-bundle-checkpoint-nometa": "checkpoint",
    "tf-lite-pbtxt/gather.pbtxt": "frozen",
    "tf-metrics-metagraph-only": "meta_graph",
    "tf-old-string-tensors": "checkpoint",
    "tf-savedmodel-half-plus-two-main-op": "saved_model",
    "tf-savedmodel-half-plus-two-pbtxt": "saved_model",
    "tf-savedmodel-half-plus-two-pbtxt/00000123/saved_model.pbtxt": "saved_model",
    "tf-savedmodel-hpt-fwdcompat": "saved_model",
    "tf-savedmodel-hpt-v1-variables": "saved_model",
    "tf-savedmodel-hpt-v1-variables/variables": "checkpoint_v1",
    "tf-session-bundle-v1ckpt": "checkpoint_v1",
    "tf-session-bundle-v1ckpt/00000123/export-00000-of-00001": "checkpoint_v1",
    "tf-tfprof-v1ckpt/ckpt": "checkpoint_v1",
    "tf-tfprof-v1ckpt/graph.pbtxt": "graph",
    "tf-trt-mnist-ckpt-nometa": "checkpoint",
    "tf2onnx-ae0": "frozen",
    "tf2onnx-gru": "frozen",
    "tfjs-model-multi-output": "saved_model",
    "tfjs-module-with-multiple-signatures": "saved_model",
    "tfnet-meta-cond-test/cond_test.meta": "meta_graph",
    "tfnet-meta-inceptionv3": "meta_graph",
    "tfnet-meta-vd-cnn": "meta_graph",
    "tfnet-meta-xor": "meta_graph",
    "tfx-bench-trained-saved-model": "saved_model",
    "tfx-transform-fn": "saved_model",
}
NO_TENSORS = {"repo_tflite", "softmax", "0", "predictions", "input"}
"""Keys under which records keep answers of Keras models, and of another file."""


@pytest.mark.parametrize("path", sorted(FORMATS))
def test_formats(fixtures, path):
    """Each is what it is, by its contents; what is none of ours is named, and nothing raises."""
    wanted = FORMATS[path]

    if isinstance(wanted, str):
        facts = zoo.inspect(fixtures / path)
        assert facts["format"] == wanted
        assert wanted != "unknown" or facts["what"]
    else:
        with pytest.raises(wanted):
            zoo.inspect(fixtures / path)


@pytest.mark.long
def test_every_entry_is_asked_for(fixtures):
    """No fixture is left out of the table above, and no path of theirs raises anything else."""
    folders = {path.name for path in fixtures.iterdir() if path.is_dir()} - {"dl4j-suite"}
    assert folders == {path.partition("/")[0] for path in FORMATS}

    for folder in folders:
        for path in (fixtures / folder).rglob("*"):
            try:
                zoo.inspect(path)
            except (FormatError, UsageError):
                continue


def artifact(record, suffix):
    """Return the path of the model that the answers in `record` belong to."""
    if record.name == f"expected{suffix}":
        return record.parent
    inner = record.name.removeprefix("expected__").removesuffix(suffix)
    return record.parent.joinpath(*inner.split("__"))


def test_weights_agree_with_the_records(fixtures):
    """Names or keys, dtypes and shapes of every tensor of every checkpoint."""
    records = sorted(fixtures.glob("*/expected__*.tensors.json"))
    assert len(records) > 20
    for record in records:
        facts = zoo.inspect(artifact(record, ".tensors.json"))
        found = {one.get("key", one["name"]): one for one in facts["weights"]}
        for stored in json.loads(record.read_text()):
            if stored["name"] != "_CHECKPOINTABLE_OBJECT_GRAPH":
                one = found[stored["name"]]
                assert (one["dtype"], one["shape"]) == (stored["dtype"], stored["shape"]), record


def ends(facts):
    """Return every name under which inputs, outputs and weights of `facts` may be recorded."""
    tensors = {spec["tensor"] for side in ("inputs", "outputs") for spec in facts[side]}
    found = tensors | {tensor.removesuffix(":0") for tensor in tensors}
    found |= {one.get("key", one["name"]) for one in facts["weights"]}
    for key, signature in facts["signatures"].items():
        names = {*signature["inputs"], *signature["outputs"]}
        found |= names | {f"{key}/{name}" for name in names} | {key}
    return found | NO_TENSORS


def missing(record, path):
    """Return the recorded inputs and outputs that inspecting `path` does not show."""
    facts = zoo.inspect(path)
    of_tags = [(tags, zoo.inspect(path, tags=tags)) for tags in several(facts)]
    keys = [key.partition(":") for key in np.load(record).files]
    wanted = {name.partition("(")[0] for kind, _, name in keys if kind in ("in", "out")}
    shown = ends(facts).union(*(ends(one) for _, one in of_tags))
    shown |= {f"{tags[0]}/{name}" for tags, one in of_tags for name in ends(one)}
    return sorted(wanted - shown)


def several(facts):
    """Return the tags of each MetaGraph, if there are several."""
    return facts["tag_sets"] if len(facts["tag_sets"]) > 1 else []


@pytest.mark.long
def test_the_ends_of_693_graphs_are_found(fixtures):
    """The recorded inputs and outputs are among those found, on each graph of the suite."""
    graphs = sorted((fixtures / "dl4j-suite").rglob("frozen_model.pb"))
    found = {str(path): missing(path.with_name("expected.npz"), path) for path in graphs}

    assert len(found) == 693
    assert {path: names for path, names in found.items() if names} == {}


def test_the_ends_of_all_others_are_found(fixtures):
    """The recorded inputs and outputs are among those found, on every other fixture."""
    records = [r for r in fixtures.rglob("expected*.npz") if "dl4j-suite" not in r.parts]
    found = {}
    for record in sorted(records):
        path = artifact(record, ".npz")
        if path.exists() or zoo_prefix(path):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                found[str(record)] = missing(record, path) if path.name != "arm-kws" else []

    assert len(found) > 50
    assert {record: names for record, names in found.items() if names} == {}


def zoo_prefix(path):
    """Tell whether files of a checkpoint are called `path`."""
    return any(path.parent.glob(f"{path.name}[.-]*"))


RIGHT = {  # path: the logits, or None where nobody should be sure
    "arm-kws/Basic_LSTM/Basic_LSTM_S.pb": "Output-Layer/add:0",
    "arm-kws/CNN/CNN_S.pb": "add_4:0",
    "arm-kws/CRNN/CRNN_S.pb": "add_2:0",
    "arm-kws/DNN/DNN_S.pb": "add:0",
    "arm-kws/DS_CNN/DS_CNN_L.pb": "MobileNet/fc1/BiasAdd:0",
    "arm-kws/DS_CNN/DS_CNN_S.pb": "MobileNet/fc1/BiasAdd:0",
    "arm-kws/GRU/GRU_S.pb": "Output-Layer/add:0",
    "arm-kws/LSTM/LSTM_S.pb": "Output-Layer/add:0",
    "dl4j-keras-cnn-batchnorm": "dense_1:0",
    "dl4j-keras-lambda-h5/model_lambda.h5": "dense_4:0",
    "dl4j-keras-optimizers/sgd.h5": "dense_2:0",
    "dl4j-lenet-frozen-pb": "Lenet/fc9_1/BiasAdd:0",
    "dl4j-pbtxt-controlflow/train_iris.pb": None,
    "dl4j-pbtxt-frozen-pair/ae/frozen_model.pb": "Add_1:0",
    "dl4j-pbtxt-frozen-pair/mnist_00/frozen_model.pb": "BiasAdd:0",
    "dl4j-pbtxt-frozen-pair/primitive_gru_dynamic/frozen_model.pb": "add:0",
    "dotnet-mnist-conv-model": "add_4:0",
    "dotnet-mnist-missing-weights": "sequential/dense_1/BiasAdd:0",
    "hub-half-plus-two-v1/unpacked": None,
    "made-here-gaps/quantized_dequantize": None,
    "mlperf-tiny-kws-savedmodel": "dense/BiasAdd:0",
    "mlperf-tiny-resnet-cifar10-h5": "dense:0",
    "rust-keras-multiple-inputs-saved-model": "test_out/BiasAdd:0",
    "serving-sm-half-plus-two-cpu": None,
    "tf2onnx-ae0": "decode/dense_1/BiasAdd:0",
    "tf2onnx-gru": "model/pred:0",
    "tfjs-model-multi-output": None,
    "tfnet-meta-inceptionv3": None,
    "tfnet-meta-vd-cnn": "fc-3/dense/BiasAdd:0",
    "tfnet-meta-xor": "MatMul_1:0",
    "tfx-bench-trained-saved-model": None,
}


@pytest.mark.parametrize("path", sorted(RIGHT))
def test_heads_are_right_or_unsure(fixtures, path):
    """The layer that gives the outputs; where there are several, or none, that is said."""
    facts = zoo.inspect(fixtures / path)

    if RIGHT[path] is None:
        assert facts["head"] is None
        assert facts["heads"]["unsure"]
    else:
        assert facts["head"]["logits"].endswith(RIGHT[path])
        assert facts["head"]["weights"]
