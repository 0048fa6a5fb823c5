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


def test_a_file_system_that_takes_no_advice(tmp_path, monkeypatch):
    """The bytes are written all the same."""

    def refuse(*_):
        raise OSError(errno.EINVAL, "not here")

    monkeypatch.setattr("os.posix_fadvise", refuse)
    with streams.Stream(tmp_path / "file") as stream:
        stream.writelines(PIECES)

    assert (tmp_path / "file").read_bytes() == b"".join(PIECES)


def test_short_writes_go_on(tmp_path, monkeypatch):
    """A write that takes only a part of the bytes is followed by one that takes the rest."""
    real = os.write
    monkeypatch.setattr("os.write", lambda descriptor, data: real(descriptor, data[: 1 << 20]))

    with streams.Stream(tmp_path / "file") as stream:
        stream.writelines(PIECES)

    assert (tmp_path / "file").read_bytes() == b"".join(PIECES)


def test_small_pieces_are_written_together(tmp_path, monkeypatch):
    """A graph of a thousand nodes is no thousand writes."""
    real, sizes = os.write, []

    def write(descriptor, data):
        sizes.append(len(data))
        return real(descriptor, data)

    monkeypatch.setattr("os.write", write)
    with streams.Stream(tmp_path / "file") as stream:
        stream.writelines([b"node" * 25] * 1000)

    assert len(sizes) == 2
    assert (tmp_path / "file").stat().st_size == sum(sizes) == 100_000


def test_the_disk_begins_while_more_is_written(tmp_path, monkeypatch):
    """It is told of every 8 MB, and what lies far behind leaves the page cache."""
    told = []
    monkeypatch.setattr(streams, "_KEPT", 12 << 20)
    monkeypatch.setattr("os.posix_fadvise", lambda _, start, size, how: told.append((start, size)))

    with streams.Stream(tmp_path / "file") as stream:
        stream.writelines([bytes(8 << 20)] * 3)

    ended = [(0, 4 << 20), (4 << 20, 8 << 20)]
    assert [one for one in told if one not in ended] == [(n << 20, 8 << 20) for n in (0, 8, 16)]
    assert [one for one in told if one in ended] == ended


def test_an_error_is_not_followed_by_a_write(tmp_path):
    """What was gathered when the block failed is not written."""
    with pytest.raises(KeyError), streams.Stream(tmp_path / "file") as stream:
        stream.write(b"half")
        raise KeyError

    assert (tmp_path / "file").read_bytes() == b""
