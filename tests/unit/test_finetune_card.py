"""A fine-tuned model gets a card and a name, with its labels and where it came from."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import yaml

import zoo_frozen
from zoo import cli
from zoo.entries import Entry
from zoo.errors import UnknownNameError, UsageError
from zoo.library import Library
from zoo.model import Model
from zoo.registry import Registry
from zoo.samples import sample_model
from zoo.tensors import ArrayTensor
from zoo_finetune import model_card, naming
from zoo_finetune.recipe import Recipe

RECIPE = Recipe(outputs=2)
RECORD = {
    "base": {"model": "/home/me/models/vgg-digits", "sha256": "a" * 64},
    "data": {"path": "/home/me/even and odd", "sha256": "b" * 64, "examples": 100},
    "metrics": {"accuracy": 0.975, "f1": 0.5},
}
BASE = Entry(
    summary="digits",
    architecture="vgg-digits",
    license="CC-BY-4.0",
    preprocessing={"size": [8, 8], "channels": "gray", "mean": [103.939, 1e-05], "scale": 0.0625},
)


def net(second=0.0) -> Model:
    kernel = np.array([[1, 0], [0, 1], [0, 0]], np.float32)
    return sample_model(
        ArrayTensor.of(kernel), ArrayTensor.of(np.array([0, second], np.float32))
    ).renamed(inputs={"x": "images"})


def trained(**changes):
    facts = {
        "model": net(),
        "head": SimpleNamespace(features="x:0", logits="dense/BiasAdd:0", outputs=2),
        "classes": ("even", "odd"),
        "validation": SimpleNamespace(paths=[Path("/home/me/a.PNG")]),
    }
    return SimpleNamespace(**facts | changes)


def matter(page):
    _, header, body = page.split("---\n", 2)
    return yaml.safe_load(header), body


def registered(folder, name="even-odd", run=None, **options):
    run = run or trained()
    zoo_frozen.save(run.model, folder / "net.pb")
    options = {"base": BASE} | options
    return naming.register(Library(), name, folder / "net.pb", run, RECIPE, RECORD, **options)


def printed(capsys, *arguments):
    code = cli.run(list(arguments))
    return code, capsys.readouterr().out


def test_the_front_matter_is_as_the_hub_reads_it():
    """Licence, lineage, task, data and measures, each under the Hub's key."""
    page = model_card.card("even-odd", trained(), RECIPE, RECORD, license="CC-BY-4.0")

    found, _ = matter(page)

    assert page.startswith("---\n")
    assert found["license"] == "cc-by-4.0"
    assert found["base_model"] == "vgg-digits"
    assert found["base_model_relation"] == "finetune"
    assert found["pipeline_tag"] == "image-classification"
    assert found["datasets"] == ["even and odd"]
    assert found["metrics"] == ["accuracy", "f1"]
    (index,) = found["model-index"]
    assert index["name"] == "even-odd"
    assert index["results"][0]["metrics"][0] == {"type": "accuracy", "value": 0.975}
    assert set(index["results"][0]) == {"task", "dataset", "metrics"}


def test_what_nobody_knows_is_not_made_up():
    """No licence is unknown; nothing measured is no measure."""
    run = trained(validation=None, classes=())
    record = {key: RECORD[key] for key in ("base", "data")}

    found, body = matter(model_card.card("mine", run, RECIPE, record))

    assert found["license"] == "unknown"
    assert found["pipeline_tag"] == "tabular-classification"
    assert found["metrics"] == []
    assert "model-index" not in found
    assert "Labels" not in body


def test_a_card_tells_people_what_the_model_is():
    """Input, output, labels, measures, options; and no folder of the machine it was made on."""
    page = model_card.card("even-odd", trained(), RECIPE, RECORD, preprocessing=BASE.preprocessing)

    assert "- input images: float32 (?, 3)" in page
    assert "- photos: size \\[8, 8\\], resize stretch, channels gray" in page
    assert "In the order of the outputs: even, odd." in page
    assert "- accuracy: 0.975" in page
    assert "- batch_size: 32" in page
    assert "/home/me" not in page


def test_a_card_replaces_its_own_kind_alone(tmp_path):
    """A README.md that a person wrote stays."""
    target = tmp_path / "net.pb"
    page = model_card.card("one", trained(), RECIPE, RECORD)

    assert model_card.write(target, page) == tmp_path / "README.md"
    assert model_card.write(target, page.replace("# one", "# two")) == tmp_path / "README.md"
    assert "# two" in (tmp_path / "README.md").read_text()
    (tmp_path / "README.md").write_text("# My project\n")
    assert model_card.write(target, page) is None
    assert (tmp_path / "README.md").read_text() == "# My project\n"


def test_a_registered_result_is_an_entry_without_faults(tmp_path, home, capsys):
    """It says what the model was made from, and what its outputs mean."""
    done = registered(tmp_path)

    entry = Registry(done.registry, home).entry("even-odd")
    assert str(done.name) == "even-odd:local"
    assert entry.base_model == "vgg-digits"
    assert entry.labels == ["even", "odd"]
    assert entry.head.model_dump() == {"features": "x:0", "logits": "dense/BiasAdd:0"}
    assert entry.preprocessing == BASE.preprocessing
    assert entry.license == "CC-BY-4.0"
    assert entry.inputs == {"images": "x:0"}
    assert list(Library().open("even-odd").model.signature().inputs) == ["images"]
    assert printed(capsys, "check", str(done.registry))[0] == 0


