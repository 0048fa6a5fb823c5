"""Training a net by Keras: what is compared, which weights are best, and going on after an end."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from zoo import output
from zoo.errors import RunError
from zoo.keras_errors import building
from zoo_finetune import devices, optimizing
from zoo_finetune.depth import layers
from zoo_finetune.progress import Epoch, Learner, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from zoo_finetune.batches import Batches
    from zoo_finetune.nets import Net
    from zoo_finetune.recipe import Recipe
    from zoo_finetune.training_state import State


def learner(
    net: Net, recipe: Recipe, shape: Sequence[int | None], dtype: str, steps: int
) -> Learner:
    """Return `net`, compiled.

    Parameters
    ----------
    shape, dtype
        Of an example: of its features where the head alone learns.
    steps
        Of an epoch.
    """
    import keras  # type: ignore[import-untyped]

    of_features = net.trains_head_alone and not recipe.augment
    layer = net.layer(of_features=of_features)
    layer.supports_jit = recipe.jit_compile
    given = keras.Input(tuple(shape), dtype=dtype)
    with building(f"the examples do not fit {net.fed.tensor}"):
        found = (layer if recipe.strategy is None else devices.shared(layer))(given)
        found = keras.layers.Reshape((recipe.outputs,))(found)
    made = (keras.Model if recipe.strategy is None else devices.model_class())(given, found)
    variables = net.variables(layer)
    optimizer = optimizing.optimizer(recipe, steps, _factors(net, recipe, variables))
    optimizer.build(made.trainable_variables)
    made.compile(
        optimizer, loss=_loss(recipe), metrics=_metrics(recipe), jit_compile=recipe.jit_compile
    )
    if recipe.strategy is not None:
        devices.prepare(made, recipe.outputs)
    return Learner(made, variables)


def _factors(net: Net, recipe: Recipe, variables: dict[str, Any]) -> dict[str, float]:
    if recipe.layer_decay is None:
        return {}
    found = layers(net.model, net.trained, net.learned)
    return {
        variables[name].value.name: recipe.layer_decay**depth
        for depth, names in enumerate(found)
        for name in names
        if name in variables
    }


def _loss(recipe: Recipe) -> Any:
    import keras

    if not recipe.classifies:
        return keras.losses.MeanSquaredError()
    if recipe.outputs == 1:
        return keras.losses.BinaryCrossentropy(from_logits=True)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def _metrics(recipe: Recipe) -> list[Any]:
    import keras

    if not recipe.classifies:
        return []
    if recipe.outputs == 1:
        return [keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)]
    return [keras.metrics.SparseCategoricalAccuracy(name="accuracy")]


def fit(
    learning: Learner,
    recipe: Recipe,
    training: Batches,
    validation: Batches | None,
    state: State | None = None,
    *,
    after: Callable[[int], None] | None = None,
    callbacks: Sequence[Any] = (),
) -> Progress:
    """Train, from the last epoch that `state` knows of, and leave the best weights in the net.

    Parameters
    ----------
    state
        Where the state after each epoch is kept; nowhere by default.
    after
        Is told after each epoch how many are over.
    callbacks
        Of Keras, besides.

    Raises
    ------
    RunError
        The loss is no number any more.
    """
    progress = state.restored(learning) if state is not None else Progress()
    keeper = _keeper(learning, recipe, progress, state, after)
    first = len(progress.epochs)
    if not (progress.is_over(recipe) or progress.is_lost):
        learning.keras.fit(
            training.epochs(first, recipe.epochs),
            epochs=recipe.epochs,
            initial_epoch=first,
            steps_per_epoch=training.steps,
            validation_data=None if validation is None else validation.in_order(),
            callbacks=[keeper, *callbacks],
            verbose=0,
            shuffle=False,
        )
    if progress.epochs and progress.best_epoch < 0:
        raise RunError(
            "the training came to nothing",
            found="a loss that is no number after the first epoch",
            hint="a smaller --learning-rate; or are there numbers without end in the data?",
        )
    learning.assign(progress.best)
    return progress


def _keeper(
    learning: Learner,
    recipe: Recipe,
    progress: Progress,
    state: State | None,
    after: Callable[[int], None] | None,
) -> Any:
    """Return the callback that notes what each epoch came to."""
    import keras

    class Keeper(keras.callbacks.Callback):  # type: ignore[misc]
        """Notes, says and keeps each epoch, and ends the training where it no longer helps."""

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:  # noqa: ARG002
            """Look at the clock."""
            self.began = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            """Keep the epoch."""
            done = _epoch(logs or {}, time.perf_counter() - self.began)
            progress.epochs.append(done)
            if progress.is_better(done):
                progress.best, progress.best_epoch = learning.values(), epoch
            if state is not None:
                state.keep(learning, progress)
            output.progress(told(progress, recipe))
            if after is not None:
                after(epoch + 1)
            if progress.is_over(recipe) or progress.is_lost:
                self.model.stop_training = True

    return Keeper()


def _epoch(logs: dict[str, float], seconds: float) -> Epoch:
    def of(key: str) -> float | None:
        """Return what was measured."""
        return float(logs[key]) if key in logs else None

    return Epoch(float(logs["loss"]), of("accuracy"), of("val_loss"), of("val_accuracy"), seconds)


def told(progress: Progress, recipe: Recipe) -> str:
    """Return one line on the last epoch, and how long the others may take."""
    done = progress.epochs[-1]
    measured = [
        f"{name.replace('_', ' ')} {value:.4g}"
        for name, value in asdict(done).items()
        if value is not None and name != "seconds"
    ]
    count = len(progress.epochs)
    left = (recipe.epochs - count) * sum(one.seconds for one in progress.epochs) / count
    return f"epoch {count} of {recipe.epochs}: {', '.join(measured)}; {left:.0f} s left"
