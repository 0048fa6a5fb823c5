"""What helps against a failure, by the words in which TensorFlow tells it."""

from __future__ import annotations

import re

from zoo import libraries

OTHER_OUTPUTS = "choose outputs that do without: zoo run -o, zoo convert --to frozen -o"
NO_PYTHON = "choose outputs that do without, or run the program that built it"
OTHER_RELEASE = "run it with the release that wrote it, or remove the attributes"
NEWER_RELEASE = "install the newer release"

_HINTS = (
    (r"Op type not registered '(?P<op>[\w>]+)'", ""),
    (r"No OpKernel was registered|No registered '", OTHER_OUTPUTS),
    (r"pyfunc_\d+ is not found|callback \S+ is not found", NO_PYTHON),
    (r"[uU]ninitialized value|resource .* does not exist|Could not find variable"
     r"|Container localhost does not exist",
     "nothing is stored for it: are these the weights of this graph? `zoo inspect --weights` lists"
     " them"),
    (r"iterator has not been initialized",
     "feed what the iterator gives in its place; `zoo inspect` names the tensor"),
    (r"Retval\[\d+\] does not have value",
     "for these inputs it is on a branch that is not taken: choose what both branches lead to"),
    (r"NodeDef mentions attr", OTHER_RELEASE),
    (r"min consumer version", NEWER_RELEASE),
    (r"Table not initialized|No such file or directory",
     "put the file there that the table is filled from, or export it as an asset"),
    (r"indices\S* = -?\d+ is not in \[0, \d+\)",
     "a number that was given is looked up in a table that has no such row: do the data fit the"
     " model?"),
    (r"OOM when allocating|failed to allocate memory", "a smaller batch may fit into memory"),
)  # fmt: skip
_PATTERNS = tuple((re.compile(pattern), hint) for pattern, hint in _HINTS)


def hint(words: str) -> str:
    """Return what helps where TensorFlow fails with `words`, nothing where nobody knows.

    >>> hint("Retval[0] does not have value")[:22]
    'for these inputs it is'
    """
    for pattern, text in _PATTERNS:
        found = pattern.search(words)
        if found:
            return text or help_for(found["op"])
    return ""


def help_for(op: str) -> str:
    """Return what brings the operation `op` back, which this TensorFlow does not have."""
    where = libraries.home(op)
    return where.help if where else "load the library that registers it, before the model"
