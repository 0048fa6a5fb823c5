"""VGG16 with random weights, as a checkpoint that TensorFlow 1 would have written.

``python -m benchmarks.vgg16 PREFIX [quick]``
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

CONVOLUTIONS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
OUTPUT, CLASSES = "prob", 1000


@dataclass(frozen=True)
class Net:
    """How large it is: its name, pixels on a side, width of the dense layers."""

    name: str
    size: int
    dense: int


FULL = Net("VGG16", 224, 4096)
QUICK = Net("a small VGG16", 64, 256)
"""Of 138,357,544 parameters, and of 15,562,024."""


def build(prefix: Path, sizes: Net = FULL) -> None:
    """Write the checkpoint `prefix`: reference variables, 32 of them, and a saver."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        v1.disable_resource_variables()
        image = v1.placeholder(tf.float32, (None, sizes.size, sizes.size, 3), name="images")
        v1.identity(_dense(_convolutions(image), sizes.dense), name="logits")
        tf.nn.softmax(v1.get_default_graph().get_tensor_by_name("logits:0"), name=OUTPUT)
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(prefix))


def _convolutions(net):  # noqa: ANN001, ANN202
    import tensorflow as tf

    for block, (width, count) in enumerate(CONVOLUTIONS, 1):
        for layer in range(1, count + 1):
            name = f"conv{block}_{layer}"
            kernel = _variable(f"{name}/weights", (3, 3, net.shape[-1], width))
            net = tf.nn.conv2d(net, kernel, 1, "SAME", name=f"{name}/Conv2D")
            net = tf.nn.relu(tf.nn.bias_add(net, _variable(f"{name}/biases", (width,))), name=name)
        net = tf.nn.max_pool2d(net, 2, 2, "SAME", name=f"pool{block}")
    return net


def _dense(net, wide: int):  # noqa: ANN001, ANN202
    import tensorflow as tf

    net = tf.reshape(net, (-1, net.shape[1] * net.shape[2] * net.shape[3]))
    for name, width in (("fc6", wide), ("fc7", wide), ("fc8", CLASSES)):
        kernel = _variable(f"{name}/weights", (net.shape[-1], width))
        net = tf.nn.bias_add(tf.matmul(net, kernel), _variable(f"{name}/biases", (width,)))
        net = net if name == "fc8" else tf.nn.relu(net, name=name)
    return net


def _variable(name: str, shape: tuple[int, ...]):  # noqa: ANN202
    import tensorflow as tf

    initializer = tf.random_normal_initializer(stddev=0.01)
    return tf.compat.v1.get_variable(name, shape, initializer=initializer, use_resource=False)


if __name__ == "__main__":
    build(Path(sys.argv[1]), QUICK if "quick" in sys.argv[2:] else FULL)
