"""What each operation is, from a table, so that no TensorFlow is needed to know.

The table ``ops.txt`` is written from TensorFlow's own registry by
``tests/golden/make_op_table.py``: per operation whether it has state or an effect and runs on a
CPU, which inputs are references, for each output its name, type and repetition, and its attributes.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from zoo import dtypes, protos
from zoo.errors import UnsupportedError

if TYPE_CHECKING:
    from zoo.dtypes import DType


@dataclass(frozen=True)
class Output:
    """One output of an operation: a tensor, or a run of tensors.

    Attributes
    ----------
    name
        What functions call it: ``node:name:0``.
    kind
        Its dtype: a number, or the name of the node's attribute that has it.
    default
        The number that holds where the node lacks that attribute; 0 for none.
    ref
        Whether it is a reference to a variable's memory.
    repeat
        The node's attribute that says how many such tensors there are; empty for one.
    types
        The node's attribute that lists the dtype of each; empty for a fixed dtype.
    """

    name: str
    kind: str
    default: int
    ref: bool
    repeat: str
    types: str


@dataclass(frozen=True)
class Op:
    """One operation: the positions of its reference inputs, and its outputs in order.

    Attributes
    ----------
    stateful
        Whether it reads or changes more than its inputs and outputs: it runs even where nothing
        needs its outputs.
    runs
        Whether it can run on a CPU.
    refused_from
        The version of graphs (``producer``) from which on TensorFlow refuses it, None for none.
    attributes
        The names of its attributes.
    """

    refs: tuple[int, ...]
    outputs: tuple[Output, ...]
    stateful: bool
    runs: bool
    refused_from: int | None
    attributes: frozenset[str]


RELEASE = "2.21"
"""The release of TensorFlow whose operations the table lists."""
GRAPH_VERSION = 2474
"""The version of the graphs that this release writes."""


def op(name: str) -> Op | None:
    """Return the operation called `name`, None if this TensorFlow has no such."""
    line = _lines().get(name)
    return None if line is None else _parsed(line)


def may_call(name: str) -> bool:
    """Tell whether the operation called `name` may have a function as an attribute."""
    line = _lines().get(name)
    return line is None or "()" in line


def dtypes_of(node: protos.NodeDef) -> list[DType]:
    """Return the dtypes of the outputs of `node`, in the order of their numbers.

    Raises
    ------
    UnsupportedError
        Nobody knows the operation.
    """
    found: list[DType] = []
    for output in _known(node).outputs:
        found += _run(node, output)
    return found


def position(node: protos.NodeDef, output: str, index: int) -> int:
    """Return the number of the tensor that functions call ``node:output:index``.

    Raises
    ------
    UnsupportedError
        Nobody knows the operation, or it has no such output.
    """
    before = 0
    for known in _known(node).outputs:
        if known.name == output:
            return before + index
        before += len(_run(node, known))
    raise UnsupportedError(
        f"operation {node.op} has no output {output!r}", found=f"node {node.name}"
    )


def spelled(node: protos.NodeDef, number: int) -> str:
    """Return what functions call the tensor `number` of `node`, its name left out: ``output:0``.

    Raises
    ------
    UnsupportedError
        Nobody knows the operation, or it has no such output.
    """
    before = 0
    for known in _known(node).outputs:
        length = len(_run(node, known))
        if before <= number < before + length:
            return f"{known.name}:{number - before}"
        before += length
    raise UnsupportedError(f"operation {node.op} has no output {number}", found=f"node {node.name}")


@functools.cache
def _lines() -> dict[str, str]:
    text = files("zoo").joinpath("ops.txt").read_text(encoding="utf-8")
    return {line.partition(" ")[0]: line for line in text.splitlines()}


@functools.cache
def _parsed(line: str) -> Op:
    described, _, attributes = line.partition(" ;")
    words = described.split()[1:]
    outputs = tuple(_output(word) for word in words if ":" in word)
    marks = {word[0]: word[1:] for word in words if ":" not in word}
    return Op(
        tuple(int(number) for number in marks["&"].split(",")) if "&" in marks else (),
        outputs,
        "!" in marks,
        "-" not in marks,
        int(marks["~"]) if "~" in marks else None,
        frozenset(word.removesuffix("()") for word in attributes.split()),
    )


def _output(word: str) -> Output:
    """Return the output that a `word` of the table spells: ``name:[&]kind[=default][*repeat]``."""
    name, _, spelled = word.partition(":")
    if spelled.startswith("*"):
        return Output(name, "", 0, ref=False, repeat="", types=spelled[1:])
    ref = spelled.startswith("&")
    typed, _, repeat = spelled.removeprefix("&").partition("*")
    kind, _, default = typed.partition("=")
    return Output(name, kind, int(default or 0), ref=ref, repeat=repeat, types="")


def _known(node: protos.NodeDef) -> Op:
    found = op(node.op)
    if found is None:
        raise UnsupportedError(
            f"operation {node.op!r} is not one of this TensorFlow's", found=f"node {node.name!r}"
        )
    return found


def _run(node: protos.NodeDef, output: Output) -> list[DType]:
    """Return the dtypes of the tensors that `output` of `node` stands for."""
    if output.types:
        listed = node.attr[output.types].list.type if output.types in node.attr else []
        return [dtypes.dtype(number) for number in listed]
    if output.kind.isdigit():
        number = int(output.kind)
    else:
        number = node.attr[output.kind].type if output.kind in node.attr else output.default
    times = node.attr[output.repeat].i if output.repeat in node.attr else 1
    return [dtypes.dtype(number)] * (times if output.repeat else 1)
