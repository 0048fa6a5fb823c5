"""Models in archives: the one that is there, or the one that is named."""

import hashlib
import tarfile

import pytest

import zoo
import zoo_checkpoint
import zoo_frozen
import zoo_saved_model
from zoo import placing, unpacked
from zoo.digests import file_digest
from zoo.entries import Weights
from zoo.errors import FormatError, IntegrityError, UnknownNameError, UsageError
from zoo.fetching import Fetched
from zoo.formats import Format
from zoo.library import Library
from zoo.samples import sample_model


@pytest.fixture
def nets(tmp_path):
    """Return an archive with a model in each of three formats, and some files that are none."""
    folder = tmp_path / "nets"
    (folder / "inner").mkdir(parents=True)
    zoo_frozen.save(sample_model(), folder / "inner" / "net_frozen.pb")
    zoo_checkpoint.save(sample_model(), folder / "ck" / "net.ckpt")
    zoo_saved_model.save(sample_model(), folder / "served")
    (folder / "labels.txt").write_text("one\ntwo\n")
    (folder / "inner" / "net.tflite").write_bytes(b"\x1c\0\0\0TFL3")
    return packed(folder, tmp_path / "nets.tgz")


def packed(folder, path):
    """Return `path`, to which the archive of a folder was written."""
    with tarfile.open(path, "w:gz") as whole:
        whole.add(folder, ".")
    return path


def registry(archive, **keys):
    """Return a registry beside `archive`, with the model ``net``, whose weights have `keys`."""
    data = archive.read_bytes()
    pin = f"sha256: {hashlib.sha256(data).hexdigest()}, size: {len(data)}"
    more = "".join(f", {key}: {value}" for key, value in keys.items())
    text = "version: 1\nmodels:\n  net:\n    summary: s\n    weights:\n      w: {urls: "
    path = archive.with_name("registry.yaml")
    path.write_text(f"{text}['file:{archive.name}'], {pin}{more}}}\n")
    return path


def weights(model):
    """Return the weights of a model that can be compared."""
    return sorted(model.weights[name].tobytes() for name in model.weights)


@pytest.mark.parametrize("form", ["frozen", "checkpoint", "saved_model"])
def test_the_one_model_of_the_format(nets, home, form):
    """What else is in the archive does not matter; it is unpacked once."""
    library = Library(registry(nets, format=form))

    opened = library.open("net")

    assert (opened.format, weights(opened.model)) == (form, weights(sample_model()))
    assert opened.path.is_relative_to(home / "unpacked" / file_digest(nets))
    assert library.fetch("net")[1].path.is_relative_to(home / "sha256")
    assert Library(registry(nets, format=form), offline=True).open("net").path == opened.path


@pytest.mark.parametrize(
    ("form", "member"),
    [("frozen", "inner/net_frozen.pb"), ("checkpoint", "ck/net.ckpt"), ("saved_model", "served")],
)
def test_a_member_by_its_path(nets, form, member):
    """A file, a prefix, or a folder."""
    opened = Library(registry(nets, format=form, member=member)).open("net")

    assert weights(opened.model) == weights(sample_model())


def test_a_member_that_is_not_there(nets):
    """What is there is told, and what is near."""
    with pytest.raises(UnknownNameError) as caught:
        Library(registry(nets, format="frozen", member="inner/net_frozn.pb")).open("net")

    assert "labels.txt" in caught.value.found
    assert "inner/net_frozen.pb" in caught.value.hint


def test_an_archive_of_several_models_needs_a_member(tmp_path):
    """Nobody can tell which is meant; one of another format does not matter."""
    for name in ("a.pb", "b/c.pb"):
        (tmp_path / "nets" / name).parent.mkdir(parents=True, exist_ok=True)
        zoo_frozen.save(sample_model(), tmp_path / "nets" / name)
    archive = packed(tmp_path / "nets", tmp_path / "nets.tgz")

    with pytest.raises(UsageError) as caught:
        Library(registry(archive, format="frozen")).open("net")
    assert caught.value.found == "a.pb, b/c.pb"
    with pytest.raises(FormatError, match="no model in the format checkpoint"):
        Library(registry(archive, format="checkpoint")).open("net")


def test_a_file_has_no_members(tmp_path):
    """A registry that says so is wrong."""
    zoo_frozen.save(sample_model(), tmp_path / "net.pb")

    with pytest.raises(FormatError, match="no archive"):
        Library(registry(tmp_path / "net.pb", format="frozen", member="a")).open("net")


def test_a_format_that_is_an_archive_itself_stays_one(nets, home):
    """As ``.keras`` is, a zip archive."""
    form = Format("own", "reads archives", lambda path: path == nets, None, None)

    fetched = Fetched(nets, "0" * 64, 1, from_cache=True)
    stated = Weights(format="own", urls=["file:nets.tgz"], md5="0" * 32)
    assert placing.placed(fetched, stated, {"own": form}, home) == nets


def test_a_hostile_archive_is_no_model(tmp_path, home):
    """Its pin is right, and it is refused all the same."""
    with tarfile.open(tmp_path / "x.tar", "w") as whole:
        whole.addfile(tarfile.TarInfo("../evil"))

    with pytest.raises(FormatError, match="lies outside of the folder"):
        Library(registry(tmp_path / "x.tar", format="frozen")).open("net")
    assert not (home / "unpacked").exists()


def test_a_path_to_an_archive(nets, tmp_path, monkeypatch):
    """With one model it is that model; of several one is named behind the archive."""
    monkeypatch.chdir(tmp_path)

    with pytest.raises(UsageError, match="several models"):
        zoo.load("nets.tgz")
    assert weights(zoo.load("nets.tgz/inner/net_frozen.pb")) == weights(sample_model())
    assert weights(zoo.load("nets.tgz/ck/net.ckpt", format="checkpoint")) == weights(sample_model())
    assert zoo.inspect("nets.tgz/served")["format"] == "saved_model"
    assert Library().inspect("nets.tgz/served", "saved_model")["format"] == "saved_model"
    with pytest.raises(UnknownNameError, match="no member 'other'"):
        zoo.load("nets.tgz/other")

    document = zoo.inspect("nets.tgz")
    assert (document["format"], len(document["files"])) == ("archive", 10)


def test_a_path_to_an_archive_of_one_model(tmp_path):
    """Nothing has to be named."""
    (tmp_path / "m").mkdir()
    zoo_frozen.save(sample_model(), tmp_path / "m" / "net.pb")
    archive = packed(tmp_path / "m", tmp_path / "net.tar.gz")
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()

    assert weights(zoo.load(archive)) == weights(sample_model())
    assert weights(zoo.load(f"{archive.as_uri()}#sha256={digest}")) == weights(sample_model())


def test_a_path_through_a_file_that_is_no_archive(tmp_path):
    """Nothing lies there, as ever."""
    (tmp_path / "a.txt").write_text("abc")

    with pytest.raises(UnknownNameError, match="nothing lies at"):
        zoo.load(tmp_path / "a.txt" / "b")


def test_an_archive_that_changes_while_it_is_unpacked(nets, tmp_path, home, monkeypatch):
    """What came of it lies nowhere: it may be a mixture of two."""
    real = unpacked.extract

    def changing(archive, folder):
        found = real(archive, folder)
        archive.write_bytes(archive.read_bytes() + b"\0")
        return found

    monkeypatch.setattr(unpacked, "extract", changing)
    with pytest.raises(IntegrityError):
        zoo.load(f"{nets}/served")
    assert not (home / "unpacked").exists()
