"""Every model of others, through all nine conversions, as plain TensorFlow sees it.

Each is written in three formats, and each of these again in all three.  What was written is opened
by plain TensorFlow and asked for the recorded answer, twice or thrice for a SavedModel; the numbers
of all twelve are compared with each other, too, bit for bit.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

FORMS = ("checkpoint", "frozen", "saved_model")


@dataclass(frozen=True)
class Case:
    """A model of others and its record; without one, its inputs are made and it is its own.

    Attributes
    ----------
    path, record
        Where they lie in the folder of fixtures; the record is beside the model, or in a folder
        above.
    outputs
        What the record calls by another name: tensors or keys by these.
    feeds
        The same for inputs.
    wishes
        How it is opened besides.
    """

    path: str
    record: str | None = None
    outputs: dict = field(default_factory=dict)
    feeds: dict = field(default_factory=dict)


def arm(net):
    """Return one of the nets that hear, whose record is common to all."""
    return Case(
        f"arm-kws/{net}",
        "arm-kws/expected.npz",
        {f"{net}/labels_softmax:0": "labels_softmax:0"},
    )


def pair(name):
    """Return a graph that is there in binary and as text."""
    record = f"dl4j-pbtxt-frozen-pair/expected__{name.replace('/', '__')}.npz"
    return Case(f"dl4j-pbtxt-frozen-pair/{name}", record)


def beside(path, record="expected.npz", **named):
    """Return a model whose record lies at the top of its folder."""
    return Case(path, f"{Path(path).parts[0]}/{record}", **named)


def gap(name, **named):
    return Case(f"made-here-gaps/{name}", f"made-here-gaps/{Path(name).parts[0]}/expected.npz", **named)


def loop(name):
    return beside(f"dl4j-pbtxt-controlflow/{name}", f"expected__{name}.npz")


SERVED = "expected__00000123.npz"
OTHERS = "_S.pb/labels_softmax:0", "_L.pb/labels_softmax:0"
"""What the record of the nets that hear says of the others; ours is renamed."""
CASES = {
    case.path: case
    for case in [
        beside("tf-session-bundle-v1ckpt/00000123/export"),
        beside("tf-savedmodel-hpt-v1-variables"),
        beside("serving-half-plus-two-v2/00000123/export"),
        beside("dl4j-ckpt-simple-graph/data-all-1000", "expected__frozen_model.pb.npz"),
        beside("dl4j-ckpt-simple-graph/frozen_model.pb", "expected__frozen_model.pb.npz"),
        beside("dl4j-ckpt-simple-graph/frozen_graph.pbtxt", "expected__frozen_graph.pbtxt.npz"),
        *map(arm, ["Basic_LSTM/Basic_LSTM_S.pb", "CNN/CNN_S.pb", "CRNN/CRNN_S.pb", "DNN/DNN_S.pb",
                   "DS_CNN/DS_CNN_L.pb", "DS_CNN/DS_CNN_S.pb", "GRU/GRU_S.pb", "LSTM/LSTM_S.pb"]),
        beside("dl4j-lenet-frozen-pb/lenet_frozen.pb"),
        beside("tf2onnx-ae0/frozen.pb"),
        beside("tf2onnx-gru/frozen.pb"),
        *map(loop, ["tensor_array.pb.txt", "tensor_array_loop.pb.txt", "tensor_array_read.pb.txt",
                    "tensor_array_unstack.pb.txt"]),
        *map(pair, ["ae/frozen_model.pb", "ae/frozen_graph.pbtxt", "mnist_00/frozen_model.pb",
                    "mnist_00/frozen_graph.pbtxt", "rnn/bstack/d_n2/frozen_model.pb",
                    "rnn/bstack/d_n2/frozen_graph.pbtxt",
                    "primitive_gru_dynamic/frozen_model.pb",
                    "primitive_gru_dynamic/frozen_graph.pbtxt"]),
        beside("tfnet-meta-cond-test/cond_test.meta", "expected__cond_test.meta.npz"),
        beside("tf-lite-pbtxt/permute.pbtxt", "expected__permute.pbtxt.npz"),
        beside("tf-lite-pbtxt/gather.pbtxt", "expected__gather.pbtxt.npz"),
        beside("rust-addition-pb/model.pb", "expected__model.pb.npz"),
        beside("serving-sm-half-plus-two-cpu/00000123"),
        beside("serving-sm-half-plus-two-tf2-cpu/00000123"),
        beside("serving-sm-counter/00000123", SERVED),
        beside("serving-sm-half-plus-three/00000123"),
        beside("dotnet-mnist-conv-model"),
        beside("dotnet-model-string-test"),
        beside("dotnet-model-types-test"),
        beside("tf-savedmodel-half-plus-two-pbtxt/00000123"),
        beside("tf-savedmodel-half-plus-two-main-op/00000123"),
        beside("tf-savedmodel-hpt-fwdcompat/00000123"),
        beside("rust-regression-savedmodel"),
        beside("rust-keras-multiple-inputs-saved-model"),
        beside("tfjs-module-with-multiple-signatures"),
        beside("tfjs-model-multi-output"),
        beside("mlperf-tiny-kws-savedmodel/kws_ref_model", "expected__kws_ref_model.npz"),
        beside("hub-hub-module-v1-mini"),
        beside("hub-half-plus-two-v1/unpacked"),
        beside("hub-saved-model-v2-mini"),
        beside("dl4j-keras-cnn-batchnorm/cnn_batch_norm.h5",
               outputs={"predictions": "dense_1"}, feeds={"input": "conv2d_1_input"}),
        beside("mlperf-tiny-resnet-cifar10-h5/pretrainedResnet.h5",
               outputs={"softmax": "dense", "repo_tflite": None}),
        gap("partitioned_ref"),
        gap("partitioned_resource"),
        gap("quantized_dequantize/frozen.pb"),
        gap("three_metagraphs", outputs={"serve/y": "y", "train/y": None}),
        gap("decodejpeg_frozen/frozen.pb", feeds={"contents:0(jpeg bytes)": "contents:0"}),
        Case("tfx-transform-fn/transform_fn"),
        Case("tfx-bench-trained-saved-model"),
        Case("dl4j-keras-optimizers/adam.h5"),
        Case("made-here-gaps/pyfunc_meta"),
    ]
}  # fmt: skip


@dataclass(frozen=True)
class Call:
    """One call of a model: values by its tensors, and what the signature calls these."""

    key: str | None
    feeds: dict
    expected: dict
    names: dict

    def there(self, held):
        """Return the tensors of what was written for those of the source.

        A writer may put a signature's output elsewhere; where there is no such signature, the
        graph's names are the source's.
        """
        if self.key not in held:
            return {tensor: tensor for tensor in (*self.feeds, *self.expected)}
        inputs, outputs = held[self.key]
        return {t: (inputs if t in self.feeds else outputs)[n] for t, n in self.names.items()}

    def run(self, run, held):
        """Return the outputs in a session, by the source's tensors."""
        there = self.there(held)
        feeds = {there[tensor]: value for tensor, value in self.feeds.items()}
        fetches = {tensor: there[tensor] for tensor in self.expected}
        return run(fetches, feeds)


