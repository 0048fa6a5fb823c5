"""What everything that reads models promises: to know its own, and to survive what is damaged."""

from __future__ import annotations

import inspect
import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from zoo import plugins
from zoo.errors import FormatError, ZooError
from zoo.samples import sample_model
from zoo.testing.comparing import copies, measured, read_whole, written

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.formats import Format

_JUNK = b"\x0a\xff\xff\xff\xff not a model"
_FOREIGN = {
    "empty": b"",
    "zeros": bytes(4096),
    "page.html": b"<!DOCTYPE html><html>not found</html>",
    "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
    "some.json": b'{"answer": 42}',
    "some.zip": b"PK\x05\x06" + bytes(18),
    "some.gz": b"\x1f\x8b\x08" + bytes(20),
    "some.png": b"\x89PNG\r\n\x1a\n" + bytes(40),
    "some.tflite": b"\x1c\0\0\0TFL3" + bytes(64),
    "some.pickle": b"\x80\x04]\x94.",
}
"""Files that are often found where a model should be, and are none."""
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_BYTES_OF_A_LOOK, _BYTES_OF_DAMAGE, _SECONDS = 1 << 20, 64 << 20, 5
_HIGH = 0xFF


class ReaderContract:
    """What a format promises that is read, and perhaps not written.

    Subclass it, give a `form` fixture, and say in `specimen` how a small model is made.
    """

    @pytest.fixture
    def form(self) -> Format:
        """Return the format under test."""
        raise NotImplementedError("a hook of the contract: return your Format")

    def specimen(self, form: Format, folder: Path) -> Path:
        """Make a small model in `folder`, and return its path as ``load`` takes it."""
        raise NotImplementedError(f"a hook of the contract: a model of {form.name} in {folder}")

    def test_is_described(self, form: Format) -> None:
        """Its name can be typed, and one line says what it is; so for each of its options."""
        assert _NAME.fullmatch(form.name), form.name
        for summary in (form.summary, *(option.summary for option in form.options)):
            assert summary.strip()
            assert "\n" not in summary

    def test_takes_the_options_it_declares(self, form: Format) -> None:
        """Each option that it declares is an argument, and nothing else must be given."""
        for side, given in (("load", 1), ("save", 2)):
            parameters = list(inspect.signature(getattr(form, side)).parameters.values())
            names = {one.name for one in parameters[given:]}
            open_ended = any(one.kind is one.VAR_KEYWORD for one in parameters)
            needed = {one.name for one in parameters[given:] if one.default is one.empty}
            declared = {option.name for option in form.options if getattr(option, side)}

            assert open_ended or declared <= names, f"{side} does not take {declared - names}"
            assert open_ended or not needed, f"{side} cannot do without {needed}"

    def test_recognises_its_own(self, form: Format, tmp_path: Path) -> None:
        """A format knows its own by the contents, and no other installed format takes it."""
        path = self.specimen(form, tmp_path)

        assert form.recognises(path)
        assert [one.name for one in _others(form) if one.recognises(path)] == []

    def test_recognises_no_others(self, form: Format, tmp_path: Path) -> None:
        """It claims no model of another installed format, and nothing that is no model."""
        for other in _others(form):
            if other.written:
                path = written(other, sample_model(), tmp_path / other.name / "model").path
                assert not form.recognises(path), f"takes a {other.name} for its own"
        for name, start in _FOREIGN.items():
            (tmp_path / name).write_bytes(start)
            assert not form.recognises(tmp_path / name), name

    def test_recognising_never_raises(self, form: Format, tmp_path: Path) -> None:
        """Where nothing lies, in a folder of anything, and in the beginning of a model: an answer.

        Only the answer for nothing is fixed: a beginning may be damaged, and still be its own.
        """
        path = self.specimen(form, tmp_path)
        (tmp_path / "folder").mkdir()
        (tmp_path / "file").write_bytes(_JUNK)

        assert not form.recognises(tmp_path / "missing")
        assert not form.recognises(tmp_path / "file" / "child")
        assert not form.recognises(tmp_path / "folder")
        for copy, file in copies(path, form, tmp_path):
            whole = file.read_bytes()
            for length in range(min(len(whole), 100)):
                file.write_bytes(whole[:length])
                form.recognises(copy)

    def test_junk_is_a_format_error(self, form: Format, tmp_path: Path) -> None:
        """Junk in place of any of its files is a `FormatError`, never what a parser raises."""
        for copy, file in copies(self.specimen(form, tmp_path), form, tmp_path):
            file.write_bytes(_JUNK)

            with pytest.raises(FormatError):
                read_whole(form.load(copy))

    def test_cut_off_is_a_format_error(self, form: Format, tmp_path: Path) -> None:
        """A file that was cut off raises `FormatError`, at once or when it is read.

        A list of nodes that ends between two of them is a whole list, and no reader can tell; the
        cuts here are none of that kind for the formats that come with zoo.
        """
        for copy, file in copies(self.specimen(form, tmp_path), form, tmp_path):
            whole = file.read_bytes()
            for length in {0, 1, len(whole) // 3, len(whole) // 2, len(whole) - 1}:
                file.write_bytes(whole[:length])
                with pytest.raises(FormatError):
                    read_whole(form.load(copy))

    def test_missing_file_is_an_error(self, form: Format, tmp_path: Path) -> None:
        """Without one of its files a model is an error of zoo's own kind, or is read without."""
        for copy, file in copies(self.specimen(form, tmp_path), form, tmp_path):
            file.unlink()
            try:
                read_whole(form.load(copy))
            except ZooError:
                continue
            assert len(form.files_at(copy)) > 0, f"nothing is left without {file.name}"

    def test_flipped_bits_are_no_crash(self, form: Format, tmp_path: Path) -> None:
        """A flipped bit is an error of zoo's own kind, or goes unnoticed; it never is a crash."""
        for copy, file in copies(self.specimen(form, tmp_path), form, tmp_path):
            whole = file.read_bytes()
            for position in range(0, len(whole), max(len(whole) // 60, 1)):
                flipped = bytearray(whole)
                flipped[position] ^= 1 << position % 8
                file.write_bytes(flipped)
                try:
                    read_whole(form.load(copy))
                except ZooError:
                    continue

    def test_damage_costs_little(self, form: Format, tmp_path: Path) -> None:
        """A damaged length or shape makes nobody wait, and takes no memory for what is not there.

        Each of the first bytes is set to 255, which in a length or a shape is a great many.
        """
        for copy, file in copies(self.specimen(form, tmp_path), form, tmp_path):
            whole = file.read_bytes()
            for position in range(0, min(len(whole), 1024), 8):
                damaged = bytearray(whole)
                damaged[position] = _HIGH
                file.write_bytes(damaged)
                start = time.monotonic()
                with measured() as peak:
                    _try(form, copy)

                assert peak[0] < _BYTES_OF_DAMAGE, f"byte {position} of {file.name}"
                assert time.monotonic() - start < _SECONDS, f"byte {position} of {file.name}"

    def test_knows_its_files(self, form: Format, tmp_path: Path) -> None:
        """The files that it names are the whole model, wherever they are copied."""
        path = self.specimen(form, tmp_path)
        assert form.files_at(path)
        here = sorted(form.load(path).weights)

        copy, _ = next(copies(path, form, tmp_path / "elsewhere"))
        there = form.load(copy)
        read_whole(there)

        assert sorted(there.weights) == here


def _others(form: Format) -> list[Format]:
    """Return the other installed formats; one of the same name is `form` as it is installed."""
    offered = plugins.formats(plugins.installed())
    return [one for one in offered.values() if one.name != form.name]


def _try(form: Format, path: Path) -> None:
    with suppress(Exception):  # what it raises is judged by the other tests
        read_whole(form.load(path))
