"""A run from a name and examples to files: the model, its record, its report, its card."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import disk, drafts, plugins
from zoo.errors import BusyError, UnsupportedError, ZooError
from zoo.located import BUILT
from zoo_finetune import fingerprints, model_card, naming, report, results, run_record, trial
from zoo_finetune.finetuning import finetune
from zoo_finetune.training_state import NAME
from zoo_finetune.trial import Trial

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from zoo.entries import Entry
    from zoo.formats import Saved
    from zoo.library import Library
    from zoo.model import Model
    from zoo.opened import Opened
    from zoo_finetune.finetuning import Trained
    from zoo_finetune.recipe import Recipe

_STATE, _CHECKPOINTS = ".training", ".checkpoints"
_KERAS = {".h5", ".hdf5", ".keras"}
_KEPT = "what was learned is kept, and --resume goes on from there"


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
    trial.refuse_nameless(run.dest)
    opened = library.open(run.ref, options=dict(run.load_options))
    form = run.form or _usual(library, opened, run.dest)
    trial.refuse_taken(library, run.dest, form, run.options, force=run.force)
    if run.name is not None:
        naming.require_free(library, run.name, force=run.force)
    before()
    tried = Trial(library, run.dest, form, run.options, run.name, opened.entry, run.force)
    with _state(run):
        trained = of_opened(
            opened, run.data, run.recipe,
            state=run.state, tried=tried, keep=_keeping(library, run), callbacks=run.callbacks,
        )  # fmt: skip
        record = _record(run, opened, trained, tried) if trained.epochs else None
        with _hinting(_KEPT if record else ""):
            saved, notes = _written(run, opened.entry, trained, tried, record)
        shutil.rmtree(run.state, ignore_errors=True)
    if run.name is not None:
        notes += _named(library, run, opened.entry, trained, saved.path, record)
    return Done(trained, saved, form, [*trained.notes, *saved.notes, *notes])


def _written(
    run: Run, entry: Entry | None, trained: Trained, tried: Trial, record: dict[str, Any] | None
) -> tuple[Saved, list[str]]:
    """Write the model, and what is to be known of a training; return what is to be said of it."""
    if record is None:
        saved = tried.save(trained.model)
        results.forget(saved.path)
        return saved, []
    place, is_folder = tried.place, tried.is_folder
    page = model_card.card(
        run.name or place.name, trained, run.recipe, record,
        license=entry.license if entry else None,
        preprocessing=entry.preprocessing if entry else None,
    )  # fmt: skip
    with results.drafted(place, is_folder=is_folder) as draft:
        notes = results.write(draft, place, trained, run.recipe, record, page, is_folder=is_folder)
        saved = tried.save(trained.model)
        results.publish(draft, saved.path)
    if is_folder:
        results.forget(saved.path)
    return saved, notes


def _named(
    library: Library,
    run: Run,
    entry: Entry | None,
    trained: Trained,
    path: Path,
    record: dict[str, Any] | None,
) -> list[str]:
    """Register the model at `path`; return what is to be said of it."""
    byhand = f"`zoo add {path} --name {run.name}` gives it its name"
    if record is None:
        return [f"not registered, as nothing was trained: {byhand}"]
    with _hinting(f"the model is there, and {byhand}"):
        naming.register(
            library, str(run.name), path, trained, run.recipe, record, base=entry, force=run.force
        )
    return []


@contextmanager
def _hinting(what: str) -> Iterator[None]:
    """Add to the hint of an error of the block."""
    try:
        yield
    except ZooError as error:
        hint = "; ".join(part for part in (error.hint, what) if part)
        raise type(error)(error.problem, found=error.found, hint=hint) from error


def _usual(library: Library, opened: Opened, dest: Path) -> str:
    """Return the format of the source, or one that is written where that is only read.

    Raises
    ------
    UnsupportedError
        The name of the result is that of a format that is only read.
    """
    if dest.suffix.lower() in _KERAS:
        raise UnsupportedError(
            f"{dest} has the name of a Keras file, and these are read, not written",
            hint="another name; or --to with a format that may have this one",
        )
    if opened.format == BUILT:
        return "checkpoint"
    written = plugins.format_named(library.plugins, opened.format).written
    return opened.format if written else "saved_model"


@contextmanager
def _state(run: Run) -> Iterator[None]:
    """Have the folder of the state to oneself; one without a state goes when the block ends.

    Folders that were made for it go too, if nothing came into them.

    Raises
    ------
    BusyError
        Another process is at this result.
    """
    new = [folder for folder in run.state.parents if not folder.exists()]
    with disk.written(run.state):
        run.state.mkdir(parents=True, exist_ok=True)
    with _alone(run):
        if not run.resume:
            (run.state / NAME).unlink(missing_ok=True)
        try:
            yield
        finally:
            if not (run.state / NAME).exists():
                shutil.rmtree(run.state, ignore_errors=True)
                with suppress(OSError):
                    for folder in new:
                        folder.rmdir()


@contextmanager
def _alone(run: Run) -> Iterator[None]:
    with ExitStack() as held:
        try:
            held.enter_context(drafts.alone(run.state, patience=0))
        except BusyError as error:
            raise BusyError(
                f"{run.dest} is the result of a training that goes on",
                found="another process",
                hint="wait until it has ended, or name another DEST",
            ) from error
        yield


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


def _located(recipe: Recipe) -> Recipe:
    """Return `recipe` as it holds from any folder."""
    if recipe.validation is None:
        return recipe
    return replace(recipe, validation=str(Path(recipe.validation).absolute()))


def _record(run: Run, opened: Opened, trained: Trained, tried: Trial) -> dict[str, Any]:
    """Return what a run was made of and what came of it."""
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
    target = {"format": tried.form, "path": str(tried.place.absolute())}
    measured = report.measured(trained, run.recipe)
    return run_record.record(_located(run.recipe), base, data, trained, target, measured)