def recorded(case, model, fixtures):
    """Return the calls that are recorded of a model, in their order."""
    with np.load(fixtures / case.record) as record:
        stored = {key: record[key] for key in record.files}
    made = {}
    for place, value in stored.items():
        side, _, name = place.partition(":")
        name = (case.feeds if side == "in" else case.outputs).get(name, name)
        if side not in ("in", "out") or name is None or name.endswith(OTHERS):
            continue
        key, _, inner = name.partition("/")
        key, name = (key, inner) if inner and key in model.signatures else (None, name)
        call = made.setdefault(key, Call(key, {}, {}, {}))
        tensor = meant(model, key, side, name)
        (call.feeds if side == "in" else call.expected)[tensor] = value
        call.names[tensor] = name
    return [fed(model, call) for call in made.values() if call.expected]


def meant(model, key, side, name):
    """Return the tensor that a record calls `name`."""
    if ":" in name:
        return name
    signature = model.signature(key)
    return (signature.inputs if side == "in" else signature.outputs)[name].tensor


def fed(model, call):
    """Return `call` with values of the dtypes that the graph takes; bytes are a text."""
    nodes = {node.name: node for node in model.graph.node}
    for tensor, value in call.feeds.items():
        dtype = tf_dtype(nodes[tensor.partition(":")[0]])
        if dtype is object and value.dtype == np.uint8:
            call.feeds[tensor] = value.tobytes()
        elif dtype is not None:
            call.feeds[tensor] = value.astype(dtype)
    return call


def tf_dtype(node):
    import tensorflow as tf

    number = node.attr["dtype"].type if "dtype" in node.attr else 0
    return tf.as_dtype(number).as_numpy_dtype if number else None
