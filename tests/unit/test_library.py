"""Names, paths and URLs mean models; options go where they are declared; nothing is overwritten."""

import hashlib
import os

import numpy as np
import pytest

import zoo_checkpoint
import zoo_frozen
import zoo_saved_model
from zoo.conversions import convert
from zoo.cutting import Wanted
from zoo.errors import (
    FetchError,
    FormatError,
    UnknownNameError,
    UnsupportedError,
    UsageError,
    WriteError,
)
from zoo.library import Library
from zoo.protos import SavedModel
from zoo.renaming import Wishes
from zoo.samples import bag_model, sample_model
from zoo.tensors import ArrayTensor


@pytest.fixture
def registry(tmp_path):
    """Return a registry with a frozen model beside it, and some entries that are wrong."""
    zoo_frozen.save(sample_model(), tmp_path / "net.pb")
    data = (tmp_path / "net.pb").read_bytes()
    pin = f"sha256: {hashlib.sha256(data).hexdigest()}, size: {len(data)}"
    (tmp_path / "r.yaml").write_text(
        f"version: 1\nmodels:\n"
        f"  net:\n    summary: A net\n"
        f"    weights:\n      first: {{format: frozen, urls: ['file:net.pb'], {pin}}}\n"
        f"      second: {{format: frozen, urls: ['file:gone.pb'], {pin}}}\n"
        f"    inputs: {{image: 'x:0'}}\n"
        f"    outputs: {{p: 'probabilities:0', raw: 'dense/BiasAdd:0'}}\n"
        f"  misfit:\n    summary: x\n    architecture: toy-adder\n"
        f"    weights: {{a: {{format: frozen, urls: ['file:net.pb'], {pin}}}}}\n"
        f"  built:\n    summary: x\n    architecture: toy-adder\n"
    )
    return tmp_path / "r.yaml"


def test_a_name_is_fetched_verified_and_opened(registry, home):
    """The registry's inputs and outputs become the default signature."""
    opened = Library(registry).open("net")

    signature = opened.model.signature()
    assert {k: s.tensor for k, s in signature.inputs.items()} == {"image": "x:0"}
    assert {k: s.tensor for k, s in signature.outputs.items()} == {
        "p": "probabilities:0",
        "raw": "dense/BiasAdd:0",
    }
    assert opened.path.is_relative_to(home / "sha256")
    assert (opened.format, opened.entry.summary) == ("frozen", "A net")


def test_a_tag_chooses_the_weights(registry):
    """Tags of one name share what is in the store; an unknown one is told."""
    first = Library(registry).open("net:first")

    assert Library(registry).open("net:second").path == first.path
    with pytest.raises(UnknownNameError) as caught:
        Library(registry).open("net:frist")
    assert "'first'" in caught.value.hint


def test_a_source_that_is_links_in_a_circle_is_an_error(registry):
    """As one that is not there."""
    (registry.parent / "gone.pb").symlink_to("gone.pb")

    with pytest.raises(FetchError):
        Library(registry).open("net:second")


def test_an_architecture_alone_is_a_model(registry):
    """It is built, and nothing is fetched."""
    opened = Library(registry).open("built")

    assert (opened.format, opened.path) == ("architecture", None)
    with pytest.raises(UsageError, match="nothing to fetch"):
        Library(registry).fetch("built")


def test_weights_that_do_not_fit_are_told(registry):
    """Each variable of the architecture needs a tensor."""
    with pytest.raises(FormatError) as caught:
        Library(registry).open("misfit")

    assert "bias" in caught.value.found


