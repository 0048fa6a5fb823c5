"""SavedModels: the graph file, its text form, and all that is said of a folder."""

import tempfile
from pathlib import Path

import pytest
from google.protobuf import text_format

import zoo
from tests.fuzz.edits import Specimen, trees
from tests.fuzz.targets import BESIDE, Target
from zoo import protos, saved_model_file
from zoo.assets import asset_files, paths
from zoo.errors import ZooError
from zoo.samples import sample_model, signed_model, with_extras

BINARY, TEXT = "m/saved_model.pb", "m/saved_model.pbtxt"
WORDS = (b"meta_graphs {", b"{", b"}", b"../../x", b"signature_def {", b": -1", b"[")


def specimens():
    """Return SavedModels: one with signatures, one with a file beside, one as text."""
    found = []
    with tempfile.TemporaryDirectory() as room:
        models = [signed_model(), sample_model(), with_extras(Path(room))["file"][0]]
        for number, model in enumerate(models):
            folder = Path(room, str(number))
            zoo.save(model, folder / "m", "saved_model")
            inside = [path for path in folder.rglob("*") if path.is_file()]
            found.append({p.relative_to(folder).as_posix(): p.read_bytes() for p in inside})
    graphs = [Specimen({BINARY: tree[BINARY]}, lambda p, t=tree: t | p, True) for tree in found]
    parsed = protos.SavedModel.FromString(found[0][BINARY])
    text = {TEXT: text_format.MessageToString(parsed).encode()}
    rest = {name: data for name, data in found[0].items() if name != BINARY}
    return [
        *graphs, *graphs, *map(Specimen, found), Specimen(text, lambda parts: rest | parts)
    ]  # fmt: skip


def look(folder):
    """Read the graph file, and what it says of files and signatures; then load all of it."""
    for meta_graph in saved_model_file.read(folder / "m").meta_graphs:
        try:
            asset_files(meta_graph)
            paths(meta_graph, folder / "m" / "assets")
            saved_model_file.remarks(meta_graph)
        except ZooError as error:
            str(error)
    model = zoo.load(folder / "m")
    for name in model.weights:
        try:
            _ = model.weights[name]
        except ZooError as error:
            str(error)


def look_whole(folder):
    """Say of the SavedModel all that ``zoo inspect`` says."""
    zoo.inspect(folder / "m")


TARGETS = [
    Target("saved_model", trees(specimens, WORDS), look),
    Target("inspect_saved_model", trees(specimens, WORDS), look_whole),
]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_saved_models_are_read_or_refused(target):
    """The graph, its signatures and weights, whatever the files say."""
    read, refused = target.fuzz()

    assert read
    assert refused


@pytest.mark.tensorflow
def test_what_is_taken_is_what_tensorflow_parses(tf):
    """TensorFlow's own parser finds the same graphs under the same tags."""
    from tensorflow.python.saved_model.loader_impl import parse_saved_model

    def look_beside(folder):
        ours = saved_model_file.read(folder / "m")
        try:
            theirs = parse_saved_model(str(folder / "m"))
        except OSError as error:
            # text may be of a newer TensorFlow for us, as messages may for both
            assert "has no field named" in str(error)
            return
        assert theirs.SerializeToString(deterministic=True) == ours.SerializeToString(
            deterministic=True
        )

    inputs = trees(specimens, WORDS)
    assert Target("saved_model_tensorflow", inputs, look_beside, memory=BESIDE).fuzz(150)[0]
