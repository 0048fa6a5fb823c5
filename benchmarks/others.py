"""Other files to inspect: a SavedModel of Keras, a large .meta, a checkpoint of 100,000 tensors."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

_TENSORS = 100_000
_LAYERS = 700


@dataclass(frozen=True)
class Made:
    """A file that is measured, and the tool that a user would take otherwise.

    Attributes
    ----------
    name
        What it is called in the folder of the benchmark.
    what
        The same for people.
    tool
        The tool beside zoo.
    reads
        What that tool runs, for a path as its argument; empty for ``saved_model_cli``.
    """

    name: str
    what: str
    tool: str
    reads: str = ""

    @property
    def is_saved_model(self) -> bool:
        """Tell whether ``saved_model_cli`` reads it."""
        return not self.reads


_LISTS = "import sys, tensorflow as tf; print(len(tf.train.list_variables(sys.argv[1])))"
_IMPORTS = (
    "import sys, tensorflow as tf; tf.compat.v1.disable_eager_execution();"
    "tf.compat.v1.train.import_meta_graph(sys.argv[1])"
)
MADE = (
    Made("mobilenet", "MobileNetV2, a SavedModel of Keras", "saved_model_cli show --all"),
    Made("large.meta", "a .meta of 3 MB", "import_meta_graph", _IMPORTS),
    Made("many", "a checkpoint of 100,000 tensors", "list_variables", _LISTS),
)


def build(room: Path) -> None:
    """Write the files of `MADE` into the folder `room`."""
    mobilenet(room)
    _large_meta(room / "large")
    _many(room / "many")


def mobilenet(room: Path) -> None:
    """Write MobileNetV2 with weights of chance as a SavedModel of Keras into `room`."""
    import keras

    keras.applications.MobileNetV2(weights=None).export(str(room / "mobilenet"), verbose=False)


def _large_meta(prefix: Path) -> None:
    """Write the graph of a deep net in training, with optimizer and gradients."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default():
        net = v1.placeholder(tf.float32, (None, 8), name="x")
        for layer in range(_LAYERS // 7):
            kernel = v1.get_variable(f"block/layer_{layer}/kernel", (8, 8), use_resource=False)
            net = tf.nn.relu(tf.matmul(net, kernel), name=f"block/layer_{layer}/activation")
        v1.train.AdamOptimizer(0.1).minimize(tf.reduce_mean(net))
        meta_graph = v1.train.export_meta_graph(saver_def=v1.train.Saver().as_saver_def())
    while meta_graph.ByteSize() < 3_000_000:
        scope = len(meta_graph.graph_def.node)
        for node in list(meta_graph.graph_def.node)[:2000]:
            copy = meta_graph.graph_def.node.add()
            copy.CopyFrom(node)
            copy.name = f"copy_{scope}/{node.name}"
            copy.input[:] = [_moved(edge, f"copy_{scope}/") for edge in node.input]
            if "_class" in copy.attr:
                del copy.attr["_class"]
    prefix.with_suffix(".meta").write_bytes(meta_graph.SerializeToString())


def _moved(edge: str, scope: str) -> str:
    return f"^{scope}{edge[1:]}" if edge.startswith("^") else scope + edge


def _many(prefix: Path) -> None:
    import numpy as np
    import tensorflow as tf

    names = [f"layer_{n // 10}/block/weight_{n}/kernel" for n in range(_TENSORS)]
    values = [np.ones((2, 3), np.float32)] * _TENSORS
    tf.raw_ops.SaveV2(
        prefix=str(prefix), tensor_names=names, shape_and_slices=[""] * _TENSORS, tensors=values
    )


if __name__ == "__main__":
    build(Path(sys.argv[1]))
