"""Folders of class folders, as people have them."""

import os

import pytest

from zoo import dtypes
from zoo.errors import DataError, UnknownNameError, UsageError
from zoo.specs import TensorSpec
from zoo_finetune import examples, faults, pictures
from zoo_finetune.recipe import Recipe

PICTURES = TensorSpec("x:0", dtypes.named("float32"), (None, 8, 8, 3))
SOUNDS = TensorSpec("wav:0", dtypes.STRING, ())


@pytest.fixture
def made(tmp_path):
    """Return what writes files, each with its own name as its bytes."""

    def write(*names, **contents):
        for name in names:
            path = tmp_path / "data" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(contents.get("bytes", name.encode()))
        return tmp_path / "data"

    return write


def read(path, outputs=2, spec=PICTURES, **options):
    """Return what lies at `path`."""
    return examples.read(path, Recipe(outputs, **options), spec)


def test_a_class_is_a_folder(made):
    """Classes and examples are sorted as people do, and named relative to the folder."""
    found = read(made("dog/10.png", "dog/9.png", "cat/1.jpg"))

    assert found.classes == ("cat", "dog")
    assert list(found.names) == ["cat/1.jpg", "dog/9.png", "dog/10.png"]
    assert found.labels.tolist() == [0, 1, 1]
    assert [path.read_bytes() for path in found.paths] == [n.encode() for n in found.names]
    assert found.notes == []


def test_folders_of_numbers_are_in_their_order(made):
    """The class 10 comes after the class 9."""
    found = read(made(*(f"{n}/a.png" for n in range(11))), 11)

    assert found.classes == tuple(str(n) for n in range(11))


def test_the_class_is_the_first_folder(made):
    """What is nested deeper belongs to the class above it."""
    found = read(made("a/x/y/1.png", "a/2.png", "b/z/3.png"))

    assert dict(zip(found.names, found.labels.tolist(), strict=True)) == {
        "a/2.png": 0,
        "a/x/y/1.png": 0,
        "b/z/3.png": 1,
    }


def test_suffixes_in_capitals_and_odd_names(made):
    """As cameras, other systems and other languages write them."""
    names = ["a/IMG 1.JPG", "a/ü\u0308 日本.Png", "b/x.jpeg", "b/y.BMP", "b/z.GIF", "b/[1]*?.png"]

    assert len(read(made(*names))) == 6


def test_accents_are_one_however_they_are_written(made):
    """Two systems write one name by different bytes; it is one class."""
    found = read(made("cafe\u0301/1.png", "caf\u00e9/2.png", "tea/3.png"))

    assert found.classes == ("caf\u00e9", "tea")


def test_a_name_that_is_no_unicode(made):
    """A folder from another system still is read."""
    root = made("a/1.png", "b/1.png")
    (root / "a" / os.fsdecode(b"\xff.png")).write_bytes(b"odd")

    found = read(root)

    assert "a/\ufffd.png" in found.names
    assert len(found) == 3


def test_what_is_left_out_is_said(made):
    """Hidden files, files of another kind and pictures beside the folders stop nothing."""
    root = made("a/1.png", "b/1.png", "a/.DS_Store", "b/._1.png", "a/Thumbs.db", "b/x.webp")
    made("loose.png", "README.md", ".hidden/1.png", "__MACOSX/a/1.png", "a/__MACOSX/1.png")

    found = read(root)

    assert list(found.names) == ["a/1.png", "b/1.png"]
    assert list(found.notes) == [
        "2 hidden files are left out",
        "files that are no pictures are left out: .db (1), .webp (1)",
        "what lies beside the class folders has no class and is left out: loose.png",
    ]


def test_equal_bytes_are_said(made):
    """One picture in two classes cannot be learned; a copy in one class is seen twice."""
    root = made("a/1.png", "b/1.png", "b/2.png", "b/3.png", bytes=b"same")
    made("a/x.png", "a/y.png", bytes=b"other")

    notes = read(root).notes

    assert notes[0] == "the same bytes are in two classes: a/1.png = b/1.png = b/2.png = b/3.png"
    assert notes[1].startswith("1 file in a class")


def test_links_are_followed_once(made):
    """A link to a file, to a folder, round in a circle, and to nothing."""
    root = made("a/1.png", "b/1.png", "elsewhere/2.png")
    (root / "elsewhere").rename(root.parent / "elsewhere")
    (root / "c").symlink_to(root.parent / "elsewhere")
    (root / "a" / "link.png").symlink_to(root.parent / "elsewhere" / "2.png")
    (root / "b" / "more").symlink_to(root.parent / "elsewhere")
    (root / "a" / "circle").symlink_to(root / "a")
    (root / "b" / "gone.png").symlink_to(root / "nowhere")

    found = read(root, 3)

    assert list(found.names) == [
        "a/1.png", "a/link.png", "b/1.png", "b/gone.png", "b/more/2.png", "c/2.png"
    ]  # fmt: skip
    assert found.broken == {3: "a link that leads nowhere"}


def test_what_cannot_be_read_is_broken(made):
    """An empty file and a pipe are found without waiting for them."""
    root = made("a/1.png", "b/1.png")
    (root / "a" / "empty.png").touch()
    os.mkfifo(root / "a" / "pipe.png")

    found = read(root)

    assert {found.names[at]: why for at, why in found.broken.items()} == {
        "a/empty.png": "it is empty",
        "a/pipe.png": "it is no file",
    }


