"""``zoo.finetune``: what scripts call."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from zoo import output
from zoo.errors import UsageError, did_you_mean
from zoo.library import Library
from zoo.model import Model
from zoo_finetune.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from zoo_finetune.finetuning import Trained


def finetune(
    ref: str | Path | Model,
    data: Any,
    *,
    outputs: int,
    state: Path | None = None,
    callbacks: Sequence[Any] = (),
    verbose: bool = True,
    trust: bool = False,
    **options: Any,
) -> Trained:
    """Give a model a last layer of `outputs` outputs, and train it on `data`.

    Parameters
    ----------
    ref
        A model, or what `zoo.load` takes.
    data
        A folder with a folder of pictures for each class, a ``.npz`` with ``x`` and ``y``, a
        ``.csv``, arrays ``(x, y)``, or a ``tf.data.Dataset`` of such pairs.
    state
        A folder in which the training is kept after each epoch, and from which it goes on.
    callbacks
        Of Keras.
    verbose
        Whether each epoch is told of, on standard error.
    trust
        Whether the model may do more than compute; see `zoo.load`.
    options
        As `zoo_finetune.recipe.Recipe` has them: ``train="all"``, ``epochs=5``...

    Returns
    -------
    Trained
        Its ``model``, its ``history``, and what was held out.

    Raises
    ------
    UsageError
        An option is unknown, or nobody can tell which layer is the last.
    InputError
        There is something wrong with the data: all of it is listed.
    """
    from zoo_finetune.finetuning import finetune as trained
    from zoo_finetune.runs import of_opened

    recipe = Recipe(outputs, **_known(options))
    with output.silent(not verbose):
        if isinstance(ref, Model):
            ref = ref.trusted() if trust else ref
            return trained(ref, data, recipe, state=state, callbacks=callbacks)
        return of_opened(
            Library(trust=trust).open(ref), data, recipe, state=state, callbacks=callbacks
        )


def _known(options: dict[str, Any]) -> dict[str, Any]:
    known = {one.name for one in fields(Recipe)}
    for name in options:
        if name not in known:
            raise UsageError(f"fine-tuning has no option {name!r}", hint=did_you_mean(name, known))
    return options