def test_the_catalogue_shows_a_registered_result(tmp_path, capsys):
    """`zoo info` with lineage, labels and the card; `zoo list` with the summary."""
    registered(tmp_path)

    _, info = printed(capsys, "info", "even-odd")
    _, listed = printed(capsys, "list", "even*")

    assert "base_model" in info
    assert "even, odd" in info
    assert "license: cc-by-4.0" in info  # the card's front matter
    assert "vgg-digits with a new last layer, 2 outputs" in listed


def test_many_labels_do_not_fill_the_page(tmp_path, capsys):
    """People see the first; programs get all."""
    run = trained(classes=tuple(f"c{number}" for number in range(1000)))
    registered(tmp_path, run=run)

    _, info = printed(capsys, "info", "even-odd")
    _, document = printed(capsys, "info", "even-odd", "--json")

    assert "c19 and 980 more" in info
    assert json.loads(document)["labels"][-1] == "c999"


@pytest.mark.tensorflow
def test_running_a_registered_result_names_its_labels(tmp_path, capsys):
    """The highest first."""
    registered(tmp_path)
    arguments = ["run", "even-odd", "-i", "images=[[1, 3, 0]]"]

    code, told = printed(capsys, *arguments)

    assert code == 0
    assert "probabilities: odd (0.8808), even (0.1192)" in told


def test_labels_may_be_called_nearly_anything(tmp_path, home):
    """Names of folders: accents, emoji, quotes, what YAML has a meaning for."""
    names = ("größe", "🐈", 'a "b"', "no", "null", "1.0", "a: b", "重み", "# x")
    registered(tmp_path, run=trained(classes=names))

    assert Registry(home / "registry.yaml", home).entry("even-odd").labels == list(names)


def test_the_name_of_another_net_is_told_before_training(tmp_path):
    """All but the weights of a result is known then."""
    registered(tmp_path)

    naming.require_same(Library(), "even-odd:v2", trained(), base=BASE)
    with pytest.raises(UsageError, match="is another net"):
        naming.require_same(Library(), "even-odd:v2", trained(classes=("a", "b")), base=BASE)
    other = trained(classes=("a", "b"))
    naming.require_same(Library(), "even-odd", other, base=BASE, force=True)


def test_a_tag_is_other_weights_of_the_same_net(tmp_path, home):
    """Another run of the same task adds one; another task needs another name."""
    registered(tmp_path, "even-odd:v1")
    registered(tmp_path, "even-odd:v2", trained(model=net(1.0)))

    entry = Registry(home / "registry.yaml", home).entry("even-odd")
    assert list(entry.weights) == ["v1", "v2"]
    with pytest.raises(UsageError, match="is another net") as caught:
        registered(tmp_path, "even-odd:v3", trained(classes=("odd", "even")))
    assert caught.value.found == "other labels"


def test_force_replaces_all_that_is_said(tmp_path, home):
    """Where no other weights go by the name."""
    registered(tmp_path)

    with pytest.raises(UsageError):
        registered(tmp_path, run=trained(classes=("a", "b")))
    registered(tmp_path, run=trained(classes=("a", "b")), force=True)

    entry = Registry(home / "registry.yaml", home).entry("even-odd")
    assert entry.labels == ["a", "b"]
    assert list(entry.weights) == ["local"]
    assert "outputs: a, b" in (home / "cards" / "even-odd.md").read_text()


def test_a_name_that_is_taken_is_told_before_training(tmp_path):
    """And so is what is no name."""
    naming.require_free(Library(), "even-odd")
    registered(tmp_path, "even-odd")

    naming.require_free(Library(), "even-odd:v2")
    naming.require_free(Library(), "even-odd", force=True)
    with pytest.raises(UsageError, match="registered already"):
        naming.require_free(Library(), "even-odd")
    with pytest.raises(UsageError, match="no name"):
        naming.require_free(Library(), "Even Odd")


def test_another_registry_has_its_own_cards(tmp_path, home):
    """They lie beside it, so that the folder can be shared."""
    team = tmp_path / "team" / "registry.yaml"

    registered(tmp_path, registry=team)

    assert (team.parent / "cards" / "even-odd.md").is_file()
    assert Library(team).catalogue.entry("even-odd").card == "file:cards/even-odd.md"
    with pytest.raises(UnknownNameError):
        Library().catalogue.entry("even-odd")


def test_no_model_is_no_entry_and_no_card(tmp_path, home):
    """What cannot be opened leaves nothing behind."""
    (tmp_path / "junk.pb").write_text("junk")

    with pytest.raises(Exception, match="junk"):
        naming.register(Library(), "mine", tmp_path / "junk.pb", trained(), RECIPE, RECORD)

    assert not (home / "registry.yaml").exists()
    assert not (home / "cards").exists()
