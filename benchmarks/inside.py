"""What a program pays that has zoo loaded: saving, calling, loading again.

``python -m benchmarks.inside QUESTION ARGUMENT... [--rows FILE]``: each question in a process of
its own, which holds the model; the rows are printed, or written to FILE.
"""

from __future__ import annotations

import gc
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.answers import answer
from benchmarks.measure import calls_in_turn
from benchmarks.rows import Row
from benchmarks.vgg16 import OUTPUT
from benchmarks.works import PLAIN_WRITE, SAVER, SESSION, WORKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SAVE, _RUN, _LAYER = "zoo.save", "zoo: model.run", "Keras TFSMLayer, of a SavedModel"
_CALLS, _LOADS = 200, 100
_PAGE = 4096
_SMALL = {"toy-adder": {"w1": 1.0, "w2": 2.0}}


def saves(prefix: str, subject: str, rounds: str = "7") -> Iterator[Row]:
    """Measure how long the checkpoint `prefix`, loaded, takes to be saved as another one.

    Every way has done it once before.  What zoo and ``fsync`` wrote is on the disk then.
    """
    import zoo

    model = zoo.load(prefix)
    room = Path(prefix).with_name("saves")
    data = Path(f"{prefix}.data-00000-of-00001").read_bytes()

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

    session, saver = _restored(prefix)

    def by_saver() -> None:
        with session.graph.as_default():
            saver.save(session, str(room / "theirs"))

    ways: dict[str, Callable[[], object]] = {
        _SAVE: lambda: zoo.save(model, room / "zoo", format="checkpoint"),
        SAVER: by_saver,
        PLAIN_WRITE: lambda: written(synced=True),
        "a plain write": lambda: written(synced=False),
    }
    found = calls_in_turn(ways, int(rounds), clear)
    shutil.rmtree(room)
    yield WORKS["save"].row(subject, found.pop(_SAVE), list(found.values()))


def calls(prefix: str, subject: str, rounds: str, saved_model: str, size: str) -> Iterator[Row]:
    """Measure calls of the checkpoint `prefix`, and of a model that computes nothing."""
    import keras
    import numpy as np

    import zoo

    model = zoo.load(prefix)
    images = np.random.default_rng(0).random((4, int(size), int(size), 3), np.float32)
    session, _ = _restored(prefix)
    layer = keras.layers.TFSMLayer(saved_model, call_endpoint="serving_default")
    ways: dict[str, Callable[[], object]] = {
        _RUN: lambda: model.run(OUTPUT, {"images": images}),
        SESSION: lambda: session.run(f"{OUTPUT}:0", {"images:0": images}),
        _LAYER: lambda: [value.numpy() for value in layer(images).values()],
    }
    found = calls_in_turn(ways, 2 * int(rounds) + 1)
    about = f"{subject}, a batch of 4 images"
    yield WORKS["run"].row(about, found.pop(_RUN), list(found.values()))
    yield _small_calls(int(rounds))


def _small_calls(rounds: int) -> Row:
    """Measure what a call costs beside what it computes."""
    import tensorflow as tf

    import zoo

    adder, bias = zoo.load("toy-adder"), tf.Variable(2.0)
    function = tf.function(lambda w1, w2: (w1 + w2) * bias)
    one, other = tf.constant(13.0), tf.constant(17.0)
    found = calls_in_turn(
        {
            "zoo: model(w1=13.0, w2=17.0)": lambda: _again(lambda: adder(w1=13.0, w2=17.0)),
            "a tf.function, .numpy()": lambda: _again(lambda: function(one, other).numpy()),
        },
        rounds,
    )
    ours, theirs = found.values()
    return Row("run-small", "an addition", f"{_CALLS} times", ours, (theirs,))


def left_behind(path: str) -> Iterator[Row]:
    """Measure what each further load, call and drop leaves behind, of two models."""
    import zoo

    for ref, feeds in {**_SMALL, path: {"x": [[0.5] * 784]}}.items():
        ways: dict[str, Callable[[], object]] = {
            "load": lambda ref=ref: zoo.load(ref),
            "load, run": lambda ref=ref, feeds=feeds: zoo.load(ref)(**feeds),
            "load, function": lambda ref=ref, feeds=feeds: zoo.load(ref).function()(**feeds),
        }
        subject = ref if ref in _SMALL else "a frozen graph with 3 MB of weights"
        facts = {f"MB left behind by each {label}": _grown(way) for label, way in ways.items()}
        timed = calls_in_turn({"zoo: load": ways["load"]}, _LOADS)["zoo: load"]
        yield Row("left-behind", f"load it {_LOADS} times and more", subject, timed, facts=facts)


def build(path: str) -> Iterator[Row]:
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
    return iter(())


def _restored(prefix: str):  # noqa: ANN202
    """Return a session of TensorFlow 1 with the checkpoint in it, and its saver."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph:
        saver = v1.train.import_meta_graph(f"{prefix}.meta")
        session = v1.Session(graph=graph)
        saver.restore(session, prefix)
    return session, saver


def _grown(way: Callable[[], object]) -> float:
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


if __name__ == "__main__":
    answer({"saves": saves, "calls": calls, "left-behind": left_behind, "build": build})
