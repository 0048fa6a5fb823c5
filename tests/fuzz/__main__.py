"""Fuzz for as long as one likes: ``python -m tests.fuzz [SECONDS] [TARGET...]``.

Each target gets SECONDS (60), in rounds whose seeds are printed where they fail; the input that
fails is kept below ``tests/fuzz/inputs``, where ``make test`` tries it again.
"""

import importlib
import secrets
import sys
import time
import traceback
from pathlib import Path

from tests.fuzz.targets import failing, keep

ROUND = 400
MODULES = sorted(path.stem for path in Path(__file__).parent.glob("test_*.py"))


def targets():
    """Return every target by its name."""
    modules = [importlib.import_module(f"tests.fuzz.{name}") for name in MODULES]
    found = [one for module in modules for one in getattr(module, "TARGETS", ())]
    return {target.name: target for target in found}


def fuzzed(target, seconds):
    """Fuzz `target` for so many seconds; return whether all was well."""
    end, count, number = time.monotonic() + seconds, 0, 0
    try:
        while time.monotonic() < end:
            number = secrets.randbits(32)
            target.fuzz(ROUND, number)
            count += ROUND
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001  (whatever it is, it is what was looked for)
        traceback.print_exc()
        place = keep(target.name, failing[target.name]) if target.name in failing else "nowhere"
        sys.stdout.write(f"{target.name}: failed with the seed {number}; the input is {place}\n")
        return False
    sys.stdout.write(f"{target.name}: {count} inputs in {seconds:.0f} s, nothing found\n")
    sys.stdout.flush()
    return True


def main(seconds="60", *names):
    """Fuzz the targets `names`, all if none are named; exit with 1 if anything was found."""
    known = targets()
    wrong = [name for name in names or known if not fuzzed(known[name], float(seconds))]
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
