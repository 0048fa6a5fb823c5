"""What a format plugin hands over: a name, three functions, and the options these take."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zoo.errors import UnsupportedError, UsageError, did_you_mean, some

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from pathlib import Path

    from zoo.model import Model
    from zoo.plain import Run

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}
_SIZE = re.compile(rf"(\d+(?:\.\d+)?) ?({'|'.join(_UNITS)})", re.IGNORECASE)


@dataclass(frozen=True)
class Option:
    """A keyword argument that a format's ``load`` or ``save`` takes.

    Attributes
    ----------
    name
        The keyword, ``"global_step"``.
    summary
        One line on what it does.
    load, save
        Which of the two functions takes it.
    kind
        Returns the value that is meant, from what a program or a command line gives; raises
        `ValueError` with what it should be.  See `flag`, `whole`, `hours`, `size`, `words`, `keys`.
    """

    name: str
    summary: str
    load: bool = False
    save: bool = False
    kind: Callable[[Any], Any] = field(default=lambda value: value)


def flag(value: object) -> bool:
    """Return a value that must be true or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def whole(value: object) -> int:
    """Return a value that must be a whole number, 0 or more; numpy's are taken too."""
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if number < 0 or isinstance(value, bool):
        raise ValueError("a whole number, 0 or more")
    return number


