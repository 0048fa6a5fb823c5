"""What zoo knows of TensorFlow by heart is what the installed release says."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from zoo import dtypes, ops

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.mark.parametrize("name", ["make_op_table.py", "make_op_defaults.py"])
def test_the_tables_of_operations_are_those_of_the_release(tf, name):
    """After an upgrade: python tests/golden/make_op_table.py, and make_op_defaults.py."""
    spec = importlib.util.spec_from_file_location("make", GOLDEN / name)
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)

    assert make.TARGET.read_text() == make.table()
    assert tf.version.VERSION.startswith(ops.RELEASE)
    assert tf.version.GRAPH_DEF_VERSION == ops.GRAPH_VERSION


def test_the_table_of_dtypes_is_that_of_the_release(tf):
    """Numbers, names and sizes of every type, and no type is missing."""
    from tensorflow.core.framework import types_pb2

    theirs = {
        value.number: value.name.removeprefix("DT_")
        for value in types_pb2.DataType.DESCRIPTOR.values
        if 0 < value.number < 100
    }
    assert set(theirs) == {row.number for row in dtypes._TABLE}
    for row in dtypes._TABLE:
        assert tf.as_dtype(row.number).name == row.name
        if row.itemsize:
            assert tf.as_dtype(row.number).size == row.itemsize


def test_descriptors_come_the_slow_way_too():
    """Where their text is not found, TensorFlow itself is asked, in a process of its own here."""
    program = (
        "from zoo import protos; p = 'tensorflow/core/protobuf/tensor_bundle.proto';"
        "fast = protos.read_descriptor(p); protos.read_descriptor = lambda path: None;"
        "assert protos.descriptor(p) == fast; print(protos.BundleHeaderProto().DESCRIPTOR.name)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)

    assert done.stdout.strip() == "BundleHeaderProto", done.stderr


def test_the_toy_adders_weights_are_made_by_their_script(tmp_path):
    """The packaged files come out of the script beside the tests, byte for byte."""
    spec = importlib.util.spec_from_file_location("make", GOLDEN / "make_toy_adder.py")
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)

    for path in make.write(tmp_path / "toy-adder"):
        assert path.read_bytes() == (make.PREFIX.parent / path.name).read_bytes()


@pytest.mark.parametrize("name", ["checkpoint_state", "meta_graph"])
def test_messages_of_both_pools_agree(tf, name):
    """A message of ours parses as TensorFlow's, and back, unknown fields included."""
    from zoo import protos

    ours = {"checkpoint_state": protos.CheckpointState, "meta_graph": protos.MetaGraphDef}[name]
    theirs = {
        "checkpoint_state": __import__(
            "tensorflow.python.training.checkpoint_state_pb2", fromlist=["x"]
        ).CheckpointState,
        "meta_graph": tf.compat.v1.MetaGraphDef,
    }[name]
    data = b"\x0a\x01x\xfa\x3f\x03new" if name == "checkpoint_state" else b"\xfa\x3f\x03new"

    assert theirs.FromString(ours.FromString(data).SerializeToString()).SerializeToString() == data
