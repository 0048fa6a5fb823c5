"""Values as they are typed become values for inputs."""

import numpy as np
import pytest

from zoo import dtypes, values
from zoo.errors import InputError, UnknownNameError, UsageError
from zoo.samples import FLOAT
from zoo.specs import TensorSpec

NUMBER = TensorSpec("x:0", FLOAT, None)
TEXT = TensorSpec("t:0", dtypes.STRING, None)


@pytest.mark.parametrize(
    ("argument", "parts"),
    [("a=1", ("a", "1")), ("w1:0=[1]", ("w1:0", "[1]")), ("a=b=c", ("a", "b=c"))],
)
def test_arguments_are_split_at_the_first_equals(argument, parts):
    """Names have no equals sign; values may."""
    assert values.split(argument) == parts


@pytest.mark.parametrize("argument", ["a", "=1", ""])
def test_an_argument_without_a_name_or_value(argument):
    """It is told how to write one."""
    with pytest.raises(UsageError):
        values.split(argument)


def test_literals():
    """JSON for numbers; text need not be quoted for an input of text."""
    assert values.parsed("[[1, 2.5], [3, 4]]", NUMBER) == [[1, 2.5], [3, 4]]
    assert values.parsed("true", NUMBER) is True
    assert values.parsed("hello world", TEXT) == "hello world"
    assert values.parsed('["a", "b"]', TEXT) == ["a", "b"]
    with pytest.raises(InputError, match="no JSON"):
        values.parsed("thirteen", NUMBER)


def test_array_files(tmp_path):
    """One array, one of several by its key, and the only one without."""
    np.save(tmp_path / "a.npy", np.arange(3))
    np.savez(tmp_path / "b.npz", one=np.ones(2), two=np.zeros(1))
    np.savez(tmp_path / "c.npz", only=np.ones(4))

    assert values.parsed(f"@{tmp_path}/a.npy", NUMBER).tolist() == [0, 1, 2]
    assert values.parsed(f"@{tmp_path}/b.npz#two", NUMBER).tolist() == [0]
    assert values.parsed(f"@{tmp_path}/c.npz", NUMBER).shape == (4,)
    with pytest.raises(UnknownNameError) as caught:
        values.parsed(f"@{tmp_path}/b.npz#tow", NUMBER)
    assert "'two'" in caught.value.hint
    with pytest.raises(UnknownNameError, match="several arrays"):
        values.parsed(f"@{tmp_path}/b.npz", NUMBER)


def test_objects_in_array_files_are_never_unpickled(tmp_path):
    """An array file from a stranger runs no code."""
    np.save(tmp_path / "evil.npy", np.array([{"a": 1}], object), allow_pickle=True)

    with pytest.raises(InputError):
        values.parsed(f"@{tmp_path}/evil.npy", NUMBER)


def test_other_files(tmp_path):
    """Any file is bytes for an input of text; a photo needs to be told how; the rest is refused."""
    (tmp_path / "clip.wav").write_bytes(b"RIFF")
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8")

    assert values.parsed(f"@{tmp_path}/clip.wav", TEXT) == b"RIFF"
    assert values.parsed(f"@{tmp_path}/photo.jpg", TEXT) == b"\xff\xd8"
    with pytest.raises(InputError, match="neither an array nor a photo"):
        values.parsed(f"@{tmp_path}/clip.wav", NUMBER)
    with pytest.raises(InputError, match="nothing says how a photo"):
        values.parsed(f"@{tmp_path}/photo.jpg", NUMBER)
    with pytest.raises(UnknownNameError):
        values.parsed("@gone.npy", NUMBER)
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(InputError, match="no array file"):
        values.parsed(f"@{tmp_path}/cut.npy", NUMBER)


def test_a_broken_archive_is_no_array(tmp_path):
    """A file that only begins like a zip archive."""
    (tmp_path / "x.npz").write_bytes(b"PK\x03\x04 and no more")

    with pytest.raises(InputError):
        values.parsed(f"@{tmp_path / 'x.npz'}", NUMBER)
