"""Small models to try things on: a dense layer, and weights of every shape and kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zoo import dtypes, protos, signatures
from zoo.model import Model
from zoo.nodes import Dims, node, placeholder, text
from zoo.tensors import ArrayTensor, FilledTensor, Tensor
from zoo.variables import declare, handle
from zoo.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np

    Extra = tuple[Model, Callable[[Model], bool]]

FLOAT = dtypes.named("float32")
_PRODUCER = 27


def sample_model(kernel: Tensor | None = None, bias: Tensor | None = None) -> Model:
    """Return a dense layer, ``probabilities = softmax(x @ dense/kernel + dense/bias)``.

    `x` is float32 ``(batch, inputs)``.  The weights are reference variables, ``(3, 2)`` and
    ``(2,)`` if none are given; their values contain zeros of both signs, infinities and a NaN
    with a payload.
    """
    kernel = kernel or ArrayTensor.of(_odd_floats((3, 2)))
    bias = bias or ArrayTensor.of(_odd_floats((2,)))
    meta_graph = protos.MetaGraphDef()
    meta_graph.graph_def.versions.producer = _PRODUCER
    meta_graph.graph_def.node.extend(
        [
            placeholder("x", FLOAT, [None, kernel.shape[0]]),
            *_variable("dense/kernel", kernel),
            *_variable("dense/bias", bias),
            node("dense/MatMul", "MatMul", ["x", "dense/kernel/read"], T=FLOAT),
            node("dense/BiasAdd", "BiasAdd", ["dense/MatMul", "dense/bias/read"], T=FLOAT),
            node("probabilities", "Softmax", ["dense/BiasAdd"], T=FLOAT),
        ]
    )
    weights = {"dense/kernel": kernel, "dense/bias": bias}
    declare(meta_graph, {name: one.shape for name, one in weights.items()}, set(weights))
    return Model(meta_graph, Weights(weights))


def signed_model() -> Model:
    """Return `sample_model` with two signatures, whose names are not those of its tensors."""
    model = sample_model()
    meta_graph = _copied(model)
    ends = {
        "serving_default": ({"features": "x:0"}, {"scores": "probabilities:0"}),
        "logits": ({"pixels": "x:0"}, {"raw": "dense/BiasAdd:0", "scores": "probabilities:0"}),
    }
    for key, (inputs, outputs) in ends.items():
        stated = signatures.to_proto(signatures.named(meta_graph, inputs, outputs))
        meta_graph.signature_def[key].CopyFrom(stated)
    return Model(meta_graph, model.weights)


def with_extras(folder: Path) -> dict[str, Extra]:
    """Return models that have something besides, by what it is, each with what tells it is there.

    Parameters
    ----------
    folder
        Where the file is put to which one of them refers.
    """
    return {
        "collection": _edited(
            lambda m: m.collection_def["rates"].float_list.value.append(0.5),
            lambda m: [*m.collection_def["rates"].float_list.value] == [0.5],
        ),
        "tag": _edited(
            lambda m: m.meta_info_def.tags.append("odd"), lambda m: "odd" in m.meta_info_def.tags
        ),
        "node": _edited(
            lambda m: m.graph_def.node.append(node("spare", "NoOp")),
            lambda m: any(one.name == "spare" for one in m.graph_def.node),
        ),
        "weight": _with_spare_weight(),
        "file": _with_file(folder),
    }


def bag_model(weights: dict[str, Tensor]) -> Model:
    """Return a model that puts out each of `weights` as it is, called ``X/out``.

    The weights are resource variables.
    """
    meta_graph = protos.MetaGraphDef()
    meta_graph.graph_def.versions.producer = _PRODUCER
    for name, tensor in weights.items():
        meta_graph.graph_def.node.extend(
            [
                handle(name, tensor.dtype, tensor.shape),
                node(f"{name}/read", "ReadVariableOp", [name], dtype=tensor.dtype),
                node(f"{name}/out", "Identity", [f"{name}/read"], T=tensor.dtype),
            ]
        )
    shapes = {name: tensor.shape for name, tensor in weights.items()}
    declare(meta_graph, shapes, {n for n, t in weights.items() if t.dtype.floating})
    return Model(meta_graph, Weights(weights))


def odd_weights() -> dict[str, Tensor]:
    """Return weights of every shape and kind that has been forgotten somewhere."""
    import ml_dtypes
    import numpy as np

    counting = np.arange(24, dtype=np.float32)
    arrays = {
        "scalar": np.float64(-0.0),
        "floats": _odd_floats((6,)),
        "empty": np.zeros((0, 3), np.float32),
        "deep": counting[:8].reshape(1, 2, 1, 2, 1, 2, 1, 1),
        "column": counting.reshape(4, 6)[:, 1:5:2],
        "transposed": counting.reshape(2, 3, 4).transpose(2, 0, 1),
        "big_endian": counting.astype(">f4"),
        "flags": np.array([True, False, True]),
        "bytes": np.arange(256, dtype=np.uint8),
        "counts": np.array([-(2**63), 2**63 - 1]),
        "half": np.array([1.5, -2.0], np.float16),
        "brain": np.array([1.5, -3.25], ml_dtypes.bfloat16),
        "waves": np.array([1 + 2j, -1j], np.complex64),
        "words": np.array([b"", b"\0\xff", "größe".encode(), b"ends\0"], object),
        "scope/größe/重み": np.float32(7),
    }
    found: dict[str, Tensor] = {name: ArrayTensor.of(array) for name, array in arrays.items()}
    found["filled"] = FilledTensor(b"\0\0\x80\x3f", FLOAT, (5, 7))
    return found


def _copied(model: Model) -> protos.MetaGraphDef:
    meta_graph = protos.MetaGraphDef()
    meta_graph.CopyFrom(model.meta_graph)
    return meta_graph


def _edited(
    edit: Callable[[protos.MetaGraphDef], object], told: Callable[[protos.MetaGraphDef], bool]
) -> Extra:
    model = sample_model()
    meta_graph = _copied(model)
    edit(meta_graph)
    return Model(meta_graph, model.weights), lambda loaded: told(loaded.meta_graph)


def _with_spare_weight() -> Extra:
    model = sample_model()
    meta_graph = _copied(model)
    spare = ArrayTensor.of(_odd_floats((4,)))
    meta_graph.graph_def.node.extend(_variable("spare", spare))
    declare(meta_graph, {"spare": spare.shape}, set())
    weights = model.weights.overlay({"spare": spare})
    return Model(meta_graph, weights), lambda loaded: "spare" in loaded.weights


def _with_file(folder: Path) -> Extra:
    model = sample_model()
    meta_graph = _copied(model)
    meta_graph.graph_def.node.append(text("words/path", "words.txt"))
    meta_graph.asset_file_def.add(filename="words.txt").tensor_info.name = "words/path:0"
    path = folder / "words.txt"
    path.write_text("zoo\n")
    return Model(meta_graph, model.weights, {"words.txt": path}), lambda loaded: bool(loaded.assets)


def _variable(name: str, tensor: Tensor) -> list[protos.NodeDef]:
    return [
        node(name, "VariableV2", dtype=tensor.dtype, shape=Dims(tensor.shape)),
        node(f"{name}/read", "Identity", [name], T=tensor.dtype),
    ]


def _odd_floats(shape: tuple[int, ...]) -> np.ndarray:
    import numpy as np

    values = np.array([0x3F800000, 0x80000000, 0x7FC00BAD, 0xFF800000, 1, 0x7F7FFFFF], np.uint32)
    return np.resize(values, shape).view(np.float32)
