"""Every spelling of a constant is read, and what is written is read back."""

import numpy as np
import pytest

from zoo import dtypes, tensor_protos
from zoo.errors import FormatError
from zoo.mapped import CHUNK
from zoo.protos import TensorProto
from zoo.samples import odd_weights
from zoo.tensors import FilledTensor


def proto(dtype, shape, **values):
    """Return a message of this dtype and shape with `values` in its lists."""
    made = TensorProto(dtype=dtypes.named(dtype).number)
    for size in shape:
        made.tensor_shape.dim.add(size=size)
    for key, value in values.items():
        if isinstance(value, bytes):
            setattr(made, key, value)
        else:
            getattr(made, key).extend(value)
    return made


SPELLINGS = [
    (proto("float32", [2], tensor_content=b"\0\0\x80\x3f\0\0\0\x40"), [1.0, 2.0]),
    (proto("float32", [3], float_val=[1, 2]), [1.0, 2.0, 2.0]),
    (proto("float32", [2], float_val=[7]), [7.0, 7.0]),
    (proto("float32", [2]), [0.0, 0.0]),
    (proto("float64", [], double_val=[0.1]), 0.1),
    (proto("int32", [2], int_val=[-1, 5]), [-1, 5]),
    (proto("uint8", [2], int_val=[255, 0]), [255, 0]),
    (proto("int64", [1], int64_val=[-(2**63)]), [-(2**63)]),
    (proto("uint64", [1], uint64_val=[2**64 - 1]), [2**64 - 1]),
    (proto("bool", [2], bool_val=[True, False]), [True, False]),
    (proto("float16", [2], half_val=[0x3C00, 0xC000]), [1.0, -2.0]),
    (proto("bfloat16", [1], half_val=[0x3F80]), [1.0]),
    (proto("complex64", [2], scomplex_val=[1, 2, 3, 4]), [1 + 2j, 3 + 4j]),
    (proto("complex128", [3], dcomplex_val=[1, 2]), [1 + 2j] * 3),
    (proto("complex64", [3], scomplex_val=[1, 2, 3, 4, 5]), [1 + 2j, 3 + 4j, 3 + 4j]),
    (proto("complex64", [2], scomplex_val=[1, 2, 3]), [1 + 2j] * 2),
    (proto("complex64", [2], scomplex_val=[1]), [0j] * 2),
    (proto("float8_e5m2", [2], float8_val=b"\x3c\xbc"), [1.0, -1.0]),
    (proto("qint8", [2], int_val=[-3, 4]), [-3, 4]),
    (proto("string", [2], string_val=[b"a", b""]), [b"a", b""]),
    (proto("string", [3], string_val=[b"a"]), [b"a", b"a", b"a"]),
    (proto("string", [2]), [b"", b""]),
    (proto("string", [2], tensor_content=b"\x01\x02abc"), [b"a", b"bc"]),
    (proto("float32", [0, 3]), []),
]


@pytest.mark.parametrize(("message", "values"), SPELLINGS, ids=lambda v: str(v)[:40])
def test_every_spelling_is_read(message, values):
    """Raw bytes, full lists, lists that stop early, and nothing at all."""
    assert tensor_protos.from_proto(message).read().tolist() == values


@pytest.mark.parametrize(("message", "values"), SPELLINGS, ids=lambda v: str(v)[:40])
def test_every_spelling_is_written_again(message, values):
    """A tensor that was read is written as a message that reads the same."""
    again = tensor_protos.to_proto(tensor_protos.from_proto(message))

    assert tensor_protos.from_proto(again).read().tolist() == values


@pytest.mark.parametrize("name", sorted(odd_weights()))
def test_odd_values_survive(name):
    """Values, dtypes and shapes come back as they went in."""
    tensor = odd_weights()[name]

    again = tensor_protos.from_proto(tensor_protos.to_proto(tensor))

    assert (again.dtype, again.shape) == (tensor.dtype, tensor.shape)
    assert (
        again.read().tobytes()
        == np.ascontiguousarray(tensor.read())
        .astype(tensor.read().dtype.newbyteorder("<"))
        .tobytes()
        or again.read().tolist() == tensor.read().tolist()
    )


def test_one_value_for_all_places_takes_no_memory(monkeypatch):
    """18 bytes that promise 4 GiB cost 18 bytes, also where reading them is allowed."""
    tensor = tensor_protos.from_proto(proto("float32", [1 << 30], float_val=[1]))
    monkeypatch.setenv("ZOO_BUDGET", "4GiB")

    assert isinstance(tensor, FilledTensor)
    assert tensor.read()[-1] == 1


@pytest.mark.parametrize(
    "message",
    [
        proto("float32", [2], tensor_content=b"1234567"),
        proto("float32", [1], float_val=[1, 2]),
        proto("string", [1], string_val=[b"a", b"b"]),
        proto("string", [2], tensor_content=b"\x05\x01ab"),
        proto("string", [1], tensor_content=b"\x01abc"),
        proto("float32", [-1], float_val=[1]),
        proto("uint8", [1], int_val=[300]),
    ],
    ids=["bytes", "list", "strings", "short content", "long content", "open shape", "overflow"],
)
def test_values_that_do_not_fit_are_refused(message):
    """A message whose values disagree with its shape or dtype is damaged."""
    with pytest.raises(FormatError):
        tensor_protos.from_proto(message).read()


@pytest.mark.parametrize("sizes", [[1 << 40], [0, 1 << 62, 1 << 62]])
def test_sizes_are_not_believed(sizes):
    """A few bytes that promise more than there is memory are damage."""
    message = TensorProto(dtype=7)
    for size in sizes:
        message.tensor_shape.dim.add(size=size)

    with pytest.raises(FormatError):
        tensor_protos.texts(message)


@pytest.mark.parametrize(("message", "values"), SPELLINGS, ids=lambda v: str(v)[:40])
def test_every_spelling_streams_as_it_reads(message, values):
    """The same bytes, in one form or another."""
    tensor = tensor_protos.from_proto(message)
    if tensor.dtype is not dtypes.STRING:
        assert tensor.tobytes() == np.ascontiguousarray(tensor.read()).tobytes()


def test_raw_bytes_stream_in_pieces():
    """As long as is promised, however large."""
    content = np.random.default_rng(0).bytes(2 * CHUNK + 4)
    message = proto("float32", [len(content) // 4], tensor_content=content)

    pieces = list(tensor_protos.from_proto(message).chunks())

    assert [len(piece) for piece in pieces] == [CHUNK, CHUNK, 4]
    assert b"".join(pieces) == content
    with pytest.raises(FormatError, match="does not fill its shape"):
        list(tensor_protos.from_proto(proto("float32", [3], tensor_content=bytes(8))).chunks())


def test_an_array_of_too_many_axes_is_refused():
    """NumPy has 64 at most; what says more is refused before an array is made."""
    message = tensor_protos.header(FilledTensor(bytes(4), dtypes.named("float32"), (1,) * 64))

    assert tensor_protos.from_proto(message).read().ndim == 64
    message.tensor_shape.dim.add(size=1)
    with pytest.raises(FormatError, match="65 axes"):
        tensor_protos.from_proto(message)
