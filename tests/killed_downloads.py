"""Fetch a file again and again, each time in a process that is killed a step later.

``python killed_downloads.py WAY URL SHA SIZE FOLDER EVERY CONNECTIONS`` kills at each
(``EVERY``-th) system call of the kind ``WAY`` (see `tests.killed_conversions`), and prints for each
step how the process ended, how many bytes it had received over sockets by then, how many are kept
in the partial, and whether what is published is right.  What it leaves is in ``FOLDER``.

``WAY`` may be ``moments``: then it kills at random moments, ``EVERY`` times, one download that goes
on from kill to kill.
"""

import hashlib
import json
import os
import random
import re
import shutil
import signal
import sys
import time
from pathlib import Path

from tests.fetching_children import fetched
from tests.killed_conversions import CHANGE, forked, traced

RECEIVED = re.compile(r"^(?:\d+ +)?recv(?:from|msg)?\(\d+.* = (\d+)$", re.MULTILINE)
NETWORK = re.compile(r"(recv|send|connect|socket|poll)\w*\(")


def kept(root):
    """Return how many bytes of a file are here, those that are here twice once."""
    spans, place, found = [], 0, 0
    for path in (root / "partial").glob("*"):
        start = path.suffix[1:] or "0"
        if start.isdecimal():
            spans.append((int(start), int(start) + path.stat().st_size))
    for start, end in sorted(spans):
        found += max(0, end - max(start, place))
        place = max(place, end)
    return found


def is_right(root):
    """Tell whether all that is published hashes to its name."""
    found = (root / "sha256").glob("*/*")
    return all(hashlib.sha256(p.read_bytes()).hexdigest() == p.name for p in found)


def calls_of(work, log, way):
    """Return the system calls at which to kill: each its name and how often it was called."""
    counts, found = {}, []
    traced(work, "-o", str(log))
    for line in log.read_text().splitlines():
        if match := re.match(r"(\w+)\(", line):
            counts[match[1]] = counts.get(match[1], 0) + 1
            if way == "all" or CHANGE.match(line) or NETWORK.match(line):
                found.append((match[1], counts[match[1]]))
    return found


def sweep(way, work_in, folder, every):
    """Kill at each call of `way`; return what there was then."""
    calls = calls_of(work_in(folder / "whole"), folder / "log", way)
    shutil.rmtree(folder / "whole")
    for step, (name, number) in enumerate(calls[::every]):
        root, log = folder / str(step), folder / f"{step}.log"
        inject = f"inject={name}:signal=KILL:when={number}"
        code = traced(work_in(root), "-o", str(log), "-e", "trace=all", "-e", inject)
        received = sum(map(int, RECEIVED.findall(log.read_text())))
        yield [code, received, kept(root), is_right(root), step, name]


def at_moments(work_in, folder, times, seconds):
    """Kill one download at random moments; return what there was after each kill."""
    root = folder / "0"
    for _ in range(times):
        child, go = forked(work_in(root))
        os.write(go, b"g")
        time.sleep(random.uniform(0, seconds))  # noqa: S311  (no secret)
        os.kill(child, signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        os.close(go)
        yield [code, 0, kept(root), is_right(root), 0, "moment"]


def main(way, url, sha, size, folder, every, connections):
    """Do all of it."""
    folder, every = Path(folder), int(every)

    def work_in(root):
        def work():
            fetched(url, sha, size, root, int(connections))
            return 0

        return work

    work_in(folder / "warm")()
    shutil.rmtree(folder / "warm")
    if way == "moments":
        return list(at_moments(work_in, folder, every, 0.15))
    return list(sweep(way, work_in, folder, every))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:])))
