"""A fine-tuning as a whole: what is read, checked, trained, and what comes of it."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from zoo.digests import file_digest
from zoo.errors import UsageError
from zoo.layers import Head
from zoo.library import Library
from zoo.new_head import features_of
from zoo_finetune import (
    devices,
    examples,
    faults,
    feature_cache,
    fingerprints,
    nets,
    pictures,
    splitting,
)
from zoo_finetune.batches import Batches, of_array
from zoo_finetune.training import fit, learner
from zoo_finetune.training_state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np

    from zoo.entries import Preprocessing
    from zoo.formats import Saved
    from zoo.model import Model
    from zoo_finetune.batches import Reading
    from zoo_finetune.examples import Examples
    from zoo_finetune.nets import Net
    from zoo_finetune.progress import Epoch, Learner, Progress
    from zoo_finetune.recipe import Recipe


_PICTURE = 3
"""Axes of a picture."""


@dataclass(frozen=True)
class Trained:
    """What came of a fine-tuning.

    Attributes
    ----------
    model
        With the weights of the best epoch.
    head
        Its head.
    epochs
        What each epoch came to.
    best_epoch
        The number of the best, from 0.
    trained_weights
        How many weights learned.
    classes
        Their names by number; empty for targets.
    validation
        What was held out, None for nothing.
    predictions
        What the model gives for that: probabilities of classes, or values, ``(n, outputs)``.
    notes
        A sentence for each thing to know.
    digest, examples
        The sha256 of all examples, and how many there are.
    """

    model: Model
    head: Head
    epochs: list[Epoch]
    best_epoch: int
    trained_weights: int
    classes: tuple[str, ...]
    validation: Examples | None = None
    predictions: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)
    digest: str = ""
    examples: int = 0

    @property
    def history(self) -> list[dict[str, Any]]:
        """What each epoch came to, as ``--json`` prints it."""
        return [asdict(one) for one in self.epochs]

    def save(
        self,
        path: str | Path,
        format: str = "saved_model",  # noqa: A002  (the word users know)
        **options: Any,
    ) -> Saved:
        """Write the model to `path`, as `zoo.save` does; its record and report come of the command.

        Raises
        ------
        WriteError, DiskError
            It cannot be written; nothing was left behind.
        """
        return Library().save(self.model, path, format, options)


def finetune(
    model: Model,
    data: Any,
    recipe: Recipe,
    *,
    head: str | None = None,
    preprocessing: Preprocessing | None = None,
    state: Path | None = None,
    tried: Callable[[Trained], None] | None = None,
    keep: Callable[[Model, int], None] | None = None,
    callbacks: Sequence[Any] = (),
) -> Trained:
    """Give `model` another last layer, and train it on `data`.

    Parameters
    ----------
    data
        A path, arrays ``(x, y)`` or a ``tf.data.Dataset``: as `zoo_finetune.examples.read` has it.
    head, preprocessing
        What a registry says of the model: the features before its last layer, how pictures are
        prepared.
    state
        A folder in which the training is kept after each epoch, and from which it goes on.
    tried
        Is given what no epoch would come to before any is trained, to raise where it cannot be
        used.
    keep
        Is given the model after each epoch, and the number of epochs that are over.
    callbacks
        Of Keras.

    Raises
    ------
    UsageError
        Nobody can tell which layer is the last, or what is fed.
    InputError
        There is something wrong with the data: all of it is listed.
    """
    devices.refuse_mixed_up(recipe)
    if not recipe.outputs:
        return _without_head(model, recipe.features or head)
    net = nets.net_for(model, recipe, head)
    read = examples.read(data, recipe, net.fed)
    preparing = pictures.Preparing.of(preprocessing, net.fed) if read.paths else None
    read, told = faults.check(read, recipe, net.fed, preparing)
    learning, held, others = _held_out(read, recipe, net, preparing)
    if tried is not None:
        tried(Trained(net.model, net.head, [], -1, 0, read.classes))
    digest = _digest(read, others)
    with devices.scope(recipe):
        whole = _batches(net, recipe, preparing, read)
        training = replace(whole.of(learning), varied=recipe.augment)
        validation = None if others is None else _batches(net, recipe, preparing, others)
        validation = whole.of(held) if len(held) else validation
        shape, dtype = training.given()
        ready = learner(net, recipe, shape, dtype, training.steps)
        _refuse_unvaried(recipe, shape)
        place = State(state, _mark(recipe, digest, net), recipe) if state is not None else None
        after = None if keep is None else _keeping(keep, net, ready)
        progress = fit(ready, recipe, training, validation, place, after=after, callbacks=callbacks)
        predicted = None if validation is None else _predicted(ready, recipe, validation)
    return Trained(
        net.with_weights(ready.values()), net.head, progress.epochs, progress.best_epoch,
        len(ready.variables), read.classes, others or (read.take(held) if len(held) else None),
        predicted, [*net.notes, *told, *_lost(progress)], digest, len(read),
    )  # fmt: skip


def _lost(progress: Progress) -> list[str]:
    """Return a sentence on a training that came to an end by itself."""
    if not progress.is_lost:
        return []
    count = len(progress.epochs)
    return [f"the training ended with epoch {count}, whose loss is no number any more"]


def _without_head(model: Model, features: str | None) -> Trained:
    """Return the model up to its features: there is nothing to train, and no data is read."""
    tensor = features_of(model.meta_graph, model.weights, features)
    none = Head(tensor, tensor, (), 0, "taken out")
    return Trained(model.replace_head(0, features=features), none, [], -1, 0, ())


def _refuse_unvaried(recipe: Recipe, shape: Sequence[int | None]) -> None:
    if recipe.augment and (len(shape) != _PICTURE or None in shape):
        raise UsageError(
            "--augment varies pictures: height, width and channels", found=f"inputs of {shape}"
        )


def _digest(read: Examples, others: Examples | None) -> str:
    """Return a digest of all examples: those to judge by decide which epoch is the best."""
    if others is None:
        return read.digest
    return hashlib.sha256(f"{read.digest} {others.digest}".encode()).hexdigest()


def _mark(recipe: Recipe, digest: str, net: Net) -> str:
    """Return a digest of what must be the same for a training to go on.

    The weights of the net are: the state has those alone that learn.
    """
    same = replace(recipe, epochs=0, patience=None, max_to_keep=0)
    files = {name: file_digest(path.resolve()) for name, path in sorted(net.model.assets.items())}
    base = (fingerprints.of_model(net.model), files)
    told = repr((same, digest, net.head, sorted(net.trained), base))
    return hashlib.sha256(told.encode()).hexdigest()


def _keeping(keep: Callable[[Model, int], None], net: Net, ready: Learner) -> Callable[[int], None]:
    """Return what hands the model as it is to `keep`."""

    def after(epochs: int) -> None:
        """Hand it over after so many epochs."""
        keep(net.with_weights(ready.values()), epochs)

    return after


def _held_out(
    read: Examples, recipe: Recipe, net: Net, preparing: Any
) -> tuple[np.ndarray, np.ndarray, Examples | None]:
    """Return the numbers of examples to learn from and to hold out, and examples from elsewhere."""
    import numpy as np

    every, none = np.arange(len(read)), np.arange(0)
    if recipe.validation is not None:
        others = examples.read(recipe.validation, recipe, net.fed, classes=read.classes)
        others, _ = faults.check(others, recipe, net.fed, preparing, held_out=True)
        return every, none, others
    if not recipe.validation_split:
        return every, none, None
    stratify = recipe.classifies
    first, second = splitting.split(
        read.labels, recipe.validation_split, recipe.seed, stratify=stratify
    )
    return first, second, None


def _batches(net: Net, recipe: Recipe, preparing: Any, of: Examples) -> Batches:
    """Return `of` in batches: features where the head alone learns, else inputs."""
    plain = Batches(_inputs(of, preparing), _labels(of, recipe), recipe.batch_size, recipe.seed)
    if not net.trains_head_alone or recipe.augment:
        return plain
    inputs = (values for values, _ in plain.in_order())
    known = feature_cache.features(net, inputs, len(of), of.digest, preparing)
    return replace(plain, reading=of_array(known))


def _inputs(of: Examples, preparing: Any) -> Reading:
    """Return what reads the inputs of `of` by their numbers."""
    if of.values is not None:
        (values,) = of.values.values()
        return of_array(values)
    paths = list(of.paths or ())

    def reading(numbers: Any, size: int) -> Any:
        """Return a dataset of batches of the pictures with these numbers."""
        return pictures.dataset(paths, preparing, numbers).batch(size)

    return reading


def _labels(of: Examples, recipe: Recipe) -> np.ndarray:
    """Return the labels in the form that the loss takes."""
    import numpy as np

    if recipe.classifies and recipe.outputs > 1:
        return of.labels
    return of.labels.astype(np.float32).reshape(len(of), -1)


def _predicted(ready: Learner, recipe: Recipe, held: Batches) -> np.ndarray:
    """Return what the net gives for what was held out, as probabilities where it classifies."""
    import numpy as np

    inputs = held.in_order().map(lambda values, _: values)
    logits = np.asarray(ready.keras.predict(inputs, verbose=0))
    if not recipe.classifies:
        return logits
    if recipe.outputs == 1:
        return np.asarray(1 / (1 + np.exp(-logits)))
    risen = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(risen / risen.sum(axis=1, keepdims=True))
