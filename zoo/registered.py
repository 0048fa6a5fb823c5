"""Which operations the installed TensorFlow has: by a table, or asked where it is another release.

The table that comes with zoo is that of one release; as long as the installed TensorFlow is of it,
nothing is imported.
"""

from __future__ import annotations

import functools
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from zoo import ops

_PACKAGES = ("tensorflow", "tensorflow-cpu", "tensorflow-intel", "tf-nightly")


def registered(name: str) -> ops.Op | None:
    """Return the operation `name` as the installed TensorFlow has it, None if it has none."""
    if by_table():
        return ops.op(name)
    found: ops.Op | None = _asked().get(name)
    return found


@functools.cache
def installed() -> str:
    """Return the release of TensorFlow that is installed, empty where none is."""
    for package in _PACKAGES:
        try:
            return version(package)
        except PackageNotFoundError:
            continue
    return ""


def by_table() -> bool:
    """Tell whether the table is that of the installed release; so is nothing, where none is."""
    return not installed() or installed().startswith(f"{ops.RELEASE}.")


@functools.cache
def _asked() -> dict[str, ops.Op]:
    """Return every operation that TensorFlow itself names, which is imported for it."""
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.python.client import pywrap_tf_session
    from tensorflow.python.framework import kernels

    buffer = pywrap_tf_session.TF_GetBuffer(pywrap_tf_session.TF_GetAllOpList())
    kernels_there = kernels.get_all_registered_kernels().kernel
    runs = {kernel.op for kernel in kernels_there if kernel.device_type in ("CPU", "DEFAULT")}
    return {op.name: _op(op, runs) for op in op_def_pb2.OpList.FromString(buffer).op}


def _op(stated: Any, runs: set[str]) -> ops.Op:
    return ops.Op(
        tuple(at for at, argument in enumerate(stated.input_arg) if argument.is_ref),
        (),
        stated.is_stateful,
        stated.name in runs,
        stated.deprecation.version if stated.HasField("deprecation") else None,
        frozenset(attribute.name for attribute in stated.attr),
    )
