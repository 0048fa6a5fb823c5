"""The models of the bundled registry, served in the layout in which their publishers serve them.

Their hosts cannot be reached from everywhere: a server of this machine has, under the same paths,
files that are made here.  The entries are the bundled ones; only hosts, digests and sizes differ.
"""

import functools
import hashlib
import io
import re
import tarfile
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from zoo import catalogue, heads, home, plugins
from zoo.library import Library
from zoo.registry import Registry

BUNDLED = catalogue.bundled()
FROZEN = {
    "inception-v3-frozen": "inception_v3_2016_08_28_frozen.pb",
    "mobilenet-v1-1.0-224": "mobilenet_v1_1.0_224_frozen.pb",
    "mobilenet-v1-0.25-128": "mobilenet_v1_0.25_128_frozen.pb",
    "mobilenet-v2-1.0-224": "mobilenet_v2_1.0_224_frozen.pb",
    "inception-v4-frozen": "",
    "resnet-50-frozen": "",
}
"""Frozen graphs, with the member of the archive that each is; some are no archive."""
ENDS = ("input:0", "prob:0")
"""What goes in and comes out where the registry does not say it."""
KERAS = re.findall(r"^  (keras-[\w.-]+):$", BUNDLED.read_text(), re.MULTILINE)


@functools.cache
def entry(name):
    """Return what the bundled registry says of a model."""
    return Registry(BUNDLED, home.cache()).entry(name)


def weights_of(name):
    """Return what the bundled registry says of the weights of a model."""
    return next(iter(entry(name).weights.values()))


class Quiet(SimpleHTTPRequestHandler):
    """A server of files that does not say what it serves."""

    def log_message(self, *_):
        pass


@pytest.fixture
def serve(tmp_path):
    """Return a function that serves a model's file, and gives a registry with it in it."""
    handler = functools.partial(Quiet, directory=tmp_path / "served")
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def served(name, data):
        (url,) = weights_of(name).urls
        parts = urlsplit(url)
        place = tmp_path / "served" / parts.netloc / parts.path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        text = re.search(rf"^  {name}:\n(?:    .*\n)+", BUNDLED.read_text(), re.MULTILINE)[0]
        here = f"http://127.0.0.1:{server.server_port}"
        text = text.replace(url, f"{here}/{parts.netloc}{parts.path}")
        for kind in ("sha256", "sha384", "md5"):
            text = re.sub(rf"\b{kind}: \S+", f"{kind}: {hashlib.new(kind, data).hexdigest()}", text)
        text = re.sub(r"\bsize: \d+", f"size: {len(data)}", text)
        (tmp_path / "registry.yaml").write_text(f"version: 1\nmodels:\n{text}")
        return Library(tmp_path / "registry.yaml")

    yield served
    server.shutdown()
    server.server_close()


