"""Keras: models in a ``.h5`` or ``.keras`` file, and the nets of ``keras.applications`` by name.

Keras builds the net, which is then traced: what comes out is a graph plus named weights, as of any
other format.  Looking into a file imports neither Keras nor TensorFlow.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zoo import protos
from zoo.architectures import Architecture
from zoo.file_types import file_type
from zoo.formats import Format, read_only
from zoo.hookspecs import hookimpl
from zoo.matching import Report
from zoo.model import Model
from zoo.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from zoo.keras_file import KerasFile

zoo_api = 1

_BY_PATH = "/vars/"
_KINDS = ("hdf5", "zip")

APPLICATIONS = (
    "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtSmall", "ConvNeXtTiny", "ConvNeXtXLarge",
    "DenseNet121", "DenseNet169", "DenseNet201", "EfficientNetB0", "EfficientNetB1",
    "EfficientNetB2", "EfficientNetB3", "EfficientNetB4", "EfficientNetB5", "EfficientNetB6",
    "EfficientNetB7", "EfficientNetV2B0", "EfficientNetV2B1", "EfficientNetV2B2",
    "EfficientNetV2B3", "EfficientNetV2L", "EfficientNetV2M", "EfficientNetV2S",
    "InceptionResNetV2", "InceptionV3", "MobileNet", "MobileNetV2", "MobileNetV3Large",
    "MobileNetV3Small", "NASNetLarge", "NASNetMobile", "ResNet101", "ResNet101V2", "ResNet152",
    "ResNet152V2", "ResNet50", "ResNet50V2", "VGG16", "VGG19", "Xception",
)  # fmt: skip
"""The nets of ``keras.applications``, which is not imported to list them."""


@hookimpl
def zoo_formats() -> Iterable[Format]:
    """Offer the ``keras`` format."""
    summary = ".h5 and .keras files: a Keras model, or its weights alone"
    return [Format("keras", summary, recognises, load, read_only, facts=facts)]


@hookimpl
def zoo_architectures() -> Iterable[Architecture]:
    """Offer the nets of ``keras.applications``, as ``keras:ResNet50``."""
    summary = "{} of keras.applications, initial weights"
    return [
        Architecture(
            f"keras:{name}",
            summary.format(name),
            functools.partial(_built, name),
            attach=functools.partial(_attached, name),
        )
        for name in APPLICATIONS
    ]


def recognises(path: Path) -> bool:
    """Tell whether the file at `path` is one that Keras writes; never raises."""
    try:
        if file_type(path).name not in _KINDS:
            return False
    except OSError:
        return False
    from zoo import keras_file

    return keras_file.recognises(path)


def facts(path: Path, tensors: str | None = None) -> dict[str, Any]:
    """Return the document of ``zoo inspect --json`` for the Keras file at `path`."""
    from zoo.keras_facts import facts

    return facts(path, tensors)


def load(path: Path) -> Model:
    """Read a Keras model: its graph built by Keras, its weights out of the file.

    A file of weights alone gives a model without a graph.

    Raises
    ------
    AccessError
        Building the net would run code of its author's.
    UnsupportedError
        Today's Keras has not what it is made of.
    FormatError
        The file is damaged.
    """
    from zoo.keras_file import KerasFile

    file = KerasFile(path)
    if file.net is None:
        return Model(protos.MetaGraphDef(), _alone(file))
    from zoo.keras_net import net_of

    return _traced(net_of(file), None)


def _alone(file: KerasFile) -> Weights:
    from zoo.keras_facts import called

    tensors = {key: one for key, one in file.weights.items() if not file.is_slot(key)}
    names = {key: called(key) for key in tensors}
    return Weights(
        {name: tensors[key] for key, name in names.items()},
        {name: key for key, name in names.items()},
    )


def _built(name: str) -> Model:
    from zoo.keras_net import application

    return _traced(application(name), ["images"])


def _attached(name: str, weights: Weights) -> Model | None:
    """Return the application `name` with `weights` that go by the paths of its objects."""
    stored = weights.by_key()
    if not any(_BY_PATH in key for key in stored):
        return None
    from zoo.keras_net import application
    from zoo.keras_values import fill_by_path

    net = application(name)
    fill_by_path(net, stored, f"keras:{name}")
    model = _traced(net, ["images"])
    return replace(model, attached=Report(dict.fromkeys(model.weights, "by the path of its layer")))


def _traced(net: Any, inputs: Sequence[str] | None) -> Model:
    from zoo.traced import traced

    return Model(*traced(net, inputs))
