"""Run a model in a process that can do nothing but compute: what it gives comes back as arrays.

The process is a new one, not a copy of this: it has no memory of what this one read, and none of
its settings.  What it says is looked at as if a stranger said it (`zoo.packets`).
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import bubblewrap, landlock, means, process_limits
from zoo.hearing import Talk
from zoo.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from zoo.loaded import Loaded
    from zoo.located import Located

_ENTRANCE = (sys.executable, "-m", "zoo.confined")


@dataclass(frozen=True)
class Bounds:
    """What an isolated process may take.

    Attributes
    ----------
    memory
        Bytes beside those that TensorFlow itself takes; half of the machine's if not given.
    means
        What locks it in, one of `zoo.means.MEANS`.
    """

    memory: int | None = None
    means: str = means.BEST


@dataclass(frozen=True)
class Call:
    """A call of a model as it is typed.

    Attributes
    ----------
    inputs
        Arguments ``NAME=VALUE``, as `zoo.values` reads them; files by their whole paths.
    outputs
        What is wanted; all outputs of the signature if it is empty.
    signature
        Its key; the default one if not given.
    timeout
        Seconds after which the call is given up.
    files
        The files that the inputs name.
    options
        What the format's ``load`` is given.
    preprocessing
        How a photo is prepared, as the registry says it.
    trust
        How far the model is trusted.
    """

    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()
    signature: str | None = None
    timeout: float | None = None
    files: Sequence[Path] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    preprocessing: Mapping[str, Any] | None = None
    trust: Trust = Trust.USUAL

    def facts(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "signature": self.signature,
            "timeout": self.timeout,
            "options": dict(self.options),
            "preprocessing": self.preprocessing,
            "trust": self.trust.facts(),
        }


def run(
    found: Located,
    call: Call,
    bounds: Bounds,
    loaded: Loaded,
    *,
    heard: bool = False,
    verbose: bool = False,
) -> dict[str, Any]:
    """Return what the model gives for `call`, run in a process of its own.

    Parameters
    ----------
    found
        The model, which is opened there.
    heard
        Whether the model was opened here before, so that what is said of it has been said.
    verbose
        Whether what TensorFlow and the model print is printed.

    Raises
    ------
    RunError
        The process ended without an answer, or had to be ended: it took too long.
    UnsupportedError
        This system cannot do it.
    ZooError
        As the call itself raises it.
    """
    chosen = means.chosen(bounds.means)
    memory = bounds.memory or process_limits.usual_memory()
    with _staged(found, loaded) as (staged, files):
        readable = [*means.readable(), *files, *call.files]
        job = {
            **call.facts(),
            "located": staged.facts(),
            "readable": [str(path) for path in readable],
            "files": chosen != "rlimit" and landlock.version() > 0,
            "parent": 0 if chosen == "bwrap" else os.getpid(),
            "memory": memory,
        }
        command = bubblewrap.command(_ENTRANCE, readable) if chosen == "bwrap" else _ENTRANCE
        talk = Talk(memory, call.timeout, chosen, heard=heard, verbose=verbose)
        with _started(command) as process:
            talk.hold(process, json.dumps(job).encode())
        return talk.answer(process.returncode)


@contextmanager
def _staged(found: Located, loaded: Loaded) -> Iterator[tuple[Located, list[Path]]]:
    """Yield `found` with links to its files, in a folder where nothing else is, and what to read.

    So that the folder in which a file lies need not be shown.
    """
    if found.path is None:
        yield found, found.files(loaded)
        return
    path = found.path.absolute()
    root = path if path.is_dir() else path.parent
    with tempfile.TemporaryDirectory(prefix="zoo-") as folder:
        stage = Path(folder, "model")
        stage.mkdir()
        listed = [*found.files(loaded), *_companions(path)]
        files = dict.fromkeys(file.absolute() for file in listed)
        for file in files:
            if file.is_relative_to(root):
                link = stage / file.relative_to(root)
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(file)
        staged = stage if path == root else stage / path.name
        ends = [Path(os.path.realpath(file)) for file in files]
        yield found.at(staged), [*files, *ends, stage]


def _companions(path: Path) -> list[Path]:
    """Return the files that belong to a model at `path` by their names."""
    state = (path if path.is_dir() else path.parent) / "checkpoint"
    beside = [] if path.is_dir() else path.parent.glob("*")
    names = (f"{path.name}.", f"{path.stem}.")
    found = [p for p in beside if p == path or p.name.startswith(names)]
    return [p for p in (*found, state) if p.is_file()]


@contextmanager
def _started(command: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Yield the process that `command` starts, which is no more when the block is left."""
    pipe = subprocess.PIPE
    process = subprocess.Popen(  # noqa: S603  (our own command)
        command,
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        env=means.environment(),
        start_new_session=True,
    )
    with process:
        try:
            yield process
        finally:
            if process.poll() is None:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(process.pid, signal.SIGKILL)
