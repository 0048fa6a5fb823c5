"""Nets that Keras builds: out of a file's configuration, or by the name of an application.

Source: https://keras.io/api/models/model_saving_apis/, https://keras.io/api/applications/.
"""

from __future__ import annotations

import functools
import inspect
import math
import random
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zoo import budget
from zoo.engine import tensorflow
from zoo.errors import FormatError, UnsupportedError, UsageError
from zoo.keras_1 import translated
from zoo.keras_config import every_layer
from zoo.keras_errors import building, first_line
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

_TODAY, _WIDTH = 3, 4
"""The Keras of today; bytes of a weight, as Keras makes them."""
_WIDTHS = ("filters", "output_dim", "units")


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
    refuse_lambdas(file.net.config, file.path)
    keras = _keras()
    with _reading(file):
        config = _configured(keras, file, file.net)
        training = set(always_training(config)) if file.release < _TODAY else set()
    _refuse_larger(config, file)
    with building(f"Keras does not build the net in {file.path}"), _affordable(keras, file):
        net = _built(keras, config)
    if not isinstance(net, keras.Model) or not net.built or not _has_ends(net):
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


@contextmanager
def _reading(file: KerasFile) -> Iterator[None]:
    """Turn what a configuration breaks in the block into one error.

    It is anybody's JSON: at every level there may be something of another kind.
    """
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise FormatError(
            f"{file.path} has a configuration that is none of a net", found=first_line(error)
        ) from error


def _refuse_larger(config: dict[str, Any], file: KerasFile) -> None:
    """Refuse a net with layers that no stored weight is wide enough for, before it takes memory."""
    widest = max((size for tensor in file.weights.values() for size in tensor.shape), default=0)
    for layer in every_layer(config):
        for key in _WIDTHS:
            width = layer.settings.get(key)
            if isinstance(width, int) and width > widest:
                raise FormatError(
                    f"the weights in {file.path} are not those of its net",
                    found=f"{layer.name!r} with {key}={width}, where no axis is over {widest}",
                )


@contextmanager
def _affordable(keras: Any, file: KerasFile) -> Iterator[None]:
    """Have layers refuse, in the block, to make weights far beyond those that are stored.

    What a configuration says takes memory before anything is known of the weights it is for.
    """
    held = sum(tensor.held for tensor in file.weights.values())
    claimed, add_weight = 0, keras.layers.Layer.add_weight

    def counted(layer: Any, shape: Any = None, *others: Any, **named: Any) -> Any:
        """Add a weight, if there is still room for it."""
        nonlocal claimed
        claimed += _WIDTH * math.prod(int(size) for size in shape or ())
        budget.refuse(claimed, held, f"the net in {file.path}")
        return add_weight(layer, shape, *others, **named)

    keras.layers.Layer.add_weight = counted
    try:
        yield
    finally:
        keras.layers.Layer.add_weight = add_weight


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
    before = random.getstate()
    random.seed(0)  # from which Keras draws the seeds of its initializers
    try:
        return make(weights=None)
    finally:
        random.setstate(before)


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
