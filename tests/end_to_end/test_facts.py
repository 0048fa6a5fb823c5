"""What inspecting says agrees with TensorFlow's own tools, on every fixture that those open."""

from pathlib import Path

import pytest

import zoo


def saved_models(fixtures):
    """Yield the folders of SavedModels."""
    for path in sorted(fixtures.glob("**/saved_model.pb*")):
        if "hostile-modelaudit-samples" not in path.parts:
            yield path.parent


def checkpoints(fixtures):
    """Yield the prefixes of checkpoints."""
    for path in sorted(fixtures.glob("**/*.index")):
        yield path.with_suffix("")


def shape(info):
    """Return a shape as the document has it."""
    if info.tensor_shape.unknown_rank or not info.HasField("tensor_shape"):
        return None
    return [dim.size if dim.size >= 0 else None for dim in info.tensor_shape.dim]


def side(tf, infos):
    """Return the tensors of one side of a signature as the document has them."""
    return {
        key: (info.name, tf.as_dtype(info.dtype).base_dtype.name, shape(info))
        for key, info in infos.items()
        if info.WhichOneof("encoding") == "name" and info.dtype
    }


def test_saved_models_agree_with_saved_model_cli(tf, fixtures):
    """Tag sets, signatures with names, dtypes and shapes, and operations, functions included."""
    from tensorflow.python.framework import meta_graph as meta_graph_lib
    from tensorflow.python.saved_model import loader_impl

    seen = 0
    for path in saved_models(fixtures):
        try:
            theirs = loader_impl.parse_saved_model(str(path)).meta_graphs
        except OSError:
            continue  # one that is newer, as a test of that is
        first = zoo.inspect(path)
        assert first["tag_sets"] == [sorted(one.meta_info_def.tags) for one in theirs]
        for meta_graph in theirs:
            facts = zoo.inspect(path, tags=list(meta_graph.meta_info_def.tags))
            check(tf, facts, meta_graph)
            used = set(meta_graph_lib.ops_used_by_graph_def(meta_graph.graph_def))
            assert used <= set(facts["ops"])
            seen += 1
    assert seen > 20


def check(tf, facts, meta_graph):
    """Compare the signatures of a document with those of TensorFlow's own message."""
    stated = {k: v for k, v in meta_graph.signature_def.items() if not k.startswith("__saved")}
    assert set(facts["signatures"]) == set(stated)
    for key, signature in stated.items():
        for name, infos in (("inputs", signature.inputs), ("outputs", signature.outputs)):
            ours = facts["signatures"][key][name]
            for tensor, wanted in side(tf, infos).items():
                found = ours[tensor]
                assert (found["tensor"], found["dtype"], found["shape"]) == wanted


def test_checkpoints_agree_with_load_checkpoint(tf, fixtures):
    """Every key with its dtype and shape, partitioned variables joined."""
    seen = 0
    for prefix in checkpoints(fixtures):
        if not list(prefix.parent.glob(f"{prefix.name}.data-*")):
            continue
        reader = tf.train.load_checkpoint(str(prefix))
        dtypes = reader.get_variable_to_dtype_map()
        wanted = {
            name: (dtypes[name].name, sizes)
            for name, sizes in reader.get_variable_to_shape_map().items()
            if name != "_CHECKPOINTABLE_OBJECT_GRAPH"
        }
        found = {
            one.get("key", one["name"]): (one["dtype"], one["shape"])
            for one in zoo.inspect(prefix)["weights"]
            if one.get("key", one["name"]) in wanted
        }
        assert found == wanted, prefix
        seen += 1
    assert seen > 20


@pytest.mark.parametrize("name", ["tf-tfprof-v1ckpt/ckpt", "tf-savedmodel-hpt-v1-variables"])
def test_old_checkpoints_agree_too(tf, fixtures, name):
    """Those of before 2016, alone and in a SavedModel."""
    path = fixtures / name
    inner = path / "variables" / "variables" if path.is_dir() else path
    wanted = tf.train.load_checkpoint(str(inner)).get_variable_to_shape_map()

    found = {one["name"]: one["shape"] for one in zoo.inspect(Path(inner))["weights"]}

    assert found == wanted
