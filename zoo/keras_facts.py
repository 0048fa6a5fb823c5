"""What is in a Keras file, said without Keras: the document of ``zoo inspect``."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from zoo import keras_findings
from zoo.describe import nothing
from zoo.errors import counted
from zoo.keras_config import every_layer, holds_code
from zoo.keras_file import KerasFile
from zoo.sightings import beyond_usual

if TYPE_CHECKING:
    from pathlib import Path

    from zoo.keras_config import Net

_STATISTICS = re.compile(
    r"moving_(mean|variance)$|(^|/)batch_normalization(_\d+)?/vars/[23]$"
    r"|(^|/)normalization(_\d+)?/"
)


def facts(path: Path, _: str | None = None) -> dict[str, Any]:
    """Return the document of ``zoo inspect --json`` for the Keras file at `path`."""
    file = KerasFile(path)
    net, weights = file.net, _weights(file)
    document = nothing("keras", path)
    written = f" of Keras {file.version}" if file.version else ""
    kind = "weights alone" if net is None else f"a {net.kind} model"
    slots = [one for one in weights if file.is_slot(one.get("key", one["name"]))]
    document |= {
        "what": f"{kind}{written}",
        "keras_version": file.version,
        "compiled": bool(file.training),
        "weights": weights,
        "parameters": sum(math.prod(one["shape"]) for one in weights),
        "optimizer_slots": {"weights": len(slots), "bytes": sum(one["bytes"] for one in slots)},
    }
    found = [one for text in file.settings() for one in keras_findings.of_text(text)]
    document["findings"] = beyond_usual(found)
    if net is None:
        return document | {"notes": ["the net itself is not in the file"]}
    head = net.head()
    return document | {
        "layers": net.kinds,
        "inputs": [
            {**_tensor(one.name, one.dtype, one.shape), "why": "an input layer", "rank": 0}
            for one in net.inputs()
        ],
        "outputs": [
            {
                **_tensor(name, None, _width(net.width(name))),
                "why": "an output layer",
                "rank": 0,
            }
            for name in net.outputs()
        ],
        "head": None if head is None else _head(net, head, weights),
        "notes": _notes(net),
    }


def _notes(net: Net) -> list[str]:
    count = sum(map(holds_code, every_layer(net.config)))
    return [f"{counted(count, 'Lambda layer')} would run code of the author's"] if count else []


def _head(net: Net, head: tuple[str, str, int], weights: list[dict[str, Any]]) -> dict[str, Any]:
    before, layer, width = head
    place = net.place(layer)
    inner = f"layers/dense{f'_{place}' if place else ''}/vars"
    names = [
        str(one["name"])
        for one in weights
        if one["name"].partition("/")[0] == layer or one["name"].rpartition("/")[0] == inner
    ]
    return {
        "features": f"{before}:0",
        "logits": f"{layer}:0",
        "weights": sorted(names, reverse=not names[:1] or names[0].rpartition("/")[0] != inner),
        "outputs": width,
        "why": f"the dense layer {layer!r} gives the output",
    }


def _weights(file: KerasFile) -> list[dict[str, Any]]:
    found = []
    for key, tensor in file.weights.items():
        name = called(key)
        trained = not (file.is_slot(key) or _STATISTICS.search(name) or _still(file, name))
        one: dict[str, Any] = {
            "name": name,
            "dtype": tensor.dtype.name,
            "shape": list(tensor.shape),
        }
        one |= {"bytes": tensor.nbytes, "trainable": trained and tensor.dtype.floating}
        found.append(one if name == key else {**one, "key": key})
    return sorted(found, key=lambda one: str(one["name"]))


def _still(file: KerasFile, name: str) -> bool:
    """Tell whether the weight `name` is of a layer that was saved as not trained."""
    layers = file.net.layers if file.net else []
    still = {layer.name for layer in layers if layer.settings.get("trainable") is False}
    return name.partition("/")[0] in still


def called(key: str) -> str:
    """Return the name of the weight at the path `key`: ``dense/kernel``, without what repeats.

    The older files keep a weight in a group of its layer, under a name that begins with the layer.
    """
    parts = key.removesuffix(":0").split("/")
    if parts[0] != "model_weights":
        return key
    inner = parts[1:]
    return "/".join(inner[1:] if len(inner) > 2 and inner[0] == inner[1] else inner)


def _tensor(name: str, dtype: str | None, shape: list[int | None] | None) -> dict[str, Any]:
    return {"tensor": f"{name}:0", "dtype": dtype or "float32", "shape": shape}


def _width(width: int | None) -> list[int | None] | None:
    return None if width is None else [None, width]
