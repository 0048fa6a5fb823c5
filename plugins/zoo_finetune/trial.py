"""What shows before hours of training whether their result can be where, as and called what it is.

The net with its new head is written once where the result goes, read again and looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo import disk, drafts, plugins, targets
from zoo.errors import UnsupportedError, WriteError, ZooError
from zoo.graph import by_name, source
from zoo.specs import spec_of
from zoo_finetune import naming, run_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from zoo.entries import Entry
    from zoo.formats import Format, Saved
    from zoo.library import Library
    from zoo.model import Model
    from zoo_finetune.finetuning import Trained

_NOTHING = "nothing"
_ROOMS = re.compile(r"\.[^/]*\.zoo-\w{8}/new/")


def refuse_nameless(dest: Path) -> None:
    """Check that `dest` names a result, and is not a folder by what it is to others.

    Raises
    ------
    WriteError
        It is ``.``, ``..``, ``/`` or nothing.
    """
    if dest.name in ("", ".."):
        hint = "name the file or folder that is to be made, as in ./net"
        raise WriteError(f"{str(dest)!r} names no result", hint=hint)


def refuse_taken(
    library: Library, dest: Path, form: str, options: Mapping[str, Any], *, force: bool
) -> None:
    """Look at what is where the result goes, before any example is read.

    Raises
    ------
    UnsupportedError
        The format is only read.
    WriteError
        Something is there that a result does not replace, or not without `force`.
    """
    target = plugins.format_named(library.plugins, form)
    if not target.written:
        raise UnsupportedError(
            f"models are read from the format {form}, and not written in it",
            hint="--to names another; `zoo formats` lists those that are written",
        )
    place = target.written_at(dest, options)
    for path in (dest, place):
        disk.refuse_special(path)
    targets.refuse_taken(library.plugins, target, dest, place, force=force)
    if place.is_dir() and not target.recognises(place) and any(place.iterdir()):
        raise WriteError(
            f"{place} is a folder with something else in it",
            hint="name a file or folder that is not there yet",
        )
    run_record.require_free(place, is_folder=form == "saved_model")


@dataclass
class Trial:
    """A result that is written, read and given up again.

    Attributes
    ----------
    library, dest, form, options
        How the result is written.
    name, base, force
        How it is registered, if it is.
    is_folder
        Whether what was written is a folder; known once the trial was made.
    """

    library: Library
    dest: Path
    form: str
    options: Mapping[str, Any]
    name: str | None = None
    base: Entry | None = None
    force: bool = False
    is_folder: bool = False

    def __call__(self, trained: Trained) -> None:
        """Write the model of `trained`, and read it.

        It lies in the folder in which the result will be made, of a link in that of its end: what
        a format refuses, and what a folder does, shows only so.

        Raises
        ------
        UsageError
            The name is that of another net.
        WriteError, DiskError, UnsupportedError
            It cannot be written, or what can be read of it is another model.
        """
        if self.name is not None:
            naming.require_same(self.library, self.name, trained, base=self.base, force=self.force)
        end = self.dest.resolve() if self.dest.is_symlink() else self.dest
        with drafts.drafting(end.parent, self.dest.name) as room:
            try:
                self._written(trained.model, room)
            except ZooError as error:  # the room is nothing that users know of
                told = (error.problem, error.found, error.hint)
                problem, found, hint = (_ROOMS.sub("", one) for one in told)
                raise type(error)(problem, found=found, hint=hint) from error

    def _written(self, model: Model, room: Path) -> None:
        saved = self._format.write(model, room / self.dest.name, self.options)
        self.is_folder = saved.path.is_dir()
        if not self.is_folder:
            disk.refuse_folder(self.place)
        require_same_ends(model, self._format.read(saved.path, {}), self.form)

    @property
    def place(self) -> Path:
        """Where the result will be: what the format makes of `dest`."""
        return self._format.written_at(self.dest, self.options)

    def save(self, model: Model) -> Saved:
        """Write `model` where the result goes."""
        return self._format.write(model, self.dest, self.options)

    @property
    def _format(self) -> Format:
        return plugins.format_named(self.library.plugins, self.form)


def require_same_ends(meant: Model, read: Model, form: str) -> None:
    """Check that `read`, which was written in the format `form`, gives what `meant` does.

    Signatures that both state must have the same outputs.  Where nothing states any, in the model
    or in the format, the tensors themselves must be there, and weights of a name must be alike;
    nothing is run.

    Raises
    ------
    UnsupportedError
        An output is gone, or of another dtype or shape.
    """
    for name, wanted, found in (*_pairs(meant, read), *_weights(meant, read)):
        if found != wanted:
            raise UnsupportedError(
                f"the format {form} does not keep what the model gives",
                found=f"{name}: {found}, where {wanted} was meant",
                hint="--to names another format",
            )


def _weights(meant: Model, read: Model) -> Iterator[tuple[str, str, str]]:
    """Yield the weights of both by name, and what each is."""
    for name in sorted(meant.weights.keys() & read.weights.keys()):
        wanted, found = meant.weights.tensor(name), read.weights.tensor(name)
        yield name, f"{wanted.dtype} {wanted.shape}", f"{found.dtype} {found.shape}"


def _pairs(meant: Model, read: Model) -> Iterator[tuple[str, str, str]]:
    """Yield the outputs of `meant`, what each is, and what stands for it in `read`."""
    if meant.signatures and read.signatures:
        for key, one in meant.signatures.items():
            there = read.signatures[key].outputs if key in read.signatures else {}
            for name, spec in one.outputs.items():
                yield f"{key}, {name}", str(spec), str(there.get(name, _NOTHING))
        return
    nodes = by_name(read.graph)
    for spec in meant.signature().outputs.values():
        for tensor in spec.tensor.split(","):
            is_there = source(tensor) in nodes
            found = str(spec_of(read.graph, tensor, nodes)) if is_there else _NOTHING
            yield tensor, str(spec_of(meant.graph, tensor)), found
