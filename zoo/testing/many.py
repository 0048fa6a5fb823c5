"""What a format promises of models with very many weights."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from zoo.samples import bag_model
from zoo.tensors import ArrayTensor
from zoo.testing.comparing import written

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.formats import Format

_FEW, _MANY = 250, 2000
_MOST = 4
"""How many times as long a weight of many may take as one of few; were each weight to look at
every other, it would be eight times."""
_LETTERS = 20
"""Of a name besides its scopes, so that many names are a million letters."""


class ManyContract:
    """What `FormatContract` asks of a model whose names alone are a megabyte."""

    def test_many_weights_take_their_share(self, form: Format, tmp_path: Path) -> None:
        """The time for a weight does not grow with the number of weights."""
        _seconds(form, 10, tmp_path / "imports")
        few = min(_seconds(form, _FEW, tmp_path / f"few{n}") for n in range(2))
        many = _seconds(form, _MANY, tmp_path / "many")

        assert many / _MANY < _MOST * few / _FEW


def _seconds(form: Format, count: int, folder: Path) -> float:
    """Return how long a processor works to save and load so many weights."""
    import numpy as np

    one = ArrayTensor.of(np.float32(1))
    model = bag_model({f"{'scope/' * 80}{number:0{_LETTERS}}": one for number in range(count)})
    start = time.process_time()
    loaded = form.load(written(form, model, folder / "model").path)
    taken = time.process_time() - start
    assert len(loaded.weights) == count
    return taken
