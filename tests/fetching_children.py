"""Fetch a file in processes of their own: ``python fetching_children.py WAY URL SHA SIZE STORE N``.

``WAY`` is ``locks``, or ``no-locks`` where locks keep nobody out, as on some network disks.  Each
process prints the path that it got, or its error; all begin at the same moment.
"""

import fcntl
import os
import sys
import threading
from pathlib import Path

from zoo import downloads, fetching  # the second is imported before the processes part
from zoo.fetching import Wanted
from zoo.patience import Manner, Patience
from zoo.store import Pin, Store

assert downloads


def fetched(url, sha, size, root, connections=1):
    """Return the path of the file in the store."""
    pin = Pin((("sha256", sha),), int(size)) if sha else Pin((), None)
    manner = Manner(connections=connections, patience=Patience(lock=30))
    return fetching.fetch([Wanted((url,), pin)], Store(Path(root)), Path(root), manner=manner).path


def main(way, url, sha, size, root, count):
    """Start `count` processes, of two threads each, and wait for them."""
    if way == "no-locks":
        fcntl.flock = lambda *_: None
    reader, writer = os.pipe()
    children = []
    for _ in range(int(count)):
        child = os.fork()
        if child == 0:
            os.close(writer)
            os.read(reader, 1)
            os._exit(_both(url, sha, size, root))
        children.append(child)
    os.close(writer)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


def _both(url, sha, size, root):
    """Fetch in two threads at once; return the exit code of the process."""
    paths = []

    def one():
        paths.append(str(fetched(url, sha, size, root)))

    threads = [threading.Thread(target=one) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.write(1, "".join(path + "\n" for path in paths).encode())
    return len(paths) != 2


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
