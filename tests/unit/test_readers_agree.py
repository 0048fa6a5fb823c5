"""Archives that were tampered with: what is unpacked of them is what other programs unpack."""

import io
import random
import shutil
import subprocess
import tarfile

import pytest

from zoo.errors import FormatError
from zoo.extracting import extract

BLOCK = 512
NAMES = ("a", "b/c", f"{'d' * 60}/{'x' * 90}", f"{'e' * 90}/f", "\u00fc")
SIZES = (b"00000000000\0", b"00000000777\0", b"\x80" + bytes(10) + b"\x07", b"       001\0 ")
FORMATS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
PROGRAMS = ("tar", "bsdtar")


def tampered(rng):
    """Return a tar archive of three files with something changed in a header, which sums up."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=rng.choice(FORMATS)) as archive:
        for name in rng.sample(NAMES, 3):
            info = tarfile.TarInfo(name)
            info.size = rng.choice((0, 3, 512, 700))
            archive.addfile(info, io.BytesIO(rng.randbytes(info.size)))
    data = bytearray(whole.getvalue())
    place = rng.choice([*headers(data)])
    match rng.randrange(6):
        case 0:
            data[place + 156] = rng.choice(b"0123456789LKxgSVMD\0")
        case 1:
            data[place + 124 : place + 136] = rng.choice(SIZES)
        case 2:
            data[place + rng.randrange(500)] = rng.choice(b"\0 07aA/.\x80\xff")
        case 3:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        case 4:
            other = rng.choice([*headers(data)])
            data[place:place] = data[other : other + BLOCK]
        case 5:
            del data[place : place + BLOCK]
    for start in headers(data):
        blank = data[start : start + 148] + b" " * 8 + data[start + 156 : start + BLOCK]
        data[start + 148 : start + 156] = b"%06o\0 " % sum(blank)
    return data


def headers(data):
    """Yield where the headers begin in the archive `data`."""
    for start in range(0, len(data), BLOCK):
        if data[start + 257 : start + 262] == b"ustar":
            yield start


def tree(folder):
    """Return the bytes of the files below `folder` by their paths there."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("count", [150, pytest.param(3000, marks=pytest.mark.slow)])
def test_a07_what_is_taken_reads_alike(tmp_path, count):
    """GNU tar and bsdtar, where they are installed, unpack the same files with the same bytes.

    What they do not agree on is refused: most of it.
    """
    programs = [program for program in PROGRAMS if shutil.which(program)]
    taken = 0
    for seed in range(count):
        (tmp_path / "x.tar").write_bytes(tampered(random.Random(seed)))  # noqa: S311
        folders = [tmp_path / f"{name}-{seed}" for name in ("ours", *programs)]
        for folder in folders:
            folder.mkdir()
        try:
            extract(tmp_path / "x.tar", folders[0])
        except FormatError:
            continue
        taken += 1
        for program, folder in zip(programs, folders[1:], strict=True):
            command = [program, "-xf", tmp_path / "x.tar", "-C", folder]
            subprocess.run(command, stderr=subprocess.DEVNULL)
            assert tree(folder) == tree(folders[0]), (program, seed)
    assert count / 10 < taken < count
