"""A run from a name and examples to files: the model, its record, its report, its card."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import disk, drafts, plugins
from zoo.errors import UnsupportedError, WriteError
from zoo.library import BUILT
from zoo_finetune import fingerprints, model_card, naming, report, run_record
from zoo_finetune.finetuning import finetune
from zoo_finetune.training_state import NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from zoo.formats import Saved
    from zoo.library import Library
    from zoo.model import Model
    from zoo.opened import Opened
    from zoo_finetune.finetuning import Trained
    from zoo_finetune.recipe import Recipe

_STATE, _CHECKPOINTS = ".training", ".checkpoints"


@dataclass(frozen=True)
class Run:
    """What is to be done.

    Attributes
    ----------
    ref
        The model to begin with: a name, a path, a URL.
    data
        What is learned from.
    dest
        Where the result goes.
    recipe
        How it is trained.
    form
        The format of the result; that of the source by default.
    name
        What it is registered as; not at all by default.
    force
        Whether what is at `dest` is replaced.
    resume
        Whether a training that was broken off goes on.
    load_options, options
        What the formats are given.
    callbacks
        Of Keras.
    """

    ref: str
    data: Path
    dest: Path
    recipe: Recipe
    form: str | None = None
    name: str | None = None
    force: bool = False
    resume: bool = False
    load_options: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    callbacks: Sequence[Any] = ()

    @property
    def state(self) -> Path:
        """The folder in which the training is kept while it goes on."""
        return self.dest.with_name(f".{self.dest.name}{_STATE}")


def _nothing() -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Done:
    """What came of a run: the model, where it is, in which format, and what is to be said."""

    trained: Trained
    saved: Saved
    form: str
    notes: list[str]


def done(library: Library, run: Run, before: Callable[[], None] = _nothing) -> Done:
    """Train, and write all that comes of it.

    Parameters
    ----------
    before
        Is called when nothing is in the way of training.

    Raises
    ------
    WriteError
        There is something at the result's place, or the record of another result.
    """
    opened = library.open(run.ref, options=dict(run.load_options))
    form = run.form or _usual(library, opened)
    _refuse_taken(library, run, form)
    before()
    with _state(run):
        trained = of_opened(
            opened, run.data, run.recipe,
            state=run.state, tried=_trying(library, run, form), keep=_keeping(library, run),
            callbacks=run.callbacks,
        )  # fmt: skip
        saved = library.save(trained.model, run.dest, form, dict(run.options))
        told = _told(library, run, opened, trained, saved.path, form) if trained.epochs else []
        shutil.rmtree(run.state, ignore_errors=True)
    return Done(trained, saved, form, [*trained.notes, *saved.notes, *told])


def _usual(library: Library, opened: Opened) -> str:
    """Return the format of the source, or one that is written where that is only read."""
    if opened.format == BUILT:
        return "checkpoint"
    written = plugins.format_named(library.plugins, opened.format).written
    return opened.format if written else "saved_model"


@contextmanager
def _state(run: Run) -> Iterator[None]:
    """Have the folder of the state to oneself; one without a state goes when the block ends.

    Raises
    ------
    BusyError
        Another process is at this result.
    """
    with disk.written(run.state):
        run.state.mkdir(parents=True, exist_ok=True)
    with drafts.alone(run.state, patience=0):
        if not run.resume:
            (run.state / NAME).unlink(missing_ok=True)
        try:
            yield
        finally:
            if not (run.state / NAME).exists():
                shutil.rmtree(run.state, ignore_errors=True)


def _trying(library: Library, run: Run, form: str) -> Callable[[Trained], None]:
    """Return what writes a model in the format of the result, and takes it away again.

    A format may refuse what only writing shows it, and would after hours of training.
    """

    def tried(trained: Trained) -> None:
        """Write the model beside the state."""
        with drafts.drafting(run.state, "trial") as room:
            library.save(trained.model, room / run.dest.name, form, dict(run.options))

    return tried


def _keeping(library: Library, run: Run) -> Callable[[Model, int], None] | None:
    """Return what saves a checkpoint after each epoch; None where none is to stay."""
    recipe = run.recipe
    if not recipe.max_to_keep and recipe.keep_checkpoint_every_n_hours is None:
        return None
    folder = run.dest.with_name(f"{run.dest.name}{_CHECKPOINTS}")

    def keep(model: Model, epochs: int) -> None:
        """Save `model`, and let the oldest go."""
        options = {
            "global_step": epochs,
            "max_to_keep": max(recipe.max_to_keep, 1),
            "keep_checkpoint_every_n_hours": recipe.keep_checkpoint_every_n_hours,
        }
        given = {key: value for key, value in options.items() if value is not None}
        library.save(model, folder / "model", "checkpoint", given)

    return keep


def of_opened(opened: Opened, data: Any, recipe: Recipe, **options: Any) -> Trained:
    """Return what comes of training `opened`, as its registry entry says where it has one."""
    entry = opened.entry
    return finetune(
        opened.model, data, recipe,
        head=entry.head.features if entry and entry.head else None,
        preprocessing=entry.preprocessing if entry else None,
        **options,
    )  # fmt: skip


def _refuse_taken(library: Library, run: Run, form: str) -> None:
    """Look at what is where the result goes, before hours of training."""
    target = plugins.format_named(library.plugins, form)
    if not target.written:
        raise UnsupportedError(
            f"models are read from the format {form}, and not written in it",
            hint="--to names another; `zoo formats` lists those that are written",
        )
    place = target.written_at(run.dest, dict(run.options))
    if not run.force and (place.is_file() or target.recognises(place)):
        raise WriteError(f"{place} exists", hint="--force replaces it; or choose another name")
    run_record.require_free(place, is_folder=form == "saved_model")
    if run.name is not None:
        naming.require_free(library, run.name, force=run.force)


def _located(recipe: Recipe) -> Recipe:
    """Return `recipe` as it holds from any folder."""
    if recipe.validation is None:
        return recipe
    return replace(recipe, validation=str(Path(recipe.validation).absolute()))


def _told(
    library: Library, run: Run, opened: Opened, trained: Trained, path: Path, form: str
) -> list[str]:
    """Write record, report and card of a run; return what is to be said of them."""
    base = {
        "model": run.ref if opened.path is None or opened.entry else str(Path(run.ref).absolute()),
        "format": opened.format,
        "sha256": fingerprints.of_model(opened.model),
    } | {key: value for key, value in run.load_options.items() if value is not None}
    data = {
        "path": str(run.data.absolute()),
        "sha256": trained.digest,
        "examples": trained.examples,
    }
    target = {"format": form, "path": str(path.absolute())}
    measured = report.measured(trained, run.recipe)
    record = run_record.record(_located(run.recipe), base, data, trained, target, measured)
    run_record.write(path, record)
    notes = report.write(path, trained, run.recipe, record)
    entry = opened.entry
    page = model_card.card(
        run.name or path.name, trained, run.recipe, record,
        license=entry.license if entry else None,
        preprocessing=entry.preprocessing if entry else None,
    )  # fmt: skip
    if model_card.write(path, page) is None:
        notes.append("left README.md as it is: a person wrote it")
    if run.name is not None:
        naming.register(
            library, run.name, path, trained, run.recipe, record, base=entry, force=run.force
        )
    return notes
