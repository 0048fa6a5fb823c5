"""Streams: every byte arrives, whatever the pieces and the file system."""

import errno
import os

import pytest

from zoo import streams

PIECES = [b"", b"a" * 3, b"b" * (5 << 20), b"c" * (9 << 20), b"d" * 4095]


@pytest.mark.parametrize("count", range(1, len(PIECES) + 1))
def test_all_bytes_arrive(tmp_path, count):
    """Pieces smaller and larger than what is gathered come out as one, and are counted."""
    with streams.Stream(tmp_path / "file") as stream:
        stream.writelines(PIECES[:count])
        assert stream.tell() == sum(map(len, PIECES[:count]))

    assert (tmp_path / "file").read_bytes() == b"".join(PIECES[:count])


def test_a_file_that_was_there_is_emptied(tmp_path):
    """Nothing of an older, longer file is left behind the new one."""
    (tmp_path / "file").write_bytes(bytes(100))

    with streams.Stream(tmp_path / "file") as stream:
        stream.write(b"new")

    assert (tmp_path / "file").read_bytes() == b"new"


def test_a_file_system_without_direct_writes(tmp_path, monkeypatch):
    """Where a direct write is refused the same bytes are written in the ordinary way."""
    real, refused = os.write, []

    def write(descriptor, data):
        if len(data) == streams._ROOM and not refused:
            refused.append(descriptor)
            raise OSError(errno.EINVAL, "not here")
        return real(descriptor, data)

    monkeypatch.setattr("os.write", write)
    with streams.Stream(tmp_path / "file") as stream:
        stream._direct = True
        stream.writelines(PIECES)

    assert (tmp_path / "file").read_bytes() == b"".join(PIECES)


def test_short_writes_go_on(tmp_path, monkeypatch):
    """A write that takes only a part of the bytes is followed by one that takes the rest."""
    real = os.write
    monkeypatch.setattr(streams, "_DIRECT", 0)
    monkeypatch.setattr("os.write", lambda descriptor, data: real(descriptor, data[: 1 << 20]))

    with streams.Stream(tmp_path / "file") as stream:
        stream.writelines(PIECES)

    assert (tmp_path / "file").read_bytes() == b"".join(PIECES)


def test_an_error_is_not_followed_by_a_write(tmp_path):
    """What was gathered when the block failed is not written."""
    with pytest.raises(KeyError), streams.Stream(tmp_path / "file") as stream:
        stream.write(b"half")
        raise KeyError

    assert (tmp_path / "file").read_bytes() == b""
