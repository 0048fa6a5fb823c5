"""What a configuration of an older Keras becomes; no Keras is imported."""

import pytest

from zoo.errors import AccessError, FormatError, UnsupportedError
from zoo.keras_names import tidied
from zoo.keras_nodes import always_training, connected
from zoo.keras_older import HARD_SIGMOID, operation
from zoo.keras_repairs import repaired
from zoo.keras_trust import refuse_lambdas, refuse_strangers

TAKEN = {
    "activation", "batch_shape", "cells", "dtype", "layer", "name", "recurrent_activation",
    "reset_after", "units",
}  # fmt: skip


def takes(kind):
    """Return what layers take, all the same; None for one that nobody knows."""
    return None if kind == "Unknown" else TAKEN


def layer(kind, name="one", nodes=None, **settings):
    """Return a layer's configuration."""
    made = {"class_name": kind, "config": {"name": name, **settings}, "name": name}
    return made if nodes is None else {**made, "inbound_nodes": nodes}


def functional(*layers, ends=("x", 0, 0)):
    """Return the configuration of a functional model, with one input."""
    given = layer("InputLayer", "x", [], batch_input_shape=[None, 4])
    settings = {"name": "net", "layers": [given, *layers],
                "input_layers": [["x", 0, 0]], "output_layers": [list(ends)]}  # fmt: skip
    return {"class_name": "Model", "config": settings}


def mended(*layers, older=True, kind="Sequential"):
    """Return the layers of a repaired configuration."""
    config = {"class_name": kind, "config": {"name": "net", "layers": [*layers]}}
    return repaired(config, takes, older=older)["config"]["layers"]


def test_a_list_is_a_sequence_and_its_first_layer_states_the_input():
    """As up to Keras 2.2.2."""
    config = {"class_name": "Sequential",
              "config": [layer("Dense", units=2, batch_input_shape=[None, 3])]}  # fmt: skip

    given, dense = repaired(config, takes, older=True)["config"]["layers"]

    assert given["config"]["batch_shape"] == [None, 3]
    assert dense["config"] == {"name": "one", "units": 2}
    assert config["config"][0]["config"]["batch_input_shape"] == [None, 3]


def test_what_only_training_goes_by_is_left_out():
    """An initializer may be of any library, and means nothing where weights are stored."""
    (dense,) = mended(
        layer("Dense", units=2, kernel_initializer={"module": "theirs"}, bias_regularizer=1)
    )

    assert dense["config"] == {"name": "one", "units": 2}


@pytest.mark.parametrize("place", ["layer", "cells"])
def test_layers_inside_of_layers_are_mended_too(place):
    """Wrapped, or in a stack."""
    cell = {
        "class_name": "GRUCell",
        "config": {"name": "c", "recurrent_activation": "hard_sigmoid"},
    }
    (outer,) = mended(layer("RNN", **{place: cell if place == "layer" else [cell]}))

    inner = outer["config"][place]
    settings = (inner if place == "layer" else inner[0])["config"]
    assert settings["reset_after"] is False
    assert settings["recurrent_activation"]["config"] == HARD_SIGMOID


def test_what_means_something_is_not_dropped():
    """An argument of another release, and a layer of the author's own."""
    with pytest.raises(UnsupportedError, match="does not take strange"):
        mended(layer("Dense", strange=3))
    with pytest.raises(UnsupportedError, match="no layer 'Unknown'"):
        mended(layer("Unknown"))
    assert mended(layer("Dense", strange=None))[0]["config"] == {"name": "one"}


def test_a_configuration_without_end_is_an_error_of_ours():
    """Deep as it may be."""
    deep: dict = {}
    for _ in range(3000):
        deep = {"a": deep}
    with pytest.raises(FormatError, match="nested without end"):
        mended(layer("Dense", deep=deep))
    with pytest.raises(FormatError):
        repaired({"class_name": "Model", "config": {}}, takes, older=True)


@pytest.mark.parametrize(("kind", "end"), [("Model", 1), ("Sequential", 0)])
def test_calls_of_a_model_are_counted_as_today(kind, end):
    """Keras 2 began with 1; today's begins with 0, but where a functional model is an end."""
    inner = {"class_name": kind, "name": "enc", "config": {"name": "enc", "layers": []},
             "inbound_nodes": [[["x", 0, 0, {}]], [["x", 0, 0, {}]]]}  # fmt: skip
    dense = layer("Dense", "d", [[["enc", 2, 0, {}]]])
    settings = functional(inner, dense, ends=("enc", 1, 0))["config"]

    connected(settings)

    called = settings["layers"][2]["inbound_nodes"][0]["args"][0]
    assert called["config"]["keras_history"] == ["enc", 1, 0]
    assert settings["output_layers"] == ["enc", end, 0]


