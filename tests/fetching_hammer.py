"""Fetch, use and check models of a shared cache until the time is over, or somebody kills this.

``python fetching_hammer.py CACHE SOURCES SEED SECONDS LOCKS`` fetches what is in SOURCES, a folder:
files, and folders of files.  A model that was fetched must be there, and hash to its digest, as
long as this process lives; it says how many were, or what was wrong.  LOCKS is ``no`` for a file
system that grants every lock to everyone.
"""

import fcntl
import hashlib
import random
import sys
import time
import warnings
from pathlib import Path

if sys.argv[5] == "no":
    fcntl.flock = lambda *_: None

from zoo import fetching, pruning
from zoo.fetching import Wanted
from zoo.store import Pin, Store


def models(sources):
    """Return what to fetch: lists of files, by name."""
    found = {}
    for place in sorted(sources.iterdir()):
        files = sorted(place.rglob("*")) if place.is_dir() else [place]
        wanted = []
        for path in files:
            data = path.read_bytes()
            pin = Pin((("sha256", hashlib.sha256(data).hexdigest()),), len(data))
            inside = path.relative_to(sources).as_posix() if place.is_dir() else ""
            wanted.append(Wanted((path.as_uri(),), pin, inside))
        found[place.name] = wanted
    return found


def checked(fetched, wanted):
    """Check that what was `fetched` has the bytes that were pinned."""
    for one in wanted:
        path = fetched.path / one.path if one.path else fetched.path
        assert hashlib.sha256(path.read_bytes()).hexdigest() == one.pin.sha256, path


def main(cache, sources, seed, seconds):
    """Do it; return how many models were fetched."""
    store, had = Store(cache), []
    chance = random.Random(seed)  # noqa: S311
    known, end = models(sources), time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        if chance.random() < 0.2:
            pruning.prune(cache, pruning.Limits(size=chance.choice([0, 300_000])))
        wanted = known[chance.choice(sorted(known))]
        had.append((fetching.fetch(wanted, store, sources), wanted))
        checked(*had[-1])
        checked(*chance.choice(had))
        count += 1
    return count


if __name__ == "__main__":
    warnings.simplefilter("error")
    print(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])))  # noqa: T201
