"""What a model has besides its graph is kept by a format or said to go, never dropped in silence.

Outputs that nobody named are a choice, and said as well.
"""

import json

import numpy as np
import pytest

import zoo
from zoo import dtypes, guessing, signatures
from zoo.listed import TRAINABLE, definitions
from zoo.nodes import node, placeholder, whole_numbers
from zoo.protos import MetaGraphDef
from zoo.samples import FLOAT, bag_model, odd_weights, sample_model
from zoo.tensors import ArrayTensor
from zoo.variables import trainable
from zoo.weights import Weights

FORMS = ("checkpoint", "frozen", "saved_model")


def edited(model):
    meta_graph = MetaGraphDef()
    meta_graph.CopyFrom(model.meta_graph)
    return meta_graph


@pytest.fixture
def rich(tmp_path):
    """Return a model with something of each kind."""
    base = sample_model()
    meta_graph = edited(base)
    meta_graph.graph_def.node.append(node("other", "Neg", ["x"], T=FLOAT))
    meta_graph.graph_def.node.append(placeholder("file", dtypes.STRING, []))
    for key, tensor in (("serving_default", "probabilities:0"), ("other", "other:0")):
        stated = signatures.named(meta_graph, {"image": "x:0"}, {"out": tensor})
        meta_graph.signature_def[key].CopyFrom(signatures.to_proto(stated))
    meta_graph.collection_def["ends"].node_list.value.append("probabilities:0")
    meta_graph.collection_def["paths"].node_list.value.append("file:0")
    meta_graph.collection_def["rates"].float_list.value.append(0.1)
    kernel = definitions(meta_graph)["dense/kernel"]
    listed = meta_graph.collection_def[TRAINABLE].bytes_list
    listed.value[:] = [kernel.SerializeToString()]
    meta_graph.meta_info_def.tags.extend(["gpu", "serve"])
    (tmp_path / "words.txt").write_text("zoo\n")
    asset = meta_graph.asset_file_def.add(filename="words.txt")
    asset.tensor_info.name = "file:0"
    weights = {name: base.weights.tensor(name) for name in base.weights}
    weights["step"] = ArrayTensor.of(np.int64(7))
    return zoo.Model(meta_graph, Weights(weights), {"words.txt": tmp_path / "words.txt"})


KEPT = {
    "signatures": (lambda model: set(model.signatures) == {"serving_default", "other"}, "other:0"),
    "collections": (lambda model: "ends" in model.meta_graph.collection_def, "ends"),
    "paths": (lambda model: "paths" in model.meta_graph.collection_def, "paths"),
    "numbers": (lambda model: "rates" in model.meta_graph.collection_def, "rates"),
    "tags": (lambda model: list(model.meta_graph.meta_info_def.tags) == ["gpu", "serve"], "gpu"),
    "assets": (lambda model: list(model.assets) == ["words.txt"], "words.txt"),
    "weights": (lambda model: "step" in model.weights, "left out weights"),
    "trainable": (
        lambda model: trainable(model.meta_graph, model.weights, model.weights) == {"dense/kernel"},
        "trainable_variables",
    ),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", sorted(KEPT))
def test_each_kind_is_kept_or_said(rich, tmp_path, kind, form):
    """It is there when what was written is read, or a note names it."""
    kept, word = KEPT[kind]
    options = {"drop_collections": True} if form == "frozen" else {}

    saved = zoo.save(rich, tmp_path / form / "model", form, **options)

    assert kept(rich)
    assert kept(zoo.load(saved.path)) or word in " ".join(saved.notes)


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        *((kind, "saved_model") for kind in sorted(KEPT)),
        *((kind, "checkpoint") for kind in sorted(set(KEPT) - {"assets", "paths"})),
    ],
)
def test_what_a_format_can_hold_it_keeps(rich, tmp_path, kind, form):
    """Saying so is no excuse."""
    saved = zoo.save(rich, tmp_path / form / "model", form)

    assert KEPT[kind][0](zoo.load(saved.path))


