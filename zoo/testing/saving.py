"""What a format promises of its ``save``: all or nothing, the same each time, the model as it was.

And of what it wrote: that loading it takes neither memory nor TensorFlow.
"""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, NoReturn

import pytest

from zoo import dtypes
from zoo.errors import FormatError, ZooError
from zoo.model import Model
from zoo.samples import FLOAT, bag_model, sample_model
from zoo.tensors import ArrayTensor, FilledTensor, LazyTensor
from zoo.testing.comparing import assert_same, contents, measured, read_whole, weight, written
from zoo.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np

    from zoo.formats import Format
    from zoo.tensors import Tensor

_LARGE = 32 << 20
"""Bytes of the weight by which a format shows that it loads nothing before it is asked."""
_A_LOOK = 1 << 20
_YEAR = 365 * 24 * 3600
_RUNTIMES = ("tensorflow", "keras")


class SavingContract:
    """What `FormatContract` asks of ``save``, and of the files that it leaves."""

    def test_loading_is_lazy(self, form: Format, tmp_path: Path) -> None:
        """Loading reads the graph, and no weight before it is asked for."""
        path = _large(form, tmp_path)

        with measured() as peak:
            model = form.load(path)

        assert peak[0] < _LARGE // 2
        assert weight(model, "dense/kernel").nbytes == _LARGE

    def test_recognising_reads_little(self, form: Format, tmp_path: Path) -> None:
        """A look at a large model takes no more memory than one at a small one."""
        path = _large(form, tmp_path)

        with measured() as peak:
            form.recognises(path)

        assert peak[0] < _A_LOOK

    def test_needs_no_tensorflow(
        self, form: Format, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Saving and loading do without TensorFlow and Keras, whose imports take seconds."""
        for name in _RUNTIMES:
            monkeypatch.setitem(sys.modules, name, None)

        read_whole(form.load(written(form, sample_model(), tmp_path / "model").path))

    def test_save_leaves_the_model_alone(self, form: Format, tmp_path: Path) -> None:
        """Saving does not edit the graph it was handed."""
        model = sample_model()
        before = model.meta_graph.SerializeToString(deterministic=True)

        written(form, model, tmp_path / "model")

        assert model.meta_graph.SerializeToString(deterministic=True) == before

    def test_saving_twice_gives_equal_bytes(self, form: Format, tmp_path: Path) -> None:
        """The same model gives the same bytes wherever it is saved, so that a digest means much."""
        written(form, sample_model(), tmp_path / "one" / "model")
        written(form, sample_model(), tmp_path / "two" / "model")

        assert contents(tmp_path / "one") == contents(tmp_path / "two")

    def test_bytes_do_not_depend_on_the_time(
        self, form: Format, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A model that is saved a year later gives the same bytes."""
        written(form, sample_model(), tmp_path / "model")
        before = contents(tmp_path)
        later, seconds = time.time_ns() + _YEAR * 10**9, time.time() + _YEAR
        monkeypatch.setattr(time, "time", lambda: seconds)
        monkeypatch.setattr(time, "time_ns", lambda: later)
        written(form, sample_model(), tmp_path / "model")

        assert contents(tmp_path) == before

    def test_bytes_do_not_depend_on_the_order(self, form: Format, tmp_path: Path) -> None:
        """In which order a model knows its weights makes no difference to the bytes."""
        model = sample_model()
        turned = {name: model.weights.tensor(name) for name in reversed([*model.weights])}
        written(form, sample_model(), tmp_path / "model")
        before = contents(tmp_path)
        written(form, Model(model.meta_graph, Weights(turned)), tmp_path / "model")

        assert contents(tmp_path) == before

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
                    written(form, sample_model(), folder / "model")
                except ZooError:
                    assert list(folder.iterdir()) == []
                else:
                    assert last > 1, "the save does not end with a rename"
                    return

    def test_unreadable_weight_leaves_nothing(self, form: Format, tmp_path: Path) -> None:
        """Where the source turns out to be damaged, or the user interrupts, nothing is left."""
        for number, death in enumerate((FormatError("damaged"), KeyboardInterrupt(), OSError(5))):
            folder = tmp_path / str(number)
            folder.mkdir()
            with pytest.raises((type(death), ZooError)):
                written(form, _dying(death), folder / "model")

            assert list(folder.iterdir()) == []

    def test_failed_save_leaves_the_old(self, form: Format, tmp_path: Path) -> None:
        """A save that dies leaves the model that was there before as it was."""
        written(form, sample_model(), tmp_path / "model")
        before = contents(tmp_path)

        with pytest.raises(FormatError):
            written(form, _dying(FormatError("damaged")), tmp_path / "model")

        assert contents(tmp_path) == before

    def test_replaces_what_was_there(self, form: Format, tmp_path: Path) -> None:
        """Nothing of a larger model stays where a smaller one is saved over it."""
        large: dict[str, Tensor] = {
            f"w{n}": FilledTensor(b"\0\0\x80\x3f", FLOAT, (n, 1000)) for n in range(9)
        }
        written(form, sample_model(), tmp_path / "model")
        fresh = contents(tmp_path)
        written(form, bag_model(large), tmp_path / "model")
        written(form, sample_model(), tmp_path / "model")

        assert contents(tmp_path) == fresh

    def test_saves_over_its_own_source(self, form: Format, tmp_path: Path) -> None:
        """A model that lies where it is saved to is read before it is replaced."""
        path = written(form, sample_model(), tmp_path / "model").path
        model = form.load(path)
        before = {name: ArrayTensor.of(model.weights[name].copy()) for name in model.weights}

        written(form, model, tmp_path / "model")

        assert_same(form.load(path), before)


def _large(form: Format, folder: Path) -> Path:
    """Save a model with a large weight, and return its path."""
    values = FilledTensor(b"\0\0\x80\x3f", FLOAT, (_LARGE // 8, 2)).read().copy()
    return written(form, sample_model(kernel=ArrayTensor.of(values)), folder / "model").path


def _dying(death: BaseException) -> Model:
    """Return a model whose last weight raises `death` when it is read."""

    def die() -> np.ndarray:
        """Raise instead of giving values."""
        raise death

    model = sample_model()
    last = LazyTensor(dtypes.named("float32"), (2,), die)
    overlaid = model.weights.overlay({"dense/bias": last})
    return Model(model.meta_graph, overlaid)


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
