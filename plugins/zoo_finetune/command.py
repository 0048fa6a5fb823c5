"""``zoo finetune``: another last layer, trained on the examples in a folder or file."""

from __future__ import annotations

import importlib.util
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo import detect, output
from zoo.advice import advising
from zoo.commands.examples import examples
from zoo.commands.libraries import library_options, trusting_option
from zoo.commands.options import (
    import_tensorflow,
    quiet,
    quiet_tensorflow,
    remark,
    saving_options,
    speech_options,
    tags_option,
)
from zoo.commands.places import Place
from zoo.errors import UsageError
from zoo_finetune.option_values import CHOICES
from zoo_finetune.recipe import Recipe

if TYPE_CHECKING:
    from zoo.library import Library
    from zoo_finetune.finetuning import Trained
    from zoo_finetune.runs import Done

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
    "train_batch_norm": "Let batch normalisation go by each batch, and move its averages.",
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
    if one.name in CHOICES:
        kind = click.Choice(CHOICES[one.name])
    usual = "" if one.default in (MISSING, None) else f"  [{one.default}]"
    return click.option(name, one.name, type=kind, default=None, help=_HELP[one.name] + usual)


@click.command(
    "finetune",
    epilog=examples(
        "zoo finetune vgg-digits digits/ even.pb --outputs 2 --to frozen",
        "zoo finetune keras-vgg16 photos/ out/ --outputs 2 --epochs 5",
    ),
)
@click.argument("ref")
@click.argument("data", type=Place())
@click.argument("dest", type=Place())
@click.option("--to", "form", metavar="FORMAT", help="Of the result; that of REF by default.")
@click.option("--force", is_flag=True, help="Replace what is at DEST.")
@click.option("--resume", is_flag=True, help="Go on after the last epoch that was finished.")
@click.option(
    "--config", type=click.Path(path_type=Path), help="A recipe: these options in a YAML file."
)
@click.option(
    "--tensorboard", type=click.Path(path_type=Path), help="Write logs for TensorBoard there."
)
@click.option("--register", "name", metavar="NAME", help="Register the result as NAME.")
@_recipe_options
@tags_option
@saving_options
@library_options
@trusting_option
@speech_options
def finetune(
    ref: str,
    data: Path,
    dest: Path,
    form: str | None,
    force: bool,
    resume: bool,
    config: Path | None,
    tensorboard: Path | None,
    name: str | None,
    tags: list[str] | None,
    options: dict[str, Any],
    library: Library,
    as_json: bool,
    **said: Any,
) -> None:
    """Give the model REF another last layer, train it on DATA, and write it to DEST.

    DATA is a folder with a folder of pictures for each class, a .npz with x and y, or a .csv. A
    record, a report and a card are written beside the result.
    """
    from zoo_finetune.runs import Run, done

    quiet_tensorflow()
    given = {key: value for key, value in said.items() if value is not None}
    recipe = _recipe(config, given)
    logs = _logs(tensorboard)
    run = Run(ref, data, dest, recipe, form, name, force, resume, {"tags": tags}, options, logs)
    with advising(library, ref), output.silent(quiet()):
        _say(done(library, run, import_tensorflow), recipe, as_json)


@click.command("rebuild", epilog=examples("zoo rebuild even/"))
@click.argument("place", type=Place())
@library_options
@trusting_option
@speech_options
def rebuild(place: Path, library: Library, as_json: bool) -> None:
    """Train the model at PLACE again by its record, and say whether its weights are the same.

    PLACE is the folder with recipe.yaml, that file, or the model. It ends with 1 where a weight
    differs.
    """
    from zoo_finetune import fingerprints, rebuilding, run_record
    from zoo_finetune.runs import of_opened

    quiet_tensorflow()
    recipe, old = run_record.load(run_record.of_result(place))
    rebuilding.require_record(old, str(place))
    import_tensorflow()
    opened = library.open(old["base"]["model"], options={"tags": old["base"].get("tags")})
    with output.silent(quiet()):
        trained = of_opened(opened, Path(old["data"]["path"]), recipe)
    base = fingerprints.of_model(opened.model)
    rebuilding.require_same_source(old, base=base, data=trained.digest)
    same, told = rebuilding.compare(old, trained.model, run_record.environment())
    if as_json:
        output.say(output.document({"equal": same, "told": told}))
    else:
        output.say(told)
    if not same:
        raise click.exceptions.Exit(1)


def _logs(folder: Path | None) -> list[Any]:
    """Return what writes logs for TensorBoard into `folder`, if that is wanted."""
    if folder is None:
        return []
    if importlib.util.find_spec("tensorboard") is None:
        raise UsageError("tensorboard is not installed", hint="pip install 'zoo[train]'")
    import keras  # type: ignore[import-untyped]

    return [keras.callbacks.TensorBoard(str(folder))]


def _recipe(config: Path | None, given: dict[str, Any]) -> Recipe:
    if config is not None:
        from zoo_finetune import run_record

        return run_record.load(config, given)[0]
    if "outputs" not in given:
        raise UsageError("how wide is the new last layer?", hint="say it: --outputs N")
    return Recipe(**given)


def _say(found: Done, recipe: Recipe, as_json: bool) -> None:
    trained, path = found.trained, found.saved.path
    for sentence in found.notes:
        remark(sentence)
    if as_json:
        head = trained.head
        facts = {
            "target": {"format": found.form, "path": str(path)},
            "outputs": recipe.outputs,
            "head": {
                "features": head.features, "logits": head.logits, "weights": list(head.weights),
            },
            "trained_weights": trained.trained_weights,
            "best_epoch": trained.best_epoch,
            "classes": list(trained.classes),
            "epochs": trained.history,
            "notes": found.notes,
        }  # fmt: skip
        output.say(output.document(facts))
        return
    output.say(f"{path}: {output.size(detect.size_of(path))}{_told(trained)}")


def _told(trained: Trained) -> str:
    """Return how good the best epoch was, nothing where there was none."""
    if not trained.epochs:
        return ""
    best = trained.epochs[trained.best_epoch]
    judged = best.val_accuracy if best.val_accuracy is not None else best.accuracy
    told = f"accuracy {judged:.4g}" if judged is not None else f"loss {best.judged:.4g}"
    return f", {told} after epoch {trained.best_epoch + 1}"
