"""What a program pays that has zoo loaded: reading weights, saving, calling, loading again.

Each function measures zoo beside what a user would call otherwise, in turn, in one process, and
prints medians with zoo's first; ``python -m benchmarks.inside FUNCTION PATH``.
"""

from __future__ import annotations

import gc
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import Measured, show

if TYPE_CHECKING:
    from collections.abc import Callable

_READINGS = 7
_TIMED = (
    "import sys, time; import {}; prefix = sys.argv[1]; start = time.perf_counter(); {};"
    "print(time.perf_counter() - start)"
)
_MAP = "data = np.memmap(prefix + '.data-00000-of-00001', np.uint8, 'r')"
_READS = {
    "zoo: weights[name]": (
        "zoo; zoo.load('toy-adder')",
        "w = zoo.load(prefix).weights; x = {n: w[n] for n in w}",
    ),
    "load_checkpoint, get_tensor": (
        "tensorflow as tf",
        "r = tf.train.load_checkpoint(prefix);"
        "x = {n: r.get_tensor(n) for n in r.get_variable_to_shape_map()}",
    ),
    "zoo: numpy.array(weights[name])": (
        "zoo, numpy as np; zoo.load('toy-adder')",
        "w = zoo.load(prefix).weights; x = {n: np.array(w[n]) for n in w}",
    ),
    "numpy.array(mapped)": (
        "numpy as np",
        f"{_MAP}; x = [np.array(part) for part in np.array_split(data, 32)]",
    ),
}
"""What is imported, and what is timed."""
_ROUNDS, _SAVES = 15, 7
_CALLS = 200
_LOADS = 100
_PAGE = 4096


def weights(prefix: str) -> None:
    """Measure how long all weights of the checkpoint `prefix` take into memory, as a first thing.

    Each reading is done in a process of its own: later ones would find the memory of the first.
    What zoo imports when a first model is loaded is in, as TensorFlow is.
    """
    taken: dict[str, list[float]] = {label: [] for label in _READS}
    for _ in range(_READINGS):
        for label, program in _READS.items():
            command = [sys.executable, "-c", _TIMED.format(*program), prefix]
            taken[label].append(float(subprocess.check_output(command)))
    _medians("all weights of VGG16 into memory, all modules imported", taken)


def saves(prefix: str) -> None:
    """Measure how long the checkpoint `prefix`, loaded, takes to be saved as another one.

    Every way has done it once before.  What zoo and ``fsync`` wrote is on the disk then.
    """
    import tensorflow as tf

    import zoo

    model, v1 = zoo.load(prefix), tf.compat.v1
    room = Path(prefix).with_name("saves")
    data = Path(f"{prefix}.data-00000-of-00001").read_bytes()
    with tf.Graph().as_default(), v1.Session() as session:
        saver = v1.train.import_meta_graph(f"{prefix}.meta")
        saver.restore(session, prefix)

        def written(*, synced: bool) -> None:
            """Write the bytes of the weights."""
            with (room / "plain").open("wb") as file:
                file.write(data)
                if synced:
                    os.fsync(file.fileno())

        def clear() -> None:
            """Remove what was written, and have nobody wait for the bytes of another."""
            shutil.rmtree(room, ignore_errors=True)
            room.mkdir()
            os.sync()

        _show(
            "VGG16, loaded, saved as a checkpoint",
            {
                "zoo.save": lambda: zoo.save(model, room / "zoo", format="checkpoint"),
                "Saver.save": lambda: saver.save(session, str(room / "theirs")),
                "a plain write": lambda: written(synced=False),
                "a plain write, then fsync": lambda: written(synced=True),
            },
            clear,
            _SAVES,
        )
    shutil.rmtree(room)


