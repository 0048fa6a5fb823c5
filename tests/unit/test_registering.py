"""Models of one's own get names: copied or linked, tag by tag, by one process at a time."""

import subprocess
import sys

import pytest

import zoo_checkpoint
import zoo_frozen
import zoo_saved_model
from zoo import drafts, registering
from zoo.errors import BusyError, FormatError, UnknownNameError, UsageError
from zoo.library import Library
from zoo.samples import sample_model


@pytest.fixture
def models(tmp_path):
    """Return a folder with a model in each format."""
    zoo_frozen.save(sample_model(), tmp_path / "net.pb")
    zoo_saved_model.save(sample_model(), tmp_path / "sm")
    for step in (1, 2):
        zoo_checkpoint.save(sample_model(), tmp_path / "ckpt" / "model", global_step=step)
    return tmp_path


@pytest.mark.parametrize("place", ["net.pb", "sm", "sm/saved_model.pb", "ckpt", "ckpt/model-1"])
def test_a_model_has_a_name_then(models, home, place):
    """A copy is in the store: the original may go."""
    done = registering.add(Library(), models / place, "mine")
    for path in sorted(models.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()

    opened = Library().open("mine")

    assert done.registry == home / "registry.yaml"
    assert opened.path.is_relative_to(home)
    assert sorted(opened.model.weights) == ["dense/bias", "dense/kernel"]
    assert str(done.name) == "mine:local"


def test_a_link_stays_where_it_is(models, home):
    """Nothing is copied, and a change is seen."""
    registering.add(Library(), models / "net.pb", "mine", link=True)

    assert Library().open("mine").path == models / "net.pb"
    assert not (home / "sha256").exists()
    with pytest.raises(UsageError, match="nothing to fetch"):
        Library().fetch("mine")
    (models / "net.pb").unlink()
    with pytest.raises(FormatError):
        Library().open("mine")


def test_tags_of_one_name(models):
    """The first is the default; one that is there needs force, or another tag."""
    for tag, place in (("a", "net.pb"), ("b", "sm")):
        registering.add(Library(), models / place, f"mine:{tag}")

    assert Library().open("mine").format == "frozen"
    assert Library().open("mine:b").format == "saved_model"
    with pytest.raises(UsageError, match="there already"):
        registering.add(Library(), models / "ckpt", "mine:b")
    registering.add(Library(), models / "ckpt", "mine:b", force=True)
    assert Library().open("mine:b").format == "checkpoint"


def test_removing(models, home):
    """A tag, then the last one with its entry; the files stay in the store."""
    for tag in ("a", "b"):
        registering.add(Library(), models / "net.pb", f"mine:{tag}")

    registering.remove("mine:a")
    assert Library().open("mine").entry.weights.keys() == {"b"}
    registering.remove("mine:b")

    assert "mine" not in Library().catalogue
    assert any((home / "sha256").rglob("*"))
    with pytest.raises(UnknownNameError):
        registering.remove("mine")
    with pytest.raises(UnknownNameError):
        registering.remove("toy-adder")


def test_what_a_user_says_of_it(models, tmp_path):
    """Summary, licence, inputs and outputs go into the entry, of any registry."""
    facts = {"summary": "a net", "inputs": {"image": "x:0"}, "outputs": {"p": "probabilities:0"}}
    registry = tmp_path / "team" / "registry.yaml"
    registering.add(Library(), models / "net.pb", "mine", registry=registry, facts=facts)

    model = Library(registry).open("mine").model

    assert list(model.signature().inputs) == ["image"]
    with pytest.raises(UsageError, match="no name"):
        registering.add(Library(), models / "net.pb", "My Net")


def test_nothing_is_written_for_what_is_no_model(models, home):
    """A broken file leaves neither an entry nor a registry."""
    (models / "junk").write_text("junk")

    with pytest.raises(FormatError):
        registering.add(Library(), models / "junk", "mine")

    assert not (home / "registry.yaml").exists()


@pytest.mark.long
def test_many_processes_add_at_once(models, home):
    """Each finds what the others wrote."""
    command = [sys.executable, "-m", "zoo", "add", str(models / "net.pb"), "-q", "--name"]
    running = [subprocess.Popen([*command, f"net-{i}"]) for i in range(4)]

    assert [process.wait() for process in running] == [0] * 4
    assert {f"net-{i}" for i in range(4)} <= Library().catalogue.names()


def test_one_that_edits_for_long_is_not_waited_for(models, home, monkeypatch):
    """Exit code 75 says that trying again may do."""
    monkeypatch.setattr(registering, "_PATIENCE", 0.05)
    with drafts.alone(home), pytest.raises(BusyError) as caught:
        registering.add(Library(), models / "net.pb", "mine")

    assert caught.value.code == 75


def test_facts_are_for_new_names(models):
    """A further tag has no summary of its own, and no one's words are passed over."""
    registering.add(Library(), models / "net.pb", "mine:a", facts={"summary": "a net"})

    with pytest.raises(UsageError, match="has an entry already"):
        registering.add(Library(), models / "sm", "mine:b", facts={"summary": "another"})


def test_line_ends_stay_as_they_are(models, home):
    """A registry written on Windows stays one, byte for byte outside of the entry."""
    before = b"\xef\xbb\xbfversion: 1\r\n# mine\r\nmodels:\r\n  net:  # old\r\n    summary: x\r\n"
    before += b"    architecture: vgg16\r\n"
    path = home / "registry.yaml"
    path.write_bytes(before)

    registering.add(Library(), models / "net.pb", "mine", link=True)
    added = path.read_bytes()
    registering.remove("mine")

    assert added.startswith(before)
    assert b"\n" not in added.replace(b"\r\n", b"")
    assert path.read_bytes() == before


def test_new_facts_replace_an_entry_that_has_no_other_weights(models, home):
    """With force: what the old weights were said to be does not stay with the new ones."""
    old = {"summary": "old", "labels": ["a"], "license": "MIT"}
    registering.add(Library(), models / "net.pb", "mine:a", facts=old)

    registering.add(Library(), models / "sm", "mine:a", facts={"summary": "new"}, force=True)
    entry = Library().catalogue.entry("mine")
    assert (entry.summary, entry.labels, entry.license) == ("new", None, None)
    assert entry.weights["a"].format == "saved_model"

    registering.add(Library(), models / "net.pb", "mine:b")
    with pytest.raises(UsageError, match="has an entry already"):
        registering.add(Library(), models / "net.pb", "mine:a", facts=old, force=True)


def test_an_architecture_is_not_replaced_with_its_weights(models, home):
    """Who made the entry meant more than these bytes."""
    path = home / "registry.yaml"
    registering.add(Library(), models / "net.pb", "mine")
    path.write_text(
        path.read_text().replace("    summary:", "    architecture: vgg16\n    summary:")
    )

    with pytest.raises(UsageError, match="has an entry already"):
        registering.add(Library(), models / "sm", "mine", facts={"summary": "new"}, force=True)
