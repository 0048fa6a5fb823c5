"""The models that other people wrote: what is recorded of each, and what zoo refuses of it."""

from dataclasses import dataclass, field
from pathlib import Path

FIRST, SERVED = "expected.npz", "expected__00000123.npz"
FORMS = ("checkpoint", "frozen", "saved_model")
ANSWERS, RUNS, WEIGHTS = "its recorded answer", "what the source gives", "its weights"


@dataclass(frozen=True)
class Case:
    """A model of others, and what is known of it.

    Attributes
    ----------
    path, records
        Where they lie in the folder of fixtures.
    outputs, feeds
        What the record calls otherwise than the model; None for what is not the model's.
    held_to
        What its conversions are compared with, where there is no record.
    slow
        Whether it takes more than some seconds.
    """

    path: str
    records: tuple = ()
    outputs: dict = field(default_factory=dict)
    feeds: dict = field(default_factory=dict)
    held_to: str = ANSWERS
    slow: bool = False


def beside(path, *records, **more):
    """Return a model whose records lie at the top of its folder."""
    folder = Path(path).parts[0]
    return Case(path, tuple(f"{folder}/{name}" for name in records or [FIRST]), **more)


def hearing(net, **more):
    """Return one of the nets that hear, which have one record."""
    return beside(f"arm-kws/{net}", outputs={f"{net}/labels_softmax:0": "labels_softmax:0"}, **more)


def loop(name):
    return beside(f"dl4j-pbtxt-controlflow/{name}.pb.txt", f"expected__{name}.pb.txt.npz")


def pair(name, **more):
    """Return a graph that is there in binary and as text."""
    record = f"expected__{name.replace('/', '__')}.npz"
    return beside(f"dl4j-pbtxt-frozen-pair/{name}", record, **more)


def made(name, **more):
    """Return one of the models that stand for kinds of which there was no specimen."""
    return beside(f"made-here-gaps/{name}", f"{Path(name).parts[0]}/{FIRST}", **more)


OTHERS = "_S.pb/labels_softmax:0", "_L.pb/labels_softmax:0"
"""What the record of the nets that hear says of the others."""

