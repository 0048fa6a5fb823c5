"""The contract of formats that are read and written, made of what each part of it promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.samples import sample_model
from zoo.testing.comparing import written
from zoo.testing.keeping import KeepingContract
from zoo.testing.many import ManyContract
from zoo.testing.reading import ReaderContract
from zoo.testing.saving import SavingContract

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.formats import Format


class FormatContract(ReaderContract, KeepingContract, SavingContract, ManyContract):
    """What every format promises.  Subclass it and give a `form` fixture."""

    def specimen(self, form: Format, folder: Path) -> Path:
        """Save a small model into `folder`, and return its path."""
        return written(form, sample_model(), folder / "specimen" / "model").path