def packed(files):
    """Return a tar archive as ``tar czf`` writes it: bytes by name."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return whole.getvalue()


def small_net(tf, name, folder):
    """Return the files of a small net with the ends of `name`: frozen graph, graph, checkpoint."""
    v1, said = tf.compat.v1, entry(name)
    source = next(iter(said.inputs.values()), ENDS[0]).partition(":")[0]
    result = next(iter(said.outputs.values()), ENDS[1]).partition(":")[0]
    with tf.Graph().as_default() as graph, v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, *said.preprocessing.size, 3], name=source)
        values = tf.random.stateless_normal([3, 1001], (1, 2))
        kernel = v1.get_variable("kernel", initializer=values)
        tf.nn.softmax(tf.reduce_mean(x, [1, 2]) @ kernel, name=result)
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(folder / "net.ckpt"))
        whole = graph.as_graph_def()
        frozen = v1.graph_util.convert_variables_to_constants(session, whole, [result])
    kept = {p.name: p.read_bytes() for p in folder.iterdir() if p.name != "checkpoint"}
    return frozen.SerializeToString(), str(whole).encode(), kept


@pytest.mark.parametrize("name", FROZEN)
def test_frozen_graphs(tf, plain, serve, tmp_path, name):
    """Found in their archive among checkpoints, a graph for evaluation and a TFLite file."""
    frozen, graph, checkpoint = small_net(tf, name, tmp_path)
    (tmp_path / "frozen.pb").write_bytes(frozen)
    inside = {**checkpoint, "net_eval.pbtxt": graph, "net.tflite": b"\x1c\0\0\0TFL3", "i.txt": b"x"}
    data = packed({**inside, FROZEN[name]: frozen}) if FROZEN[name] else frozen
    photo = np.random.default_rng(1).random((2, *entry(name).preprocessing.size, 3), np.float32)

    opened = serve(name, data).open(name)

    said = (entry(name).inputs, entry(name).outputs)
    if entry(name).outputs:
        signature = opened.model.signature()
        ends = (signature.inputs, signature.outputs)
        assert said == tuple({k: one.tensor for k, one in each.items()} for each in ends)
    (source,), (result,) = (
        {*each.values()} or {other} for each, other in zip(said, ENDS, strict=True)
    )
    wanted = plain.frozen(tmp_path / "frozen.pb", {source: photo}, result)
    np.testing.assert_array_equal(opened.model.run(result, {source: photo}), wanted)


@pytest.mark.filterwarnings("ignore:upstream states only the sha384")  # said at the first look
@pytest.mark.parametrize("name", ["slim-inception-v1", "slim-inception-v2"])
def test_checkpoints_of_tf_slim(tf, serve, tmp_path, name):
    """One file in the format of before 2016, in an archive; a digest that is no sha256."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        for scope in ("Conv2d_1a_7x7", "Logits/Conv2d_0c_1x1"):
            v1.get_variable(f"InceptionV1/{scope}/weights", initializer=tf.ones([1, 1, 3, 4]))
        session.run(v1.global_variables_initializer())
        saver = v1.train.Saver(write_version=v1.train.SaverDef.V1)
        path = saver.save(session, str(tmp_path / "net.ckpt"), write_meta_graph=False)
    member = weights_of(name).urls[0].rpartition("/")[2].partition("_2016")[0]

    library = serve(name, packed({f"{member}.ckpt": Path(path).read_bytes()}))
    model = library.open(name).model

    assert sorted(model.weights) == [
        "InceptionV1/Conv2d_1a_7x7/weights",
        "InceptionV1/Logits/Conv2d_0c_1x1/weights",
    ]
    np.testing.assert_array_equal(model.weights["InceptionV1/Conv2d_1a_7x7/weights"], 1)


def as_keras_publishes(net):
    """Return the weights of `net` as the files of keras.applications have them, by layer."""
    import h5py
    from keras.src.legacy.saving import legacy_h5_format

    whole = io.BytesIO()
    with h5py.File(whole, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, net)
    return whole.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["keras-mobilenet-v3-small", "keras-nasnet-mobile", "keras-efficientnet-b0"],
)
@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # Keras, as it saves
def test_nets_of_keras(tf, serve, name):
    """The real net with random weights; what Keras computes is what comes."""
    import keras

    keras.utils.set_random_seed(7)
    kind = entry(name).architecture.partition(":")[2]
    net = getattr(keras.applications, kind)(weights=None)
    photo = np.random.default_rng(1).random((1, 224, 224, 3), np.float32)

    model = serve(name, as_keras_publishes(net)).open(name).model

    assert list(model.signature().inputs) == ["images"]
    wanted = np.asarray(net(photo, training=False))
    np.testing.assert_allclose(model(images=photo)["predictions"], wanted, rtol=1e-4, atol=1e-7)


class FetchedError(Exception):
    """Raised where Keras would fetch something."""


@pytest.mark.slow
@pytest.mark.parametrize("name", KERAS)
@pytest.mark.filterwarnings("ignore:.input_shape. is undefined")  # MobileNet v3 takes any
def test_keras_fetches_the_same(tf, monkeypatch, name):
    """The address and the md5 are those that the installed Keras has for its net."""
    import keras
    from keras.src.utils import file_utils

    said, asked = entry(name), []

    def asking(fname, origin, file_hash=None, **_):
        asked.append((origin, file_hash))
        raise FetchedError

    monkeypatch.setattr(file_utils, "get_file", asking)
    with pytest.raises(FetchedError):
        getattr(keras.applications, said.architecture.partition(":")[2])()

    assert asked == [(weights_of(name).urls[0], weights_of(name).md5)]


@pytest.mark.slow
@pytest.mark.parametrize("name", KERAS)
def test_features_and_sizes_of_keras(tf, name):
    """The tensors are there that an entry names, and the images have its size."""
    said = entry(name)
    sizes = said.preprocessing.size if said.preprocessing else [224, 224]
    model = plugins.architecture_named(plugins.installed(), said.architecture).build()
    (images,) = model.signature().inputs.values()
    shapes = {spec.tensor: spec.shape for spec in model.signature().outputs.values()}

    assert images.shape in ((None, *sizes, 3), (None, None, None, 3))
    assert list(shapes.values()) == [(None, 1000)]
    head = heads.head(model.meta_graph, model.weights)
    if said.head is not None:
        assert (head.features, head.logits) == (said.head.features, said.head.logits)