def test_tensors_among_arguments_are_tensors():
    """States of a recurrent layer, and whatever else is given by name."""
    query = layer("MultiHeadAttention", "q", [[["x", 0, 0, {"value": ["v", 0, 0]}]]])
    lstm = layer("LSTM", "l", [[["x", 0, 0, {}], ["h", 0, 0, {}], ["c", 0, 0, {}]]])
    settings = functional(query, lstm)["config"]

    connected(settings)

    _, query, lstm = settings["layers"]
    value = query["inbound_nodes"][0]["kwargs"]["value"]
    assert value["config"]["keras_history"] == ["v", 0, 0]
    assert len(lstm["inbound_nodes"][0]["args"]) == 1
    assert len(lstm["inbound_nodes"][0]["kwargs"]["initial_state"]) == 2


def test_operands_of_a_function_keep_their_places():
    """Constants first, and lists of tensors and numbers."""
    nodes = [["_CONSTANT_VALUE", -1, 1.0, {"y": ["x", 0, 0], "shape": [["n", 0, 0], 2]}]]
    settings = functional(layer("TFOpLambda", "op", nodes, function="math.subtract"))["config"]

    connected(settings)

    op = settings["layers"][1]
    assert len(op["inbound_nodes"][0]["args"]) == 2
    assert op["config"]["operands"] == {
        "positional": [1.0],
        "named": {"y": {"tensor": 0}, "shape": [{"tensor": 1}, 2]},
    }


def test_layers_that_only_training_needs_are_gone():
    """A loss that was added passes nothing on."""
    settings = functional(layer("AddLoss", "loss", [[["x", 0, 0, {}]]]))["config"]

    connected(settings)

    assert [one["name"] for one in settings["layers"]] == ["x"]


def test_layers_that_are_always_in_training():
    """Keras 2 notes it with the call."""
    bn = layer("BatchNormalization", "bn", [[["x", 0, 0, {"training": True}]]])
    config = functional(bn)
    connected(config["config"])

    assert list(always_training(config)) == ["bn"]


def test_names_that_cannot_stand_are_replaced_everywhere():
    """In layers, in calls and at the ends, and no two become one."""
    first, second = layer("Dense", "a/b", [[["x", 0, 0, {}]]]), layer("Dense", "a_b", [])
    config = functional(first, second, ends=("a/b", 0, 0))

    new = tidied(config)

    assert new == {"a/b": "a_b_1"}
    assert config["config"]["layers"][1]["config"]["name"] == "a_b_1"
    assert config["config"]["output_layers"] == [["a_b_1", 0, 0]]
    assert tidied({"class_name": "Dense", "config": {"name": "_ü"}}) == {"_ü": "layer__"}


@pytest.mark.parametrize("name", ["io.read_file", "py_function", "__operators__.__class__", "eval"])
def test_functions_that_do_more_than_compute_are_refused(name):
    """Only what is on the list."""
    with pytest.raises(UnsupportedError, match="not known to compute"):
        operation(name)


@pytest.mark.parametrize(
    "strange",
    [
        {"class_name": "Own", "module": None, "config": {}},
        {"class_name": "system", "module": "os", "config": {}},
        {"class_name": "function", "module": "keras.utils", "config": "get_file"},
        {"class_name": "Own", "module": "theirs", "registered_name": "theirs>Own", "config": {}},
        {"class_name": "TFSMLayer", "module": "keras.layers", "config": {}},
        {"class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}},
        {"class_name": "__lambda__", "config": {"value": "code"}},
    ],
)
def test_strangers_are_refused_wherever_they_stand(strange, tmp_path):
    """In a layer's settings, however deep."""
    config = {
        "class_name": "Sequential",
        "config": {"layers": [layer("Dense", a=[{"b": strange}])]},
    }

    with pytest.raises(AccessError):
        refuse_strangers(config, tmp_path)
    refuse_strangers(functional(layer("Dense")), tmp_path)


def test_code_is_refused_in_wrapped_layers(tmp_path):
    """A Lambda inside of another layer."""
    coded = layer("Lambda", "inner", function=["code", None, None])
    config = {"class_name": "Sequential",
              "config": {"layers": [layer("TimeDistributed", layer=coded)]}}  # fmt: skip

    with pytest.raises(AccessError, match="Lambda"):
        refuse_lambdas(config, tmp_path)
