"""Archives: tar and zip, plain and compressed, that were tampered with."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

from tests.fuzz.edits import Specimen, trees
from tests.fuzz.targets import Target
from zoo import archives
from zoo.errors import ZooError
from zoo.extracting import Limits, extract

BLOCK = 512
FILES = {"net/a.pb": b"a" * 700, "net/b": b"", "c" * 90: b"ccc"}
WORDS = (b"../x", b"/abs", b"\0", b"PK\x01\x02", b"PK\x05\x06", b"ustar\x0000", b"\\", b"aux")
LIMITS = Limits(members=200, ratio=20, spare=1 << 20)


def tar(form):
    """Return a tar archive with `FILES`, a folder and a link."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=form) as archive:
        for name, data in FILES.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        folder = tarfile.TarInfo("net/d")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    return whole.getvalue()


def zipped(method):
    """Return a zip archive with `FILES`."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", method) as archive:
        for name, data in FILES.items():
            archive.writestr(name, data)
    return whole.getvalue()


def summed(data):
    """Return the tar archive `data` with sums that are right for its headers."""
    whole = bytearray(data)
    for start in range(0, len(whole) - BLOCK + 1, BLOCK):
        if whole[start + 257 : start + 262] == b"ustar":
            blank = whole[start : start + 148] + b" " * 8 + whole[start + 156 : start + BLOCK]
            whole[start + 148 : start + 156] = b"%06o\0 " % sum(blank)
    return bytes(whole)


def specimens():
    """Return archives of each kind, raw ones, and such that are packed after they were changed."""
    forms = [tar(form) for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)]
    zips = [zipped(zipfile.ZIP_STORED), zipped(zipfile.ZIP_DEFLATED)]
    packers = [gzip.compress, bz2.compress, lzma.compress]
    raw = [*forms, *zips, *(pack(forms[0]) for pack in packers)]
    found = [Specimen({"x": data}) for data in raw]
    for pack in (lambda data: data, *packers):
        found += [Specimen({"x": one}, lambda p, f=pack: {"x": f(summed(p["x"]))}) for one in forms]
    return found


def look(folder):
    """List the archive, then unpack it into a folder beside a file that must stay as it is."""
    path = folder / "x"
    archives.recognises(path)
    try:
        archives.models_in([member.name for member in archives.members(path)])
    except ZooError as error:
        str(error)
    (folder / "into").mkdir()
    try:
        extract(path, folder / "into", LIMITS)
    finally:
        assert {one.name for one in folder.iterdir()} == {"x", "into"}
        assert not any(one.is_symlink() for one in folder.rglob("*"))


TARGETS = [Target("archive", trees(specimens, WORDS), look)]


def test_archives_are_unpacked_or_refused():
    """Into their folder, and nowhere else."""
    read, refused = TARGETS[0].fuzz()

    assert read
    assert refused
