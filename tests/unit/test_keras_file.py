"""Keras files are read as h5py reads them, structure and weights, and nothing in them is run."""

import json
import subprocess
import sys
import zipfile

import h5py
import numpy as np
import pytest

import zoo
from zoo.errors import FormatError, UnsupportedError
from zoo.keras_config import Net
from zoo.keras_file import KerasFile, recognises

DTYPES = ("float32", "float64", "float16", "int64", "int32", "int8", "uint8", "bool")


def net(*layers, kind="Sequential", **more):
    return {"class_name": kind, "config": {"name": "m", "layers": list(layers), **more}}


def layer(kind, name, takes=(), **settings):
    made = {"class_name": kind, "name": name, "config": {"name": name, **settings}}
    return {**made, "inbound_nodes": [[[one, 0, 0, {}] for one in takes]] if takes else []}


FUNCTIONAL = net(
    layer("InputLayer", "image", batch_input_shape=[None, 8, 8, 3]),
    layer("Flatten", "flat", ["image"]),
    layer("Dense", "scores", ["flat"], units=7),
    layer("Activation", "softmax", ["scores"]),
    kind="Functional",
    output_layers=[["softmax", 0, 0]],
)


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_groups_and_values_are_those_of_h5py(tmp_path, libver):
    """Every dtype, empty arrays and scalars, many members, both kinds of group headers."""
    rng = np.random.default_rng(0)
    wanted = {}
    with h5py.File(tmp_path / "m.h5", "w", libver=libver) as file:
        for number in range(200 if libver == "earliest" else 6):
            dtype = np.dtype(DTYPES[number % len(DTYPES)])
            shape = [(), (3,), (2, 3), (0, 4)][number % 4]
            wanted[f"model_weights/layer_{number}/kernel:0"] = rng.random(shape).astype(dtype)
        for path, values in wanted.items():
            file.create_dataset(path, data=values)

    found = KerasFile(tmp_path / "m.h5").weights

    assert set(found) == set(wanted)
    for path, values in wanted.items():
        tensor = found[path]
        assert (tensor.dtype.name, tensor.shape) == (values.dtype.name, values.shape)
        if values.size:
            np.testing.assert_array_equal(tensor.read(), values)


def test_values_in_another_form_are_told_but_not_read(tmp_path):
    """Compressed, or with the highest byte first."""
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_dataset("packed", data=np.ones(100, "f4"), compression="gzip")
        file.create_dataset("swapped", data=np.ones(3, ">f4"))

    for tensor in KerasFile(tmp_path / "m.h5").weights.values():
        with pytest.raises(UnsupportedError):
            tensor.read()


@pytest.mark.parametrize(
    "link", [h5py.ExternalLink("/etc/passwd", "/x"), h5py.SoftLink("/gone")], ids=["file", "soft"]
)
def test_links_to_elsewhere_are_refused(tmp_path, link):
    """A file that points to another one is not followed."""
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["elsewhere"] = link

    with pytest.raises(FormatError, match="damaged"):
        _ = KerasFile(tmp_path / "m.h5").weights


def test_groups_in_a_circle_are_refused(tmp_path):
    """A group that holds itself has no end."""
    with h5py.File(tmp_path / "m.h5", "w") as file:
        inner = file.create_group("a")
        inner["again"] = inner

    with pytest.raises(FormatError, match="damaged"):
        _ = KerasFile(tmp_path / "m.h5").weights


def test_values_of_another_file_are_refused(tmp_path):
    """External storage is how a file reads what it must not."""
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.create_dataset("d", (4,), "u1", external=[("/etc/passwd", 0, 4)])

    with pytest.raises(FormatError, match="damaged"):
        _ = KerasFile(tmp_path / "m.h5").weights


def keras_zip(path, config, compression=zipfile.ZIP_STORED):
    with h5py.File(path.with_suffix(".h5"), "w") as file:
        file.create_dataset("layers/dense/vars/0", data=np.arange(6, dtype="f4").reshape(3, 2))
        file.create_dataset("optimizer/vars/0", data=np.ones(3, "f4"))
    with zipfile.ZipFile(path, "w", compression) as packed:
        packed.writestr("metadata.json", '{"keras_version": "3.15.1"}')
        packed.writestr("config.json", json.dumps(config))
        packed.write(path.with_suffix(".h5"), "model.weights.h5")
    path.with_suffix(".h5").unlink()
    return path


