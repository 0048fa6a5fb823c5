"""What a program pays for a model: its weights, its first output, saving it, calling it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks.measure import by_their_own_clock, once
from benchmarks.rows import Measured
from benchmarks.works import COPY, LOAD_CHECKPOINT, WORKS, WRAP_FUNCTION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.bench import Bench
    from benchmarks.rows import Row

_TIMED = (
    "import sys, time; import {}; prefix = sys.argv[1]; start = time.perf_counter(); {};"
    "print(time.perf_counter() - start)"
)
_MAP = "data = np.memmap(prefix + '.data-00000-of-00001', np.uint8, 'r')"
_MAPPED, _COPIED = "zoo: weights[name]", "zoo: numpy.array(weights[name])"
_READS = {
    _MAPPED: (
        "zoo; zoo.load('toy-adder')",
        "w = zoo.load(prefix).weights; x = {n: w[n] for n in w}",
    ),
    LOAD_CHECKPOINT: (
        "tensorflow as tf",
        "r = tf.train.load_checkpoint(prefix);"
        "x = {n: r.get_tensor(n) for n in r.get_variable_to_shape_map()}",
    ),
    _COPIED: (
        "zoo, numpy as np; zoo.load('toy-adder')",
        "w = zoo.load(prefix).weights; x = {n: np.array(w[n]) for n in w}",
    ),
    COPY: (
        "numpy as np",
        f"{_MAP}; x = [np.array(part) for part in np.array_split(data, 32)]",
    ),
}
"""What is imported, and what is timed."""
_OURS = "zoo: load, function, call"


def weights(bench: Bench) -> Iterator[Row]:
    """Measure how long all weights take into memory, each time in a process of its own.

    Later readings in one process would find the memory of the first.  What zoo imports when a
    first model is loaded is in, as TensorFlow is.
    """
    commands = {
        label: [sys.executable, "-c", _TIMED.format(*program), str(bench.checkpoint)]
        for label, program in _READS.items()
    }
    found = by_their_own_clock(commands, bench.runs)
    theirs = [found[LOAD_CHECKPOINT], found[COPY]]
    subject = f"{bench.subject}, all modules imported"
    yield WORKS["weights"].row(subject, found[_MAPPED], theirs)
    yield WORKS["weights-copied"].row(subject, found[_COPIED], theirs)


def first_output(bench: Bench) -> Iterator[Row]:
    """Measure whole processes that load a frozen graph and compute one output.

    The usual recipe takes a minute and 11 GB of VGG16, and is measured once.
    """
    size, frozen = bench.net.size, str(bench.frozen)
    runs = [
        once([sys.executable, "-m", "benchmarks.first_output", "zoo", frozen, str(size)])
        for _ in range(min(bench.runs, 3))
    ]
    usual = once([sys.executable, "-m", "benchmarks.first_output", "usual", frozen, str(size)])
    ours = Measured(_OURS, tuple(r.seconds for r in runs), tuple(r.megabytes for r in runs))
    theirs = Measured(WRAP_FUNCTION, (usual.seconds,), (usual.megabytes,))
    trained, all_of_them = map(int, runs[-1].said.split()[-2:])
    facts = {
        "weights that train": trained,
        "weights that do not train": all_of_them - trained,
        "variables of the usual recipe": int(usual.said.split()[-1]),
    }
    yield WORKS["first-output"].row(bench.subject, ours, [theirs], facts)


def saves(bench: Bench) -> Iterator[Row]:
    """Measure saving in a process that has the model."""
    yield from bench.rows_of("benchmarks.inside", "saves", bench.checkpoint, *_about(bench))


def calls(bench: Bench) -> Iterator[Row]:
    """Measure calls of a model that is loaded."""
    arguments = (bench.checkpoint, *_about(bench), bench.saved_model, bench.net.size)
    yield from bench.rows_of("benchmarks.inside", "calls", *arguments)


def _about(bench: Bench) -> tuple[str, int]:
    return bench.subject, 3 if bench.quick else 7