def hours(value: object) -> float:
    """Return a value that must be a positive number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ValueError("a positive number")
    return float(value)


def size(value: object) -> int:
    """Return a value that must be a number of bytes, at least 1: also as ``500MB`` or ``1GiB``.

    >>> size("500MB"), size("1GiB"), size(4096)
    (500000000, 1073741824, 4096)
    """
    spelled = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if spelled:
        value = round(float(spelled[1]) * _UNITS[spelled[2].upper()])
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("a number of bytes, as in 500MB, 2GB or 1GiB")
    return value


def words(value: object) -> list[str]:
    """Return a value that must be texts: a list of them, or one text with commas between."""
    given = [word for word in value.split(",") if word] if isinstance(value, str) else value
    listed = [*given] if isinstance(given, Iterable) else [given]
    texts = [word for word in listed if isinstance(word, str)]
    if len(texts) != len(listed):
        raise ValueError("texts, as in serve,gpu")
    return texts


def keys(value: object) -> dict[str, str]:
    """Return a value that must be names, or a mapping from new names to these."""
    if not isinstance(value, Mapping):
        return {word: word for word in words(value)}
    if not all(isinstance(text, str) for pair in value.items() for text in pair):
        raise ValueError("names, or a mapping from new names to names")
    return dict(value)


@dataclass(frozen=True)
class Saved:
    """What a format's ``save`` did.

    Attributes
    ----------
    path
        What was written, as ``load`` takes it: the path it was given, or one made of it.
    notes
        A sentence for each thing that the format made necessary to change or leave out.
    """

    path: Path
    notes: Sequence[str] = ()


def read_only(model: Model, path: Path) -> Saved | None:  # noqa: ARG001  (the form of a save)
    """Refuse to save: what stands in a format that is read, and not written.

    Raises
    ------
    UnsupportedError
        In any case.
    """
    raise UnsupportedError(
        "models are read from this format, and not written in it",
        found=str(path),
        hint="`zoo formats` lists those that are written",
    )


@dataclass(frozen=True)
class Format:
    """A way to lay a model out on disk.

    The contract, which `zoo.testing.FormatContract` checks:

    - ``recognises(path)`` looks at a few kilobytes of contents, not at the name, and never raises.
    - ``load(path, **options)`` reads the graph and leaves weights in the file.  For bytes that are
      damaged it raises `FormatError`, and nothing else.
    - ``save(model, path, **options)`` leaves `model` as it was, and leaves at `path` all or
      nothing. What the format cannot hold it refuses (`UnsupportedError`), or says in the notes
      of what it returns; it drops nothing in silence.
    - ``load`` after ``save`` gives a model that computes the same function, its weights bit for
      bit.

    Attributes
    ----------
    name
        What a user types and a registry entry says, ``"frozen"``.
    summary
        One line for ``zoo formats``.
    recognises, load, save
        See the contract.  `read_only` in the place of ``save`` is a format that is not written.
    options
        What ``load`` and ``save`` take besides; they are given nothing else.
    choices
        Returns, for the model at a path, the values that options of ``load`` can have there:
        ``{"tags": [["serve"], ["train"]]}``.  None where there is never a choice.
    target
        Returns, given what ``save`` is given but for the model, the path of what it would write:
        ``model-1000`` for ``model``.  None where that is the path it is given.
    leaves
        Returns, given what ``load`` is given, a sentence for each thing that lies there and is no
        part of the model.  None where there never is such a thing.
    files
        Returns the files of which the model at a path consists.  None where that is the file
        itself, or everything in the folder.
    look
        As ``load``, for looking only: a weight whose data file is missing comes without values.
        None where ``load`` does as well.
    variant
        Returns what ``zoo inspect`` calls the model at a path, where that may be more precise than
        the format's name: ``"checkpoint_v1"``.
    facts
        Returns the document of ``zoo inspect --json`` for the model at a path, and a pattern for
        tensors that are listed besides; for a format whose models take long to load.  None where
        it is made of the loaded model.
    judge
        Opens the model at a path without zoo, by TensorFlow's own means, and gives what runs it:
        see `zoo.plain`.  None where nothing but the format itself can read it.  One that is not of
        `zoo.plain` is not asked for a model that is not trusted with all that is in it.
    bare
        Tells whether what lies at a path is weights alone.  In a folder they are no model of their
        own beside one that has a graph.  None where they always are one.
    signatures
        Whether models keep their signatures in it; where not, names are those of nodes.
    """

    name: str
    summary: str
    recognises: Callable[[Path], bool]
    load: Callable[..., Model]
    save: Callable[..., Saved | None]
    options: Sequence[Option] = field(default_factory=tuple)
    choices: Callable[[Path], Mapping[str, Sequence[Any]]] | None = None
    target: Callable[..., Path] | None = None
    leaves: Callable[..., Sequence[str]] | None = None
    files: Callable[[Path], Sequence[Path]] | None = None
    look: Callable[..., Model] | None = None
    variant: Callable[[Path], str] | None = None
    facts: Callable[[Path, str | None], dict[str, Any]] | None = None
    judge: Callable[[Path], AbstractContextManager[Run]] | None = None
    bare: Callable[[Path], bool] | None = None
    signatures: bool = True

    @property
    def written(self) -> bool:
        """Tell whether models can be saved in it."""
        return self.save is not read_only

    def read(self, path: Path, options: Mapping[str, Any]) -> Model:
        """Return the model at `path`, loaded with those of `options` that are not None.

        Raises
        ------
        UsageError
            The format does not declare one of them for loading.
        """
        return self.load(path, **self._declared(options, "load"))

    def looked_at(self, path: Path, options: Mapping[str, Any]) -> Model:
        """Return the model at `path` as far as it is there."""
        return (self.look or self.load)(path, **self._declared(options, "load"))

    def write(self, model: Model, path: Path, options: Mapping[str, Any]) -> Saved:
        """Save `model` to `path` with those of `options` that are not None.

        Raises
        ------
        UsageError
            The format does not declare one of them for saving.
        UnsupportedError
            The format is only read.
        """
        return self.save(model, path, **self._declared(options, "save")) or Saved(path)

    def written_at(self, path: Path, options: Mapping[str, Any]) -> Path:
        """Return the path of what `write` would write."""
        return self.target(path, **self._declared(options, "save")) if self.target else path

    def left_at(self, path: Path, options: Mapping[str, Any]) -> Sequence[str]:
        """Return a sentence for each thing at `path` that `read` leaves there."""
        return self.leaves(path, **self._declared(options, "load")) if self.leaves else ()

    def files_at(self, path: Path) -> list[Path]:
        """Return the files of which the model at `path` consists, in the order of their names."""
        if self.files is not None:
            return sorted(self.files(path))
        return sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]

    def _declared(self, options: Mapping[str, Any], side: str) -> dict[str, Any]:
        given = {name: value for name, value in options.items() if value is not None}
        declared = {option.name: option for option in self.options if getattr(option, side)}
        for name in given:
            if name not in declared:
                raise UsageError(
                    f"the format {self.name} has no option {name!r} to {side}",
                    found=some(declared) or "no options",
                    hint=did_you_mean(name, declared),
                )
        return {name: self._meant(declared[name], value) for name, value in given.items()}

    def _meant(self, option: Option, value: object) -> Any:
        try:
            return option.kind(value)
        except ValueError as error:
            raise UsageError(
                f"the option {option.name} must be {error}", found=repr(value)
            ) from error
