"""Mapped files: opened late, read in pieces, and told apart from what replaces them."""

import pickle

import pytest

from zoo.errors import FormatError
from zoo.mapped import CHUNK, MappedFile


def test_pieces_cover_the_bytes(tmp_path):
    """A range is yielded in order, in pieces of bounded size."""
    data = bytes(range(256)) * (3 * CHUNK // 256)
    (tmp_path / "f").write_bytes(data)

    pieces = [bytes(piece) for piece in MappedFile(tmp_path / "f").chunks(5, len(data) - 9)]

    assert b"".join(pieces) == data[5:-4]
    assert max(map(len, pieces)) == CHUNK


def test_a_range_past_the_end_is_cut_off(tmp_path):
    """Streams and reads both notice that a file ends too early."""
    (tmp_path / "f").write_bytes(b"abc")
    file = MappedFile(tmp_path / "f")

    with pytest.raises(FormatError, match="cut off"):
        list(file.chunks(1, 5))
    for offset, length in ((1, 5), (-1, 2), (1, -1), (1 << 70, 1), (0, 1 << 70)):
        with pytest.raises(FormatError, match="cut off"):
            file.read(offset, length)


def test_an_empty_file_can_be_viewed(tmp_path):
    """Nothing cannot be mapped, but it can be looked at."""
    (tmp_path / "f").touch()

    assert bytes(MappedFile(tmp_path / "f").view()) == b""


def test_a_missing_file_is_a_format_error(tmp_path):
    """Whoever reads a model is told which file is missing."""
    with pytest.raises(FormatError, match="gone"):
        MappedFile(tmp_path / "gone").view()


def test_it_crosses_a_process_boundary(tmp_path):
    """A mapped file is pickled as its path."""
    (tmp_path / "f").write_bytes(b"abc")
    file = MappedFile(tmp_path / "f")
    file.view()

    assert pickle.loads(pickle.dumps(file)).read(0, 3) == b"abc"  # noqa: S301
