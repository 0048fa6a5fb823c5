"""Nets that Keras builds: out of a file's configuration, or by the name of an application.

Source: https://keras.io/api/models/model_saving_apis/, https://keras.io/api/applications/.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zoo.engine import tensorflow
from zoo.errors import FormatError, UnsupportedError, UsageError, ZooError
from zoo.keras_1 import translated
from zoo.keras_nodes import always_training
from zoo.keras_older import register
from zoo.keras_repairs import repaired
from zoo.keras_trust import refuse_lambdas, refuse_strangers
from zoo.keras_values import fill
from zoo.output import hushed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zoo.keras_config import Net
    from zoo.keras_file import KerasFile

_TODAY = 3
_LONGEST = 500


def net_of(file: KerasFile) -> Any:
    """Return the net in `file` as a Keras model that is not compiled, with the file's weights.

    Raises
    ------
    AccessError
        It would run code of its author's.
    UnsupportedError
        Today's Keras has not what it is made of.
    FormatError
        The file holds weights alone, or is damaged.
    """
    if file.net is None:
        raise FormatError(f"{file.path} holds weights alone, no net")
    keras = _keras()
    config = _configured(keras, file, file.net)
    training = set(always_training(config)) if file.release < _TODAY else set()
    with _building(f"Keras does not build the net in {file.path}"):
        net = _built(keras, config)
    if not net.built or not _has_ends(net):
        raise UnsupportedError(
            f"{file.path} does not say what shape the net takes",
            hint="build it on an input and save it again",
        )
    _keep_in_training(net, training)
    fill(net, file)
    return net


def _configured(keras: Any, file: KerasFile, net: Net) -> dict[str, Any]:
    """Return the configuration of `net` as today's Keras takes it."""
    refuse_lambdas(net.config, file.path)
    register()
    config = translated(net.config) if file.release == 1 else net.config
    takes = functools.partial(_arguments, keras)
    config = repaired(config, takes, older=file.release < _TODAY)
    config.pop("compile_config", None)
    refuse_strangers(config, file.path)
    return config


def application(name: str) -> Any:
    """Return the net that `keras.applications` calls `name`, with new weights.

    Raises
    ------
    UnsupportedError
        This Keras has none of that name.
    """
    keras = _keras()
    make = getattr(keras.applications, name, None)
    if make is None:
        raise UnsupportedError(f"this Keras has no application {name!r}", found=keras.__version__)
    keras.utils.set_random_seed(0)
    return make(weights=None)


def _keep_in_training(net: Any, wanted: set[str]) -> None:
    """Have the layers that Keras 2 saved as called with ``training=True`` be called so still."""
    for layer in net.layers:
        if layer.name in wanted:
            layer.call = _training(layer.call)


def _training(call: Any) -> Any:
    @functools.wraps(call)
    def called(*values: Any, **named: Any) -> Any:
        """Call the layer in training, whatever the net is in."""
        return call(*values, **{**named, "training": True})

    return called


def _keras() -> Any:
    with hushed():
        tensorflow()
        import keras  # type: ignore[import-untyped]

    if keras.backend.backend() != "tensorflow":
        raise UsageError(
            "Keras must run on TensorFlow",
            found=f"the backend {keras.backend.backend()}",
            hint="set KERAS_BACKEND=tensorflow",
        )
    return keras


def _built(keras: Any, config: dict[str, Any]) -> Any:
    if "module" in config:
        return keras.saving.deserialize_keras_object(config, safe_mode=True)
    kind = keras.Sequential if config.get("class_name") == "Sequential" else keras.Model
    return kind.from_config(config["config"])


def _has_ends(net: Any) -> bool:
    try:
        return bool(net.inputs)
    except AttributeError:
        return False


def _arguments(keras: Any, kind: str) -> set[str] | None:
    """Return the arguments that layers of the class `kind` take, None if there is no such class."""
    cls = getattr(keras.layers, kind, None) or getattr(keras, kind, None)
    if not inspect.isclass(cls):
        return None
    taken = set(_UNNAMED.get(kind, ()))
    for base in cls.__mro__:
        if "__init__" not in vars(base):
            continue
        parameters = inspect.signature(vars(base)["__init__"]).parameters.values()
        taken |= {parameter.name for parameter in parameters}
        if all(parameter.kind is not inspect.Parameter.VAR_KEYWORD for parameter in parameters):
            break
    return taken


_UNNAMED = {
    "InputLayer": {"batch_shape", "optional", "ragged", "sparse"},
    "LeakyReLU": {"alpha"},
}
"""Arguments that a class looks for among those that it does not name."""


@contextmanager
def _building(problem: str) -> Iterator[None]:
    """Turn whatever Keras raises in the block into one error; it raises of all kinds."""
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    except (ZooError, KeyboardInterrupt, MemoryError):
        raise
    except Exception as error:
        first = _first(error)
        if isinstance(first, ZooError):
            raise first from error
        raise UnsupportedError(problem, found=_first_line(first)) from error


def _first(error: BaseException) -> BaseException:
    """Return the error with which it began: Keras wraps each in another."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    return error


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:_LONGEST]