def test_numbers_are_a_reason_to_refuse(rich, tmp_path):
    """A frozen graph drops what somebody noted down only where that is wished."""
    with pytest.raises(zoo.ZooError, match="numbers and texts") as caught:
        zoo.save(rich, tmp_path / "net.pb", "frozen")

    assert caught.value.found == "rates"


def test_signatures_of_2016_are_no_reason_to_refuse(fixtures, tmp_path):
    """They are said like any others; so are the collections of a SavedModel's files."""
    old = zoo.convert(
        fixtures / "serving-half-plus-two-v2", tmp_path / "old.pb", to="frozen"
    ).repairs
    files = zoo.convert(
        fixtures / "serving-sm-half-plus-two-cpu", tmp_path / "files.pb", to="frozen"
    ).repairs

    assert any("no signatures" in note for note in old)
    assert any("serving_signatures" in note for note in old)
    assert any("foo.txt" in note for note in files)


@pytest.mark.parametrize(
    ("form", "options"),
    [("checkpoint", {}), ("frozen", {}), ("saved_model", {"object_graph": False})],
)
def test_objects_that_go_are_said(fixtures, tmp_path, form, options):
    """A SavedModel of TensorFlow 2 as anything but itself."""
    path = fixtures / "tfjs-module-with-multiple-signatures"

    done = zoo.convert(path, tmp_path / "model", to=form, **options)

    assert any("object graph" in note for note in done.repairs)
    assert not zoo.load(tmp_path / "model").meta_graph.object_graph_def.nodes


def test_objects_stay_where_nothing_was_changed(fixtures, tmp_path):
    """The same message, and nothing to say of it."""
    path = fixtures / "tfjs-module-with-multiple-signatures"

    done = zoo.convert(path, tmp_path / "model", to="saved_model")

    assert zoo.load(tmp_path / "model").meta_graph == zoo.load(path).meta_graph
    assert not any("object graph" in note for note in done.repairs)


def test_a_module_without_tags_gets_one_and_it_is_said(fixtures, tmp_path):
    """Loaders ask for a tag; who asked for none finds the model no more."""
    done = zoo.convert(fixtures / "hub-hub-module-v1-mini", tmp_path / "m", to="saved_model")

    assert list(zoo.load(tmp_path / "m").meta_graph.meta_info_def.tags) == ["serve"]
    assert any("has no tags" in note for note in done.repairs)


def test_what_tensorflow_2_refuses_is_said(fixtures, tmp_path):
    """A signature that calls one tensor by two names."""
    done = zoo.convert(fixtures / "dotnet-model-types-test", tmp_path / "m", to="saved_model")

    assert any("calls one tensor i16, u16" in note for note in done.repairs)


def test_what_goes_with_outputs_that_were_not_chosen_is_said(rich, tmp_path):
    """Signatures, collections and files, by their names."""
    zoo.save(rich, tmp_path / "rich", "saved_model")

    done = zoo.convert(tmp_path / "rich", tmp_path / "cut", to="saved_model", outputs=["other:0"])

    said = " ".join(done.repairs)
    for word in ("signatures", "serving_default", "ends", "words.txt", "nodes"):
        assert word in said
    assert list(zoo.load(tmp_path / "cut").assets) == []
    assert not (tmp_path / "cut" / "assets").exists()


def training():
    """Return a graph that trains: probabilities for its users, a loss on labels."""
    base = sample_model()
    meta_graph = edited(base)
    meta_graph.graph_def.node.extend(
        [
            placeholder("labels", FLOAT, [None, 2]),
            node("xent", "SoftmaxCrossEntropyWithLogits", ["dense/BiasAdd", "labels"], T=FLOAT),
            whole_numbers("axis", [0]),
            node("loss", "Mean", ["xent", "axis"], T=FLOAT, keep_dims=False),
        ]
    )
    return zoo.Model(meta_graph, base.weights)


