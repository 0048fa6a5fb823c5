"""What plain TensorFlow makes of a file: its own loaders and sessions, and nothing of ours.

The judge of what was written.  TensorFlow's rewriting of graphs is switched off: it folds constants
and fuses operations otherwise for constants than for variables, and numbers differ by it.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import protos, saved_model_file
from zoo.engine import failing, tensorflow
from zoo.trust import granted

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

Feeding = Mapping[str, Any]
Run = Callable[[Feeding, Sequence[str]], "list[np.ndarray]"]
"""Runs an opened model: values by tensor name, and tensors whose values are wanted."""

_PROBLEM = "plain TensorFlow does not open what was written"
_INITIALIZERS = ("saved_model_main_op", "legacy_init_op", "table_initializer")


def config() -> Any:
    """Return the configuration of a session that runs a graph as it stands."""
    made = tensorflow().compat.v1.ConfigProto(allow_soft_placement=True)
    made.graph_options.rewrite_options.disable_meta_optimizer = True
    made.graph_options.optimizer_options.opt_level = -1
    return made


def as_it_stands(meta_graph: protos.MetaGraphDef) -> protos.MetaGraphDef:
    """Return `meta_graph` with calls that have their functions run as they stand, too.

    A call carries a configuration of its own, which would switch rewriting on again inside.
    """
    edited = protos.MetaGraphDef()
    edited.CopyFrom(meta_graph)
    wanted = config().SerializeToString()
    bodies = [function.node_def for function in edited.graph_def.library.function]
    for node in itertools.chain(edited.graph_def.node, *bodies):
        if "config_proto" in node.attr:
            node.attr["config_proto"].s = wanted
    return edited


@contextmanager
def checkpoint(prefix: Path) -> Iterator[Run]:
    """Open a checkpoint by ``import_meta_graph`` and ``restore``."""
    tf = tensorflow()
    ours = _allowed(protos.MetaGraphDef.FromString(Path(f"{prefix}.meta").read_bytes()))
    theirs = tf.compat.v1.MetaGraphDef.FromString(as_it_stands(ours).SerializeToString())
    with _session() as session:
        with failing(_PROBLEM):
            saver = tf.compat.v1.train.import_meta_graph(theirs)
            if saver is not None:
                saver.restore(session, str(prefix))
            for name in _INITIALIZERS:
                session.run(tf.compat.v1.get_collection(name))
        yield _running(session)


@contextmanager
def frozen(path: Path) -> Iterator[Run]:
    """Open a frozen graph by ``import_graph_def``."""
    tf = tensorflow()
    ours = protos.MetaGraphDef()
    ours.graph_def.ParseFromString(path.read_bytes())
    allowed = as_it_stands(_allowed(ours)).graph_def
    theirs = tf.compat.v1.GraphDef.FromString(allowed.SerializeToString())
    with _session() as session:
        with failing(_PROBLEM):
            tf.import_graph_def(theirs, name="")
        yield _running(session)


@contextmanager
def saved_model(path: Path) -> Iterator[Run]:
    """Open a SavedModel by TensorFlow 1's loader, in a copy whose calls run as they stand."""
    tf = tensorflow()
    folder = saved_model_file.folder_of(path)
    stored = saved_model_file.read(folder)
    for meta_graph in stored.meta_graphs:
        meta_graph.CopyFrom(as_it_stands(_allowed(meta_graph)))
    with tempfile.TemporaryDirectory() as copy, _session() as session:
        (Path(copy) / saved_model_file.BINARY).write_bytes(stored.SerializeToString())
        for part in folder.iterdir():
            if part.is_dir():
                (Path(copy) / part.name).symlink_to(part.absolute())
        tags = list(stored.meta_graphs[0].meta_info_def.tags)
        with failing(_PROBLEM), _without_advice():
            tf.compat.v1.saved_model.load(session, tags, copy)
        yield _running(session)


JUDGES = (checkpoint, frozen, saved_model)
"""Those that leave out what is not trusted, see `zoo.trust.granted`; others import all there is."""


def _allowed(meta_graph: protos.MetaGraphDef) -> protos.MetaGraphDef:
    from zoo.policy import harmless  # late: formats are imported by every command

    return harmless(meta_graph, granted())


@contextmanager
def _without_advice() -> Iterator[None]:
    """Keep from the user that the older loader is deprecated: it is the one to be asked."""
    logger = tensorflow().get_logger()
    level = logger.level
    logger.setLevel("ERROR")
    try:
        yield
    finally:
        logger.setLevel(level)


@contextmanager
def _session() -> Iterator[Any]:
    v1 = tensorflow().compat.v1
    with v1.Graph().as_default(), v1.Session(config=config()) as session:
        yield session


def _running(session: Any) -> Run:
    def run(feeds: Feeding, fetches: Sequence[str]) -> list[np.ndarray]:
        """Return the values of `fetches`, of a variable's handle its value."""
        with failing("plain TensorFlow does not run what was written"):
            tensors = [_value(session.graph.get_tensor_by_name(name)) for name in fetches]
            found: list[np.ndarray] = session.run(tensors, dict(feeds))
        return found

    return run


def _value(tensor: Any) -> Any:
    tf = tensorflow()
    if tensor.dtype != tf.resource:
        return tensor
    return tf.raw_ops.ReadVariableOp(resource=tensor, dtype=tensor.op.get_attr("dtype"))
