"""``zoo finetune``: another last layer, trained on the examples in a folder or file."""

from __future__ import annotations

import shutil
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo import detect, output, plugins
from zoo.advice import advising
from zoo.commands.options import (
    offline_option,
    quiet_tensorflow,
    registry_option,
    remark,
    saving_options,
    speech_options,
    tags_option,
)
from zoo.errors import WriteError
from zoo.library import BUILT, Library
from zoo_finetune.recipe import OPTIMIZERS, SCHEDULES, STRATEGIES, TASKS, Recipe

if TYPE_CHECKING:
    from zoo.formats import Saved
    from zoo.library import Opened
    from zoo_finetune.finetuning import Trained

_STATE = ".training"
_CHOICES = {
    "task": TASKS, "optimizer": OPTIMIZERS, "schedule": SCHEDULES, "strategy": STRATEGIES,
    "activation": ("softmax", "sigmoid", "none"),
}  # fmt: skip
_HELP = {
    "outputs": "Width of the new last layer.",
    "task": "What the outputs are.",
    "train": "What learns: head, all, a glob of weights, or re:REGEX.",
    "last_layers": "Let the last K layers learn.",
    "features": "The tensor before the last layer.",
    "input": "The tensor that examples are fed to.",
    "signature": "The signature whose inputs these are.",
    "epochs": "How often every example is shown.",
    "batch_size": "Examples in a step.",
    "learning_rate": "Of the optimizer.",
    "optimizer": "Of Keras.",
    "schedule": "How the rate goes on.",
    "warmup": "Epochs in which the rate rises from zero.",
    "layer_decay": "The rate of each layer further back, times this once more.",
    "patience": "End after so many epochs without a better validation loss.",
    "validation_split": "Share that is held out.",
    "validation": "Other examples to judge by.",
    "seed": "Of weights, of what is held out, and of the order.",
    "activation": "What follows the logits.",
    "train_batch_norm": "Let batch normalisation take each batch's statistics.",
    "augment": "Vary pictures.",
    "skip_broken": "Leave out examples that cannot be read.",
    "mixed_precision": "Compute in half precision where that is safe.",
    "jit_compile": "Compile with XLA.",
    "strategy": "Several devices at once.",
    "max_to_keep": "Checkpoints of the training that stay.",
    "keep_checkpoint_every_n_hours": "Besides, one for each so many hours.",
}


def _recipe_options(command: Any) -> Any:
    """Give `command` an option for each field of a recipe."""
    for one in reversed(fields(Recipe)):
        command = _option(one)(command)
    return command


def _option(one: Any) -> Any:
    """Return the option for a field of a recipe; None means that nothing was said."""
    name = "--" + one.name.replace("_", "-")
    if one.type == "bool":
        return click.option(name, one.name, is_flag=True, default=None, help=_HELP[one.name])
    kinds = {"int": int, "float": float, "str": str}
    kind: Any = kinds[one.type.partition(" ")[0]]
    if one.name in _CHOICES:
        kind = click.Choice(_CHOICES[one.name])
    usual = "" if one.default in (MISSING, None) else f"  [{one.default}]"
    return click.option(name, one.name, type=kind, default=None, help=_HELP[one.name] + usual)


@click.command(
    "finetune", epilog="Example: zoo finetune vgg-digits digits/ even.pb --outputs 2 --to frozen"
)
@click.argument("ref")
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("dest", type=click.Path(path_type=Path))
@click.option("--to", "form", metavar="FORMAT", help="Of the result; that of REF by default.")
@click.option("--force", is_flag=True, help="Replace what is at DEST.")
@click.option("--resume", is_flag=True, help="Go on after the last epoch that was finished.")
@_recipe_options
@tags_option
@saving_options
@registry_option
@offline_option
@speech_options
def finetune(
    ref: str,
    data: Path,
    dest: Path,
    form: str | None,
    force: bool,
    resume: bool,
    tags: list[str] | None,
    options: dict[str, Any],
    registry: Path | None,
    offline: bool,
    as_json: bool,
    **said: Any,
) -> None:
    """Give the model REF another last layer, train it on DATA, and write it to DEST.

    DATA is a folder with a folder of pictures for each class, a .npz with x and y, or a .csv.
    """
    quiet_tensorflow()
    recipe = Recipe(**{name: value for name, value in said.items() if value is not None})
    library = Library(registry, offline)
    with advising(library, ref):
        opened = library.open(ref, options={"tags": tags})
        form = form or (opened.format if opened.format != BUILT else "checkpoint")
        _refuse_taken(library, form, dest, options, force=force)
        state = dest.with_name(f".{dest.name}{_STATE}")
        if not resume:
            shutil.rmtree(state, ignore_errors=True)
        trained = _trained(opened, data, recipe, state)
    saved = library.save(trained.model, dest, form, options)
    shutil.rmtree(state, ignore_errors=True)
    _say(trained, saved, form, recipe, as_json)


def _refuse_taken(
    library: Library, form: str, dest: Path, options: dict[str, Any], *, force: bool
) -> None:
    """Refuse to train what could not be written in the end."""
    target = plugins.format_named(library.plugins, form)
    place = target.written_at(dest, options)
    if not force and (place.is_file() or target.recognises(place)):
        raise WriteError(f"{place} exists", hint="--force replaces it; or choose another name")


def _trained(opened: Opened, data: Path, recipe: Recipe, state: Path) -> Trained:
    from zoo_finetune.finetuning import finetune as trained

    entry = opened.entry
    return trained(
        opened.model, data, recipe,
        head=entry.head.features if entry and entry.head else None,
        preprocessing=entry.preprocessing if entry else None,
        state=state,
    )  # fmt: skip


def _say(trained: Trained, saved: Saved, form: str, recipe: Recipe, as_json: bool) -> None:
    for sentence in (*trained.notes, *saved.notes):
        remark(sentence)
    best = trained.epochs[trained.best_epoch]
    if as_json:
        head = trained.head
        facts = {
            "target": {"format": form, "path": str(saved.path)},
            "outputs": recipe.outputs,
            "head": {
                "features": head.features, "logits": head.logits, "weights": list(head.weights),
            },
            "trained_weights": trained.trained_weights,
            "best_epoch": trained.best_epoch,
            "classes": list(trained.classes),
            "epochs": trained.history,
            "notes": [*trained.notes, *saved.notes],
        }  # fmt: skip
        output.say(output.document(facts))
        return
    judged = best.val_accuracy if best.val_accuracy is not None else best.accuracy
    told = f"accuracy {judged:.4g}" if judged is not None else f"loss {best.judged:.4g}"
    size = output.size(detect.size_of(saved.path))
    output.say(f"{saved.path}: {size}, {told} after epoch {trained.best_epoch + 1}")
