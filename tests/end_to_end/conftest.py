"""TensorFlow, the oracle: imported once, quietly, with its graph rewriting switched off."""

import contextlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from tests import warm_commands

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def pytest_collection_modifyitems(items):
    """Mark everything in this folder as needing TensorFlow."""
    for item in items:
        if "end_to_end" in item.path.parts:
            item.add_marker(pytest.mark.tensorflow)


@pytest.fixture(scope="session")
def tf():
    """Return TensorFlow with Grappler off, so that equal graphs give equal bits."""
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    return tf


@pytest.fixture(scope="session")
def warm_path(tmp_path_factory):
    """Return a PATH whose commands need not import TensorFlow, since a process for them has."""
    with warm_commands.running(tmp_path_factory.mktemp("warm")) as folder:
        places = [str(folder), str(Path(sys.executable).parent), os.environ["PATH"]]
        yield os.pathsep.join(places)


@pytest.fixture(scope="session")
def plain(tf):
    """Return the ways in which plain TensorFlow opens a file and runs it."""
    return Plain(tf)


class Plain:
    """TensorFlow's own loaders, each giving the values of tensors for fed tensors."""

    def __init__(self, tf):
        self.tf, self.v1 = tf, tf.compat.v1

    @property
    def config(self):
        """Return a session's configuration without any rewriting of graphs."""
        config = self.v1.ConfigProto()
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        config.graph_options.optimizer_options.opt_level = -1
        return config

    def checkpoint(self, prefix, feeds, fetches):
        """Open a checkpoint by ``import_meta_graph`` and ``restore``."""
        with self.opened("checkpoint", prefix) as run:
            return run(fetches, feeds)

    def frozen(self, path, feeds, fetches):
        """Open a frozen graph by ``import_graph_def``."""
        with self.opened("frozen", path) as run:
            return run(fetches, feeds)

    def saved_model(self, path, feeds, fetches, tags=("serve",)):
        """Open a SavedModel by TensorFlow 1's loader."""
        with self.opened("saved_model", path, tags) as run:
            return run(fetches, feeds)

    @contextlib.contextmanager
    def opened(self, form, path, tags=("serve",)):
        """Open a file as its format is opened, and yield what runs it: `fetches`, then `feeds`.

        A call of a function carries a configuration of its own, which switches rewriting on again
        inside; it is changed in a copy of the model.
        """
        with self.tf.Graph().as_default(), self.v1.Session(config=self.config) as session:
            if form == "saved_model":
                self._load(session, path, tags)
            elif form == "checkpoint":
                self._restore(session, path)
            else:
                graph = self.v1.GraphDef.FromString(Path(path).read_bytes())
                self.tf.import_graph_def(graph, name="")
            yield session.run

    def _restore(self, session, prefix):
        saver = self.v1.train.import_meta_graph(f"{prefix}.meta")
        if saver is not None:
            saver.restore(session, str(prefix))
        session.run(self.v1.tables_initializer())

    def _load(self, session, path, tags):
        with tempfile.TemporaryDirectory() as folder:
            copy = shutil.copytree(path, f"{folder}/model")
            self._stop_rewriting(Path(copy, "saved_model.pb"))
            meta_graph = self.v1.saved_model.load(session, list(tags), str(copy))
            session.run(self.v1.tables_initializer(), self._files(meta_graph, Path(copy, "assets")))

    def _files(self, meta_graph, folder):
        """Return the paths of files by the tensors that take them, as the loader feeds them."""
        from tensorflow.core.protobuf import meta_graph_pb2

        files = list(meta_graph.asset_file_def)
        for item in meta_graph.collection_def["saved_model_assets"].any_list.value:
            files.append(meta_graph_pb2.AssetFileDef.FromString(item.value))
        return {file.tensor_info.name: str(folder / file.filename) for file in files}

    def _stop_rewriting(self, path):
        from tensorflow.core.protobuf import saved_model_pb2

        model = saved_model_pb2.SavedModel.FromString(path.read_bytes())
        for meta_graph in model.meta_graphs:
            nodes = list(meta_graph.graph_def.node)
            for function in meta_graph.graph_def.library.function:
                nodes += function.node_def
            for node in nodes:
                if node.op in ("PartitionedCall", "StatefulPartitionedCall"):
                    node.attr["config_proto"].s = self.config.SerializeToString()
        path.write_bytes(model.SerializeToString())

    def signature(self, path, key, **inputs):
        """Open a SavedModel by ``tf.saved_model.load`` and call one of its signatures."""
        model = self.tf.saved_model.load(str(path))
        call = model.signatures[key]
        specs = call.structured_input_signature[1]
        given = {name: self.tf.constant(v, specs[name].dtype) for name, v in inputs.items()}
        return {name: value.numpy() for name, value in call(**given).items()}