@pytest.mark.parametrize(
    ("names", "problem", "hint"),
    [
        (["1.png", "2.png"], "has no classes", "a folder for each class"),
        (["a/1.txt", "b/2.txt"], "nothing to learn from", ".jpg"),
        (["train/a/1.png", "val/a/2.png"], "parts of the data", "--validation"),
        (["all/a/1.png", "all/b/2.png"], "a single class", "all"),
    ],
)
def test_other_layouts_say_how_it_should_look(made, names, problem, hint):
    """A flat folder, one without pictures, a split one, one within another."""
    with pytest.raises(DataError) as caught:
        read(made(*names))

    assert problem in caught.value.problem
    assert hint in caught.value.hint
    assert caught.value.code == 65


def test_nothing_there(tmp_path):
    """An empty folder, no folder, and a file of another kind."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.txt").touch()

    with pytest.raises(DataError):
        read(tmp_path / "empty")
    with pytest.raises(UnknownNameError):
        read(tmp_path / "gone")
    with pytest.raises(UsageError) as caught:
        read(tmp_path / "x.txt")

    assert caught.value.code == 2


def test_an_empty_class_is_a_class(made):
    """It is the checks that say that nothing is in it."""
    root = made("a/1.png", "b/1.png")
    (root / "c").mkdir()

    assert read(root).classes == ("a", "b", "c")


def test_sounds_for_a_net_that_takes_bytes(made):
    """The commonest suffix is taken, whatever it is; the others are said."""
    found = read(made("yes/1.wav", "yes/2.WAV", "no/1.wav", "no/notes.txt"), spec=SOUNDS)

    assert list(found.names) == ["no/1.wav", "yes/1.wav", "yes/2.WAV"]
    assert list(found.notes) == ["other files are left out: .txt (1)"]


def test_the_digest_is_of_what_is_learned(made, tmp_path):
    """It is the same elsewhere, and changes with a name, a class and a byte."""
    root = made("a/1.png", "a/2.png", "b/1.png")
    digest = read(root).digest
    moved = root.rename(tmp_path / "moved")
    assert read(moved).digest == digest

    (moved / "a" / "1.png").write_bytes(b"other")
    changed = read(moved).digest
    (moved / "a" / "2.png").rename(moved / "b" / "2.png")

    assert len({digest, changed, read(moved).digest}) == 3


def test_a_choice_of_examples(made):
    """Taking some keeps what belongs to each, in the order asked for."""
    root = made("a/1.png", "a/2.png", "b/1.png")
    (root / "a" / "2.png").write_bytes(b"")

    found = read(root).take([2, 1])

    assert list(found.names) == ["b/1.png", "a/2.png"]
    assert found.labels.tolist() == [1, 0]
    assert found.broken == {1: "it is empty"}
    assert [path.name for path in found.paths] == ["1.png", "2.png"]
    assert found.digest == read(root).take([2, 1]).digest != read(root).take([1, 2]).digest


def test_folders_of_numbers_are_targets(made):
    """A regression learns the numbers that folders are called by."""
    found = read(made("0.5/a.png", "-2/b.png"), 1, task="regression")

    assert sorted(found.labels.tolist()) == [-2.0, 0.5]
    assert found.classes == ()


def test_data_to_validate_with_takes_over_the_classes(made):
    """Their numbers stay, also where a class is missing or is not known."""
    found = examples.read(made("b/1.png", "d/1.png"), Recipe(3), PICTURES, ("a", "b", "c"))

    assert found.classes == ("a", "b", "c")
    assert found.labels.tolist() == [1, -1]
    assert found.broken == {1: "its label 'd' is no class that is trained"}


def test_a_path_may_be_text(made):
    """As the command line has it."""
    assert len(read(str(made("a/1.png", "b/1.png")))) == 2


def test_a_link_up_to_the_data_adds_nothing(made):
    """The pictures of other classes are none of this one, nor a class by the data's name."""
    root = made("a/1.png", "b/1.png")
    (root / "a" / "up").symlink_to(root)
    (root / "a" / "also").symlink_to("..")

    assert list(read(root).names) == ["a/1.png", "b/1.png"]


def test_nobody_decodes_what_cannot_be_read(made, monkeypatch):
    """TensorFlow would wait for ever for what comes out of a pipe."""
    root = made("a/1.png", "a/2.png", "b/1.png", "b/2.png")
    (root / "a" / "1.png").unlink()
    os.mkfifo(root / "a" / "1.png")
    asked = []

    def undecodable(paths, preparing):
        asked.extend(path.relative_to(root).as_posix() for path in paths)
        return {1: "it is damaged"}

    monkeypatch.setattr(pictures, "undecodable", undecodable)
    recipe = Recipe(2)

    with pytest.raises(DataError) as caught:
        faults.check(examples.read(root, recipe, PICTURES), recipe, PICTURES,
                     pictures.Preparing.of(None, PICTURES))  # fmt: skip

    assert asked == ["a/2.png", "b/1.png", "b/2.png"]
    assert "a/1.png: it is no file" in caught.value.found
    assert "b/1.png: it is damaged" in caught.value.found
