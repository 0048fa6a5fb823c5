"""A checkpoint becomes a SavedModel by TensorFlow alone: ``exporting PREFIX TARGET``."""

from __future__ import annotations

import sys


def export(prefix: str, target: str) -> None:
    """Restore the variables of the checkpoint into a session, and have them saved."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default() as graph, v1.Session() as session:
        v1.train.import_meta_graph(f"{prefix}.meta")
        names = [name for name, _ in tf.train.list_variables(prefix)]
        variables = {variable.op.name: variable for variable in v1.global_variables()}
        v1.train.Saver({name: variables[name] for name in names}).restore(session, prefix)
        ends = [graph.get_tensor_by_name(name) for name in ("x:0", "y:0")]
        v1.saved_model.simple_save(session, target, {"x": ends[0]}, {"y": ends[1]})


if __name__ == "__main__":
    export(*sys.argv[1:])
