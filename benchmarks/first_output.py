"""The first output of a frozen graph, as a process: ``first_output zoo|usual FILE SIZE``.

Prints how many of its weights train: zoo's, with all that it found, or the usual recipe's.
"""

from __future__ import annotations

import sys

from benchmarks.vgg16 import OUTPUT


def ours(path: str, size: int) -> None:
    """Load with zoo; every constant that is a weight becomes a variable, and has a gradient."""
    import numpy as np

    import zoo

    model = zoo.load(path)
    function = model.function(["images:0"], [f"{OUTPUT}:0"])
    function(np.zeros((1, size, size, 3), np.float32))
    print(len(function.trainable_variables), len(model.weights))


def usual(path: str, size: int) -> None:
    """Load as TensorFlow's guide to migration does."""
    import tensorflow as tf

    graph_def = tf.compat.v1.GraphDef()
    with open(path, "rb") as file:  # noqa: PTH123  (as that guide writes it)
        graph_def.ParseFromString(file.read())

    def imported() -> None:
        tf.compat.v1.import_graph_def(graph_def, name="")

    wrapped = tf.compat.v1.wrap_function(imported, [])
    graph = wrapped.graph
    function = wrapped.prune(
        graph.get_tensor_by_name("images:0"), graph.get_tensor_by_name(f"{OUTPUT}:0")
    )
    function(tf.zeros((1, size, size, 3)))
    print(len(function.variables))


if __name__ == "__main__":
    {"zoo": ours, "usual": usual}[sys.argv[1]](sys.argv[2], int(sys.argv[3]))
