"""Fine-tuning beside Keras: a new head on VGG16, all weights of a small net, a head swapped alone.

``python -m benchmarks.finetuning head|everything|swap [ARGUMENT]``; each question in a process of
its own. Keras goes through the whole of VGG16 in each epoch, which takes minutes on a few cores:
only its first epochs are measured, and the last of these stands for those that are left out, as is
said.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.answers import answer
from benchmarks.bench import environment
from benchmarks.measure import calls_in_turn, in_turn, quietly
from benchmarks.rows import Measured, Row
from benchmarks.vgg16 import CONVOLUTIONS, FULL, QUICK
from benchmarks.works import FIT, WORKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np

    from benchmarks.bench import Bench
    from benchmarks.vgg16 import Net

_IMAGES, _FEWER = 200, 64
_EPOCHS, _MEASURED = 10, 2
_SWAP = "import sys, zoo; model = zoo.load(sys.argv[1]).replace_head(2)"
_SAVE = "; zoo.save(model, sys.argv[2], format='checkpoint')"
_COPY = "import sys, shutil; shutil.copyfile(sys.argv[1] + '.data-00000-of-00001', sys.argv[2])"
_ROUNDS, _AT_ONCE, _STEPS, _BATCH = 9, 3, 108, 32
_RELU = {"padding": "same", "activation": "relu"}


def rows(bench: Bench) -> Iterator[Row]:
    """Measure ten epochs of a new head."""
    images = _FEWER if bench.quick else _IMAGES
    with environment(ZOO_HOME=str(bench.room / "home")):
        yield from bench.rows_of(
            "benchmarks.finetuning", "head", images, bench.checkpoint, bench.net.size
        )


def further(bench: Bench) -> Iterator[Row]:
    """Measure the rest: all weights, and the swap alone."""
    for question in ("swap", "everything"):
        yield from bench.rows_of("benchmarks.finetuning", question)


def head(images: str = str(_IMAGES), prefix: str = "", size: str = str(FULL.size)) -> Iterator[Row]:
    """Measure ten epochs of a new head on the VGG16 at `prefix`, which stays as it is."""
    with tempfile.TemporaryDirectory(prefix="zoo-bench-") as name:
        net = next(net for net in (FULL, QUICK) if net.size == int(size))
        path = prefix or str(Path(name) / "vgg16")
        if not prefix:
            quietly([sys.executable, "-m", "benchmarks.vgg16", path])
        yield _head(path, net, *_pictures(int(images), net.size))


def _head(path: str, net: Net, x: np.ndarray, y: np.ndarray) -> Row:
    import zoo

    options = {"outputs": 2, "epochs": _EPOCHS, "validation_split": 0.0}
    start = time.perf_counter()
    trained = zoo.finetune(path, (x, y), **options)
    middle = time.perf_counter()
    zoo.finetune(path, (x, y), **options)
    facts = {"seconds when the features are known": time.perf_counter() - middle}
    epochs = _keras_head(net, x, y)
    whole = sum(epochs) + (_EPOCHS - len(epochs)) * epochs[-1]
    facts |= {
        "epochs of Keras that were measured, the others like the last": len(epochs),
        "losses apart from those without a cache": _apart(trained, path, x, y, options),
    }
    ours = Measured("zoo.finetune", (middle - start,))
    subject = f"{net.name}, {len(x)} pictures"
    return WORKS["finetune"].row(subject, ours, [Measured(FIT, (whole,))], facts)


def _apart(cached: Any, path: str, x: np.ndarray, y: np.ndarray, options: dict[str, Any]) -> float:
    """Return how far the losses are from those of a net that goes through VGG16 in each epoch."""
    import zoo
    from zoo_finetune.nets import Net as Trained

    Trained.trains_head_alone = property(lambda _: False)  # type: ignore[assignment]
    uncached = zoo.finetune(path, (x, y), **{**options, "epochs": _MEASURED}).epochs
    pairs = zip(cached.epochs, uncached, strict=False)
    return max(abs(one.loss - other.loss) / abs(other.loss) for one, other in pairs)


def _pictures(count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures, half of them bright above and half of them below, and which are which."""
    import numpy as np

    x = np.random.default_rng(0).random((count, size, size, 3), np.float32)
    y = np.arange(count) % 2
    x[y == 1, : size // 2] += 1
    return x, y


def _keras_head(net: Net, x: np.ndarray, y: np.ndarray) -> list[float]:
    """Return how long each of the first epochs takes, the net having been built."""
    import keras

    model = keras.Sequential([keras.Input((net.size, net.size, 3))])
    for width, count in CONVOLUTIONS:
        for _ in range(count):
            model.add(keras.layers.Conv2D(width, 3, **_RELU))
        model.add(keras.layers.MaxPooling2D())
    model.add(keras.layers.Flatten())
    for _ in range(2):
        model.add(keras.layers.Dense(net.dense, "relu"))
    for layer in model.layers:
        layer.trainable = False
    model.add(keras.layers.Dense(2))
    _compile(model)
    began: list[float] = []
    clock = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda *_: began.append(time.perf_counter())
    )
    model.fit(x, y, batch_size=_BATCH, epochs=_MEASURED, callbacks=[clock], verbose=0)
    ends = [*began[1:], time.perf_counter()]
    return [end - start for start, end in zip(began, ends, strict=True)]


