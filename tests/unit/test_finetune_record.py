"""A run writes down what it was made of; what is written can be followed and compared."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

import zoo_frozen
import zoo_saved_model
from zoo.errors import FormatError, IntegrityError, UnknownNameError, UsageError, WriteError
from zoo.model import Model
from zoo.samples import bag_model, odd_weights, sample_model
from zoo.tensors import ArrayTensor
from zoo_finetune import fingerprints, rebuilding, run_record
from zoo_finetune.recipe import Recipe
from zoo_finetune.recipe_file import SECTIONS

RECIPE = Recipe(outputs=2, train="fc*", learning_rate=1e-5, activation="none", seed=3)
BASE = {"model": "vgg-digits", "format": "checkpoint", "sha256": "a" * 64}
DATA = {"path": "digits größe", "sha256": "b" * 64, "examples": 100}


def trained(model=None):
    head = SimpleNamespace(features="fc7:0", logits="fc8:0", outputs=2)
    return SimpleNamespace(
        model=model or sample_model(),
        head=head,
        epochs=[1, 2],
        best_epoch=1,
        trained_weights=2,
        classes=("even", "odd"),
    )


def record(target="out/net.pb", **changes):
    metrics = {
        "accuracy": np.float32(0.5),
        "f1": None,
        "confusion": [[1, 0], [0, 1]],
        "examples": 2,
    }
    result = {"format": "frozen", "path": str(target)}
    return run_record.record(RECIPE, BASE, DATA, trained(), result, metrics) | changes


def test_a_record_is_a_recipe_that_can_be_followed(tmp_path):
    """Every option comes back as it was, and all that was found out."""
    facts = record()
    path = run_record.write(tmp_path / "net.pb", facts)

    recipe, found = run_record.load(path)

    assert path == tmp_path / "recipe.yaml"
    assert recipe == RECIPE
    assert found == facts
    assert run_record.load(tmp_path) == (recipe, found)


def test_a_record_says_what_decides_about_the_bytes():
    """Versions, threads, oneDNN, digests, every option; of the metrics single numbers."""
    facts = record()

    assert set(facts) >= {field.name for field in dataclasses.fields(Recipe)}
    assert facts["base"]["sha256"] == "a" * 64
    assert facts["data"]["sha256"] == "b" * 64
    assert facts["made_by"]["numpy"] == np.__version__
    assert {"tensorflow", "keras", "zoo", "python", "platform", "processor"} <= set(
        facts["made_by"]
    )
    assert facts["made_by"]["processors"] >= 1
    assert facts["metrics"] == {"accuracy": 0.5, "examples": 2}
    assert set(facts["weights"]) == {"dense/bias", "dense/kernel"}


def test_onednn_is_recorded_as_it_is_set(monkeypatch):
    """It changes the last bits of every result."""
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    assert run_record.environment()["TF_ENABLE_ONEDNN_OPTS"] == "default"

    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")

    assert run_record.environment()["TF_ENABLE_ONEDNN_OPTS"] == "0"
    assert run_record.environment()["OMP_NUM_THREADS"] == "3"


@pytest.mark.long
@pytest.mark.tensorflow
def test_threads_are_recorded_where_tensorflow_runs():
    """In a process of its own: they are set before it starts."""
    code = (
        "import tensorflow as tf; tf.config.threading.set_intra_op_parallelism_threads(2)\n"
        "from zoo_finetune.run_record import environment as e\n"
        "print(e()['intra_op_threads'], e()['inter_op_threads'], e()['devices'])"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.startswith("2 0 ['CPU:")


def test_a_recipe_of_a_persons_own_needs_little(tmp_path):
    """Options that it leaves out have their defaults; what is given besides comes first."""
    (tmp_path / "mine.yaml").write_text("epochs: 3\nlearning_rate: 1e-4\nwarmup: 1\n")

    recipe, facts = run_record.load(tmp_path / "mine.yaml", {"outputs": 5, "epochs": 4})

    assert recipe == Recipe(outputs=5, epochs=4, learning_rate=1e-4, warmup=1.0)
    assert isinstance(recipe.warmup, float)
    assert facts == {"epochs": 3, "learning_rate": "1e-4", "warmup": 1}
    with pytest.raises(UsageError, match="how many outputs"):
        run_record.load(tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("epoch: 3", "did you mean 'epochs'"),
        ("outputs: 2.5", "outputs must be a whole number, and is 2.5"),
        ("outputs: true", "outputs must be a whole number, and is True"),
        ("outputs: -1", "outputs must be 0 or more"),
        ("epochs: null", "epochs must be a whole number"),
        ("augment: 1", "augment must be true or false"),
        ("learning_rate: fast", "learning_rate must be a number"),
        ("learning_rate: .nan", "learning_rate must be a finite number"),
        ("learning_rate: 0", "learning_rate must be above 0"),
        ("learning_rate: true", "learning_rate must be a number"),
        ("optimizer: adan", "optimizer must be adam or adamw or rmsprop or sgd"),
        ("validation_split: 1", "validation_split must be 0 or more and below 1"),
        ("layer_decay: 2", "layer_decay must be above 0 and at most 1"),
        ("train: [a]", "train must be text"),
    ],
)
def test_faults_are_told_with_their_line(tmp_path, line, words):
    """Which option, what it should be and what it is."""
    path = tmp_path / "recipe.yaml"
    path.write_text(f"# mine\nseed: 1\n{line}\n")

    with pytest.raises(UsageError) as caught:
        run_record.load(path, {} if line.startswith("outputs") else {"outputs": 2})

    assert words in str(caught.value)
    assert ":3:" in str(caught.value) or "line 3: " in str(caught.value)


def test_all_faults_come_at_once(tmp_path):
    """Who mends a recipe sees everything that is wrong with it."""
    (tmp_path / "recipe.yaml").write_text("outputs: x\nepochs: -1\n")

    with pytest.raises(UsageError) as caught:
        run_record.load(tmp_path)

    assert caught.value.found.count("must be") == 2


@pytest.mark.parametrize("text", ["outputs: 2\noutputs: 3\n", "train: *fc8*\n", "- 1\n", "a: [\n"])
def test_what_is_no_recipe_is_refused(tmp_path, text):
    """Broken YAML, a key that stands twice; a pattern without quotes gets a hint."""
    (tmp_path / "recipe.yaml").write_text(text)

    with pytest.raises(FormatError) as caught:
        run_record.load(tmp_path)

    assert "quotes" in caught.value.hint


def test_a_recipe_that_is_not_there(tmp_path):
    """Exit code 66."""
    with pytest.raises(UnknownNameError):
        run_record.load(tmp_path)
    (tmp_path / "recipe.yaml").write_bytes(b"\xff")
    with pytest.raises(FormatError, match="UTF-8"):
        run_record.load(tmp_path)


def test_a_folder_is_one_results_own(tmp_path):
    """A record of another result is not replaced: it could not be rebuilt any more."""
    target = tmp_path / "net.pb"
    run_record.require_free(target)
    run_record.write(target, record(target))

    run_record.require_free(target)
    with pytest.raises(WriteError, match="would be replaced") as caught:
        run_record.require_free(tmp_path / "other.pb")
    assert "net.pb" in caught.value.found
    (tmp_path / "recipe.yaml").write_text("outputs: 2\n")
    with pytest.raises(WriteError, match="would be replaced"):
        run_record.require_free(target)


def test_the_record_of_a_result(tmp_path):
    """Called by its folder, its own path or the record; that of another is not taken for it."""
    target = tmp_path / "net.pb"
    path = run_record.write(target, record(target))

    assert run_record.of_result(target) == path
    assert run_record.of_result(path) == path
    assert run_record.of_result(tmp_path) == tmp_path
    with pytest.raises(UnknownNameError, match="no record of") as caught:
        run_record.of_result(tmp_path / "other.pb")
    assert "net.pb" in caught.value.found


def test_a_folder_that_was_moved_is_still_the_results_own(tmp_path):
    """Its record lies beside it, wherever that is; a result that is a folder holds it."""
    run_record.write(tmp_path / "net.pb", record("/elsewhere/net.pb"))

    run_record.require_free(tmp_path / "net.pb")
    run_record.require_free(tmp_path / "sm", is_folder=True)
    (tmp_path / "sm").mkdir()
    run_record.write(tmp_path / "sm", record("/elsewhere/renamed"))
    run_record.require_free(tmp_path / "sm", is_folder=True)
    (tmp_path / "sm" / "recipe.yaml").write_text("outputs: 2\n")
    with pytest.raises(WriteError, match="would be replaced"):
        run_record.require_free(tmp_path / "sm", is_folder=True)


def test_a_result_that_is_a_folder_holds_its_record(tmp_path):
    """And is opened as before."""
    zoo_saved_model.save(sample_model(), tmp_path / "sm")

    path = run_record.write(tmp_path / "sm", record(tmp_path / "sm"))

    assert path == tmp_path / "sm" / "recipe.yaml"
    assert set(zoo_saved_model.load(tmp_path / "sm").weights) == {"dense/bias", "dense/kernel"}


def test_digests_are_of_values_wherever_they_lie(tmp_path):
    """A file that was written and read has the same; every kind of weight has one."""
    model = sample_model()
    zoo_frozen.save(model, tmp_path / "net.pb")
    odd = bag_model(odd_weights())

    found = fingerprints.of_weights(zoo_frozen.load(tmp_path / "net.pb"))

    assert found == fingerprints.of_weights(model)
    assert len(set(fingerprints.of_weights(odd).values())) == len(odd.weights)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.zeros((2, 3), np.float32), np.zeros((3, 2), np.float32)),
        (np.zeros(2, np.float32), np.zeros(2, np.int32)),
        (np.array([b"a", b"bc"], object), np.array([b"ab", b"c"], object)),
    ],
)
def test_the_same_bytes_may_be_other_weights(one, other):
    """In another shape, of another dtype, or cut into texts in another way."""
    first, second = (bag_model({"w": ArrayTensor.of(values)}) for values in (one, other))

    assert fingerprints.of_weights(first) != fingerprints.of_weights(second)


def test_the_digest_of_a_model_is_of_its_graph_and_weights():
    """One bit of a weight, or a node, makes another; names in a registry do not."""
    bits = np.array([1.0, -2.0], np.float32)
    first, same = (sample_model(bias=ArrayTensor.of(bits.copy())) for _ in range(2))
    bits.view(np.uint32)[0] ^= 1
    other = sample_model(bias=ArrayTensor.of(bits))
    graph = type(first.meta_graph)()
    graph.CopyFrom(first.meta_graph)
    graph.graph_def.node.add(name="more", op="NoOp")

    assert fingerprints.of_model(first) == fingerprints.of_model(same)
    assert fingerprints.of_model(first) != fingerprints.of_model(other)
    assert fingerprints.of_model(first) != fingerprints.of_model(Model(graph, first.weights))
    named = first.renamed(inputs={"x": "image"})
    assert fingerprints.of_weights(named) == fingerprints.of_weights(first)


def test_rebuilt_weights_are_compared_bit_by_bit():
    """Equal ones are said to be; of others it is told which, and what changed since."""
    old = record()

    equal, told = rebuilding.compare(old, sample_model(), run_record.environment())
    assert equal
    assert told == "all 2 weights came out byte for byte as before"

    other = sample_model(bias=ArrayTensor.of(np.zeros(2, np.float32)))
    then = old | {"made_by": {"numpy": "1.0", "TF_ENABLE_ONEDNN_OPTS": "0"}}
    equal, told = rebuilding.compare(then, other, {"numpy": "2.0", "TF_ENABLE_ONEDNN_OPTS": "0"})
    assert not equal
    assert told == (
        "of 2 weights 1 differ (dense/bias); what changed since: numpy 1.0 then, 2.0 now"
    )
    _, told = rebuilding.compare(old, bag_model({"more": ArrayTensor.of(np.zeros(2))}))
    assert "2 are gone (dense/bias, dense/kernel), 1 are new (more)" in told


def test_a_rebuild_begins_with_what_the_run_began_with():
    """Another base model or other data is refused before training."""
    old = record()

    rebuilding.require_same_source(old, base="a" * 64, data="b" * 64)
    with pytest.raises(IntegrityError, match="vgg-digits is not what it was"):
        rebuilding.require_same_source(old, base="c" * 64, data="b" * 64)
    with pytest.raises(IntegrityError, match="digits größe is not what it was"):
        rebuilding.require_same_source(old, base="a" * 64, data="c" * 64)


@pytest.mark.parametrize("section", ["base", "data", "weights"])
def test_a_recipe_that_no_run_wrote_cannot_be_rebuilt(section):
    """There is nothing to compare with."""
    rebuilding.require_record(record(), "recipe.yaml")

    with pytest.raises(UsageError, match="tells of no run"):
        rebuilding.require_record({**record(), section: None}, "recipe.yaml")


def test_a_record_is_plain_yaml(tmp_path):
    """Anyone's reader takes it: no tags of Python, letters as they are."""
    path = run_record.write(tmp_path, record())

    text = path.read_text()

    assert "!!" not in text
    assert "größe" in text
    assert yaml.safe_load(text)["learning_rate"] == 1e-5


@pytest.mark.parametrize("key", [*(f.name for f in dataclasses.fields(Recipe)), *SECTIONS])
def test_every_key_is_documented(key):
    """A key nobody can read about is not there."""
    page = Path(__file__).parents[2] / "docs" / "finetune-results.md"

    assert f"`{key}`" in page.read_text()
