"""Unpack an archive again and again, each time in a process that is killed a system call later.

``python killed_unpacking.py ARCHIVE FOLDER`` makes a store in FOLDER for each kill, called by its
number, and prints how each process ended: -9 for the signal.
"""

import json
import shutil
import sys
from pathlib import Path

from killed_conversions import at_system_call, system_calls

from zoo.digests import file_digest
from zoo.unpacked import unpacked


def main(archive, folder):
    """Do all of it; return how each process ended."""
    archive, folder = Path(archive), Path(folder)
    digest = file_digest(archive)

    def unpacking(step):
        def work():
            unpacked(folder / str(step), archive, digest)
            return 0

        return work

    unpacking("warm")()
    calls = system_calls(unpacking("whole"), folder / "log", "all")
    ends = {i: at_system_call(unpacking(i), call) for i, call in enumerate(calls)}
    for name in ("warm", "whole"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "log").unlink()
    return ends


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:])))
