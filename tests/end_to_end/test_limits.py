"""What would take a machine's memory is refused before TensorFlow or Keras takes it."""

import json
import resource
from pathlib import Path

import h5py
import numpy as np
import pytest

import zoo
from zoo import protos
from zoo.cli import run
from zoo.errors import LimitError, RunError
from zoo.keras_file import KerasFile
from zoo.keras_net import net_of
from zoo.nodes import node

GIB = 1 << 30
ROOM = 300 << 20
"""Memory that may be taken on the way, by TensorFlow itself."""


def graph_of(*sizes):
    """Return a graph of one constant for each of `sizes`, the root of each being an output."""
    graph = protos.GraphDef()
    graph.versions.producer = 27
    for number, size in enumerate(sizes):
        constant = graph.node.add(name=f"c{number}", op="Const")
        constant.attr["dtype"].type = 1
        value = constant.attr["value"].tensor
        value.dtype = 1
        value.tensor_shape.dim.add(size=size)
        value.float_val.append(4.0)
        graph.node.append(node(f"y{number}", "Sqrt", [f"c{number}"]))
        graph.node[-1].attr["T"].type = 1
    return graph


@pytest.fixture
def frugal():
    """Check that memory does not grow beyond `ROOM` while the test runs."""
    before = _peak()
    yield
    assert _peak() - before < ROOM


def _peak():
    Path("/proc/self/clear_refs").write_text("5")  # the peak is now what there is
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_m19_a_constant_of_4_gib_is_not_computed_with(tf, tmp_path, frugal):
    """80 bytes that TensorFlow would make 4 GiB of; what does without them runs."""
    (tmp_path / "m.pb").write_bytes(graph_of(GIB, 3).SerializeToString())
    model = zoo.load(tmp_path / "m.pb")

    for way in (lambda: model.run("y0:0"), lambda: model.function([], ["y0:0"])):
        with pytest.raises(LimitError, match="ZOO_BUDGET"):
            way()
    assert model.run("y1:0").tolist() == [2, 2, 2]
    assert run(["run", str(tmp_path / "m.pb"), "-o", "y0:0"]) == 65


def test_m19_many_constants_are_counted_together(tf, tmp_path, monkeypatch):
    """Each is within the budget, and only the call that needs all of them is refused."""
    (tmp_path / "m.pb").write_bytes(graph_of(10_000, 10_000, 10_000).SerializeToString())
    monkeypatch.setenv("ZOO_BUDGET", "100kB")
    model = zoo.load(tmp_path / "m.pb")

    assert model.run("y0:0").sum() == 20_000
    with pytest.raises(LimitError):
        model.run(["y0:0", "y1:0", "y2:0"])
    monkeypatch.setenv("ZOO_BUDGET", "200kB")
    assert len(model.run(["y0:0", "y1:0", "y2:0"])) == 3


def keras_file(path, units):
    """Write a net of dense layers of so many `units`, with one stored row of weights."""
    first = {"name": "x", "batch_input_shape": [None, units], "dtype": "float32"}
    layers = [{"class_name": "InputLayer", "config": first}]
    layers += [
        {"class_name": "Dense", "config": {"name": f"d{n}", "units": units, "activation": "relu"}}
        for n in range(40)
    ]
    with h5py.File(path, "w") as file:
        config = {"class_name": "Sequential", "config": {"name": "m", "layers": layers}}
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.4.0"
        file.create_dataset("model_weights/w", data=np.zeros(units, "f"))
    return path


def test_m05_keras_makes_no_weights_that_are_not_stored(tf, tmp_path, monkeypatch, frugal):
    """A file of 50 kB whose net has 40 layers of 100 million weights each: 16 GB."""
    path = keras_file(tmp_path / "m.h5", 10_000)
    monkeypatch.setenv("ZOO_BUDGET", "100MB")

    with pytest.raises(LimitError, match="ZOO_BUDGET"):
        net_of(KerasFile(path))

    assert path.stat().st_size < 100_000


def test_m17_running_a_graph_for_a_newer_tensorflow_says_so(tf, tmp_path):
    """In TensorFlow's words, and with what helps."""
    graph = graph_of(3)
    graph.versions.min_consumer = 99_999
    (tmp_path / "m.pb").write_bytes(graph.SerializeToString())

    with pytest.raises(RunError, match="99999") as caught:
        zoo.load(tmp_path / "m.pb").run("y0:0")

    assert "newer" in caught.value.hint
