"""Fine-tuning beside Keras: a new head on VGG16, all weights of a small net, a head swapped alone.

``python -m benchmarks.finetuning QUESTION [IMAGES]``; each question in a process of its own. Keras
goes through the whole of VGG16 in each epoch, which takes minutes on a few cores: only its first
epochs are measured, and the last of these stands for those that are left out, as is said.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Measured, in_turn, show

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

_IMAGES, _EPOCHS, _MEASURED = 200, 10, 2
_SWAP = "import sys, zoo; model = zoo.load(sys.argv[1]).replace_head(2)"
_SAVE = "; zoo.save(model, sys.argv[2], format='checkpoint')"
_COPY = "import sys, shutil; shutil.copyfile(sys.argv[1] + '.data-00000-of-00001', sys.argv[2])"
_ROUNDS, _AT_ONCE, _STEPS, _BATCH = 9, 3, 108, 32


def measure() -> None:
    """Measure everything."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled already
    for question in _QUESTIONS:
        with tempfile.TemporaryDirectory(prefix="zoo-bench-") as home:
            quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "ZOO_HOME": home}
            command = [sys.executable, "-m", "benchmarks.finetuning", question]
            sys.stdout.flush()
            subprocess.run(command, check=True, env=quiet, stderr=subprocess.DEVNULL)


def swap(runs: int = 5) -> None:
    """Measure whole processes that give VGG16 another head."""
    with tempfile.TemporaryDirectory(prefix="zoo-bench-") as name:
        prefix, target = Path(name) / "vgg16", Path(name) / "target" / "model"
        subprocess.run([sys.executable, "-m", "benchmarks.vgg16", str(prefix)], check=True)
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

        show("VGG16, 138,357,544 parameters: another head", in_turn(commands, runs, clear))


def head(images: int = _IMAGES) -> None:
    """Measure ten epochs of a new head on VGG16 that stays as it is."""
    import zoo

    x, y = _pictures(images)
    options = {"outputs": 2, "epochs": _EPOCHS, "validation_split": 0.0}
    start = time.perf_counter()
    trained = zoo.finetune("vgg16", (x, y), **options)
    ours = time.perf_counter() - start
    start = time.perf_counter()
    zoo.finetune("vgg16", (x, y), **options)
    again = time.perf_counter() - start
    whole, told = _extrapolated(_keras_head(x, y))
    rows = [("zoo.finetune", ours), (f"Keras: VGG16, fit ({told})", whole)]
    rows.insert(1, ("zoo.finetune, features known", again))
    show(
        f"VGG16 as it is, a new head, {images} pictures, {_EPOCHS} epochs",
        [Measured(label, seconds, 0) for label, seconds in rows],
    )
    _compare([one.loss for one in trained.epochs], x, y, options)


def _compare(cached: list[float], x: np.ndarray, y: np.ndarray, options: dict[str, Any]) -> None:
    """Print how far the losses are from those of a net that goes through VGG16 in each epoch."""
    import zoo
    from zoo_finetune.nets import Net

    Net.trains_head_alone = property(lambda _: False)  # type: ignore[assignment]
    uncached = zoo.finetune("vgg16", (x, y), **{**options, "epochs": _MEASURED}).epochs
    pairs = zip(cached, (one.loss for one in uncached), strict=False)
    off = max(abs(one - other) / abs(other) for one, other in pairs)
    print(f"  losses of {_MEASURED} epochs without a cache differ by {off:.1e} at most")


def _pictures(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return pictures, half of them bright above and half of them below, and which are which."""
    import numpy as np

    x = np.random.default_rng(0).random((count, 224, 224, 3), np.float32)
    y = np.arange(count) % 2
    x[y == 1, :112] += 1
    return x, y


def _keras_head(x: np.ndarray, y: np.ndarray) -> list[float]:
    """Return how long each of the first epochs takes, the net having been built."""
    import keras

    base = keras.applications.VGG16(weights=None)
    base.trainable = False
    logits = keras.layers.Dense(2)(base.get_layer("fc2").output)
    model = keras.Model(base.input, logits)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    began: list[float] = []
    clock = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda *_: began.append(time.perf_counter())
    )
    model.fit(x, y, batch_size=_BATCH, epochs=_MEASURED, callbacks=[clock], verbose=0)
    ends = [*began[1:], time.perf_counter()]
    return [end - start for start, end in zip(began, ends, strict=True)]


def _extrapolated(epochs: list[float]) -> tuple[float, str]:
    left = _EPOCHS - len(epochs)
    return sum(epochs) + left * epochs[-1], f"{len(epochs)} epochs measured, {left} like the last"


def everything(rounds: int = _ROUNDS) -> None:
    """Measure steps in which all weights of a small net learn."""
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.random((_STEPS * _BATCH, 8, 8, 1), np.float32)
    y = np.arange(len(x)) % 2
    ways = {"zoo": _zoo_epochs(x, y), "Keras": _keras_epochs(x, y)}
    taken: dict[str, list[float]] = {label: [] for label in ways}
    for one in range(rounds + 1):
        for label, way in ways.items():
            start = time.perf_counter()
            way()
            if one:
                taken[label].append(time.perf_counter() - start)
    rows = [Measured(label, statistics.median(times), 0) for label, times in taken.items()]
    show(f"vgg-digits, all weights: {_AT_ONCE} epochs of {_STEPS} steps of {_BATCH} examples", rows)
    speed = statistics.median(b / a for a, b in zip(*taken.values(), strict=True))
    print(f"  zoo does {speed:.3f} steps in the time of one of Keras (median of the rounds)")


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

    relu = {"padding": "same", "activation": "relu"}
    model = keras.Sequential([
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(16, 3, **relu), keras.layers.Conv2D(16, 3, **relu),
        keras.layers.MaxPooling2D(),
        keras.layers.Conv2D(32, 3, **relu), keras.layers.Conv2D(32, 3, **relu),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dense(64, "relu"), keras.layers.Dense(64, "relu"), keras.layers.Dense(2),
    ])  # fmt: skip
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=["accuracy"])
    return lambda: model.fit(x, y, batch_size=_BATCH, epochs=_AT_ONCE, verbose=0)


_QUESTIONS: dict[str, Callable[..., None]] = {"swap": swap, "everything": everything, "head": head}

if __name__ == "__main__":
    _QUESTIONS[sys.argv[1]](*map(int, sys.argv[2:]))