@pytest.fixture
def untold(tmp_path):
    """Return where a checkpoint lies that states no signature, and was trained."""
    return zoo.save(training(), tmp_path / "untold" / "model", "checkpoint").path


def test_the_guess_is_that_of_inspect(untold):
    """What people call for, not the loss; and what it needs, not the labels."""
    guess = guessing.signature(zoo.load(untold).meta_graph)

    shown = zoo.inspect(untold)["outputs"]
    best = {end["tensor"] for end in shown if "loss" not in end["why"] or "logits" in end["why"]}
    assert {spec.tensor for spec in guess.outputs.values()} <= best
    assert "probabilities" in guess.outputs
    assert "loss" not in guess.outputs
    assert list(guess.inputs) == ["x"]


GUESSED = "no signature says what the outputs are: took "


@pytest.mark.parametrize(
    ("to", "how"),
    [
        ("frozen", {}),
        ("saved_model", {}),
        ("saved_model", {"inputs": {"picture": "x:0"}}),
        ("saved_model", {"shapes": {"x": (1, 3)}}),
        ("frozen", {"rename_outputs": {"probabilities": "p"}}),
    ],
)
def test_a_guess_is_said(untold, tmp_path, to, how):
    """Once, with the reason, and with what was not taken."""
    done = zoo.convert(untold, tmp_path / "out", to=to, **how)

    (said,) = [note for note in done.repairs if note.startswith(GUESSED)]
    assert "probabilities:0 (" in said
    assert "not loss:0" in said
    outputs = zoo.load(tmp_path / "out").signature().outputs
    assert "loss" not in outputs


def test_a_guess_of_what_does_without_training_is_said(untold, tmp_path):
    """Where the rest went with what only an optimizer needs."""
    done = zoo.convert(untold, tmp_path / "out", to="saved_model", drop_slots=True)

    assert [note for note in done.repairs if note.startswith(GUESSED)]


def test_a_guess_is_said_to_people_and_to_scripts(untold, tmp_path, capsys):
    """A note, and one of the repairs."""
    from zoo.cli import run

    code = run(["convert", str(untold), str(tmp_path / "net.pb"), "--to", "frozen", "--json"])
    shown = capsys.readouterr()

    assert code == 0
    assert f"note: {GUESSED}" in shown.err
    assert any(note.startswith(GUESSED) for note in json.loads(shown.out)["repairs"])


@pytest.mark.parametrize(
    ("to", "how"),
    [
        ("checkpoint", {}),
        ("frozen", {"outputs": ["loss:0"]}),
        ("saved_model", {"outputs": {"error": "loss:0"}}),
    ],
)
def test_nothing_is_said_where_nothing_is_guessed(untold, tmp_path, to, how):
    """A checkpoint keeps its graph whole, and who names outputs has chosen."""
    done = zoo.convert(untold, tmp_path / "out" / "model", to=to, **how)

    assert not any(note.startswith(GUESSED) for note in done.repairs)


def test_a_frozen_graph_is_guessed_at_only_for_its_signature(untold, tmp_path):
    """Written again as frozen it stays whole, and there is no choice."""
    both = ["loss", "probabilities"]
    whole = zoo.convert(untold, tmp_path / "whole.pb", to="frozen", outputs=both)

    again = zoo.convert(whole.target.path, tmp_path / "again.pb", to="frozen")
    served = zoo.convert(whole.target.path, tmp_path / "served", to="saved_model")

    assert again.repairs == ()
    assert any(note.startswith(GUESSED) for note in served.repairs)
    assert {n.name for n in zoo.load(tmp_path / "again.pb").graph.node} >= {*both}


def test_where_nothing_looks_like_an_output_all_loose_ends_are_one():
    """Values that are always the same, beside what variables begin with."""
    model = bag_model({name: odd_weights()[name] for name in ("half", "counts")})

    assert set(guessing.outputs(model.meta_graph)) >= {"half/out:0", "counts/out:0"}
