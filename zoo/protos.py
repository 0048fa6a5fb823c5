"""TensorFlow's messages, without importing TensorFlow.

The installed package holds, in each ``*_pb2.py``, the descriptor of one ``.proto`` file as a
bytes literal.  These literals are read as text, and the messages are built in a pool of our own,
in well under 0.1 s where ``import tensorflow`` takes 5 s; a later import of TensorFlow does not
clash with them. If a release of TensorFlow moves the literals, TensorFlow itself is asked for its
descriptors.

Messages are attributes of this module (``protos.GraphDef``), built when the first one is asked for.
"""

from __future__ import annotations

import ast
import functools
import importlib
import importlib.util
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import ZooError

if TYPE_CHECKING:
    from typing import TypeAlias

    AssetFileDef: TypeAlias = Any
    AttrValue: TypeAlias = Any
    BundleEntryProto: TypeAlias = Any
    BundleHeaderProto: TypeAlias = Any
    CheckpointState: TypeAlias = Any
    FunctionDef: TypeAlias = Any
    GraphDef: TypeAlias = Any
    MetaGraphDef: TypeAlias = Any
    NodeDef: TypeAlias = Any
    SavedModel: TypeAlias = Any
    SavedObjectGraph: TypeAlias = Any
    SavedTensorSlices: TypeAlias = Any
    SaverDef: TypeAlias = Any
    SignatureDef: TypeAlias = Any
    TensorInfo: TypeAlias = Any
    TensorProto: TypeAlias = Any
    TensorShapeProto: TypeAlias = Any
    TensorSliceProto: TypeAlias = Any
    VariableDef: TypeAlias = Any

_ROOTS = (
    "tensorflow/core/protobuf/meta_graph.proto",
    "tensorflow/core/protobuf/saved_model.proto",
    "tensorflow/core/protobuf/tensor_bundle.proto",
    "tensorflow/core/framework/variable.proto",
    "tensorflow/core/util/saved_tensor_slice.proto",
    "tensorflow/python/training/checkpoint_state.proto",
)
_LITERAL = re.compile(r"AddSerializedFile\((b'(?:[^'\\]|\\.)*'|b\"(?:[^\"\\]|\\.)*\")\)")


def __getattr__(name: str) -> Any:
    if name.startswith("_"):
        raise AttributeError(name)
    try:
        return message(f"tensorflow.{name}")
    except KeyError:
        raise AttributeError(f"TensorFlow has no message {name!r}") from None


@functools.cache
def message(full_name: str) -> Any:
    """Return the class of the message `full_name`, ``"tensorflow.GraphDef"``."""
    from google.protobuf import message_factory

    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(full_name))


@functools.cache
def _pool() -> Any:
    from google.protobuf import any_pb2, descriptor_pool, wrappers_pb2
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

    pool = descriptor_pool.DescriptorPool()
    added = set()
    for known in (any_pb2, wrappers_pb2):
        pool.AddSerializedFile(known.DESCRIPTOR.serialized_pb)
        added.add(known.DESCRIPTOR.name)

    def add(path: str) -> None:
        """Add the messages of `path` and, before it, those that it is made of."""
        if path in added:
            return
        added.add(path)
        serialized = descriptor(path)
        for needed in FileDescriptorProto.FromString(serialized).dependency:
            add(needed)
        pool.AddSerializedFile(serialized)

    for root in _ROOTS:
        add(root)
    return pool


def descriptor(path: str) -> bytes:
    """Return the serialized ``FileDescriptorProto`` of the ``.proto`` file at `path`."""
    return read_descriptor(path) or _imported_descriptor(path)


def read_descriptor(path: str) -> bytes | None:
    """Return the descriptor of `path` as it stands in the installed package's text, if it does."""
    source = _tensorflow() / path.removeprefix("tensorflow/").replace(".proto", "_pb2.py")
    if not source.is_file():
        return None
    literal = _LITERAL.search(source.read_text(encoding="utf-8"))
    return ast.literal_eval(literal[1]) if literal else None


def _imported_descriptor(path: str) -> bytes:
    module = path.removesuffix(".proto").replace("/", ".") + "_pb2"
    serialized: bytes = importlib.import_module(module).DESCRIPTOR.serialized_pb
    return serialized


@functools.cache
def _tensorflow() -> Path:
    spec = importlib.util.find_spec("tensorflow")
    if spec is None or not spec.submodule_search_locations:
        raise ZooError("TensorFlow is not installed", hint="pip install tensorflow")
    return Path(spec.submodule_search_locations[0])
