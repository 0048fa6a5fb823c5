"""Files and folders, looked through for what runs code or reaches out; nothing is executed.

What a file is, its first bytes say.  Of a folder every file is looked at, since what loads it may
take another than one thinks: a ``saved_model.pbtxt`` beside a ``saved_model.pb``.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zoo import archives, bundle, bundle_v1, keras_file, keras_findings, scanned_graphs
from zoo.errors import FormatError, ZooError, counted
from zoo.extracting import USUAL as LIMITS
from zoo.file_types import file_type
from zoo.findings import Finding
from zoo.saved_model_file import BINARY, TEXT, folder_of
from zoo.scanned_archives import unpack
from zoo.scanning import look
from zoo.sightings import Sightings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from zoo.model import Model

_KERAS_METADATA, _HUB, _FINGERPRINT = "keras_metadata.pb", "tfhub_module.pb", "fingerprint.pb"
_DATA = re.compile(r"(.+)\.data-\d{5}-of-\d{5}")
_MODELS = (
    ".ckpt", ".h5", ".hdf5", ".index", ".keras", ".meta", ".mlir", ".onnx", ".pb", ".tflite",
)  # fmt: skip
"""Endings of names of files that hold a model, so that one which cannot be read is said."""
_PICKLES = (".dill", ".joblib", ".pickle", ".pkl", ".pt", ".pth")
_PROTOCOL_0 = re.compile(rb"(c[\w.]+\n[\w.]+\n|\(([dl]p\d|c[\w.]+\n))")
_OBJECTS = re.compile(rb"'descr':[^}]*['\"]\|?O")
_PICKLE = "is a pickle: reading it runs what it says"
_START = 4096
_MOST_FILES = 20_000
_DEEPEST = 3
_LINK = "which is refused"
"""What our reader of HDF5 says of what lies in another file."""


@dataclass(frozen=True)
class Look:
    """Looks through files.

    Attributes
    ----------
    model_at
        Returns the model at a path, read by a format that recognises it, or None.
    depth
        How many archives it is inside of.
    """

    model_at: Callable[[Path], Model | None]
    depth: int = 0

    def through(self, path: Path) -> Sightings:
        """Return what is seen in the file, folder or checkpoint at `path`."""
        if path.is_dir():
            return self._folder(path)
        if path.name in (BINARY, TEXT):
            return self._folder(folder_of(path))
        beside = [*_beside(path)]
        seen = Sightings()
        for file in beside or [path]:
            self._file(seen, file, "" if len(beside) <= 1 else file.name, alone=True)
        return seen

    def _folder(self, folder: Path) -> Sightings:
        seen = self.within(folder)
        if not seen.models and not seen.found:
            seen.unread.append("no model that can be read")
        return seen

    def within(self, folder: Path) -> Sightings:
        """Return what is seen in the files in `folder`, be there a model among them or not."""
        seen, passed = Sightings(), 0
        for number, file in enumerate(sorted(folder.rglob("*"))):
            if number >= _MOST_FILES:
                seen.unread.append(f"more than {_MOST_FILES} files, the rest of which was not read")
                break
            if file.is_dir() and not file.is_symlink():
                continue
            passed += not self._file(seen, file, file.relative_to(folder).as_posix(), alone=False)
        if passed:
            seen.notes.append(f"not looked into, as no graph or net: {counted(passed, 'file')}")
        return seen

    def _file(self, seen: Sightings, path: Path, name: str, *, alone: bool) -> bool:
        """Add to `seen` what is in the file at `path`; tell whether it was looked into."""
        try:
            found = self._seen(path, alone=alone)
        except ZooError as error:
            found = Sightings(unread=[_said(error)])
        except OSError as error:
            found = Sightings(unread=[f"cannot be read: {error.strerror}"])
        if found is None and alone:
            found = self._unknown(path)
        if found is not None:
            seen.join(found, name)
        return found is not None

    def _seen(self, path: Path, *, alone: bool) -> Sightings | None:
        """Return what is in the file at `path`; None if it is nothing that runs or is a model."""
        if not path.is_file():
            return Sightings(unread=["is no file: a broken link, a pipe or a device"])
        with path.open("rb") as file:
            start = file.read(_START)
        if not start and not alone and path.suffix not in (*_MODELS, ".pbtxt"):
            return None  # such as an __init__.py
        for question in (_named, _code, self._keras, self._arrays, self._archive, _graph, _weights):
            found = question(path, start)
            if found is not None:
                return found
        found = self._by_plugin(path)
        if found is None and (path.suffix in _MODELS or not start):
            return self._unknown(path)
        return found

    def _unknown(self, path: Path) -> Sightings:
        return Sightings(unread=[f"cannot be judged: {file_type(path).what}"])

    def _by_plugin(self, path: Path) -> Sightings | None:
        model = self.model_at(path)
        if model is None:
            return None
        seen, scanned = Sightings(), look(model.meta_graph)
        seen.add(scanned.findings, scanned.levels())
        return seen

    def _arrays(self, path: Path, start: bytes) -> Sightings | None:
        """Look into an archive of arrays, in which an array of objects is a pickle."""
        if not start.startswith(b"PK") or not archives.is_arrays(path):
            return None
        seen = self._by_plugin(path) or Sightings(models=1)
        with archives.opened(path, LIMITS.most(path.stat().st_size)) as members:
            for member in members:
                first = next(iter(member.chunks()), b"")
                found = _array(member.name, first[:_START])
                seen.join(found or Sightings(), member.name)
        return seen

    def _archive(self, path: Path, start: bytes) -> Sightings | None:  # noqa: ARG002
        if not archives.recognises(path):
            return None
        return self._unpacked(path)

    def _unpacked(self, path: Path, known: Collection[str] = ()) -> Sightings:
        """Return what is in the members of the archive at `path`, those that are `known` apart."""
        if self.depth >= _DEEPEST:
            return Sightings(unread=["an archive within archives, which was not unpacked"])
        seen, inner = Sightings(), Look(self.model_at, self.depth + 1)
        with tempfile.TemporaryDirectory(prefix="zoo-scan-") as room:
            seen.add(unpack(path, Path(room), known))
            seen.models = 0
            seen.join(inner.within(Path(room)) if known else inner.through(Path(room)))
        return seen

    def _keras(self, path: Path, start: bytes) -> Sightings | None:
        """Look into a file of Keras, and at what else was put into it."""
        seen = _of_keras(path, start)
        if seen is None or not start.startswith(b"PK"):
            return seen
        own = keras_file.MEMBERS
        try:
            if any(one.name not in own for one in archives.members(path)):
                seen.join(self._unpacked(path, own))
        except ZooError as error:
            seen.unread.append(_said(error))
        return seen


def _said(error: ZooError) -> str:
    return f"{error.problem}: {error.found}" if error.found else error.problem


def _beside(path: Path) -> Iterator[Path]:
    """Yield the files of the checkpoint, or the file, that `path` names."""
    if path.is_file():
        yield path
        meta = path.with_name(f"{path.name}.meta")
        if meta.is_file():
            yield meta
        return
    if path.parent.is_dir():
        yield from sorted(one for one in path.parent.iterdir() if _is_part(one.name, path.name))


def _is_part(name: str, prefix: str) -> bool:
    rest = name.removeprefix(prefix)
    return rest != name and (rest in (".index", ".meta") or rest.startswith((".data-", "-0")))


def _named(path: Path, start: bytes) -> Sightings | None:
    """Look into what is known by its name in a SavedModel."""
    if path.name in (BINARY, TEXT):
        return scanned_graphs.of_saved_model(path)
    if path.name == _KERAS_METADATA:
        return scanned_graphs.of_keras_metadata(path)
    if path.name in (_HUB, _FINGERPRINT):
        return scanned_graphs.of_graph(path) or Sightings()
    shard = _DATA.fullmatch(path.name)
    if shard and not start.startswith(b"\x80") and bundle.recognises(path.with_name(shard[1])):
        return Sightings()
    return None


def _code(path: Path, start: bytes) -> Sightings | None:
    """Tell a pickle, an array of objects and a library of machine code."""
    kind = file_type(path).name
    if kind == "npy":
        return _array(path.name, start) or Sightings(models=1)
    if kind == "elf" or path.suffix in (".so", ".dll", ".dylib"):
        why = "is a library of machine code, for operations of its own"
        return _one(Finding("library", path.name, why, "custom-op"))
    if kind == "pickle" or path.suffix in _PICKLES or _PROTOCOL_0.match(start):
        return _one(Finding("pickle", path.name, _PICKLE, "python"))
    return None


def _array(name: str, start: bytes) -> Sightings | None:
    if not start.startswith(b"\x93NUMPY"):
        return Sightings(unread=["no array, though it is called one"])
    if not _OBJECTS.search(start):
        return None
    return _one(Finding("pickle", name, f"is an array of objects, which {_PICKLE}", "python"))


def _one(finding: Finding) -> Sightings:
    seen = Sightings()
    seen.add([finding])
    return seen


def _of_keras(path: Path, start: bytes) -> Sightings | None:
    """Look into a file of Keras, its configuration as JSON among it."""
    if path.suffix == ".json" and b'"class_name"' in start:
        return _settings(path.read_bytes())
    if not keras_file.recognises(path):
        return None
    file = keras_file.KerasFile(path)
    seen = Sightings()
    for text in file.settings():
        seen.join(_settings(text))
    seen.models = 1
    try:
        _ = file.weights
    except ZooError as error:
        if _LINK in error.found:
            seen.add([Finding("HDF5 link", path.name, f"points elsewhere: {error.found}", "io")])
        else:
            seen.unread.append(_said(error))
    return seen


def _settings(text: str | bytes) -> Sightings:
    seen = Sightings()
    try:
        seen.add(keras_findings.of_text(text))
    except ValueError as error:
        raise FormatError("its configuration is no JSON", found=str(error)) from error
    return seen


def _graph(path: Path, start: bytes) -> Sightings | None:  # noqa: ARG001
    if scanned_graphs.is_text(path):
        return scanned_graphs.of_text(path)
    return scanned_graphs.of_graph(path)


def _weights(path: Path, start: bytes) -> Sightings | None:  # noqa: ARG001
    """Look at a checkpoint, which holds values alone."""
    if path.suffix == ".index" and bundle.recognises(path.with_suffix("")):
        bundle.read(path.with_suffix(""), whole=False)
        return Sightings(models=1)
    if bundle_v1.recognises(path):
        return Sightings(models=1)
    return Sightings() if path.name == "checkpoint" else None
