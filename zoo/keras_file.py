"""Keras models in a file of their own: ``.h5``, ``.keras`` and weights alone, read, never executed.

Source: ``keras/src/legacy/saving/legacy_h5_format.py``, ``keras/src/saving/saving_lib.py``.
"""

from __future__ import annotations

import itertools
import json
import zipfile
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zoo import budget, dtypes, zip_members
from zoo.errors import FormatError, UnsupportedError
from zoo.hdf5 import SIGNATURE, Dataset, Group, Hdf5
from zoo.keras_config import Net
from zoo.mapped import MappedFile
from zoo.tensors import FileTensor, Shape, Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np

    from zoo.dtypes import DType

_ZIP = b"PK\x03\x04"
_CONFIG, _METADATA, _WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
MEMBERS = frozenset({_CONFIG, _METADATA, _WEIGHTS})
"""The files in a ``.keras`` file that Keras writes for every net."""
_LOCAL_HEAD, _NAME_SIZE_AT, _EXTRA_SIZE_AT = 30, 26, 28
_MOST_JSON = 1 << 28
_JSON = 24
"""Bytes that one byte of JSON may become."""
_OPTIMIZERS = ("optimizer_weights", "optimizer")


def recognises(path: Path) -> bool:
    """Tell whether the file at `path` is one that Keras writes; never raises."""
    try:
        with path.open("rb") as file:
            start = file.read(len(SIGNATURE))
        if start == SIGNATURE:
            return True
        return start.startswith(_ZIP) and {_CONFIG, _METADATA} <= set(_members(path))
    except (OSError, FormatError):
        return False


@dataclass(frozen=True, eq=False)
class _OfOtherForm(Tensor):
    """An array in pieces, compressed or never written: nobody knows what is stored of it."""

    dtype: DType
    shape: Shape
    label: str
    form: str

    @property
    def held(self) -> int:
        """Nothing that could be told."""
        return 0

    def read(self) -> np.ndarray:
        """Say that values in this form are not read.

        Raises
        ------
        UnsupportedError
            Always.
        """
        raise UnsupportedError(
            f"{self.label} is stored in a form that zoo does not read", found=self.form
        )