def _compile(model: Any) -> None:
    import keras

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])


def swap(runs: str = "5") -> Iterator[Row]:
    """Measure whole processes that give VGG16 another head."""
    with tempfile.TemporaryDirectory(prefix="zoo-bench-") as name:
        prefix, target = Path(name) / "vgg16", Path(name) / "target" / "model"
        quietly([sys.executable, "-m", "benchmarks.vgg16", str(prefix)])
        programs = {
            "zoo.load(...).replace_head(2)": [_SWAP, str(prefix)],
            "the same, and zoo.save": [_SWAP + _SAVE, str(prefix), str(target)],
            "python: shutil.copyfile of the weights": [_COPY, str(prefix), str(target)],
        }
        commands = {label: [sys.executable, "-c", *args] for label, args in programs.items()}

        def clear() -> None:
            """Remove what was written, and have nobody wait for the bytes of another."""
            target.parent.mkdir(exist_ok=True)
            for path in target.parent.iterdir():
                path.unlink()
            os.sync()

        ours, *others = in_turn(commands, int(runs), clear).values()
        yield Row("swap", "another head", FULL.name, ours, tuple(others))


def everything(rounds: str = str(_ROUNDS)) -> Iterator[Row]:
    """Measure steps in which all weights of a small net learn."""
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.random((_STEPS * _BATCH, 8, 8, 1), np.float32)
    y = np.arange(len(x)) % 2
    ways = {"zoo.finetune --train all": _zoo_epochs(x, y), "Keras fit": _keras_epochs(x, y)}
    ours, theirs = calls_in_turn(ways, int(rounds)).values()
    each = statistics.median(b / a for a, b in zip(ours.seconds, theirs.seconds, strict=True))
    subject = f"vgg-digits, {_AT_ONCE} epochs of {_STEPS} steps of {_BATCH} examples"
    row = Row("train-all", "all weights learn", subject, ours, (theirs,))
    yield replace(row, facts={"steps in the time of one of Keras, median of the rounds": each})


def _zoo_epochs(x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    """Return what trains zoo's net for some epochs, as ``zoo.finetune`` does."""
    import zoo
    from zoo_finetune.batches import Batches, of_array
    from zoo_finetune.nets import net_for
    from zoo_finetune.recipe import Recipe
    from zoo_finetune.training import learner

    recipe = Recipe(2, train="all")
    batches = Batches(of_array(x), y, _BATCH, 0)
    made = learner(net_for(zoo.load("vgg-digits"), recipe), recipe, x.shape[1:], "float32", _STEPS)
    return lambda: made.keras.fit(
        batches.epochs(0, _AT_ONCE),
        epochs=_AT_ONCE,
        steps_per_epoch=_STEPS,
        verbose=0,
        shuffle=False,
    )


def _keras_epochs(x: np.ndarray, y: np.ndarray) -> Callable[[], object]:
    """Return what trains the same net for as many, written in Keras."""
    import keras

    model = keras.Sequential([
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(16, 3, **_RELU), keras.layers.Conv2D(16, 3, **_RELU),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(32, 3, **_RELU), keras.layers.Conv2D(32, 3, **_RELU),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dense(64, "relu"), keras.layers.Dense(64, "relu"), keras.layers.Dense(2),
    ])  # fmt: skip
    _compile(model)
    return lambda: model.fit(x, y, batch_size=_BATCH, epochs=_AT_ONCE, verbose=0)


if __name__ == "__main__":
    answer({"swap": swap, "everything": everything, "head": head})
