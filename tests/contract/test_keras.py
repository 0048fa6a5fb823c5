"""Of the contract of formats, what binds one that is only read: Keras files of each kind."""

import tracemalloc
import warnings

import h5py
import numpy as np
import pytest

import zoo
import zoo_keras
from zoo import plugins
from zoo.errors import FormatError, UnsupportedError, ZooError
from zoo.formats import read_only
from zoo.samples import sample_model

FORM = zoo_keras.zoo_formats()[0]
KERNEL = np.array([0x3F800000, 0x80000000, 0x7FC00BAD, 0xFF800000, 1, 0x7F7FFFFF], np.uint32)
KERNEL = KERNEL.view(np.float32).reshape(3, 2)
BIAS = np.array([0.5, -0.0], np.float32)
pytestmark = pytest.mark.tensorflow

NETS, ALONE = ("net.h5", "net.keras"), ("alone.weights.h5",)
_LARGE = 32 << 20


@pytest.fixture(scope="module")
def specimens(tmp_path_factory):
    """Return a folder with the same dense layer in each kind of file that Keras writes."""
    import keras

    folder = tmp_path_factory.mktemp("keras")
    net = keras.Sequential([keras.Input((3,), name="x"), keras.layers.Dense(2, name="dense")])
    net.layers[-1].set_weights([KERNEL, BIAS])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras's own: of its .h5, and of what numpy deprecates
        for name in NETS:
            net.save(folder / name)
        net.save_weights(folder / ALONE[0])
    return folder


def read_all(path):
    model = FORM.load(path)
    for name in model.weights:
        _ = model.weights[name]
    if model.graph.node:
        model.signature()
    return model


def copy(specimens, name, folder, change=lambda data: data):
    (folder / name).write_bytes(change((specimens / name).read_bytes()))
    return folder / name


@pytest.mark.parametrize("name", NETS + ALONE)
def test_weights_come_bit_for_bit(specimens, name):
    """Zeros of both signs, infinities, a NaN with a payload; dtypes and shapes too."""
    weights = read_all(specimens / name).weights

    found = {weights[one].shape: weights[one] for one in weights}
    assert found.keys() == {(3, 2), (2,)}
    assert found[3, 2].tobytes() == KERNEL.tobytes()
    assert found[2,].tobytes() == BIAS.tobytes()


@pytest.mark.parametrize("name", NETS)
def test_what_was_read_is_kept_by_every_format_that_is_written(specimens, tmp_path, name):
    """Conversions lose nothing of it."""
    for form in ("checkpoint", "frozen", "saved_model", "safetensors", "npz"):
        zoo.convert(specimens / name, tmp_path / form / "m", to=form)

        assert zoo.diff(specimens / name, tmp_path / form / "m")["equal"], form


@pytest.mark.parametrize("name", NETS + ALONE)
def test_recognises_its_own_and_no_others(specimens, tmp_path, name):
    """No other format claims it, nor does it claim what these write, or nothing, or text."""
    forms = plugins.formats(plugins.installed())
    (tmp_path / "empty").touch()
    (tmp_path / "text").write_text("<!DOCTYPE html><html>not found</html>")

    assert [one for one in forms if forms[one].recognises(specimens / name)] == ["keras"]
    for form in forms.values():
        if form.written:
            path = form.write(sample_model(), tmp_path / form.name / "m", {}).path
            assert not FORM.recognises(path), form.name
    for other in ("empty", "text", "missing"):
        assert not FORM.recognises(tmp_path / other)


@pytest.mark.parametrize("name", NETS + ALONE)
def test_junk_is_a_format_error(specimens, tmp_path, name):
    """Whatever the file's name, and though its beginning is right."""
    junk = copy(specimens, name, tmp_path, lambda data: data[:8] + b"\xff" * 200)

    with pytest.raises(FormatError):
        FORM.load(junk)


@pytest.mark.parametrize("name", NETS + ALONE)
def test_cut_off_is_a_format_error(specimens, tmp_path, name):
    """At once, or when it is read."""
    size = (specimens / name).stat().st_size
    for length in (0, 1, size // 3, size // 2, size - 1):
        cut = copy(specimens, name, tmp_path, lambda data, length=length: data[:length])
        with pytest.raises(FormatError):
            read_all(cut)


@pytest.mark.parametrize("name", NETS + ALONE)
def test_flipped_bits_are_no_crash(specimens, tmp_path, name):
    """An error of zoo's own, or unnoticed; what holds the file together is noticed."""
    size, noticed = (specimens / name).stat().st_size, 0
    for position in range(0, size, size // (15 if name in NETS else 150)):
        flipped = copy(specimens, name, tmp_path, lambda data, at=position: flip(data, at))
        try:
            read_all(flipped)
        except ZooError:
            noticed += 1

    assert noticed


def flip(data, at):
    return data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]


def test_loading_is_lazy(tmp_path):
    """Of weights alone none is read before it is asked for; a net holds its own."""
    with h5py.File(tmp_path / "large.weights.h5", "w") as file:
        file.create_dataset("layers/dense/vars/0", data=np.ones((_LARGE // 8, 2), np.float32))

    FORM.load(tmp_path / "large.weights.h5")  # with what it imports
    tracemalloc.start()
    model = FORM.load(tmp_path / "large.weights.h5")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < _LARGE // 2
    assert [model.weights.tensor(name).nbytes for name in model.weights] == [_LARGE]


@pytest.mark.parametrize("name", NETS + ALONE)
def test_loading_leaves_the_file_alone_and_gives_the_same_again(specimens, name):
    """One file is one model."""
    before = (specimens / name).read_bytes()

    first, second = read_all(specimens / name), read_all(specimens / name)

    assert (specimens / name).read_bytes() == before
    assert first.meta_graph == second.meta_graph
    assert [*first.weights] == [*second.weights]


def test_it_is_not_written(tmp_path):
    """A graph is no net of Keras layers: saving is refused, and nothing is left behind."""
    assert FORM.save is read_only
    assert not FORM.written
    with pytest.raises(UnsupportedError, match="not written"):
        zoo.save(sample_model(), tmp_path / "net.h5", format="keras")
    assert list(tmp_path.iterdir()) == []