def calls(path: str) -> None:
    """Measure calls of the checkpoint `path`, VGG16, and of a model that computes nothing."""
    import numpy as np
    import tensorflow as tf

    import zoo

    big = zoo.load(path)
    images = np.random.default_rng(0).random((4, 224, 224, 3), np.float32)
    with big.session() as session:
        _show(
            "VGG16, a batch of 4 images",
            {
                "zoo: model.run": lambda: big.run("prob", {"images": images}),
                "Session.run": lambda: session.run("prob:0", {"images:0": images}),
            },
        )
    small, bias = zoo.load("toy-adder"), tf.Variable(2.0)
    function = tf.function(lambda w1, w2: (w1 + w2) * bias)
    one, other = tf.constant(13.0), tf.constant(17.0)
    _show(
        f"an addition, {_CALLS} times",
        {
            "zoo: model(w1=13.0, w2=17.0)": lambda: _again(lambda: small(w1=13.0, w2=17.0)),
            "a tf.function, .numpy()": lambda: _again(lambda: function(one, other).numpy()),
        },
    )


def memory(path: str) -> None:
    """Measure what each further load, call and drop leaves behind, of two models."""
    import zoo

    print("\nmemory that a load, a call and a drop leave behind, after 100 of them")
    for ref in ("toy-adder", path):
        feeds = {"w1": 1.0, "w2": 2.0} if ref == "toy-adder" else {"x": [[0.5] * 784]}
        ways: dict[str, Callable[[], object]] = {
            "load": lambda ref=ref: zoo.load(ref),
            "load, run": lambda ref=ref, feeds=feeds: zoo.load(ref)(**feeds),
            "load, function": lambda ref=ref, feeds=feeds: zoo.load(ref).function()(**feeds),
        }
        for label, way in ways.items():
            name = "toy-adder" if ref == "toy-adder" else "3 MB of weights"
            print(f"  {name + ': ' + label:42} {_left_behind(way):8.3f} MB each")


def build(path: str) -> None:
    """Write the frozen graph `path` with 3 MB of weights."""
    import numpy as np
    import tensorflow as tf

    v1, seeded = tf.compat.v1, np.random.default_rng(0)
    with tf.Graph().as_default() as graph:
        net = v1.placeholder(tf.float32, (None, 784), name="x")
        for width in (784, 196, 10):
            kernel = seeded.random((net.shape[-1], width), np.float32)
            net = tf.nn.relu(tf.matmul(net, tf.constant(kernel)))
        tf.identity(net, name="y")
    Path(path).write_bytes(graph.as_graph_def().SerializeToString())


def _left_behind(way: Callable[[], object]) -> float:
    """Return the megabytes by which the process grows each time, once it has warmed up."""
    sizes = []
    for _ in range(3):
        for _ in range(_LOADS):
            way()
        gc.collect()
        sizes.append(_resident())
    return (sizes[-1] - sizes[-2]) / _LOADS


def _resident() -> float:
    """Return the resident memory of this process in megabytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 1e6


def _again(call: Callable[[], object]) -> None:
    for _ in range(_CALLS):
        call()


def _show(
    title: str,
    ways: dict[str, Callable[[], object]],
    before: Callable[[], object] = lambda: None,
    rounds: int = _ROUNDS,
) -> None:
    """Print the medians of `ways`, each called in turn, and `before` ahead of each call."""
    taken: dict[str, list[float]] = {label: [] for label in ways}
    for way in ways.values():
        before()
        way()
    for _ in range(rounds):
        for label, way in ways.items():
            before()
            start = time.perf_counter()
            way()
            taken[label].append(time.perf_counter() - start)
    _medians(title, taken)


def _medians(title: str, taken: dict[str, list[float]]) -> None:
    rows = [Measured(label, statistics.median(times), 0) for label, times in taken.items()]
    show(title, rows)


if __name__ == "__main__":
    _QUESTIONS = {
        "weights": weights, "saves": saves, "calls": calls, "memory": memory, "build": build
    }  # fmt: skip
    _QUESTIONS[sys.argv[1]](sys.argv[2])
