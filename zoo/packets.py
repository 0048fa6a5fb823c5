"""What a process that is not trusted may say: lines of JSON, and arrays as plain bytes.

A packet is one line of JSON, and the bytes that its ``bytes`` announces.  Who reads it takes
nothing for granted: sizes are compared with what came before anything is made of them, and nothing
is unpickled.
"""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zoo import budget, dtypes
from zoo.errors import FormatError, ZooError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np

_LONGEST_LINE = 1 << 20
_LENGTH = struct.Struct("<Q")
"""Before each text of an array: how many bytes it has."""


@dataclass(frozen=True)
class Packet:
    """One thing that was said.

    Attributes
    ----------
    kind
        What it is: ``"ready"``, ``"note"``, ``"array"``, ``"error"``, ``"bug"``, ``"done"``.
    facts
        What is said.
    data
        The bytes that came with it.
    """

    kind: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    data: bytes = b""

    def encoded(self) -> bytes:
        """Return the packet as bytes."""
        stated = {"kind": self.kind, "bytes": len(self.data), **self.facts}
        return json.dumps(stated).encode() + b"\n" + self.data


class Reader:
    """Makes packets of bytes as they come.

    Parameters
    ----------
    most
        Bytes that all packets together may have.
    """

    def __init__(self, most: int) -> None:
        self._left = most
        self._held = bytearray()
        self._head: dict[str, Any] | None = None

    def packets(self, data: bytes) -> Iterator[Packet]:
        """Yield the packets that are whole when `data` has come.

        Raises
        ------
        FormatError
            It is none, or more than is wanted.
        """
        self._held += data
        self._left -= len(data)
        if self._left < 0:
            raise FormatError("more came than was allowed", hint="allow more: --memory SIZE")
        while (packet := self._packet()) is not None:
            yield packet

    def _packet(self) -> Packet | None:
        if self._head is None:
            end = self._held.find(b"\n", 0, _LONGEST_LINE)
            if end < 0 and len(self._held) < _LONGEST_LINE:
                return None
            self._head = _head(bytes(self._held[: max(end, 0)]))
            del self._held[: end + 1]
        length = self._head["bytes"]
        if len(self._held) < length:
            return None
        data = bytes(self._held[:length])
        del self._held[:length]
        facts, self._head = self._head, None
        return Packet(facts.pop("kind"), {k: v for k, v in facts.items() if k != "bytes"}, data)


def _head(line: bytes) -> dict[str, Any]:
    try:
        facts = json.loads(line)
        sound = type(facts["kind"]) is str and type(facts["bytes"]) is int and facts["bytes"] >= 0
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _unreadable(repr(line[:100])) from error
    if not sound:
        raise _unreadable(repr(line[:100]))
    return dict(facts)


def of_array(name: str, value: Any) -> Packet:
    """Return the packet for the array `value` that is called `name`.

    Raises
    ------
    UnsupportedError
        TensorFlow has no such dtype.
    """
    import numpy as np

    # numpy's own texts lose the zeros at their ends
    array = np.asarray(value, object if isinstance(value, bytes | str) else None)
    fields = array.dtype.names  # quantized numbers are a field that is called as their dtype
    called = fields[0] if fields else dtypes.of_array(array).name
    facts = {"name": name, "dtype": called, "shape": list(array.shape)}
    if called == dtypes.STRING.name:
        return Packet("array", facts, b"".join(map(_text, array.reshape(-1).tolist())))
    return Packet("array", facts, array.tobytes())


def _text(value: bytes | str) -> bytes:
    text = value.encode() if isinstance(value, str) else value
    return _LENGTH.pack(len(text)) + text


def array(packet: Packet) -> tuple[str, Any]:
    """Return the name and the values of an array in a `packet`, a single value as a scalar.

    Raises
    ------
    FormatError
        It is none, or its bytes are not as many as its shape and dtype say.
    """
    try:
        name, shape = packet.facts["name"], packet.facts["shape"]
        dtype = dtypes.named(packet.facts["dtype"])
        good = [type(size) is int and size >= 0 for size in shape]
        if type(name) is not str or not all(good) or len(shape) > budget.MOST_AXES:
            raise ValueError(f"{name} {shape}")
        return name, _values(packet.data, dtype, tuple(shape))[()]
    except (LookupError, TypeError, ValueError, struct.error, ZooError) as error:
        raise _unreadable(str(error)[:100]) from error


def _values(data: bytes, dtype: dtypes.DType, shape: tuple[int, ...]) -> np.ndarray:
    import numpy as np

    if dtype is dtypes.STRING:
        texts = np.empty(math.prod(shape) if math.prod(shape) <= len(data) else -1, object)
        texts[:] = _texts(data)
        return texts.reshape(shape)
    stored = np.dtype([(dtype.name, dtype.numpy)]) if "q" in dtype.name else dtype.numpy
    return np.frombuffer(data, stored).reshape(shape).copy()


def _texts(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        begin = at + _LENGTH.size
        at = begin + _LENGTH.unpack_from(data, at)[0]
        if at > len(data):
            raise ValueError("a text is cut off")
        found.append(data[begin:at])
    return found


def of_error(error: ZooError) -> Packet:
    """Return the packet for `error`."""
    return Packet("error", {"error": error.facts()})


def error(packet: Packet, kinds: Callable[[str], type[ZooError] | None]) -> ZooError:
    """Return the error in a `packet`.

    Parameters
    ----------
    kinds
        Returns the kind of error of a name.

    Raises
    ------
    FormatError
        It is none.
    """
    facts = packet.facts.get("error")
    said = facts if isinstance(facts, dict) else {}
    name, *words = (said.get(key) for key in ("kind", "problem", "found", "hint"))
    kind = kinds(name) if isinstance(name, str) else None
    if kind is None or not all(isinstance(word, str) for word in words):
        raise _unreadable("an error that is none")
    problem, found, hint = map(str, words)
    return kind(problem, found=found, hint=hint)


def _unreadable(found: str) -> FormatError:
    return FormatError("what an isolated process said cannot be read", found=found)
