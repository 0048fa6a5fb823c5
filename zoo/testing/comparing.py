"""What the contracts hold side by side: weights, files, and models that were read whole."""

from __future__ import annotations

import shutil
import tracemalloc
from contextlib import contextmanager
from typing import TYPE_CHECKING

from zoo import dtypes
from zoo.errors import UnsupportedError
from zoo.samples import bag_model

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from zoo.formats import Format, Saved
    from zoo.model import Model
    from zoo.tensors import Tensor


def weight(model: Model, name: str) -> Tensor:
    """Return a weight by its name, or by the key it was stored under."""
    found = [n for n in model.weights if name in (n, model.weights.key(n))]
    assert found, f"{name} is not among {sorted(model.weights)[:20]}"
    return model.weights.tensor(found[0])


def bits(tensor: Tensor) -> object:
    """Return the values of `tensor` in a form in which other bits are another value."""
    values = tensor.read()
    if tensor.dtype is dtypes.STRING:
        return values.reshape(-1).tolist()
    return values.astype(values.dtype.newbyteorder("<")).tobytes()


def assert_same(model: Model, tensors: Mapping[str, Tensor]) -> None:
    """Fail where a weight of `model` differs from `tensors` in dtype, shape or any bit."""
    for name, tensor in tensors.items():
        found = weight(model, name)
        assert (found.dtype, found.shape) == (tensor.dtype, tensor.shape), name
        assert bits(found) == bits(tensor), f"other bits in {name}"


def kept(form: Format, tensors: Mapping[str, Tensor], folder: Path) -> list[str]:
    """Return the names of `tensors`, each saved alone, that `form` does not refuse.

    It fails where one comes back as another: a format may refuse a weight, but not change it.
    """
    names = []
    for number, (name, tensor) in enumerate(tensors.items()):
        try:
            saved = written(form, bag_model({name: tensor}), folder / str(number) / "model")
        except UnsupportedError:
            continue
        assert_same(form.load(saved.path), {name: tensor})
        names.append(name)
    return names


def written(form: Format, model: Model, path: Path) -> Saved:
    """Save `model`, and return what ``save`` says of it."""
    return form.write(model, path, {})


def read_whole(model: Model) -> None:
    """Read every weight, and what the model takes and gives."""
    for name in model.weights:
        model.weights[name]
    model.signature()


def contents(folder: Path) -> dict[Path, bytes]:
    """Return the bytes of every file below `folder`."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder): path.read_bytes() for path in files}


def copies(path: Path, form: Format, folder: Path) -> Iterator[tuple[Path, Path]]:
    """Yield, for each file of the model at `path`, a copy of the model and that file in it."""
    files = form.files_at(path)
    for number, file in enumerate(files):
        room = folder / f"copy{number}"
        for part in files:
            target = room / part.relative_to(path.parent)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(part, target)
        yield room / path.name, room / file.relative_to(path.parent)


@contextmanager
def measured() -> Iterator[list[int]]:
    """Yield a list that afterwards holds the most bytes that were in use at once in the block."""
    peak: list[int] = []
    tracemalloc.start()
    try:
        yield peak
        peak.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