def test_a_file_of_that_name_does_not_hide_a_model(registry, tmp_path, monkeypatch):
    """A registered name means the registered model; ``./net`` means the file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net").write_text("something else")

    assert Library(registry).open("net").format == "frozen"
    with pytest.raises(FormatError):
        Library(registry).open("./net")


def test_a_bare_name_may_be_a_file(tmp_path, monkeypatch):
    """What is not registered but lies here is opened."""
    monkeypatch.chdir(tmp_path)
    zoo_frozen.save(sample_model(), tmp_path / "mine")

    assert Library().open("mine").format == "frozen"
    with pytest.raises(UnknownNameError, match="no model is called"):
        Library().open("yours")


def test_a_url_needs_its_digest(tmp_path):
    """With it, the bytes are verified and opened from the store."""
    zoo_frozen.save(sample_model(), tmp_path / "net.pb")
    url = (tmp_path / "net.pb").as_uri()
    digest = hashlib.sha256((tmp_path / "net.pb").read_bytes()).hexdigest()

    assert Library().open(f"{url}#sha256={digest}").format == "frozen"
    with pytest.raises(UsageError, match="not pinned"):
        Library().open(url)


def test_options_are_the_formats_own(tmp_path):
    """An option that a format does not declare is a usage error with those it does."""
    library = Library()
    library.save(sample_model(), tmp_path / "m", "checkpoint", {"global_step": 7})

    assert (tmp_path / "m-7.index").is_file()
    with pytest.raises(UsageError) as caught:
        library.save(sample_model(), tmp_path / "n", "checkpoint", {"global_stp": 7})
    assert "global_step" in caught.value.hint
    with pytest.raises(UsageError):
        library.open(tmp_path / "m-7", options={"global_step": 7})


@pytest.mark.parametrize("form", ["checkpoint", "frozen", "saved_model"])
def test_nothing_is_replaced_without_force(tmp_path, form):
    """A second conversion to the same place is refused; with force it replaces the whole."""
    zoo_frozen.save(sample_model(), tmp_path / "net.pb")
    library, target = Library(), tmp_path / "out" / "model"
    convert(library, tmp_path / "net.pb", target, form)

    with pytest.raises(WriteError) as caught:
        convert(library, tmp_path / "net.pb", target, form)
    done = convert(library, tmp_path / "net.pb", target, form, force=True)

    assert caught.value.code == 73
    assert done.bytes > 0


def test_a_folder_of_other_things_is_never_replaced(tmp_path):
    """Not even with force: a SavedModel is a folder, and so is a person's home."""
    zoo_frozen.save(sample_model(), tmp_path / "net.pb")
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter").touch()

    for form in ("saved_model", "frozen"):
        with pytest.raises(WriteError):
            convert(Library(), tmp_path / "net.pb", tmp_path / "home", form, force=True)

    assert (tmp_path / "home" / "letter").exists()


def test_outputs_can_be_chosen(tmp_path):
    """A tensor or a signature's output, with what it needs."""
    zoo_frozen.save(sample_model(), tmp_path / "net.pb")

    wanted = Wanted(outputs=["dense/MatMul"])
    convert(Library(), tmp_path / "net.pb", tmp_path / "cut", "saved_model", wanted=wanted)

    model = Library().open(tmp_path / "cut").model
    assert list(model.weights) == ["dense/kernel"]
    assert [s.tensor for s in model.signature().outputs.values()] == ["dense/MatMul:0"]


def test_offline_comes_from_the_environment_too(monkeypatch):
    """ZOO_OFFLINE=1 is --offline; 0 is not."""
    assert not Library().offline
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    assert Library().offline
    monkeypatch.setenv("ZOO_OFFLINE", "0")
    assert not Library().offline


@pytest.mark.parametrize(
    ("ref", "arguments", "error"),
    [
        ("toy-adder", {"format": "frozen"}, UsageError),
        ("toy-adder", {"wishes": Wishes(architecture="vgg16")}, UsageError),
        ("built:imagenet", {}, UnknownNameError),
    ],
)
def test_what_contradicts_the_registry_is_refused(registry, ref, arguments, error):
    """Nothing that a caller says is passed over in silence."""
    with pytest.raises(error):
        Library(registry).open(ref, **arguments)


def test_the_prefix_with_its_step_is_not_replaced(tmp_path):
    """What counts is what would be written, not the name that was given."""
    zoo_frozen.save(sample_model(), tmp_path / "net.pb")
    library, options = Library(), {"global_step": 5}
    convert(library, tmp_path / "net.pb", tmp_path / "m", "checkpoint", options=options)

    with pytest.raises(WriteError, match="m-5 exists"):
        convert(library, tmp_path / "net.pb", tmp_path / "m", "checkpoint", options=options)


