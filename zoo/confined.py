"""The process in which a stranger's model runs: it locks itself in, opens the model, runs it.

It is started by `zoo.isolation`, which tells it by its standard input what to do, and reads what it
says from its standard output as packets.  Nothing else leaves it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import traceback
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from zoo import landlock, namespaces, output, packets, process_limits, system_calls
from zoo.errors import RunError, ZooError
from zoo.packets import Packet

_DEVICES = (Path("/dev/null"), Path("/dev/zero"), Path("/dev/full"))


class Channel:
    """The standard output as it was, for packets alone: what else is printed goes to the errors."""

    def __init__(self) -> None:
        self._file = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)

    def say(self, packet: Packet) -> None:
        """Send `packet` at once."""
        self._file.write(packet.encoded())
        self._file.flush()

    def note(self, message: Warning | str, *_: Any, **__: Any) -> None:
        """Send a warning as a note."""
        self.say(Packet("note", {"text": str(message)}))


def main() -> None:
    """Do the one job that the standard input says."""
    process_limits.be_first_to_go()
    output.keep_errors()
    channel = Channel()
    job = json.load(sys.stdin)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        _do(job, channel)
        channel.say(Packet("done"))
    except ZooError as error:
        channel.say(packets.of_error(error))
    except MemoryError:
        channel.say(packets.of_error(_too_little()))
    except PermissionError as error:
        channel.say(packets.of_error(_locked_out(error)))
    except Exception:  # noqa: BLE001  (who started this process says it)
        channel.say(Packet("bug", {"text": traceback.format_exc()}))
    sys.stdout.flush()
    os._exit(0)


def _do(job: dict[str, Any], channel: Channel) -> None:
    """Run what `job` asks for, and send what comes of it."""
    by = lock_in(job["readable"], job["files"], job["parent"])
    with warnings.catch_warnings(action="ignore"):  # what is missing here is missing on purpose
        _import_tensorflow()
    warnings.showwarning = channel.note
    by["memory"] = process_limits.limit_memory(job["memory"])
    channel.say(Packet("ready", {"by": by}))
    from zoo import plugins, values
    from zoo.entries import Preprocessing
    from zoo.located import Located
    from zoo.trust import Trust, trusting

    found = Located.from_facts(job["located"])
    trust = Trust.from_facts(job["trust"])
    with trusting(trust):
        opened = found.opened(plugins.installed(), job["options"])
    model = replace(opened.model, trust=trust)
    how = job["preprocessing"] and Preprocessing.model_validate(job["preprocessing"])
    feeds = values.feeds(model, job["inputs"], job["signature"], how)
    wanted = {name: name for name in job["outputs"]} or None
    channel.say(Packet("running"))
    given = model.run(wanted, feeds, signature=job["signature"], timeout=job["timeout"])
    for name, value in given.items():
        channel.say(packets.of_array(name, value))


def lock_in(readable: list[str], files: bool, parent: int) -> dict[str, Any]:
    """Give up what this process does not need; return what could be given up, by its name.

    Parameters
    ----------
    files
        Whether Landlock is to close all files but those `readable`; else only limits are set.
    parent
        The process to end with; 0 for none.
    """
    if parent:
        process_limits.end_with(parent)
    tempfile.tempdir = os.devnull  # libraries ask for its name, and would look for a real one
    found: dict[str, Any] = {"network": namespaces.leave_network()}
    found["sizes"] = process_limits.limit_files()
    if files:
        landlock.restrict(map(Path, readable), _DEVICES)
    return {**found, "files": files, "calls": system_calls.forbid()}


def _import_tensorflow() -> None:
    from zoo.engine import tensorflow

    tensorflow()


def _too_little() -> RunError:
    return RunError(
        "the model needs more memory than an isolated process is given",
        hint="give it more: --memory SIZE",
    )


def _locked_out(error: PermissionError) -> RunError:
    return RunError(
        "the model needs a file that an isolated process cannot have",
        found=f"{error.filename}: {error.strerror}",
        hint="if you trust the model: --no-isolated",
    )


if __name__ == "__main__":
    main()
