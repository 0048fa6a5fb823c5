"""What today's Keras does not load in files of its older releases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo.diagnosis import ERROR, WARNING, Case, Diagnosis
from zoo.errors import AccessError, FormatError, counted, some
from zoo.keras_config import every_layer, holds_code
from zoo.keras_file import KerasFile
from zoo.keras_trust import refuse_strangers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.keras_config import Layer

_TODAY = 3


def _file(case: Case) -> KerasFile | None:
    if case.facts is None or case.facts["format"] != "keras":
        return None
    return KerasFile(case.at)


def _layers(case: Case) -> list[Layer]:
    file = _file(case)
    return [*every_layer(file.net.config)] if file and file.net else []


def _written(case: Case) -> str:
    file = _file(case)
    return f"Keras {file.version}" if file and file.version else "no version stated"


def weights_alone(case: Case) -> Iterator[Diagnosis]:
    """Find weights without a net."""
    file = _file(case)
    if file is not None and file.net is None:
        yield Diagnosis(
            "keras_weights", WARNING, "weights alone: keras.models.load_model finds no model in it",
            counted(len(file.weights), "weight"),
            "zoo convert FILE OUT --to saved_model --architecture NAME, where zoo knows the net",
        )  # fmt: skip


def lambdas_in(case: Case) -> list[str]:
    """Return the layers that hold code."""
    return [layer.name or "unnamed" for layer in _layers(case) if holds_code(layer)]


def lambdas(case: Case) -> Iterator[Diagnosis]:
    """Find layers that hold code."""
    found = lambdas_in(case)
    if found:
        yield Diagnosis(
            "keras_lambda", ERROR,
            "Lambda layers hold Python code, which Keras refuses to run: 'This carries a potential"
            " risk of arbitrary code execution'",
            some(found),
            "only if you trust whoever wrote it: keras.config.enable_unsafe_deserialization()",
        )  # fmt: skip


def list_config(case: Case) -> Iterator[Diagnosis]:
    """Find the configuration of a Sequential model as it was up to Keras 2.2.2."""
    file = _file(case)
    if file and file.net and isinstance(file.net.config.get("config"), list):
        yield Diagnosis(
            "keras_list_config", ERROR,
            "a configuration of Keras 2.2.2 or older, a list: 'pop expected at most 1 argument, got"
            " 2'",
            _written(case),
            "zoo convert FILE OUT --to saved_model (zoo opens it, as tf_keras 2.21 does)",
        )  # fmt: skip


def groups(case: Case) -> Iterator[Diagnosis]:
    """Find an argument that today's layer does not have."""
    found = [
        layer.name
        for layer in _layers(case)
        if layer.kind == "DepthwiseConv2D" and "groups" in layer.settings
    ]
    if found:
        yield Diagnosis(
            "keras_groups", ERROR,
            "DepthwiseConv2D of Keras 2.4 to 2.14 states groups: 'Unrecognized keyword arguments'",
            some(found, 4),
            "zoo convert FILE OUT --to saved_model (zoo drops it, which changes nothing)",
        )  # fmt: skip


def other_meaning(case: Case) -> Iterator[Diagnosis]:
    """Find what today's Keras loads without a word, and computes otherwise."""
    file = _file(case)
    if file is None or not (file.version or "0").startswith(("0", "1.", "2.")):
        return
    found = [layer.name for layer in _layers(case) if _means_less_now(layer)]
    if found:
        yield Diagnosis(
            "keras_other_meaning", WARNING,
            "hard_sigmoid was another function before Keras 3, and a GRU without reset_after"
            " another layer: wrong numbers, without a word",
            some(found, 4), "zoo convert FILE OUT --to saved_model (zoo computes what was meant)",
        )  # fmt: skip


def _means_less_now(layer: Layer) -> bool:
    activations = [layer.settings.get(key) for key in ("activation", "recurrent_activation")]
    return "hard_sigmoid" in activations or (
        layer.kind == "GRU" and "reset_after" not in layer.settings
    )


def strangers(case: Case) -> Iterator[Diagnosis]:
    """Find what is not Keras's own, and a configuration that nobody can read."""
    file = _file(case)
    if file is None or file.net is None or file.release < _TODAY or lambdas_in(case):
        return
    try:
        refuse_strangers(file.net.config, case.at)
    except (AccessError, FormatError) as error:
        yield Diagnosis(
            "keras_strangers", ERROR, error.problem.replace(str(case.at), "the configuration"),
            error.found, "load it where its author's code is, and export it to a SavedModel",
        )  # fmt: skip


def first_keras(case: Case) -> Iterator[Diagnosis]:
    """Find a model of Keras 1."""
    if _written(case).startswith("Keras 1."):
        yield Diagnosis(
            "keras_1", ERROR, "a model of Keras 1, which neither Keras 3 nor tf_keras loads",
            _written(case), "zoo convert FILE OUT --to saved_model (zoo knows its usual layers)",
        )  # fmt: skip


QUESTIONS = (weights_alone, lambdas, list_config, groups, other_meaning, strangers, first_keras)