@pytest.mark.parametrize("form", ["frozen", "saved_model"])
def test_weights_without_a_graph_become_nothing_else(tmp_path, form):
    """A bag of arrays is no graph, and nothing is written for it."""
    options = {"write_meta_graph": False}
    Library().save(sample_model(), tmp_path / "bare", "checkpoint", options)

    with pytest.raises(UnsupportedError, match="no graph"):
        convert(Library(), tmp_path / "bare", tmp_path / "out", form)
    assert not (tmp_path / "out").exists()


def test_other_meta_graphs_and_files_are_told(tmp_path):
    """What lies beside the model that was chosen is left, and said."""
    zoo_saved_model.save(sample_model(), tmp_path / "m", tags=["serve"])
    path = tmp_path / "m" / "saved_model.pb"
    whole = SavedModel.FromString(path.read_bytes())
    whole.meta_graphs.add().CopyFrom(whole.meta_graphs[0])
    whole.meta_graphs[1].meta_info_def.tags[:] = ["train"]
    path.write_bytes(whole.SerializeToString())
    (tmp_path / "m" / "assets.extra").mkdir()

    done = convert(Library(), tmp_path / "m", tmp_path / "c", "checkpoint")

    assert "left out the MetaGraphs with other tags: train" in done.repairs
    assert "left out files that are no part of the model: assets.extra" in done.repairs


def test_tags_stay(tmp_path):
    """A model keeps the tags it was read with, unless others are asked for."""
    library = Library()
    library.save(sample_model(), tmp_path / "m", "saved_model", {"tags": "train,x"})
    convert(library, tmp_path / "m", tmp_path / "again", "saved_model")

    assert library.inspect(tmp_path / "again")["tag_sets"] == [["train", "x"]]


@pytest.mark.parametrize(
    ("form", "options", "words"),
    [
        ("checkpoint", {"global_step": "a/b"}, "whole number"),
        ("checkpoint", {"global_step": -1}, "whole number"),
        ("checkpoint", {"write_meta_graph": "no"}, "true or false"),
        ("checkpoint", {"keep_checkpoint_every_n_hours": 0}, "positive"),
        ("checkpoint", {"weights": 7}, "texts"),
        ("saved_model", {"tags": [1]}, "texts"),
    ],
)
def test_options_are_of_their_kind(tmp_path, form, options, words):
    """A value that makes no sense is a usage error, and nothing is written."""
    with pytest.raises(UsageError, match=words):
        Library().save(sample_model(), tmp_path / "m", form, options)

    assert list(tmp_path.iterdir()) == []


def test_a_graph_of_before_does_not_stay_beside_new_weights(tmp_path):
    """A checkpoint is replaced with all its files, also those that the new one has not."""
    library = Library()
    library.save(sample_model(), tmp_path / "m", "checkpoint")

    library.save(sample_model(), tmp_path / "m", "checkpoint", {"write_meta_graph": False})

    assert not (tmp_path / "m.meta").exists()
    assert list(library.open(tmp_path / "m").model.weights) == ["dense/bias", "dense/kernel"]


def test_a_name_that_is_no_text(tmp_path):
    """The file ``checkpoint`` is UTF-8, a path need not be."""
    with pytest.raises(WriteError, match="cannot be the name"):
        Library().save(sample_model(), tmp_path / "n\udcff", "checkpoint")
    assert list(tmp_path.iterdir()) == []


def test_a_pipe_is_not_opened(tmp_path):
    """Reading one waits for ever."""
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(FormatError, match="neither a file nor a folder"):
        Library().open(tmp_path / "pipe")


@pytest.mark.parametrize("kind", ["graph", "meta_graph"])
def test_a_graph_alone_can_be_looked_at(tmp_path, kind):
    """What its variables are is said, though their values are elsewhere; it opens as no model."""
    path = tmp_path / "alone"
    path.write_bytes(getattr(sample_model(), kind).SerializeToString())

    facts = Library().inspect(path)

    assert facts["format"] == kind
    assert [(w["name"], w["shape"]) for w in facts["weights"]] == [
        ("dense/bias", [2]),
        ("dense/kernel", [3, 2]),
    ]
    likely = [spec["tensor"] for spec in facts["outputs"] if spec["rank"] == 0]
    assert likely == ["probabilities:0"]
    with pytest.raises(FormatError):
        Library().open(path)