MODELS = [
    beside("tf-session-bundle-v1ckpt/00000123/export"),
    Case("tf-tfprof-v1ckpt/ckpt", held_to=WEIGHTS),
    beside("serving-half-plus-two-v2/00000123/export"),
    beside("dl4j-ckpt-simple-graph/data-all-1000", "expected__frozen_model.pb.npz"),
    made("partitioned_ref"),
    made("partitioned_resource"),
    Case("made-here-gaps/pyfunc_meta", held_to=WEIGHTS),
    Case("tf-bundle-checkpoint-nometa/bundle_checkpoint", held_to=WEIGHTS),
    Case("t2t-transformer-sharded-ckpt/model.ckpt-1", held_to=WEIGHTS),
    Case("tf-trt-mnist-ckpt-nometa/model.ckpt-46900", held_to=WEIGHTS),
    Case("tf-old-string-tensors/foo", held_to=WEIGHTS),
    beside("tfnet-meta-cond-test/cond_test.meta", "expected__cond_test.meta.npz"),
    beside("dl4j-ckpt-simple-graph/frozen_model.pb", "expected__frozen_model.pb.npz"),
    beside("dl4j-ckpt-simple-graph/frozen_graph.pbtxt", "expected__frozen_graph.pbtxt.npz"),
    hearing("Basic_LSTM/Basic_LSTM_S.pb"),
    hearing("CNN/CNN_S.pb"),
    hearing("CRNN/CRNN_S.pb"),
    hearing("DNN/DNN_S.pb"),
    hearing("DS_CNN/DS_CNN_L.pb", slow=True),
    hearing("DS_CNN/DS_CNN_S.pb", slow=True),
    hearing("GRU/GRU_S.pb"),
    hearing("LSTM/LSTM_S.pb"),
    beside("dl4j-lenet-frozen-pb/lenet_frozen.pb"),
    beside("tf2onnx-ae0/frozen.pb", FIRST, "expected__frozen.pb.npz"),
    beside("tf2onnx-gru/frozen.pb", slow=True),
    loop("tensor_array"),
    loop("tensor_array_loop"),
    loop("tensor_array_read"),
    loop("tensor_array_unstack"),
    pair("ae/frozen_model.pb"),
    pair("ae/frozen_graph.pbtxt"),
    pair("mnist_00/frozen_model.pb"),
    pair("mnist_00/frozen_graph.pbtxt"),
    pair("rnn/bstack/d_n2/frozen_model.pb", slow=True),
    pair("rnn/bstack/d_n2/frozen_graph.pbtxt", slow=True),
    pair("primitive_gru_dynamic/frozen_model.pb", slow=True),
    pair("primitive_gru_dynamic/frozen_graph.pbtxt", slow=True),
    beside("tf-lite-pbtxt/permute.pbtxt", "expected__permute.pbtxt.npz"),
    beside("tf-lite-pbtxt/gather.pbtxt", "expected__gather.pbtxt.npz"),
    beside("rust-addition-pb/model.pb", "expected__model.pb.npz"),
    made("quantized_dequantize/frozen.pb"),
    made("decodejpeg_frozen/frozen.pb", feeds={"contents:0(jpeg bytes)": "contents:0"}),
    beside("tf-savedmodel-hpt-v1-variables"),
    beside("tf-savedmodel-half-plus-two-pbtxt/00000123", FIRST, SERVED),
    beside("tf-savedmodel-half-plus-two-main-op/00000123", FIRST, SERVED),
    beside("tf-savedmodel-hpt-fwdcompat/00000123", FIRST, SERVED),
    beside("serving-sm-half-plus-two-cpu/00000123", FIRST, SERVED),
    beside("serving-sm-half-plus-three/00000123"),
    beside("serving-sm-half-plus-two-tf2-cpu/00000123", FIRST, SERVED),
    beside("serving-sm-counter/00000123", SERVED),
    beside("dotnet-mnist-conv-model"),
    beside("dotnet-model-string-test"),
    beside("dotnet-model-types-test"),
    made("three_metagraphs", outputs={"serve/y": "y", "train/y": None}),
    Case("tfx-transform-fn/transform_fn", held_to=RUNS),
    Case("tfx-bench-trained-saved-model", held_to=WEIGHTS),
    beside("rust-regression-savedmodel"),
    beside("rust-keras-multiple-inputs-saved-model"),
    beside("tfjs-module-with-multiple-signatures"),
    beside("tfjs-model-multi-output"),
    beside(
        "mlperf-tiny-kws-savedmodel/kws_ref_model",
        FIRST,
        "expected__kws_ref_model.npz",
        outputs={"serving_default": "serving_default/dense"},
        slow=True,
    ),
    beside("hub-hub-module-v1-mini"),
    beside("hub-half-plus-two-v1/unpacked", FIRST, "expected__unpacked.npz"),
    beside("hub-saved-model-v2-mini"),
    *(
        Case(f"dl4j-keras-optimizers/{name}.h5", held_to=RUNS, slow=name != "adam")
        for name in ("adadelta", "adagrad", "adam", "adamax", "nadam", "rmsprop", "sgd")
    ),
    beside(
        "dl4j-keras-cnn-batchnorm/cnn_batch_norm.h5",
        outputs={"predictions": "dense_1"},
        feeds={"input": "conv2d_1_input"},
        slow=True,
    ),
    beside(
        "mlperf-tiny-resnet-cifar10-h5/pretrainedResnet.h5",
        FIRST,
        "expected__pretrainedResnet.h5.npz",
        outputs={"softmax": "dense", "0": "dense", "repo_tflite": None},
        slow=True,
    ),
]
CASES = {case.path: case for case in MODELS}

REASONS = {
    "changes": (
        "the outputs need more of a variable than its value",
        "a call changes a variable (a counter, a training step), and a frozen graph has none",
    ),
    "graph": (
        "the model has no graph, only weights",
        "weights without a graph: there is nothing to freeze or to serve without `--graph`",
    ),
    "files": (
        "cannot hold what the outputs need",
        "the outputs look words up in a file, which only a SavedModel has room for",
    ),
    "twice": (
        "appears more than once in the input list",
        "a signature of the author's calls one tensor by two names: TensorFlow 1's loader runs it,"
        " `tf.saved_model.load` refuses it, the source as well",
    ),
    "objects": (
        "object has no attribute 'add_slot'",
        "written back as it was, with an optimizer of Keras 2, for which `tf.saved_model.load`"
        " needs the package tf_keras, for the source as well; TensorFlow 1's loader runs it, and"
        " with `object_graph=false` all do, to the same bits",
    ),
    "one": (
        "no recorded call",
        "a frozen graph has no signatures, and the one that is made of its ends takes all inputs at"
        " once, or others than were recorded: compared in a session alone",
    ),
    "unrun": (
        "",
        "no TensorFlow of today runs the source: it calls Python code that is not there, or an"
        " operation without a kernel; the weights are the same, bit for bit",
    ),
}
"""What an error says, and what the page says of it."""

