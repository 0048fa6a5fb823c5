"""Train ``vgg-digits`` on the handwritten digits of the UCI repository.

``python -m zoo_architectures.train_vgg_digits FOLDER`` writes ``vgg-digits.index``,
``vgg-digits.data-00000-of-00001`` and ``seven.png``, a digit that was held out, and prints what
``registry.yaml`` says of them.  It needs scikit-learn, which ships the 1,797 images of 8 x 8 pixels
from 0 to 16; every fifth of them, 360, is held out.  One thread and one seed: the same versions on
the same kind of processor give the same bytes.

Source of the images: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI
Machine Learning Repository (1998), https://doi.org/10.24432/C50P49, CC BY 4.0.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from zoo import bundle
from zoo_architectures.vgg import vgg_digits

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np

    from zoo.model import Model

_EPOCHS, _BATCH, _RATE, _SEED = 80, 32, 2e-3, 0
_HELD_OUT = 5


class Digits(NamedTuple):
    """Images float32 (count, 8, 8, 1) from 0 to 16, and what each shows, int64 (count,)."""

    images: np.ndarray
    labels: np.ndarray


def digits() -> tuple[Digits, Digits]:
    """Return the digits to train on, and the 360 that are held out."""
    import numpy as np
    from sklearn.datasets import load_digits

    loaded = load_digits()
    images = loaded.images.astype(np.float32)[..., None]
    held_out = np.arange(len(images)) % _HELD_OUT == 0
    return (
        Digits(images[~held_out], loaded.target[~held_out]),
        Digits(images[held_out], loaded.target[held_out]),
    )


def trained(data: Digits) -> Model:
    """Return the net trained on `data`."""
    import numpy as np
    import tensorflow as tf

    net = vgg_digits()
    model = net.extend(_training)
    generator = np.random.default_rng(_SEED)
    one_thread = tf.compat.v1.ConfigProto(
        intra_op_parallelism_threads=1, inter_op_parallelism_threads=1
    )
    with model.session(one_thread) as session:
        (step,) = session.graph.get_collection("train_op")
        for epoch in range(_EPOCHS):
            rate = _RATE * (1 - epoch / _EPOCHS)
            order = generator.permutation(len(data.images))
            for batch in np.array_split(order, len(order) // _BATCH):
                images, labels = _moved(data.images[batch], generator), data.labels[batch]
                session.run(step, {"images:0": images, "labels:0": labels, "rate:0": rate})
        return net.captured(session)


def _training(tensors: Mapping[str, Any]) -> dict[str, Any]:
    """Add the loss and what makes it smaller."""
    import tensorflow as tf

    v1 = tf.compat.v1
    labels = v1.placeholder(tf.int64, [None], name="labels")
    rate = v1.placeholder(tf.float32, [], name="rate")
    loss = tf.reduce_mean(
        tf.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=tensors["fc8:0"])
    )
    v1.train.AdamOptimizer(rate).minimize(loss)
    return {"loss": loss}


def _moved(images: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return `images` moved by up to one pixel, each its own way: fewer are learnt by heart."""
    import numpy as np

    padded = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)])
    starts = generator.integers(0, 3, (len(images), 2))
    return np.stack(
        [image[y : y + 8, x : x + 8] for image, (y, x) in zip(padded, starts, strict=True)]
    )


def accuracy(model: Model, data: Digits) -> float:
    """Return the share of `data` that `model` reads rightly."""
    answers = model.run("prob:0", {"images:0": data.images}).argmax(axis=1)
    return float((answers == data.labels).mean())


def _photo(image: np.ndarray) -> bytes:
    """Return `image` as a PNG file, its 16 as white."""
    import tensorflow as tf

    encoded: bytes = tf.io.encode_png(tf.cast(tf.round(image * (255 / 16)), tf.uint8)).numpy()
    return encoded


def main(folder: Path) -> None:
    """Train, write the weights into `folder`, and print how good they are and their digests."""
    to_learn, held_out = digits()
    model = trained(to_learn)
    prefix = folder / "vgg-digits"
    bundle.write(prefix, {name: model.weights.tensor(name) for name in model.weights})
    (folder / "seven.png").write_bytes(_photo(held_out.images[held_out.labels == 7][0]))
    print(f"{accuracy(model, held_out):.4f} of {len(held_out.labels)} held-out digits")  # noqa: T201
    for path in (bundle.data_path(prefix), bundle.index_path(prefix)):
        data = path.read_bytes()
        print(f"{path.name}  size {len(data)}  sha256 {hashlib.sha256(data).hexdigest()}")  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
