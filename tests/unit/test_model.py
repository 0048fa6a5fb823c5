"""The value itself: what it says without running."""

import dataclasses

import numpy as np
import pytest

import zoo
from zoo.errors import UnsupportedError
from zoo.samples import sample_model


def test_the_face_hands_on_every_name():
    """Each name of ``zoo.__all__`` is there, and nothing else is promised."""
    for name in zoo.__all__:
        assert getattr(zoo, name) is not None
    with pytest.raises(AttributeError):
        _ = zoo.nothing


def test_a_model_is_a_value():
    """Its fields cannot be set, and it is told apart from another by being another."""
    model = sample_model()

    with pytest.raises(dataclasses.FrozenInstanceError):
        model.weights = {}
    assert model != sample_model()
    assert repr(model) == f"<zoo.Model: {len(model.graph.node)} nodes, 2 weights>"


def test_arrays_will_do_as_weights():
    """Who makes a model by hand gives a dict."""
    model = zoo.Model(sample_model().meta_graph, {"dense/bias": np.zeros(2, np.float32)})

    assert model.weights.tensor("dense/bias").shape == (2,)
    assert dict(model.assets) == {}


def test_outputs_of_all_signatures():
    """What a model puts out at all; none is an error that says so."""
    assert sample_model().outputs() == ["probabilities:0"]
    with pytest.raises(UnsupportedError, match="no outputs"):
        zoo.Model(type(sample_model().meta_graph)(), {}).outputs()


def test_weights_without_a_graph_do_not_run():
    """A checkpoint without its graph is a bag of arrays."""
    model = zoo.Model(type(sample_model().meta_graph)(), {"w": np.zeros(1)})

    with pytest.raises(UnsupportedError, match="no graph"):
        model.run([], {})


def test_the_functions_of_the_face(tmp_path):
    """load, save, convert, fetch, inspect and list_models are lines over one library."""
    zoo.save(sample_model(), tmp_path / "net.pb", "frozen")
    done = zoo.convert(tmp_path / "net.pb", tmp_path / "out", to="saved_model")

    assert done.target.format == "saved_model"
    assert list(zoo.load(tmp_path / "out").weights) == ["dense/kernel", "dense/bias"]
    assert zoo.load(tmp_path / "out", tags=["serve"]).signatures
    assert zoo.inspect(tmp_path / "net.pb")["parameters"] == 8
    assert zoo.list_models("toy*") == ["toy-adder"]
    assert zoo.fetch("toy-adder").is_dir()
    assert zoo.load(zoo.fetch("toy-adder"), architecture="toy-adder").weights["bias"] == 2