TO_FROZEN = dict.fromkeys(
    [("checkpoint", "frozen"), ("frozen",), ("saved_model", "frozen")], "changes"
)
FILES = {(form,): "files" for form in FORMS[:2]} | {
    ("saved_model", form): "files" for form in FORMS[:2]
}
NO_GRAPH = {("frozen",): "graph", ("saved_model",): "graph"} | {
    ("checkpoint", form): "graph" for form in FORMS[1:]
}
REFUSED = {
    "serving-sm-counter/00000123": TO_FROZEN,
    "rust-regression-savedmodel": TO_FROZEN,
    "tfx-transform-fn/transform_fn": FILES,
    "tfx-bench-trained-saved-model": FILES,
    "tf-tfprof-v1ckpt/ckpt": NO_GRAPH,
    "tf-bundle-checkpoint-nometa/bundle_checkpoint": NO_GRAPH,
    "t2t-transformer-sharded-ckpt/model.ckpt-1": NO_GRAPH,
    "tf-trt-mnist-ckpt-nometa/model.ckpt-46900": NO_GRAPH,
    "tf-old-string-tensors/foo": NO_GRAPH,
}
"""What zoo refuses, and why; each reason is true."""

MERGED = {("frozen", "saved_model"): "one"}
WHOLE = {("saved_model",): "objects", ("saved_model", "saved_model"): "objects"}
SAID = {
    "tf-session-bundle-v1ckpt/00000123/export": MERGED,
    "serving-sm-half-plus-three/00000123": MERGED,
    "serving-sm-half-plus-two-tf2-cpu/00000123": MERGED,
    "dotnet-model-types-test": {
        ("saved_model",): "twice",
        ("checkpoint", "saved_model"): "twice",
        ("saved_model", "saved_model"): "twice",
        **MERGED,
    },
    "rust-keras-multiple-inputs-saved-model": WHOLE,
    "mlperf-tiny-kws-savedmodel/kws_ref_model": WHOLE,
}
"""Where one of TensorFlow's loaders refuses what was written, or cannot be asked."""

UNRUN = {"made-here-gaps/pyfunc_meta", "tfx-bench-trained-saved-model"}

UNOPENED = {
    "tfnet-meta-inceptionv3/InceptionV3.meta": "376 variables without values",
    "tfnet-meta-vd-cnn/vd_cnn.meta": "110 variables without values",
    "tfnet-meta-xor/xor.meta": "3 variables without values",
    "tf-metrics-metagraph-only/metrics_export_meta_graph.pb": "2 variables without values",
    "rust-regression-checkpoint-pb/model.pb": "2 variables without values",
    "dl4j-pbtxt-controlflow/train_iris.pb": "8 variables without values",
    "dl4j-pbtxt-controlflow/train_iris.pbtxt": "8 variables without values",
    "dl4j-pbtxt-controlflow/simple_while.pb.txt": "1 variable without values",
    "dl4j-pbtxt-controlflow/nested_while.pb.txt": "3 variables without values",
    "dl4j-pbtxt-controlflow/three_arg_while.pb.txt": "3 variables without values",
    "dl4j-pbtxt-controlflow/max_graph.pb.txt": "opType",
    "dl4j-pbtxt-controlflow/max_log_reg.pb.txt": "opType",
    "dl4j-keras-lambda-h5/model_lambda.h5": "Lambda layers with Python code",
    "dl4j-keras-lambda-h5/sequential_lambda.h5": "Lambda layers with Python code",
    "dotnet-mnist-missing-weights": "no variables.data-00000-of-00001",
}
"""What nobody can open: graphs whose values are elsewhere, other people's fields and code."""
