"""What a format plugin hands over: a name, three functions, and the options these take."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zoo.errors import UsageError, did_you_mean, some

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from zoo.model import Model


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
    """

    name: str
    summary: str
    load: bool = False
    save: bool = False


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
        See the contract.
    options
        What ``load`` and ``save`` take besides; they are given nothing else.
    choices
        Returns, for the model at a path, the values that options of ``load`` can have there:
        ``{"tags": [["serve"], ["train"]]}``.  None where there is never a choice.
    """

    name: str
    summary: str
    recognises: Callable[[Path], bool]
    load: Callable[..., Model]
    save: Callable[..., Saved | None]
    options: Sequence[Option] = field(default_factory=tuple)
    choices: Callable[[Path], Mapping[str, Sequence[Any]]] | None = None

    def read(self, path: Path, options: Mapping[str, Any]) -> Model:
        """Return the model at `path`, loaded with those of `options` that are not None.

        Raises
        ------
        UsageError
            The format does not declare one of them for loading.
        """
        return self.load(path, **self._declared(options, "load"))

    def write(self, model: Model, path: Path, options: Mapping[str, Any]) -> Saved:
        """Save `model` to `path` with those of `options` that are not None.

        Raises
        ------
        UsageError
            The format does not declare one of them for saving.
        """
        return self.save(model, path, **self._declared(options, "save")) or Saved(path)

    def _declared(self, options: Mapping[str, Any], side: str) -> dict[str, Any]:
        given = {name: value for name, value in options.items() if value is not None}
        declared = [option.name for option in self.options if getattr(option, side)]
        for name in given:
            if name not in declared:
                raise UsageError(
                    f"the format {self.name} has no option {name!r} to {side}",
                    found=some(declared) or "no options",
                    hint=did_you_mean(name, declared),
                )
        return given