@dataclass(frozen=True)
class KerasFile:
    """A Keras model in the file at `path`, or its weights alone.

    Every property raises `FormatError` where the file is damaged.
    """

    path: Path

    @cached_property
    def is_zip(self) -> bool:
        """Tell whether it is a ``.keras`` file."""
        with self.path.open("rb") as file:
            return file.read(len(_ZIP)) == _ZIP

    @cached_property
    def _hdf5(self) -> Hdf5:
        file = MappedFile(self.path)
        if not self.is_zip:
            return Hdf5(file)
        info = _members(self.path).get(_WEIGHTS)
        if info is None:
            raise FormatError(f"{self.path} is damaged", found=f"no {_WEIGHTS} in it")
        if info.compress_type != zipfile.ZIP_STORED:
            raise UnsupportedError(f"the weights in {self.path} are compressed")
        head = file.read(info.header_offset, _LOCAL_HEAD)
        sizes = (head[at : at + 2] for at in (_NAME_SIZE_AT, _EXTRA_SIZE_AT))
        start = info.header_offset + _LOCAL_HEAD + sum(int.from_bytes(s, "little") for s in sizes)
        end = start + info.file_size
        if end > file.size:
            raise file.cut_off(end)
        return Hdf5(file, start, end)

    @cached_property
    def net(self) -> Net | None:
        """The net, None where the file holds weights alone."""
        text = self._json(_CONFIG) if self.is_zip else self._noted("model_config")
        return None if text is None else Net(self._parsed(text))

    @property
    def version(self) -> str | None:
        """Return the version of Keras that wrote the file, None if it does not say."""
        if self.is_zip:
            found = self._parsed(self._json(_METADATA) or "{}").get("keras_version")
        else:
            found = self._noted("keras_version")
            if found is None and "model_weights" in self._hdf5.root.members:
                inner = self._hdf5.root.members["model_weights"]
                found = inner.attributes.get("keras_version") if isinstance(inner, Group) else None
        return found if isinstance(found, str) else None

    @property
    def release(self) -> int:
        """Return the first number of that version: 1 for a file that is too old to say it."""
        first = (self.version or "").partition(".")[0]
        return int(first) if first.isdecimal() else 1 if self.version is None else 2

    @property
    def backend(self) -> str | None:
        """Return what computed with the weights: tensorflow, theano, cntk; None if not stated."""
        inner = self._hdf5.root.members.get("model_weights", self._hdf5.root)
        found = inner.attributes.get("backend") if isinstance(inner, Group) else None
        return found if isinstance(found, str) else None

    @property
    def training(self) -> dict[str, Any] | None:
        """Return how the model was compiled, None where it was not."""
        if self.is_zip:
            found = self._parsed(self._json(_CONFIG) or "{}").get("compile_config")
            return found if isinstance(found, dict) else None
        text = self._noted("training_config")
        return None if text is None else self._parsed(text)

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """The weights by their paths in the file, those of the optimizer too."""
        return dict(self._within("", self._hdf5.root))

    @cached_property
    def layers(self) -> list[tuple[str, dict[str, Tensor]]] | None:
        """The layers that have weights, in the order of the file, with these in their order.

        A weight has the name it was saved under, ``"dense/kernel:0"``.  None for a file of Keras 3,
        which keeps weights by the paths of objects.
        """
        root = self._hdf5.root
        inner = root.members.get("model_weights", root) if not self.is_zip else None
        if not isinstance(inner, Group) or _listed(inner, "layer_names") is None:
            return None
        found = []
        for name in _listed(inner, "layer_names") or ():
            group = self._at(inner, name)
            if not isinstance(group, Group):
                raise FormatError(f"{self.path} is damaged", found=f"no group {name!r}")
            names = _listed(group, "weight_names") or ()
            found.append((name, {weight: self._weight(group, weight) for weight in names}))
        return [(name, weights) for name, weights in found if weights]

    def _at(self, group: Group, path: str) -> Group | Dataset | None:
        at: Group | Dataset | None = group
        for part in path.split("/"):
            at = at.members.get(part) if isinstance(at, Group) else None
        return at

    def _weight(self, group: Group, name: str) -> Tensor:
        found = self._at(group, name)
        if not isinstance(found, Dataset):
            raise FormatError(f"{self.path} is damaged", found=f"no values for {name!r}")
        return self._tensor(name, found)

    def is_slot(self, key: str) -> bool:
        """Tell whether the weight under the path `key` is the optimizer's."""
        return key.split("/", 1)[0] in _OPTIMIZERS

    def _within(self, above: str, group: Group) -> Iterator[tuple[str, Tensor]]:
        todo: list[tuple[str, Group | Dataset]] = [(above, group)]
        while todo:
            path, found = todo.pop()
            if isinstance(found, Dataset):
                if found.type.dtype is not None:
                    yield path, self._tensor(path, found)
            else:
                inner = [(f"{path}/{name}".lstrip("/"), one) for name, one in found.members.items()]
                todo += reversed(inner)

    def _tensor(self, label: str, found: Dataset) -> Tensor:
        dtype = found.type.dtype or dtypes.named("float32")
        layout, hdf5 = found.layout, self._hdf5
        plain = layout.kind == "contiguous" and layout.address is not None
        if plain and not found.type.swapped and layout.size in (-1, found.nbytes):
            at = hdf5.start + (layout.address or 0)
            if at + found.nbytes <= hdf5.reader.end:
                return FileTensor(hdf5.file, at, dtype, found.shape, label)
            raise hdf5.file.cut_off(at + found.nbytes)

        return _OfOtherForm(dtype, found.shape, f"{label!r} in {self.path}", layout.kind)

    def settings(self) -> list[str]:
        """Return the configurations in the file, as JSON: of the net, and of how it was trained.

        Raises
        ------
        FormatError
            One is no text.
        """
        if self.is_zip:
            return [self._json(_CONFIG) or "{}"]
        found = [self._hdf5.root.attributes.get(n) for n in ("model_config", "training_config")]
        if any(isinstance(one, list) for one in found):
            raise FormatError(f"{self.path} has a configuration that is no text")
        return [one for one in found if isinstance(one, str)]

    def _noted(self, name: str) -> str | None:
        found = self._hdf5.root.attributes.get(name)
        return found if isinstance(found, str) else None

    def _json(self, name: str) -> str | None:
        info = _members(self.path).get(name)
        if info is None:
            return None
        if info.file_size > _MOST_JSON:
            raise FormatError(f"{self.path} is damaged", found=f"{name} of {info.file_size} bytes")
        claimed = _JSON * info.file_size
        budget.refuse(claimed, info.compress_size, f"{name} in {self.path}, once it is read,")
        try:
            with zipfile.ZipFile(self.path) as whole:
                return whole.read(info).decode()
        except _ZIP_ERRORS as error:
            raise FormatError(f"{self.path} is damaged", found=f"{name}: {error}") from error

    def _parsed(self, text: str) -> dict[str, Any]:
        try:
            found = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise FormatError(
                f"{self.path} has a configuration that is no JSON", found=str(error)
            ) from error
        if not isinstance(found, dict):
            raise FormatError(f"{self.path} has a configuration that is no mapping")
        return found


def _listed(group: Group, name: str) -> list[str] | None:
    """Return the texts noted as `name`, which Keras cuts in pieces where they are many."""
    pieces: list[str] = []
    for key in itertools.chain([name], (f"{name}{number}" for number in itertools.count())):
        noted = group.attributes.get(key)
        if noted is None and key != name:
            break
        pieces += [noted] if isinstance(noted, str) else noted or []
    return pieces if pieces or name in group.attributes else None


_ZIP_ERRORS = (
    zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError,
    ValueError, OSError,
)  # fmt: skip


def _members(path: Path) -> dict[str, zipfile.ZipInfo]:
    try:
        with path.open("rb") as file:
            next(zip_members.members(file), None)  # which refuses what `zipfile` would take in
        with zipfile.ZipFile(path) as whole:
            return {info.filename: info for info in whole.infolist()}
    except FormatError as error:
        raise FormatError(f"{path} is a damaged zip archive", found=error.found) from error
    except _ZIP_ERRORS as error:
        raise FormatError(f"{path} is a damaged zip archive", found=str(error)) from error
