"""Tests that every format must pass.

The author of a format writes five lines::

    class TestMine(FormatContract):
        @pytest.fixture
        def form(self):
            return zoo_mine.zoo_formats()[0]
"""

from __future__ import annotations

import os
import tracemalloc
from typing import TYPE_CHECKING, NoReturn

import pytest

from zoo import dtypes
from zoo.errors import FormatError, UnsupportedError, ZooError
from zoo.formats import Saved
from zoo.samples import FLOAT, bag_model, odd_weights, sample_model
from zoo.tensors import ArrayTensor, FilledTensor, Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from zoo.formats import Format
    from zoo.model import Model

_LARGE = 32 << 20
"""Bytes of the weight by which a format shows that it loads nothing before it is asked."""


class FormatContract:
    """What every format promises.  Subclass it and give a `form` fixture."""

    @pytest.fixture
    def form(self) -> Format:
        """Return the format under test."""
        raise NotImplementedError("a hook of the contract: return your Format")

    def test_weights_survive_bit_for_bit(self, form: Format, tmp_path: Path) -> None:
        """Saving and loading changes no bit, dtype or shape of a weight, whatever it is like."""
        kept = 0
        for name, tensor in odd_weights().items():
            path = tmp_path / f"model{kept}"
            try:
                form.save(bag_model({name: tensor}), path)
            except UnsupportedError:
                continue  # a format may refuse a kind of weight, but not change it
            loaded = _weight(form.load(path), name)
            assert (loaded.dtype, loaded.shape) == (tensor.dtype, tensor.shape), name
            assert _bits(loaded) == _bits(tensor), name
            kept += 1

        assert kept, "the format refuses every weight"

    def test_outputs_survive(self, form: Format, tmp_path: Path) -> None:
        """A loaded model has the inputs and outputs of the saved one."""
        model = sample_model()

        form.save(model, tmp_path / "model")
        old, new = model.signature(), form.load(tmp_path / "model").signature()

        assert {s.tensor: s.dtype for s in new.outputs.values()} == {
            s.tensor: s.dtype for s in old.outputs.values()
        }
        assert {s.tensor: (s.dtype, s.shape) for s in new.inputs.values()} == {
            s.tensor: (s.dtype, s.shape) for s in old.inputs.values()
        }

    def test_recognises_its_own(self, form: Format, tmp_path: Path) -> None:
        """A format knows what it wrote, and claims neither an empty file, nor text, nor nothing."""
        form.save(sample_model(), tmp_path / "model")
        (tmp_path / "empty").touch()
        (tmp_path / "text").write_text("<!DOCTYPE html><html>not found</html>")

        assert form.recognises(tmp_path / "model")
        assert not form.recognises(tmp_path / "empty")
        assert not form.recognises(tmp_path / "text")
        assert not form.recognises(tmp_path / "missing")

    def test_junk_is_a_format_error(self, form: Format, tmp_path: Path) -> None:
        """Junk in place of any of its files is a `FormatError`, never what a parser raises."""
        for number, name in enumerate(_files_of(form, tmp_path / "whole")):
            path = tmp_path / f"junk{number}"
            form.save(sample_model(), path / "model")
            (path / name).write_bytes(b"\x0a\xff\xff\xff\xff not a model")

            with pytest.raises(FormatError):
                _read_all(form.load(path / "model"))

    def test_cut_off_is_a_format_error(self, form: Format, tmp_path: Path) -> None:
        """A file that was cut off raises `FormatError`, at once or when it is read.

        A list of nodes that ends between two of them is a whole list, and no reader can tell; the
        cuts here are none of that kind for the formats that come with zoo.
        """
        for number, name in enumerate(_files_of(form, tmp_path / "whole")):
            path = tmp_path / f"cut{number}"
            form.save(sample_model(), path / "model")
            whole = (path / name).read_bytes()
            for length in {0, 1, len(whole) // 3, len(whole) // 2, len(whole) - 1}:
                (path / name).write_bytes(whole[:length])
                with pytest.raises(FormatError):
                    _read_all(form.load(path / "model"))

    def test_flipped_bits_are_no_crash(self, form: Format, tmp_path: Path) -> None:
        """A flipped bit is an error of zoo's own kind, or goes unnoticed; it never is a crash."""
        for number, name in enumerate(_files_of(form, tmp_path / "whole")):
            path = tmp_path / f"flip{number}"
            form.save(sample_model(), path / "model")
            whole = (path / name).read_bytes()
            for position in range(0, len(whole), max(len(whole) // 60, 1)):
                flipped = bytearray(whole)
                flipped[position] ^= 1 << position % 8
                (path / name).write_bytes(flipped)
                try:
                    _read_all(form.load(path / "model"))
                except ZooError:
                    continue

    def test_loading_is_lazy(self, form: Format, tmp_path: Path) -> None:
        """Loading reads the graph, and no weight before it is asked for."""
        large = FilledTensor(b"\0\0\x80\x3f", FLOAT, (_LARGE // 8, 2))
        scattered = ArrayTensor.of(large.read().copy())
        form.save(sample_model(kernel=scattered), tmp_path / "model")

        tracemalloc.start()
        model = form.load(tmp_path / "model")
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

        assert peak < _LARGE // 2
        assert _weight(model, "dense/kernel").shape == large.shape

    def test_save_leaves_the_model_alone(self, form: Format, tmp_path: Path) -> None:
        """Saving does not edit the graph it was handed."""
        model = sample_model()
        before = model.meta_graph.SerializeToString(deterministic=True)

        form.save(model, tmp_path / "model")

        assert model.meta_graph.SerializeToString(deterministic=True) == before

    def test_saving_twice_gives_equal_bytes(self, form: Format, tmp_path: Path) -> None:
        """The same model gives the same bytes, so that a digest means something."""
        form.save(sample_model(), tmp_path / "one" / "model")
        form.save(sample_model(), tmp_path / "two" / "model")

        assert _contents(tmp_path / "one") == _contents(tmp_path / "two")

    def test_failed_save_leaves_nothing(
        self, form: Format, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A save that dies half-way leaves neither a partial model nor a stray draft."""
        folder = tmp_path / "folder"
        folder.mkdir()
        for last in range(1, 8):
            with monkeypatch.context() as patch:
                _let_replace_fail(patch, after=last - 1)
                try:
                    form.save(sample_model(), folder / "model")
                except ZooError:
                    assert list(folder.iterdir()) == []
                else:
                    assert last > 1, "the save does not end with a rename"
                    return

    def test_says_what_it_changed(self, form: Format, tmp_path: Path) -> None:
        """Saving returns what it wrote, and sentences on what it had to change or leave out."""
        saved = form.save(sample_model(), tmp_path / "model") or Saved(tmp_path / "model")

        assert form.recognises(saved.path)
        assert all(saved.notes)


def _weight(model: Model, name: str) -> Tensor:
    """Return a weight by its name, or by the key it was stored under."""
    found = [n for n in model.weights if name in (n, model.weights.key(n))]
    assert found, f"{name} is not among {sorted(model.weights)}"
    return model.weights.tensor(found[0])


def _bits(tensor: Tensor) -> object:
    if tensor.dtype is dtypes.STRING:
        return tensor.read().reshape(-1).tolist()
    values = tensor.read()
    return values.astype(values.dtype.newbyteorder("<")).tobytes()


def _read_all(model: Model) -> None:
    """Read every weight, and what the model takes and gives."""
    for name in model.weights:
        model.weights[name]
    model.signature()


def _files_of(form: Format, folder: Path) -> list[Path]:
    """Return the files that `form` writes a model to, relative to the folder."""
    form.save(sample_model(), folder / "model")
    model = {*folder.glob("model"), *folder.glob("model.*"), *folder.glob("model/**/*")}
    return sorted(path.relative_to(folder) for path in model if path.is_file())


def _contents(folder: Path) -> dict[Path, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in files}


def _let_replace_fail(patch: pytest.MonkeyPatch, *, after: int) -> None:
    """Let the rename that follows `after` good ones fail as on a full disk."""
    calls: Iterator[int] = iter(range(1000))
    real = os.replace

    def replace(source: Path, target: Path) -> None:
        """Rename, or fail in its turn."""
        if next(calls) == after:
            _die()
        real(source, target)

    patch.setattr("os.replace", replace)


def _die() -> NoReturn:
    raise OSError(28, "no space left on device")
