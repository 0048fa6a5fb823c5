"""Frozen graphs that still change their constants, which TensorFlow refuses, run and convert."""

import numpy as np
import pytest

import zoo
from zoo import graph_source
from zoo.errors import UnsupportedError
from zoo.references import changed_constants
from zoo.view import View


@pytest.fixture(scope="module")
def refused(fixtures):
    """Return the graphs of the suite that TensorFlow cannot import for this reason."""
    graphs = sorted((fixtures / "dl4j-suite").rglob("frozen_model.pb"))
    found = [p for p in graphs if changed_constants(View(graph_source.read_graph(p)[0]))]
    assert len(found) == 28
    return found


def recorded(path):
    """Return the inputs and the outputs that the source repository states."""
    record = np.load(path.with_name("expected.npz"))
    inputs = {k.removeprefix("in:"): record[k] for k in record.files if k.startswith("in:")}
    outputs = {k.removeprefix("out:"): record[k] for k in record.files if k.startswith("out:")}
    return inputs, outputs


def agree(outputs, values):
    """Tell whether `values` are the recorded `outputs`, of which there is one at least."""
    pairs = [*zip(outputs.values(), values, strict=True)]
    return bool(pairs) and all(
        np.shape(found) == wanted.shape and np.allclose(found, wanted, rtol=1e-4, atol=1e-5)
        for wanted, found in pairs
    )


def test_plain_tensorflow_refuses_them(tf, plain, refused):
    """Else there would be nothing to do."""
    for path in refused:
        with pytest.raises(ValueError, match="incompatible with expected"):
            plain.frozen(path, {}, [])


def test_they_give_their_recorded_answers(tf, refused):
    """Each call begins with the stored values, however often it is made."""
    for path in refused:
        inputs, outputs = recorded(path)
        model = zoo.load(path)
        for _ in range(2):
            assert agree(outputs, model.run(list(outputs), inputs)), path


@pytest.mark.parametrize("form", ["checkpoint", "saved_model"])
def test_they_convert_into_what_has_variables(tf, plain, refused, tmp_path, form):
    """Plain TensorFlow runs what is written, and gives the recorded answers."""
    for number, path in enumerate(refused):
        inputs, outputs = recorded(path)
        target = tmp_path / f"{number}" / "model"
        zoo.save(zoo.load(path), target, format=form)
        given = {name: np.asarray(value) for name, value in inputs.items()}
        assert agree(outputs, getattr(plain, form)(target, given, list(outputs))), path


def test_they_do_not_freeze_again(refused, tmp_path):
    """Constants that are changed are what TensorFlow refuses, so nothing writes them."""
    _, outputs = recorded(refused[0])
    with pytest.raises(UnsupportedError, match="more of a variable"):
        zoo.load(refused[0]).freeze(list(outputs))