def test_what_is_no_model_is_still_told(tmp_path):
    """It is inspected as unknown, with what it is; it opens as no model, for the same reason."""
    (tmp_path / "page.pb").write_text("<!DOCTYPE html>")

    facts = Library().inspect(tmp_path / "page.pb")
    with pytest.raises(FormatError) as caught:
        Library().open(tmp_path / "page.pb")

    assert (facts["format"], facts["what"]) == ("unknown", "an HTML page, not a model")
    assert caught.value.found == facts["what"]


def test_a_graph_of_another_model_is_refused(tmp_path):
    """Where no variable finds a weight, the two do not belong together."""
    library = Library()
    library.save(sample_model(), tmp_path / "m", "checkpoint", {"write_meta_graph": False})
    other = bag_model({"other": ArrayTensor.of(np.ones(3, np.float32))})
    (tmp_path / "graph.pb").write_bytes(other.graph.SerializeToString())
    frozen = sample_model().freeze().graph
    (tmp_path / "frozen.pb").write_bytes(frozen.SerializeToString())

    for name, found in (("graph.pb", "variables other"), ("frozen.pb", "no variables")):
        with pytest.raises(FormatError, match="do not fit the graph") as caught:
            library.open(tmp_path / "m", wishes=Wishes(graph=tmp_path / name))
        assert found in caught.value.found


def test_a_checkpoint_replaces_only_files_of_a_checkpoint(tmp_path):
    """A person's file of that name stays, and so do shards of data that are called alike."""
    others = [
        "train",
        "train-00000-of-00002",
        "train-00001-of-00002",
        "train.txt",
        "train.meta.bak",
    ]
    for name in others:
        (tmp_path / name).write_text(name)
    (tmp_path / "train.data-00000-of-00003").touch()

    Library().save(sample_model(), tmp_path / "train", "checkpoint")

    assert {name: (tmp_path / name).read_text() for name in others} == {n: n for n in others}
    assert not (tmp_path / "train.data-00000-of-00003").exists()
    assert [path.name for path in zoo_checkpoint.files(tmp_path / "train")] == [
        "train.data-00000-of-00001",
        "train.index",
        "train.meta",
    ]


def test_a_shard_of_data_is_no_name_for_the_checkpoint_beside_it(tmp_path):
    """Only the shards of an old checkpoint, which are tables, mean that checkpoint."""
    Library().save(sample_model(), tmp_path / "train", "checkpoint")
    (tmp_path / "train-00000-of-00001").write_text("records")

    with pytest.raises(FormatError):
        Library().open(tmp_path / "train-00000-of-00001")


def test_a_signature_names_all_that_its_outputs_need(tmp_path):
    """One that nobody could call is not written; an inner tensor may stand for what is before."""
    library, place = Library(), tmp_path / "net.pb"
    zoo_frozen.save(sample_model(), place)
    outputs = {"p": "probabilities:0"}

    too_few = Wanted({"b": "dense/bias:0"}, outputs)
    with pytest.raises(UsageError, match="do not suffice") as caught:
        convert(library, place, tmp_path / "m", "saved_model", wanted=too_few)
    assert "x" in caught.value.found

    enough = Wanted({"before": "dense/MatMul:0"}, outputs)
    convert(library, place, tmp_path / "m", "saved_model", wanted=enough)
    signature = library.open(tmp_path / "m").model.signature()
    assert (list(signature.inputs), list(signature.outputs)) == (["before"], ["p"])


def test_m14_tensors_that_the_graph_lacks(registry):
    """All that the registry names in vain, and beside them what the model has."""
    text = registry.read_text().replace("'x:0'", "'pixels:0'").replace("dense/BiasAdd", "logits")
    registry.write_text(text)

    with pytest.raises(UnknownNameError, match="the registry names") as caught:
        Library(registry).open("net")

    assert "image = pixels:0, raw = logits:0; the model itself names none" in caught.value.found


def test_m14_weights_of_another_net(registry):
    """What is missing and what is left over is told, and nothing is opened."""
    with pytest.raises(FormatError, match="do not fit the architecture 'toy-adder'") as caught:
        Library(registry).open("misfit")

    assert "bias float32 [] (stored: dense/bias float32 [2])" in caught.value.found
    assert "unused: dense/kernel" in caught.value.found
