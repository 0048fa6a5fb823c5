"""Look at a model in a process of its own, and print what it took.

``python looked_at.py WHAT PATH``, where WHAT is ``inspect``, ``load`` (and read every weight),
``doctor`` or ``check``; a document says which error there was, peak of memory and seconds.
"""

import json
import sys
import time
from pathlib import Path

import zoo
from zoo.errors import ZooError


def read_all(path):
    """Load the model at `path` and every weight of it."""
    model = zoo.load(path)
    for name in model.weights:
        _ = model.weights[name]


def run(path):
    """Run the model at `path`, which takes no inputs."""
    zoo.load(path).run(None)


LOOKS = {"inspect": zoo.inspect, "load": read_all, "run": run}


def main(what, path):
    """Look, and print the document."""
    error = ""
    start = time.process_time()
    try:
        LOOKS[what](path)
    except ZooError as refusal:
        error = str(refusal)
    except Exception as other:  # noqa: BLE001  (which is what is looked for)
        error = f"Traceback: {other!r}"
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024
    taken = time.process_time() - start
    sys.stdout.write(json.dumps({"error": error[:2000], "peak": peak, "seconds": taken}))


if __name__ == "__main__":
    main(*sys.argv[1:])
