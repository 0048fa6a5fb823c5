"""The options of a fine-tuning, with their defaults."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """All options of a fine-tuning."""

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
    max_to_keep: int = 1
    keep_checkpoint_every_n_hours: float | None = None
