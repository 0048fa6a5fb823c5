"""The file ``checkpoint`` of a folder: which checkpoint is the latest, and which others are kept.

Source: ``tensorflow/python/training/saver.py``, ``checkpoint_management.py`` and
``checkpoint_state.proto``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from zoo import bundle, bundle_v1, protos
from zoo.errors import FormatError, WriteError, some

NAME = "checkpoint"
_FIRST_WORD = b"model_checkpoint_path:"
_LOOK = 64
_LARGEST = 16 << 20
"""Bytes that such a file has at most, which is the names of more checkpoints than a disk has."""


@dataclass(frozen=True)
class Keeping:
    """Which checkpoints of a folder stay when another one is saved.

    Attributes
    ----------
    most
        How many, the latest; 0 for all.
    every
        Besides, one for each so many hours; None for none.
    """

    most: int = 0
    every: float | None = None


def is_state(path: Path) -> bool:
    """Tell whether the file at `path` is one that names checkpoints, by its first words."""
    try:
        with path.open("rb") as file:
            return file.read(_LOOK).lstrip().startswith(_FIRST_WORD)
    except OSError:
        return False


def latest(folder: Path, name: str = NAME) -> Path:
    """Return the prefix that the file `name` of `folder` names, or the only one there is.

    A folder that was moved still has the checkpoint under its name, whatever path the file gives.
    What that path names elsewhere is nobody's business: a stranger's folder must not have another
    user's files read.

    Raises
    ------
    FormatError
        The file cannot be read or names what is not there; or there is no such file, and not
        exactly one checkpoint.
    """
    state = read(folder, name)
    if state is not None:
        named = Path(state.model_checkpoint_path)
        here, there = folder / named.name, folder / named
        inside = not (named.is_absolute() or ".." in named.parts)
        for prefix in (there, here) if inside else (here,):
            if named.name and "\0" not in str(named) and is_there(prefix):
                return prefix
        raise FormatError(
            f"{folder / name} names a checkpoint that is not in its folder",
            found=str(named),
            hint="give the prefix of the checkpoint that you want",
        )
    prefixes = sorted(path.with_suffix("") for path in folder.glob("*.index"))
    if len(prefixes) != 1:
        raise FormatError(
            f"{folder} holds {'several checkpoints' if prefixes else 'no checkpoint'}",
            found=some(prefix.name for prefix in prefixes) or f"no file {NAME}, no .index",
            hint=f"give the prefix, as in {prefixes[0]}" if prefixes else "",
        )
    return prefixes[0]


def is_there(prefix: Path) -> bool:
    """Tell whether a checkpoint is called `prefix`, in the format of today or of before 2016."""
    return bundle.recognises(prefix) or bundle_v1.recognises(prefix)


def read(folder: Path, name: str = NAME) -> protos.CheckpointState | None:
    """Return what the file `name` of `folder` says, None if there is none.

    Raises
    ------
    FormatError
        It cannot be read.
    """
    path = folder / name
    if not path.is_file():
        return None
    from google.protobuf import text_format

    try:
        if path.stat().st_size > _LARGEST:
            raise FormatError(f"{path} cannot be read", found=f"{path.stat().st_size} bytes")
        state: protos.CheckpointState = text_format.Parse(
            path.read_text(encoding="utf-8"), protos.CheckpointState()
        )
    except (OSError, UnicodeDecodeError, text_format.ParseError) as error:
        raise FormatError(f"{path} cannot be read", found=str(error)) from error
    return state


def naming(prefix: Path, keeping: Keeping, now: float) -> tuple[str, list[Path]]:
    """Return the text of the file that names `prefix` as the latest, and what goes because of it.

    Paths in it are relative, so that the folder can be moved.  The times are written only where one
    in so many hours is kept, as nothing else needs them.

    Parameters
    ----------
    now
        When the checkpoint is saved, in seconds since 1970.

    Raises
    ------
    FormatError
        There is such a file already, and it cannot be read.
    WriteError
        The prefix is no UTF-8, which the file must be.
    """
    try:
        state = protos.CheckpointState(model_checkpoint_path=prefix.name)
    except (UnicodeEncodeError, ValueError) as error:
        raise WriteError(
            f"{prefix.name!r} cannot be the name of a checkpoint", found="no UTF-8"
        ) from error
    if not keeping.most:
        state.all_model_checkpoint_paths.append(prefix.name)
        return _text(state), []
    before = read(prefix.parent) or protos.CheckpointState()
    saved = {name: at for name, at in _saved(prefix.parent, before) if name != prefix.name}
    saved[prefix.name] = now
    preserved = before.last_preserved_timestamp or min(saved.values())
    gone = []
    for name in [*saved][: max(len(saved) - keeping.most, 0)]:
        at = saved.pop(name)
        if keeping.every and at > preserved + keeping.every * 3600:
            preserved += keeping.every * 3600
        else:
            gone.append(prefix.with_name(name))
    state.all_model_checkpoint_paths.extend(saved)
    if keeping.every:
        state.all_model_checkpoint_timestamps.extend(saved.values())
        state.last_preserved_timestamp = preserved
    return _text(state), gone


def parts(prefix: Path) -> list[Path]:
    """Return the files of `prefix` that today's TensorFlow would have written, and no others."""
    length = len(prefix.name)
    there = (path for path in prefix.parent.iterdir() if path.name.startswith(prefix.name))
    return [path for path in there if _is_suffix(path.name[length:])]


def _is_suffix(text: str) -> bool:
    return text in (".index", ".meta") or bundle.is_data_suffix(text)


def _saved(folder: Path, state: protos.CheckpointState) -> list[tuple[str, float]]:
    """Return the checkpoints of `folder` that `state` lists and that are there, with their times.

    Where it gives no times, those of the files count.  What lies elsewhere is none of ours.
    """
    paths = [Path(path) for path in state.all_model_checkpoint_paths]
    times = list(state.all_model_checkpoint_timestamps)
    if len(times) != len(paths):
        times = [0.0] * len(paths)
    found = []
    for path, at in zip(paths, times, strict=True):
        index = bundle.index_path(folder / path.name) if path.name else folder
        if index.is_file() and (path.is_absolute() or path.parent == Path()):
            found.append((path.name, at or index.stat().st_mtime))
    return found


def _text(state: protos.CheckpointState) -> str:
    from google.protobuf import text_format

    text: str = text_format.MessageToString(state)
    return text
