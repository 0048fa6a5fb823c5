"""What is found in a model of which one should know before one runs it, and how grave it is."""

from __future__ import annotations

from dataclasses import dataclass

LEVELS = ("pure", "saver", "assets", "io", "python", "network", "custom-op", "unknown")
"""What an operation may do, from nothing but computing to what nobody can say.

``saver``: reads or writes the model's own checkpoint.  ``assets``: reads files that belong to the
model.  ``io``: any other file, or the terminal in a way that names files.  ``python``: runs code of
the Python process.  ``network``: talks to other machines.  ``custom-op``: needs a library that is
not TensorFlow's.  ``unknown``: cannot be judged.
"""
USUAL = frozenset({"pure", "saver", "assets"})
"""The levels at which a model is run without being asked about."""


@dataclass(frozen=True)
class Finding:
    """An operation of a model that one should know of before one runs it.

    Attributes
    ----------
    op
        The operation, ``"ReadFile"``.
    node
        The name of its node; ``"function/node"`` in a function of the graph's library.
    why
        What it does that matters, in one clause.
    level
        One of `LEVELS`.
    function
        The function of the graph's library in which the node stands; "" for the graph itself.
    path
        How it is reached: a signature or what else starts, then each node that calls a function
        on the way; empty where nothing reaches it.
    """

    op: str
    node: str
    why: str
    level: str = "unknown"
    function: str = ""
    path: tuple[str, ...] = ()
