"""What a training that is broken off goes on from: weights, optimizer and epochs, in one file.

The file is replaced as a whole after each epoch, so that a process which dies at any moment leaves
the state after its last epoch.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

from zoo import atomic
from zoo.errors import FormatError, UsageError, counted
from zoo_finetune.progress import Epoch, Progress

if TYPE_CHECKING:
    from pathlib import Path

    from zoo_finetune.progress import Learner
    from zoo_finetune.recipe import Recipe

NAME = "state.npz"
_EPOCHS, _WEIGHT, _BEST, _OPTIMIZER = "epochs", "weight:", "best:", "optimizer:"


@dataclass(frozen=True)
class State:
    """Where the state of a training is kept.

    Attributes
    ----------
    folder
        The folder, which is there.
    mark
        A digest of what must be the same for the training to go on.
    recipe
        How it is to go on; its epochs need not be those of before.
    """

    folder: Path
    mark: str
    recipe: Recipe

    def keep(self, learning: Learner, progress: Progress) -> None:
        """Write how far the training is; not before there are weights that are worth something.

        From a loss that is no number a training could only come to nothing again.
        """
        import numpy as np

        if progress.best_epoch < 0:
            return
        facts = {
            "mark": self.mark,
            "planned": self.recipe.epochs,
            "epochs": [asdict(one) for one in progress.epochs],
            "best_epoch": progress.best_epoch,
        }
        arrays: dict[str, Any] = {_EPOCHS: np.frombuffer(json.dumps(facts).encode(), np.uint8)}
        arrays |= {f"{_WEIGHT}{name}": value for name, value in learning.values().items()}
        arrays |= {f"{_BEST}{name}": value for name, value in progress.best.items()}
        for number, variable in enumerate(learning.keras.optimizer.variables):
            arrays[f"{_OPTIMIZER}{number}"] = variable.numpy()
        with atomic.replacing(self.folder / NAME) as draft, draft.open("wb") as file:
            np.savez(file, **arrays)

    def restored(self, learning: Learner) -> Progress:
        """Return how far the training was, and set the net to it.

        Raises
        ------
        FormatError
            What lies there is the state of another training.
        UsageError
            It cannot go on for that many epochs.
        """
        import numpy as np

        path = self.folder / NAME
        if not path.is_file():
            return Progress()
        try:
            with np.load(path, allow_pickle=False) as kept:
                facts = json.loads(kept[_EPOCHS].tobytes())
                self._check(facts)
                learning.assign(_named(kept, _WEIGHT))
                for number, variable in enumerate(learning.keras.optimizer.variables):
                    variable.assign(kept[f"{_OPTIMIZER}{number}"])
                best = _named(kept, _BEST)
            return Progress([Epoch(**one) for one in facts["epochs"]], best, facts["best_epoch"])
        except (KeyError, ValueError, TypeError, OSError, BadZipFile) as error:
            raise self._another(str(error)) from error

    def _check(self, facts: dict[str, Any]) -> None:
        if facts["mark"] != self.mark:
            raise self._another("other options, other examples or another model")
        done, then, now = len(facts["epochs"]), facts["planned"], self.recipe.epochs
        if now < done:
            raise UsageError(
                f"the training is further than {counted(now, 'epoch')}",
                found=f"{done} that are done",
                hint=f"--epochs {done}, or more, to go on; leave out --resume to begin anew",
            )
        if now != then and self.recipe.schedule != "constant":
            raise UsageError(
                f"a rate with the schedule {self.recipe.schedule} falls over all epochs",
                found=f"{then} when the training began, and {now} now",
                hint=f"--epochs {then} to go on; leave out --resume to begin anew",
            )

    def _another(self, found: str) -> FormatError:
        return FormatError(
            f"{self.folder / NAME} is not the state of this training",
            found=found,
            hint="leave out --resume to begin anew",
        )


def _named(kept: Any, kind: str) -> dict[str, Any]:
    return {name.removeprefix(kind): kept[name] for name in kept.files if name.startswith(kind)}
