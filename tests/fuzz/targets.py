"""A reader under attack: an answer or one error of ours, within its time and its memory."""

import hashlib
import os
import resource
import signal
import tempfile
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded

from zoo import budget
from zoo.errors import ZooError

INPUTS = Path(__file__).parent / "inputs"
EXAMPLES = 150
"""Inputs that each target gets in `make test`, always the same."""
BESIDE = 8 << 30
"""Bytes for a reader of ours and one of TensorFlow."""
SECONDS, PATIENCE, MEMORY = 2.0, 60.0, 256 << 20
"""What one input may take: of the processor, by the clock, of memory."""
BUDGET = "64MB"
"""What may come of an input; on the way there, several times that is needed."""
_ROOM = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108  (else the usual place)


class TooLong(BaseException):
    """An input took longer than it may."""


@dataclass(frozen=True)
class Target:
    """A reader, and what it is given.

    Attributes
    ----------
    name
        What it is called in messages and below ``inputs``.
    inputs
        A strategy for trees: bytes by path.
    look
        Reads all there is of the model in the folder it is given.
    refusals
        Errors that are answers.
    memory
        Bytes that one input may take; TensorFlow's threads reserve more than they use.
    """

    name: str
    inputs: object
    look: object
    refusals: tuple = (ZooError,)
    memory: int = MEMORY

    def check(self, tree):
        """Look at `tree` and tell whether it was read.

        Whatever is raised but a refusal is what is looked for.
        """
        with tempfile.TemporaryDirectory(dir=_ROOM, ignore_cleanup_errors=True) as room:
            written(tree, Path(room))
            with limited(self.memory):
                try:
                    self.look(Path(room))
                except self.refusals as error:
                    str(error)
                    return False
        return True

    def fuzz(self, examples=EXAMPLES, number=None):
        """Check `examples` inputs: those of every run, or with `number` those of that seed.

        Returns how many were read, and how many refused.
        The smallest input that fails is kept as `failing`.
        """
        answers = Counter()

        def attempt(tree):
            try:
                answers[self.check(tree)] += 1
            except BaseException:
                failing[self.name] = tree
                raise

        attempt.__qualname__ = f"fuzz_{self.name}"
        phases = (Phase.generate, Phase.shrink)
        test = settings(
            max_examples=examples, deadline=None, database=None, phases=phases,
            derandomize=number is None, suppress_health_check=list(HealthCheck),
        )(given(self.inputs)(attempt))  # fmt: skip
        (test if number is None else seeded(number)(test))()
        return answers[True], answers[False]


def read_all(tensors):
    """Read `tensors` as far as they let themselves be read."""
    for tensor in tensors:
        try:
            _ = tensor.nbytes
            tensor.read()
            if tensor.dtype.itemsize:
                for _ in tensor.chunks():
                    pass
        except ZooError as error:
            str(error)


failing = {}
"""The smallest tree that failed, by target."""


def written(tree, folder):
    """Write `tree` into `folder`."""
    for name, data in tree.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def keep(name, tree):
    """Keep `tree` as an input that ``make test`` tries again; return where."""
    digest = hashlib.sha256(repr(sorted(tree.items())).encode()).hexdigest()[:12]
    folder = INPUTS / name / digest
    written(tree, folder)
    return folder


def kept(name):
    """Return the inputs that were found for the target `name`."""
    folders = sorted((INPUTS / name).iterdir()) if (INPUTS / name).is_dir() else []
    return [
        {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
        for folder in folders
    ]


@contextmanager
def limited(memory):
    """Have a block end that takes more time or memory than an input may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    stated = os.environ.get(budget.VARIABLE)
    os.environ[budget.VARIABLE] = BUDGET
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = [signal.signal(number, _interrupt) for number in (signal.SIGPROF, signal.SIGALRM)]
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    resource.setrlimit(resource.RLIMIT_AS, (used + memory, hard))
    try:
        yield
    finally:
        os.environ.pop(budget.VARIABLE)
        if stated is not None:
            os.environ[budget.VARIABLE] = stated
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in zip((signal.SIGPROF, signal.SIGALRM), before, strict=True):
            signal.signal(number, handler)


def _interrupt(*_):
    raise TooLong
