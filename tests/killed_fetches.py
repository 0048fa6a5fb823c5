"""Do something with a store again and again, each time hit at another system call.

``python killed_fetches.py FAULT WAY BEFORE FOLDER ARGUMENT...`` makes a store in FOLDER for each
call, called by its number, as BEFORE is, and runs ``zoo ARGUMENT...`` on it.  FAULT is what strace
does at that call: ``signal=KILL``, ``error=EIO``; WAY is as in `killed_conversions`.  It prints how
each process ended.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from killed_conversions import system_calls, traced

from zoo import leases
from zoo.cli import run


def main(fault, way, before, folder, *command):
    """Do all of it; return how each process ended."""
    folder = Path(folder)
    command = [*command, "-q"]

    def work(step):
        room = folder / str(step)
        if before:
            subprocess.run([shutil.which("cp"), "-a", before, room], check=True)

        def done():
            os.environ["ZOO_HOME"] = str(room)
            return run(command)

        return done

    work("warm")()
    leases._give_back()
    leases._held.clear()
    calls = system_calls(work("whole"), folder / "log", way)
    ends = {}
    for number, (name, count) in enumerate(calls):
        inject = ["-o", os.devnull, "-e", f"inject={name}:{fault}:when={count}"]
        ends[number] = traced(work(number), *inject)
    for name in ("warm", "whole"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "log").unlink(missing_ok=True)
    return ends


if __name__ == "__main__":
    sys.stdout.write("\n" + json.dumps(main(*sys.argv[1:])))
