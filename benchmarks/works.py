"""What is measured: each work, and the targets that zoo set itself for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.rows import Limit, Row

if TYPE_CHECKING:
    from benchmarks.rows import Measured

IMPORT = "import tensorflow"
MODELSCAN = "modelscan"
SHOW = "saved_model_cli show"
FREEZE_GRAPH = "freeze_graph"
LOAD_CHECKPOINT = "load_checkpoint, get_tensor"
COPY = "numpy: a plain copy"
SAVER = "Saver.save"
PLAIN_WRITE = "a plain write, then fsync"
WRAP_FUNCTION = "wrap_function, prune"
SESSION = "Session.run"
FIT = "Keras fit"
CURL = "curl, then sha256sum"
ONE_CONNECTION = "zoo fetch, one connection"
SAFE_LOAD = "yaml.safe_load"


@dataclass(frozen=True)
class Work:
    """A work that zoo does: its key, what it is for people, and the targets."""

    key: str
    work: str
    limits: tuple[Limit, ...]

    def row(
        self,
        subject: str,
        ours: Measured,
        theirs: tuple[Measured, ...] | list[Measured] = (),
        facts: dict[str, float] | None = None,
    ) -> Row:
        """Return what was measured of it as a row."""
        return Row(self.key, self.work, subject, ours, tuple(theirs), self.limits, facts or {})


_START = (Limit("seconds", 0.15), Limit("time", 1 / 20, IMPORT))
_INSPECT = (Limit("seconds", 0.3), Limit("megabytes", 60), Limit("time", 1 / 20, SHOW))
_WORKS = (
    Work("list", "zoo list", _START),
    Work("help", "zoo --help", _START),
    Work("inspect-frozen", "what is in a frozen graph", _INSPECT),
    Work("inspect-checkpoint", "what is in a checkpoint", _INSPECT),
    Work("inspect-saved-model", "what is in a SavedModel", _INSPECT),
    Work(
        "freeze",
        "checkpoint to frozen graph",
        (Limit("time", 1 / 15, FREEZE_GRAPH), Limit("memory", 1 / 15, FREEZE_GRAPH)),
    ),
    Work("weights", "all weights into memory", (Limit("time", 1 / 4, LOAD_CHECKPOINT),)),
    Work("weights-copied", "all weights copied into memory", (Limit("time", 1.5, COPY),)),
    Work(
        "save",
        "save a loaded model as a checkpoint",
        (Limit("time", 1, SAVER), Limit("time", 1.5, PLAIN_WRITE)),
    ),
    Work(
        "first-output",
        "first output of a frozen graph",
        (Limit("seconds", 10), Limit("megabytes", 2500), Limit("weights that do not train", 0)),
    ),
    Work("run", "run a loaded model", (Limit("time", 1.03, SESSION),)),
    Work(
        "finetune",
        "10 epochs of a new head, the rest as it is",
        (Limit("time", 1 / 6, FIT), Limit("losses apart from those without a cache", 1e-4)),
    ),
    Work("fetch", "fetch from this machine", (Limit("time", 1.2, CURL),)),
    Work("fetch-slow", "fetch, 8 connections of 20 MB/s", (Limit("time", 1 / 5, ONE_CONNECTION),)),
    Work("registry-first", "zoo list 'vgg*', a new registry", (Limit("seconds", 4),)),
    Work("registry-again", "zoo list 'vgg*', from then on", (Limit("seconds", 0.3),)),
    Work("scan", "what would it do", (Limit("seconds", 0.4), Limit("time", 1 / 10, MODELSCAN))),
)
WORKS = {work.key: work for work in _WORKS}
"""By key, in the order of the table."""
