"""What a format promises to keep: every bit of every weight, and the function of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.compare import compare
from zoo.errors import UnsupportedError
from zoo.samples import bag_model, odd_weights, sample_model, signed_model, with_extras
from zoo.tensors import ArrayTensor
from zoo.testing.comparing import assert_same, kept, written

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.formats import Format
    from zoo.tensors import Tensor

_SHAPES = ("scalar", "empty", "deep")
_LAYOUTS = ("column", "transposed", "big_endian", "filled")
_DTYPES = ("flags", "bytes", "counts", "half", "brain", "waves")
_TEXTS = ("words",)
_PLAIN = ("a", "a/b", "a/b/c", "A", "a.b", "a_b", "a-b", "CON", "weights")
_ODD = ("scope/größe/重み", "../../outside", "/absolute", "long" * 75, "with space", "per%cent")


class KeepingContract:
    """What `FormatContract` asks of a model that was saved and loaded."""

    def test_weights_survive_bit_for_bit(self, form: Format, tmp_path: Path) -> None:
        """Zeros of both signs, infinities, the payload of a NaN: no bit changes."""
        model = sample_model()

        loaded = form.load(written(form, model, tmp_path / "model").path)

        assert_same(loaded, {name: model.weights.tensor(name) for name in model.weights})

    def test_shapes_survive(self, form: Format, tmp_path: Path) -> None:
        """A scalar stays a scalar, an empty weight empty, and eight axes eight."""
        assert kept(form, _odd(_SHAPES), tmp_path) == [*_SHAPES]

    def test_layouts_survive(self, form: Format, tmp_path: Path) -> None:
        """How values lie in memory makes no difference: in steps, turned, big-endian, repeated."""
        assert kept(form, _odd(_LAYOUTS), tmp_path) == [*_LAYOUTS]

    def test_dtypes_survive_or_are_refused(self, form: Format, tmp_path: Path) -> None:
        """A dtype comes back as it was; one that the format does not have is refused."""
        kept(form, _odd(_DTYPES), tmp_path)

    def test_texts_survive_or_are_refused(self, form: Format, tmp_path: Path) -> None:
        """Texts keep every byte, NULs at their ends too; or they are refused."""
        kept(form, _odd(_TEXTS), tmp_path)

    def test_names_survive(self, form: Format, tmp_path: Path) -> None:
        """A name beside a scope of that name, or one that differs by case or sign only, is kept."""
        tensors = _counted(_PLAIN)

        loaded = form.load(written(form, bag_model(tensors), tmp_path / "model").path)

        assert_same(loaded, tensors)

    def test_odd_names_survive_or_are_refused(self, form: Format, tmp_path: Path) -> None:
        """Names that are no file's name are kept or refused, and lead nowhere else."""
        folder = tmp_path / "one" / "two"
        kept(form, _counted(_ODD), folder)

        assert list(tmp_path.iterdir()) == [tmp_path / "one"]
        assert list((tmp_path / "one").iterdir()) in ([folder], [])

    def test_outputs_survive(self, form: Format, tmp_path: Path) -> None:
        """A loaded model has the inputs and outputs of the saved one."""
        model = sample_model()

        saved = written(form, model, tmp_path / "model")
        old, new = model.signature(), form.load(saved.path).signature()

        assert {s.tensor: s.dtype for s in new.outputs.values()} == {
            s.tensor: s.dtype for s in old.outputs.values()
        }
        assert {s.tensor: (s.dtype, s.shape) for s in new.inputs.values()} == {
            s.tensor: (s.dtype, s.shape) for s in old.inputs.values()
        }

    def test_function_survives(self, form: Format, tmp_path: Path) -> None:
        """The graph computes the same, operation by operation from the outputs."""
        model = sample_model()

        loaded = form.load(written(form, model, tmp_path / "model").path)

        assert compare(model, loaded)["graph"]["differences"] == []

    def test_signatures_survive_or_are_said(self, form: Format, tmp_path: Path) -> None:
        """Every signature comes back by its key and names; a format without them says so."""
        model = signed_model()

        saved = written(form, model, tmp_path / "model")
        loaded = form.load(saved.path)

        if form.signatures:
            assert loaded.signatures == model.signatures
        else:
            assert saved.notes, "signatures are gone, and no note says it"

    def test_keeps_refuses_or_says(self, form: Format, tmp_path: Path) -> None:
        """What a model may have besides comes back, is refused, or is named in a note."""
        said = written(form, sample_model(), tmp_path / "plain").notes
        for what, (model, has) in with_extras(tmp_path).items():
            path = tmp_path / what / "model"
            try:
                saved = written(form, model, path)
            except UnsupportedError:
                assert not path.exists(), f"{what} was refused, and written"
                continue
            noted = set(saved.notes) - set(said)
            assert noted or has(form.load(saved.path)), f"{what} is gone, and no note says it"

    def test_says_what_it_changed(self, form: Format, tmp_path: Path) -> None:
        """Saving returns what it wrote, and sentences on what it had to change or leave out."""
        saved = written(form, sample_model(), tmp_path / "model")

        assert form.load(saved.path).weights
        assert saved.path == form.written_at(tmp_path / "model", {})
        assert all(note.strip() for note in saved.notes)


def _odd(names: tuple[str, ...]) -> dict[str, Tensor]:
    every = odd_weights()
    return {name: every[name] for name in names}


def _counted(names: tuple[str, ...]) -> dict[str, Tensor]:
    """Return a weight of each name, no two of them equal."""
    import numpy as np

    return {name: ArrayTensor.of(np.array([n, -n], np.float32)) for n, name in enumerate(names, 1)}
