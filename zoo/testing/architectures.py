"""What an architecture promises: a net that is built, and weights that find their places in it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from zoo import dtypes, joining
from zoo.errors import FormatError
from zoo.specs import sizes_of
from zoo.tensors import FilledTensor
from zoo.variables import dtype_of, is_variable
from zoo.weights import Weights

if TYPE_CHECKING:
    from collections.abc import Mapping

    from zoo.architectures import Architecture
    from zoo.dtypes import DType
    from zoo.model import Model
    from zoo.tensors import Tensor

    Kind = tuple[DType, tuple[int | None, ...] | None]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]*")
_EDITED = 12345
_COMPARED = 1 << 16
"""Bytes of a weight that are compared: nets may bring gigabytes."""


class ArchitectureContract:
    """What every architecture promises.  Subclass it and give an `architecture` fixture."""

    @pytest.fixture
    def architecture(self) -> Architecture:
        """Return the architecture under test."""
        raise NotImplementedError("a hook of the contract: return your Architecture")

    def test_is_described(self, architecture: Architecture) -> None:
        """Its name can stand in a registry, and one line says what it computes."""
        assert _NAME.fullmatch(architecture.name), architecture.name
        assert architecture.summary.strip()
        assert "\n" not in architecture.summary

    def test_builds_a_net(self, architecture: Architecture) -> None:
        """What it builds is a graph that puts something out."""
        assert architecture.build().signature().outputs

    def test_builds_the_same_again(self, architecture: Architecture) -> None:
        """Two calls give equal nets, initial weights included."""
        first, second = architecture.build(), architecture.build()

        assert _spelled(first) == _spelled(second)
        assert _starts(first.weights) == _starts(second.weights)

    def test_builds_a_net_of_its_own(self, architecture: Architecture) -> None:
        """Who edits the net that it built does not edit the next one."""
        architecture.build().graph.versions.min_consumer = _EDITED

        assert architecture.build().graph.versions.min_consumer != _EDITED

    def test_variables_have_shapes(self, architecture: Architecture) -> None:
        """Every variable says its whole shape, so that weights can be held against it."""
        for name, (_, shape) in _variables(architecture.build()).items():
            assert shape is not None, f"{name} has a shape of unknown rank"
            assert None not in shape, f"{name} has an open axis"

    def test_initial_weights_fit(self, architecture: Architecture) -> None:
        """Weights that it brings belong to a node, and fit it where that is a variable."""
        built = architecture.build()
        variables, nodes = _variables(built), {node.name for node in built.graph.node}

        assert set(built.weights) <= nodes
        for name in [name for name in built.weights if name in variables]:
            dtype, shape = variables[name]
            tensor = built.weights.tensor(name)
            assert tensor.dtype == dtype, name
            assert shape is None or len(shape) == len(tensor.shape), name
            sizes = zip(shape or (), tensor.shape, strict=False)
            assert all(wanted in (None, size) for wanted, size in sizes), name

    def test_aliases_mean_one_variable(self, architecture: Architecture) -> None:
        """What weights call a variable besides is a text, and no other's name or alias."""
        owners: dict[str, str] = {}
        for name in _variables(architecture.build()):
            aliases = architecture.aliases(name)
            assert not isinstance(aliases, str), f"{name}: a list of texts is wanted"
            for alias in {name, *aliases}:
                assert owners.setdefault(alias, name) == name, alias

    def test_its_own_names_attach(self, architecture: Architecture) -> None:
        """Weights that are called as its variables are find their places, every one."""
        stored = _numbered(_variables(architecture.build()))

        attached = joining.with_architecture(architecture, Weights(stored)).weights

        assert _starts(attached.only(stored)) == _starts(Weights(stored))

    def test_weights_of_others_are_refused(self, architecture: Architecture) -> None:
        """Weights that belong elsewhere are a `FormatError` where it wants any."""
        stranger = FilledTensor(bytes(4), dtypes.named("float32"), (2, 3, 5, 7, 11))
        if _variables(architecture.build()):
            with pytest.raises(FormatError):
                joining.with_architecture(architecture, Weights({"zoo/stranger": stranger}))


def _spelled(model: Model) -> bytes:
    return bytes(model.meta_graph.SerializeToString(deterministic=True))


def _variables(model: Model) -> dict[str, Kind]:
    """Return dtype and shape of each variable of `model`, texts left out."""
    found: dict[str, Kind] = {}
    for node in model.graph.node:
        if is_variable(node) and dtype_of(node) is not dtypes.STRING:
            stated = node.attr["shape"].shape if "shape" in node.attr else None
            known = stated is not None and not stated.unknown_rank
            found[node.name] = (dtype_of(node), sizes_of(stated) if known else None)
    return found


def _numbered(variables: Mapping[str, Kind]) -> dict[str, Tensor]:
    """Return a tensor for each variable of known shape, each of another value."""
    found: dict[str, Tensor] = {}
    for number, (name, (dtype, shape)) in enumerate(variables.items(), 1):
        element = (number % 256**dtype.itemsize).to_bytes(dtype.itemsize, "little")
        sizes = tuple(1 if size is None else size for size in shape or ())
        found[name] = FilledTensor(element, dtype, sizes)
    return found


def _starts(weights: Weights) -> dict[str, tuple[tuple[int, ...], bytes]]:
    """Return the shape and the first bytes of each of `weights`; not of texts."""
    tensors = {name: weights.tensor(name) for name in weights}
    return {
        name: (tensor.shape, bytes(next(iter(tensor.chunks()), b""))[:_COMPARED])
        for name, tensor in tensors.items()
        if tensor.dtype is not dtypes.STRING
    }
