"""Versions of a served model: complete when they are seen, and never replaced."""

import pytest

import zoo_saved_model
from zoo import atomic, serving
from zoo.errors import UsageError, WriteError
from zoo.plugins import format_named, installed
from zoo.samples import sample_model


@pytest.mark.parametrize(
    ("there", "new"),
    [([], "1"), (["1", "2"], "3"), (["9", "10"], "11"), (["00000123"], "124"), (["1.tmp"], "1"),
     (["7", str(1 << 63)], "8"), ([str((1 << 63) - 2)], str((1 << 63) - 1)), (["0"], "1")],
)  # fmt: skip
def test_next_is_one_more_than_the_highest(tmp_path, there, new):
    """Numbers are compared as numbers, and what is no number is passed over."""
    for name in there:
        (tmp_path / name).mkdir()

    assert serving.place(tmp_path, "next") == tmp_path / new


def test_there_is_no_version_after_the_last(tmp_path):
    """A server reads numbers of 63 bits."""
    (tmp_path / str((1 << 63) - 1)).mkdir()

    with pytest.raises(WriteError, match="no version after"):
        serving.place(tmp_path, "next")


def test_the_numbers_that_a_version_can_have():
    """From 0 on, as far as a server reads them."""
    assert [serving.version(one) for one in ("0", "9223372036854775807")] == [0, (1 << 63) - 1]


@pytest.mark.parametrize("name", ["3", "003"])
def test_a_version_that_is_there_is_refused(tmp_path, name):
    """However its number is spelled, and with what helps."""
    (tmp_path / name).mkdir()

    with pytest.raises(WriteError) as caught:
        serving.publish(tmp_path, 3, lambda draft: None)

    assert caught.value.found == str(tmp_path / name)
    assert "--version next" in caught.value.hint


@pytest.mark.parametrize("wrong", ["", "latest", "-1", "1.5", "\u0663", True, 1 << 63, None])
def test_what_is_no_version(wrong):
    """Serving would not see it."""
    with pytest.raises(ValueError, match="or next"):
        serving.version(wrong)


def test_a_version_has_no_name_before_it_is_complete(tmp_path):
    """While it is written, no folder is there that a server would load."""
    seen = []

    def write(draft):
        (draft / "saved_model.pb").write_text("all of it")
        seen.extend(path.name for path in tmp_path.iterdir())

    path = serving.publish(tmp_path, "next", write)

    assert [name for name in seen if name.isdecimal()] == []
    assert [p.name for p in tmp_path.iterdir()] == ["1"]
    assert (path / "saved_model.pb").read_text() == "all of it"


def test_a_version_that_fails_leaves_nothing(tmp_path):
    """Neither a part of it nor the folders that were made for it."""

    def write(draft):
        (draft / "saved_model.pb").write_text("half")
        raise OSError(28, "no space left on device")

    with pytest.raises(WriteError.__base__):
        serving.publish(tmp_path / "serving" / "net", 1, write)

    assert list(tmp_path.iterdir()) == []


def test_who_comes_second_gets_the_next_number(tmp_path):
    """Another process that takes the number after it was chosen keeps what it wrote."""
    numbers = []

    def place():
        """Choose a number; the first time, another is faster to take it."""
        numbers.append(serving.place(tmp_path, "next").name)
        if len(numbers) == 1:
            serving.publish(tmp_path, "next", lambda d: (d / "who").write_text("the other"))
        return tmp_path / numbers[-1]

    path = atomic.add(tmp_path, lambda draft: (draft / "who").write_text("I"), place)

    assert numbers == ["1", "2"]
    assert (tmp_path / "1" / "who").read_text() == "the other"
    assert path == tmp_path / "2"
    assert (path / "who").read_text() == "I"


def test_two_that_want_one_number(tmp_path):
    """The slower one is refused, also if it had looked before the other was done."""

    def write(draft):
        (draft / "who").write_text("I")
        serving.publish(tmp_path, 5, lambda d: (d / "who").write_text("the other"))

    with pytest.raises(WriteError, match="version 5 is there"):
        serving.publish(tmp_path, 5, write)

    assert [path.name for path in tmp_path.iterdir()] == ["5"]
    assert (tmp_path / "5" / "who").read_text() == "the other"


def test_the_format_writes_versions(tmp_path):
    """Through the option ``version``, which says where it wrote."""
    form = format_named(installed(), "saved_model")

    paths = [form.write(sample_model(), tmp_path / "net", {"version": v}).path for v in ("next", 7)]

    assert paths == [tmp_path / "net" / "1", tmp_path / "net" / "7"]
    assert form.written_at(tmp_path / "net", {"version": "next"}) == tmp_path / "net" / "8"
    assert all(form.recognises(path) for path in paths)
    with pytest.raises(WriteError, match="version 7 is there"):
        form.written_at(tmp_path / "net", {"version": 7})
    with pytest.raises(UsageError, match="version must be"):
        form.write(sample_model(), tmp_path / "net", {"version": "newest"})


def test_a_model_is_no_folder_of_versions(tmp_path):
    """A version inside of a SavedModel would be found by no server."""
    zoo_saved_model.save(sample_model(), tmp_path / "net")

    with pytest.raises(WriteError, match="no folder of versions"):
        zoo_saved_model.save(sample_model(), tmp_path / "net", version=1)
