"""All that says how a model is fine-tuned, with what is usual for it."""

from __future__ import annotations

from dataclasses import dataclass, fields

from zoo.errors import UsageError
from zoo_finetune.option_values import fitted


@dataclass(frozen=True)
class Recipe:
    """How a model is fine-tuned.

    Attributes
    ----------
    outputs
        Width of the new last layer; 0 for the features before it.
    task
        ``"classification"`` or ``"regression"``.
    train
        What learns: ``"head"``, ``"all"``, a glob of weights, or ``"re:"`` and a regular
        expression.
    last_layers
        How many of the last layers learn, in the place of `train`.
    features, input, signature
        The tensor before the head, the tensor that is fed, and whose inputs and outputs these are,
        where the model does not tell.
    epochs, batch_size, learning_rate, optimizer
        As Keras has them.
    schedule, warmup
        How the rate goes on: ``"constant"`` or ``"cosine"``, after so many epochs in which it
        rises from zero.
    layer_decay
        By what the rate of each layer before the last is multiplied once more.
    patience
        Epochs without a better validation loss after which training ends.
    validation_split, validation
        What share of the examples is held out, or where other examples for that are.
    seed
        Of the new weights, of what is held out and of the order of examples.
    activation
        What follows the logits: ``"softmax"``, ``"sigmoid"`` or ``"none"``.
    train_batch_norm
        Whether batch normalisation takes the statistics of each batch while it is trained, and its
        averages move towards them; else these stay what they are.
    augment
        Whether pictures are varied: mirrored, and moved a little.
    skip_broken
        Whether examples that cannot be read are left out.
    mixed_precision, jit_compile, strategy
        How it is computed.
    max_to_keep, keep_checkpoint_every_n_hours
        How many checkpoints of the training stay, the latest, and one for each so many hours
        besides; none by default.
    """

    outputs: int
    task: str = "classification"
    train: str = "head"
    last_layers: int | None = None
    features: str | None = None
    input: str | None = None
    signature: str | None = None
    epochs: int = 10
    batch_size: int = 32
    learning_rate: float = 1e-3
    optimizer: str = "adam"
    schedule: str = "constant"
    warmup: float = 0.0
    layer_decay: float | None = None
    patience: int | None = None
    validation_split: float = 0.2
    validation: str | None = None
    seed: int = 0
    activation: str | None = None
    train_batch_norm: bool = False
    augment: bool = False
    skip_broken: bool = False
    mixed_precision: bool = False
    jit_compile: bool = False
    strategy: str | None = None
    max_to_keep: int = 0
    keep_checkpoint_every_n_hours: float | None = None

    def __post_init__(self) -> None:
        for one in fields(self):
            value, takes = fitted(one.name, getattr(self, one.name), str(one.type))
            if takes:
                name = one.name.replace("_", "-")
                raise UsageError(f"{name} is {takes}", found=repr(value))
            object.__setattr__(self, one.name, value)
        if self.last_layers is not None and self.train != "head":
            raise UsageError(
                "train and last-layers do not go together: each says what learns",
                found=f"{self.train!r} and {self.last_layers}",
                hint="leave out one of them",
            )

    @property
    def classifies(self) -> bool:
        """Whether the outputs are classes."""
        return self.task == "classification"
