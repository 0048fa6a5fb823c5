"""The weights in a Keras file given to the variables of a net that Keras has built.

Files of Keras 1 and 2 list the weights of each layer, in the order in which the layer has them;
those of Keras 3 have them by the paths of objects.  Either way each variable gets one, or the file
is refused.

Source: ``keras/src/legacy/saving/legacy_h5_format.py``, ``keras/src/saving/saving_lib.py``.
"""

from __future__ import annotations

import functools
import warnings
from typing import TYPE_CHECKING, Any

from zoo.engine import tensorflow
from zoo.errors import FormatError, counted, some
from zoo.keras_1 import arranged, entries

if TYPE_CHECKING:
    import numpy as np

    from zoo.keras_file import KerasFile
    from zoo.tensors import Tensor

_VARIABLES = "vars"
_CONVOLUTIONS = {"Conv1D", "Conv2D", "Conv2DTranspose", "Conv3D", "ConvLSTM2D"}
_CHANNELS = 2
"""Axes of a kernel that are no places: channels in and out."""


def fill(net: Any, file: KerasFile) -> None:
    """Give the variables of `net`, a Keras model, the weights in `file`.

    Raises
    ------
    FormatError
        The weights do not fit.
    """
    if file.layers is not None:
        _fill_in_order(net, file)
    elif file.weights or net.weights:
        fill_by_path(net, file.weights, str(file.path))


def _fill_in_order(net: Any, file: KerasFile) -> None:
    layers = [layer for layer in net.layers if layer.weights]
    stored = file.layers or []
    if len(layers) != len(stored):
        raise FormatError(
            f"the weights in {file.path} are not those of its net",
            found=f"{counted(len(stored), 'layer')} stored, {len(layers)} in the net",
        )
    layers_then = entries(file.net.config) if file.net and file.release == 1 else {}
    turned = file.backend == "theano"
    for layer, (name, weights) in zip(layers, stored, strict=True):
        variables = [*layer.trainable_weights, *layer.non_trainable_weights]
        values = [_values(tensor) for tensor in weights.values()]
        if name in layers_then:
            values = arranged(layers_then[name], values)
        if turned and type(layer).__name__ in _CONVOLUTIONS:
            values = [_turned(one) for one in values]
        _check(file, name, variables, values)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)
    for layer in net._flatten_layers():
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()  # as of Normalization, which computes by what it makes of these


def _turned(kernel: np.ndarray) -> np.ndarray:
    """Return a kernel as TensorFlow uses it: Theano convolves, and turns kernels around."""
    places = tuple(range(kernel.ndim - _CHANNELS))
    return kernel[tuple(slice(None, None, -1) for _ in places)] if places else kernel


def _values(tensor: Tensor) -> np.ndarray:
    """Return the values as TensorFlow wants them: some dtypes numpy itself does not have."""
    return tensor.read().view(tensorflow().as_dtype(tensor.dtype.number).as_numpy_dtype)


def _check(file: KerasFile, name: str, variables: list[Any], values: list[np.ndarray]) -> None:
    wanted = [tuple(variable.shape) for variable in variables]
    there = [value.shape for value in values]
    if wanted != there:
        raise FormatError(
            f"the weights of {name!r} in {file.path} are not those of the layer",
            found=f"{some(map(str, there))}, where the layer has {some(map(str, wanted))}",
        )


def fill_by_path(net: Any, weights: dict[str, Tensor], origin: str) -> None:
    """Give the variables of `net` the `weights` that go by the paths of its objects.

    Parameters
    ----------
    origin
        Where they come from, for errors.

    Raises
    ------
    FormatError
        They do not fit.
    """
    from keras.src.saving import saving_lib  # type: ignore[import-untyped]

    failed: set[int] = set()
    errors: dict[int, tuple[Any, Exception]] = {}
    store = _store_class()(weights)
    with warnings.catch_warnings(record=True, action="always") as told:
        saving_lib._load_state(net, store, None, "", visited_saveables=set(),
                               failed_saveables=failed, error_msgs=errors)  # fmt: skip
    wrong = [f"{layer.name}: {error}" for layer, error in errors.values()]
    wrong += [str(one.message) for one in told if "freshly-initialized" in str(one.message)]
    if failed or wrong:
        raise FormatError(
            f"the weights in {origin} do not fit the net", found=wrong[0].splitlines()[0]
        )


@functools.cache
def _store_class() -> Any:
    """Return what Keras reads weights from, with Keras's own class below it, which it asks for."""
    from keras.src.saving import saving_lib

    class Store(saving_lib.NpzIOStore):  # type: ignore[misc]
        """The weights of a file, read when Keras asks for them."""

        def __init__(self, weights: dict[str, Tensor]) -> None:
            self.weights = weights

        def get(self, path: str) -> dict[str, np.ndarray]:
            """Return the values stored for the object at `path`, by their numbers or names."""
            start = f"{path}/{_VARIABLES}/".lstrip("/")
            found = [key for key in self.weights if key.startswith(start)]
            return {key.removeprefix(start): _values(self.weights[key]) for key in found}

        def has_path(self, path: str) -> bool:
            """Tell whether anything is stored at `path` or below."""
            return any(key.startswith(f"{path}/") for key in self.weights)

        def __bool__(self) -> bool:
            return True

    return Store