def test_a_file_of_keras_3(tmp_path):
    """Version, net and weights, which are read where they lie in the zip."""
    path = keras_zip(tmp_path / "m.keras", FUNCTIONAL)
    document = zoo.inspect(path)

    assert recognises(path)
    assert (document["format"], document["keras_version"]) == ("keras", "3.15.1")
    assert document["optimizer_slots"] == {"weights": 1, "bytes": 12}
    values = KerasFile(path).weights["layers/dense/vars/0"].read()
    np.testing.assert_array_equal(values, np.arange(6).reshape(3, 2))


def test_compressed_weights_are_refused(tmp_path):
    """Keras stores them; another tool may have packed them."""
    path = keras_zip(tmp_path / "m.keras", FUNCTIONAL, zipfile.ZIP_DEFLATED)

    with pytest.raises(UnsupportedError, match="compressed"):
        _ = KerasFile(path).weights


def test_ends_and_head_of_a_functional_net():
    """Inputs with shapes, outputs, and the dense layer behind the softmax."""
    found = Net(FUNCTIONAL)

    assert [(one.name, one.shape) for one in found.inputs()] == [("image", [None, 8, 8, 3])]
    assert found.outputs() == ["softmax"]
    assert found.head() == ("flat", "scores", 7)


def test_ends_and_head_in_the_words_of_keras_3():
    """Tensors with a history in the place of names."""
    history = {"class_name": "__keras_tensor__", "config": {"keras_history": ["image", 0, 0]}}
    dense = layer("Dense", "scores", units=2)
    dense["inbound_nodes"] = [{"args": [history], "kwargs": {}}]
    image = layer("InputLayer", "image", batch_shape=[None, 4])

    found = Net(net(image, dense, kind="Functional", output_layers=["scores", 0, 0]))

    assert (found.outputs(), found.head()) == (["scores"], ("image", "scores", 2))


@pytest.mark.parametrize(
    "config",
    [
        {"class_name": "Sequential", "config": [layer("Dense", "a", units=2)]},
        net(layer("Dense", "a", units=2)),
    ],
    ids=["list", "mapping"],
)
def test_sequential_nets_of_all_times(config):
    """A list of layers, as up to Keras 2.2.2, or a mapping."""
    assert [one.kind for one in Net(config).layers] == ["Dense"]
    assert Net(config).outputs() == ["a"]


@pytest.mark.tensorflow
def test_a_net_that_keras_saved(tmp_path):
    """Order and dtypes of inputs, widths, what trains, the head's weights: in all three files."""
    script = (
        "import sys, keras; K, L = keras, keras.layers; f = sys.argv[1];"
        "i = K.Input((6, 6, 2), name='image'); t = K.Input((3,), dtype='int32', name='tokens');"
        "x = L.GlobalAveragePooling2D()(L.BatchNormalization()(i));"
        "e = L.Flatten()(L.Embedding(5, 4, trainable=False, name='still')(t));"
        "y = L.Dense(3, activation='softmax', name='last')(L.Concatenate()([L.Dense(4)(x), e]));"
        "p = L.Dense(4, name='pixels')(i);"
        "m = K.Model([t, i], [y, p] if 'two' in f else y);"
        "m.save(f)"
    )
    for name in ("net.keras", "net.h5", "two.keras"):
        path = tmp_path / name
        subprocess.run([sys.executable, "-c", script, str(path)], check=True, capture_output=True)
        document = zoo.inspect(path)
        given = [(one["tensor"], one["dtype"]) for one in document["inputs"]]
        assert given == [("tokens:0", "int32"), ("image:0", "float32")]
        assert document["compiled"] is False
        trained = sum(one["trainable"] for one in document["weights"])
        if name == "two.keras":
            assert document["head"] is None
            assert [one["shape"] for one in document["outputs"]][-1] is None
        else:
            assert len(document["head"]["weights"]) == 2
            assert trained == (7 if name.endswith("keras") else 6)


@pytest.mark.parametrize("last", ["Conv2D", "Lambda", "Add"])
def test_other_last_layers_are_no_head(last):
    """Only what is surely one is called the head."""
    assert Net(net(layer("Dense", "a", units=2), layer(last, "b"))).head() is None


def test_layers_inside_of_layers_are_counted():
    """Nested models, and what wraps a layer."""
    inner = net(layer("Dense", "a", units=2), layer("Lambda", "code"))
    wrapped = layer("TimeDistributed", "t", layer=layer("Dense", "b", units=1))

    assert Net(net(inner, wrapped)).kinds == {"Dense": 2, "Lambda": 1, "TimeDistributed": 1}


@pytest.mark.parametrize("config", ["[1, 2]", "{", "[" * 100_000])
def test_a_configuration_that_is_none(tmp_path, config):
    """No mapping, no JSON, too deep: an error of ours."""
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["model_config"] = config

    with pytest.raises(FormatError, match="configuration"):
        _ = KerasFile(tmp_path / "m.h5").net
