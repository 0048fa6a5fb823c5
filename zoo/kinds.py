"""What is no model that can be loaded, and can be looked at all the same.

Keras files, archives, and a data file without its index: each is recognised by its contents, and
described in the same document as a model.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo import archives, bundle, joining, keras_file
from zoo.describe import describe, nothing
from zoo.errors import counted
from zoo.file_types import FileType, file_type
from zoo.keras_config import every_layer, holds_code
from zoo.keras_file import KerasFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from zoo.keras_config import Net

_DATA = re.compile(r"(.+)\.data-(\d{5})-of-(\d{5})")
_STATISTICS = re.compile(
    r"moving_(mean|variance)$|(^|/)batch_normalization(_\d+)?/vars/[23]$"
    r"|(^|/)normalization(_\d+)?/"
)


@dataclass(frozen=True)
class Kind:
    """A kind of file that can be looked at, but not loaded.

    Attributes
    ----------
    name
        What ``zoo inspect`` calls it.
    recognises
        Tells whether a path is of this kind; never raises.
    facts
        Returns the document of ``zoo inspect --json`` for a path, and a pattern for tensors that
        are listed besides.
    """

    name: str
    recognises: Callable[[Path], bool]
    facts: Callable[[Path, str | None], dict[str, Any]]

    def files_at(self, path: Path) -> list[Path]:
        """Return the files of which it consists: itself."""
        return [path]


def unknown(path: Path) -> dict[str, Any]:
    """Return the document of a file that is none of ours: what it is instead."""
    found = file_type(path)
    if found.name == "zip" and archives.is_arrays(path):
        found = FileType("npz", "NumPy arrays in a zip archive, not a model")
    document = nothing("unknown", path)
    return document | {"what": found.what, "notes": [found.hint] if found.hint else []}


def graph_alone(path: Path, tensors: str | None = None) -> dict[str, Any] | None:
    """Return the document of a graph without the values of its variables, None for all else."""
    alone = joining.graph_alone(path)
    if alone is None:
        return None
    model, kind = alone
    what = "a graph, not frozen" if kind == "graph" else "a MetaGraphDef without its weights"
    return describe(model, kind, path, (), tensors) | {"what": what}


def _is_data(path: Path) -> bool:
    named = _DATA.fullmatch(path.name)
    return (
        named is not None
        and path.is_file()
        and not bundle.index_path(path.with_name(named[1])).exists()
    )


def _data(path: Path, _: str | None) -> dict[str, Any]:
    named = _DATA.fullmatch(path.name)
    name, number, count = named.groups() if named else (path.name, "0", "1")
    what = f"data file {int(number) + 1} of {int(count)} of the checkpoint {name!r}: values alone"
    missing = f"{name}.index is not here, which has their names and shapes"
    return nothing("checkpoint", path) | {"what": what, "notes": [missing]}


def _archive(path: Path, _: str | None) -> dict[str, Any]:
    found = archives.members(path)
    models = archives.models_in([member.name for member in found])
    bad = [member.name for member in found if member.escapes]
    notes = [f"it holds {model}" for model in models[:20]]
    notes += [f"{name!r} would lie outside of the folder, or is a link" for name in bad[:20]]
    what = f"{file_type(path).what} of {counted(len(found), 'file')}, listed and not unpacked"
    files = [{"name": member.name, "bytes": member.size} for member in found]
    return nothing("archive", path) | {"what": what, "notes": notes, "files": files}


def _keras(path: Path, _: str | None) -> dict[str, Any]:
    file = KerasFile(path)
    net, weights = file.net, _keras_weights(file)
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
        "head": None if head is None else _keras_head(net, head, weights),
        "notes": _keras_notes(net),
    }


def _keras_notes(net: Net) -> list[str]:
    count = sum(map(holds_code, every_layer(net.config)))
    return [f"{counted(count, 'Lambda layer')} would run code of the author's"] if count else []


def _keras_head(
    net: Net, head: tuple[str, str, int], weights: list[dict[str, Any]]
) -> dict[str, Any]:
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


def _keras_weights(file: KerasFile) -> list[dict[str, Any]]:
    found = []
    for key, tensor in file.weights.items():
        name = _called(key)
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


def _called(key: str) -> str:
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


KINDS = (
    Kind("keras", keras_file.recognises, _keras),
    Kind("checkpoint", _is_data, _data),
    Kind("archive", archives.recognises, _archive),
)
"""All kinds, in the order in which they are looked for."""
