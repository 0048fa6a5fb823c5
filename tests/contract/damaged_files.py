"""Inspect and examine damaged copies of models, and print what was not an error of ours.

Run by test_damage.py in a process of its own, which a crash ends and a limit on memory bounds:
``python damaged_files.py FOLDER SEED CASES PATH...``, each path a file, or a prefix or folder of
several files, one of which is damaged in each case.
"""

import json
import random
import shutil
import signal
import sys
import warnings
from contextlib import suppress
from pathlib import Path

SECONDS, PATIENCE = 1.0, 30.0
"""Of the processor, which is ours alone however busy the machine is; and by the clock."""
EDITS = ("cut", "flip", "flips", "zeros", "twice", "insert")


class TooLong(BaseException):
    """A case took longer than it may."""


def damaged(data, rnd):
    """Return `data` with one kind of damage."""
    edit = rnd.choice(EDITS)
    at = rnd.randrange(len(data)) if data else 0
    if edit == "cut":
        return data[:at]
    if edit == "zeros":
        return data[:at] + bytes(min(64, len(data) - at)) + data[at + 64 :]
    if edit == "twice":
        return data[:at] + data[at : at + 256] * 2 + data[at + 256 :]
    if edit == "insert":
        return data[:at] + rnd.randbytes(rnd.randrange(1, 9)) + data[at:]
    changed = bytearray(data)
    for _ in range(1 if edit == "flip" else rnd.randrange(2, 9)):
        place = (
            rnd.randrange(len(data)) if rnd.random() < 0.5 else rnd.randrange(min(512, len(data)))
        )
        changed[place] ^= 1 << rnd.randrange(8)
    return bytes(changed)


def copied(source, folder):
    """Copy a model into `folder`; return the path to give, and the files that can be damaged."""
    target = folder / source.name
    if source.is_dir():
        shutil.copytree(source, target)
        return target, [path for path in target.rglob("*") if path.is_file()]
    beside = [source] if source.is_file() else sorted(source.parent.glob(f"{source.name}.*"))
    return target, [Path(shutil.copy(path, folder)) for path in beside]


def interrupt(*_):
    """End a case that takes too long."""
    raise TooLong


def limit(seconds, patience):
    """Interrupt what takes longer from now on; zeros for no more limits."""
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_REAL, patience)


def case(source, folder, rnd):
    """Damage a copy of `source` and look at it; return what went wrong, nothing if all is well.

    Inspecting may end in an error of ours, ``zoo doctor`` in none at all.
    """
    import zoo
    from zoo import doctor, plugins
    from zoo.errors import ZooError

    path, files = copied(source, folder)
    victim = rnd.choice([file for file in files if file.stat().st_size])
    victim.write_bytes(damaged(victim.read_bytes(), rnd))
    limit(SECONDS, PATIENCE)
    try:
        with suppress(ZooError):
            zoo.inspect(str(path))
        limit(SECONDS, PATIENCE)
        doctor.examine(path, plugins.formats(plugins.installed()))
    except BaseException as error:  # noqa: BLE001  (anything else is what is looked for)
        limit(0, 0)
        kept = shutil.copytree(folder, folder.parent / f"kept-{rnd.randrange(10**9)}")
        return f"{source.name}, {victim.name}: {error!r}; kept in {kept}"
    finally:
        limit(0, 0)
    return ""


def main(folder, seed, cases, *sources):
    """Run `cases` cases and print a document of what went wrong and the peak of memory."""
    import zoo

    warnings.simplefilter("ignore")
    for number in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, interrupt)
    zoo.list_models()
    rnd = random.Random(int(seed))  # noqa: S311  (damage that can be repeated, no secret)
    wrong = []
    for number in range(int(cases)):
        room = Path(folder) / f"case-{seed}"
        room.mkdir()
        wrong.append(case(Path(sources[number % len(sources)]), room, rnd))
        shutil.rmtree(room)
    peak = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) * 1024
    sys.stdout.write(json.dumps({"wrong": [one for one in wrong if one], "peak": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
