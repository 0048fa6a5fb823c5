"""Record, report and card of a run: made before the model has its place, and there with it.

What fills a disk is written first; the rest are renames.  So a run leaves all of it, or nothing.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import disk, drafts
from zoo_finetune import model_card, report, run_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from zoo_finetune.finetuning import Trained
    from zoo_finetune.recipe import Recipe

_CARD = "README.md"
_NAMES = (run_record.NAME, *run_record.REPORT, _CARD)


@contextmanager
def drafted(place: Path, *, is_folder: bool) -> Iterator[Path]:
    """Yield an empty folder, on the disk of the result that will be at `place`, gone afterwards."""
    end = place.resolve() if is_folder and place.is_symlink() else place
    with drafts.drafting(end.parent, f"{place.name}.report") as draft:
        yield draft


def write(
    draft: Path,
    place: Path,
    trained: Trained,
    recipe: Recipe,
    record: Mapping[str, Any],
    card: str,
    *,
    is_folder: bool,
) -> list[str]:
    """Write record, report and card into `draft`; return what is to be said of them.

    A README.md that a person wrote stays, also in a folder that is replaced as a whole.

    Parameters
    ----------
    place
        Where the result will be, a folder or not.
    record
        As `run_record.record` returns it.
    card
        As `model_card.card` returns it.
    """
    folder = place if is_folder else place.parent
    run_record.write(draft, record)
    notes = report.write(draft, trained, recipe, record, read_in=folder)
    if not model_card.is_anothers(folder / _CARD):
        model_card.write(draft, card)
    else:
        notes.append("left README.md as it is: a person wrote it")
        if is_folder:
            shutil.copy2(folder / _CARD, draft / _CARD)
    disk.sync(draft)
    return notes


def publish(draft: Path, place: Path) -> None:
    """Move what is in `draft` to where it belongs beside the result at `place`, which is there."""
    folder = run_record.folder_of(place)
    with disk.written(folder):
        for name in _NAMES:
            if (draft / name).exists():
                _move(draft / name, folder / name)
        disk.sync_folder(folder)


def _move(draft: Path, path: Path) -> None:
    """Rename `draft` to `path`; a folder there ends where the draft was, which will go."""
    disk.take_over_mode(draft, path)
    if os.path.lexists(path) and disk.exchange(draft, path):
        return
    if path.is_dir():
        shutil.rmtree(path)
    draft.rename(path)


def forget(place: Path) -> None:
    """Delete what lies beside `place` and tells of what was there before, not of what is.

    That is of a file which a folder replaced, and of a trained net which an untrained one did.
    """
    folder = place.parent
    record = folder / run_record.NAME
    if run_record.written_to(record) != place.absolute():
        return
    card = () if model_card.is_anothers(folder / _CARD) else (_CARD,)
    for name in (*run_record.REPORT, *card, run_record.NAME):
        with suppress(OSError):
            (shutil.rmtree if (folder / name).is_dir() else Path.unlink)(folder / name)
