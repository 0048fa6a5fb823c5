"""TensorFlow itself: brought in when it is first needed, its failures made errors of ours."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zoo import failures
from zoo.errors import RunError, ZooError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo import protos

_NO_NEWS = ("Graph execution error", "Detected at node", "<stack traces unavailable>", "[[{{node")
_WHERE = re.compile(r"^\{\{function_node [^}]*\}\} *")
_LONGEST = 500


def tensorflow() -> Any:
    """Return the module ``tensorflow``, which keeps its start-up notes to itself."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    import tensorflow as tf

    return tf


@contextmanager
def failing(problem: str) -> Iterator[None]:
    """Turn what TensorFlow raises in the block into a `RunError` that says `problem`."""
    tf = tensorflow()
    try:
        yield
    except ZooError:
        raise
    except (tf.errors.OpError, ValueError, TypeError, LookupError, RuntimeError) as error:
        words = _own_words(error)
        raise RunError(problem, found=words, hint=failures.hint(words)) from error


def _own_words(error: Exception) -> str:
    """Return what TensorFlow says is wrong, without where in whose source it noticed."""
    text = getattr(error, "message", None) or str(error)
    lines = [_WHERE.sub("", line.strip()) for line in text.splitlines() if line.strip()]
    last_place = max((i for i, line in enumerate(lines) if line.startswith("Node:")), default=-1)
    told = [line for line in lines[last_place + 1 :] if not line.startswith(_NO_NEWS)]
    node = getattr(getattr(error, "node_def", None), "name", "")
    what = told[0][:_LONGEST] if told else type(error).__name__
    return f"node {node!r}: {what}" if node else what


def imported(
    prepared: protos.MetaGraphDef,
    collections: bool = False,
    problem: str = "TensorFlow does not import the graph",
) -> Any:
    """Return `prepared` as a ``tf.Graph``, with its collections if wanted."""
    tf = tensorflow()
    graph = tf.Graph()
    with failing(problem), graph.as_default():
        if collections:
            tf.compat.v1.train.import_meta_graph(_theirs(tf.compat.v1.MetaGraphDef, prepared))
        else:
            tf.import_graph_def(_theirs(tf.compat.v1.GraphDef, prepared.graph_def), name="")
    return graph


def _theirs(message: Any, ours: Any) -> Any:
    """Return `ours`, a message of our pool, as TensorFlow's own `message`."""
    return message.FromString(ours.SerializeToString())
