"""Hostile and broken archives: refused whole, with nothing left and nothing written elsewhere.

The rows are those of the fault matrix: A archives, D disk.
"""

import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import zipfile
import zlib

import pytest

from zoo import archives, members
from zoo.digests import file_digest
from zoo.errors import FormatError, ZooError
from zoo.extracting import Limits, extract
from zoo.members import Member
from zoo.unpacked import unpacked

SMALL = Limits(members=100, ratio=20, spare=100_000)


def tar(path, *infos, mode="w", **options):
    """Return `path`, to which a tar archive was written: names, or pairs of info and bytes."""
    with tarfile.open(path, mode, **options) as whole:
        for one in infos:
            info, data = (tarfile.TarInfo(one), b"abc") if isinstance(one, str) else one
            info.size = info.size or len(data)
            whole.addfile(info, io.BytesIO(data))
    return path


def special(name, kind, target=""):
    """Return a member of a tar archive that is no file."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info, b""


def zipped(path, names, method=zipfile.ZIP_DEFLATED):
    """Return `path`, to which a zip archive was written: bytes by name or info."""
    with zipfile.ZipFile(path, "w", method) as whole:
        for name, data in names.items():
            whole.writestr(name, data)
    return path


def everything(folder):
    """Return what lies below `folder`, with the content of each file."""
    found = {p: p.read_bytes() if p.is_file() else None for p in folder.rglob("*")}
    return {p: data for p, data in found.items() if p.name != "CACHEDIR.TAG"}


def refused(archive, home, limits=SMALL):
    """Return the error with which `archive` is refused, after which all is as it was before."""
    folder = home / "folder"
    folder.mkdir()
    with pytest.raises(FormatError) as first:
        extract(archive, folder, limits)
    outside, digest = everything(archive.parent), file_digest(archive)
    with pytest.raises(FormatError) as caught:
        unpacked(home / "store", archive, digest)
    assert everything(archive.parent) == outside
    assert [path for path in everything(home / "store") if path.name != "drafts"] == []
    assert (first.value.problem, first.value.found) == (caught.value.problem, caught.value.found)
    return caught.value


OUTSIDE = [
    "../evil", "a/../../evil", "/evil", "//host/share/evil", "C:/evil", "C:evil", "..", "a/..",
    "a\\..\\..\\evil", "\\\\host\\share\\evil", "\\evil", "a//evil", "a/./evil",
]  # fmt: skip


@pytest.mark.parametrize("name", OUTSIDE)
@pytest.mark.parametrize("pack", ["tar", "zip"])
def test_a01_members_outside_of_the_folder(tmp_path, home, name, pack):
    """Upwards, absolute, with a drive or a backslash, or in two spellings."""
    path = tmp_path / "x"
    archive = tar(path, "good", name) if pack == "tar" else zipped(path, {"good": "", name: ""})

    error = refused(archive, home)
    assert repr(name) in error.found
    assert " lies outside of the folder" in error.problem or "//" in name or "/./" in name


def test_a01_the_folder_itself_and_what_lies_in_it_is_fine(tmp_path, home):
    """`tar czf x.tgz .` writes names that begin with ``./``."""
    dot = special(".", tarfile.DIRTYPE)
    archive = tar(tmp_path / "x", dot, special("./a", tarfile.DIRTYPE), "./a/b", "./c")

    written = extract(archive, home)

    assert [one.path for one in written] == ["a/b", "c"]
    assert (home / "a" / "b").read_bytes() == b"abc"


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (tarfile.SYMTYPE, "a symbolic link"),
        (tarfile.LNKTYPE, "a hard link"),
        (tarfile.CHRTYPE, "a device"),
        (tarfile.BLKTYPE, "a device"),
        (tarfile.FIFOTYPE, "a pipe"),
    ],
)
def test_a02_members_that_are_no_files(tmp_path, home, kind, words):
    """A link may lead anywhere; a pipe may wait for ever."""
    archive = tar(tmp_path / "x", "good", special("link", kind, "../../etc/passwd"))

    assert words in refused(archive, home).problem


def test_a02_links_in_a_zip_archive(tmp_path, home):
    """Unix modes are kept in zip archives too."""
    for mode, words in ((stat.S_IFLNK, "symbolic link"), (stat.S_IFIFO, "pipe")):
        info = zipfile.ZipInfo("link")
        info.external_attr = (mode | 0o777) << 16
        place = home / str(mode)
        place.mkdir()
        archive = zipped(tmp_path / "x", {info: "/etc/passwd"})
        assert words in refused(archive, place).problem


def test_a02_a_link_and_then_a_file_through_it(tmp_path, home):
    """The archive of CVE-2025-4517: links so long that a check of paths gives up on them."""
    long, infos, path = "d" * 247, [], ""
    for step in "abcdefghijklmnop":
        infos += [
            special(f"{path}{long}", tarfile.DIRTYPE),
            special(f"{path}{step}", tarfile.SYMTYPE, long),
        ]
        path = f"{path}{long}/"
    far = f"a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/{'l' * 254}"
    infos += [
        special(far, tarfile.SYMTYPE, "../" * 16),
        special("escape", tarfile.SYMTYPE, f"{far}/../../../{tmp_path.name}"),
        special("flag", tarfile.LNKTYPE, "escape/flag"),
        "flag",
    ]
    (tmp_path / "flag").write_text("mine")

    refused(tar(tmp_path / "x", *infos), home)

    assert (tmp_path / "flag").read_text() == "mine"


def test_a02_a_link_that_somebody_put_into_the_folder_is_not_followed(tmp_path, home):
    """Each folder is opened from the one above it, without following; each file must be new."""
    (tmp_path / "outside").mkdir()
    (home / "a").symlink_to(tmp_path / "outside")
    (home / "f").symlink_to(tmp_path / "outside" / "f")

    for name in ("a/b", "f"):
        with pytest.raises(OSError, match=r"Not a directory|symbolic links|File exists"):
            extract(tar(tmp_path / "x", name), home)

    assert everything(tmp_path / "outside") == {}


def test_a03_modes_owners_and_times_stay_in_the_archive(tmp_path, home):
    """A file is 0644 and a folder 0755, whatever the archive says."""
    info, folder = tarfile.TarInfo("f"), tarfile.TarInfo("d")
    folder.type, folder.mode = tarfile.DIRTYPE, 0o7777
    info.mode, info.uid, info.mtime = 0o6777, 4242, 1
    info.pax_headers = {"SCHILY.xattr.user.x": "1"}
    archive = tar(tmp_path / "x", (info, b"abc"), (folder, b""), format=tarfile.PAX_FORMAT)
    before = os.umask(0o022)
    try:
        extract(archive, home)
    finally:
        os.umask(before)

    assert stat.S_IMODE((home / "f").stat().st_mode) == 0o644
    assert stat.S_IMODE((home / "d").stat().st_mode) == 0o755
    assert ((home / "f").stat().st_uid, os.listxattr(home / "f")) == (os.getuid(), [])
    assert (home / "f").stat().st_mtime > 1


def bombs(tmp_path):
    """Yield archives of two million zeros, of which a hundred thousand bytes too many come."""
    zeros = bytes(2_000_000)
    for mode in ("w:gz", "w:bz2", "w:xz"):
        yield tar(tmp_path / mode[2:], (tarfile.TarInfo("zeros"), zeros), mode=mode)
    yield zipped(tmp_path / "zip", {"zeros": zeros})
    behind = tmp_path / "behind"
    behind.write_bytes(gzip.compress(tar(tmp_path / "x", "good").read_bytes() + zeros))
    yield behind


def test_a04_bombs(tmp_path, home):
    """What is far larger than its archive is refused when it gets too large, not at its end."""
    for number, archive in enumerate(bombs(tmp_path)):
        folder = home / str(number)
        folder.mkdir()
        with pytest.raises(FormatError, match="unpacks to more than"):
            extract(archive, folder, SMALL)
        assert sum(one.stat().st_size for one in folder.rglob("*")) < 2_000_000


def test_a04_the_members_of_a_zip_archive_may_not_overlap(tmp_path, home):
    """One compressed member, thousands of names for it: the trick of 42.zip's successors."""
    good = zipped(tmp_path / "good", {"a": bytes(1000)}).read_bytes()
    start, size = good.rfind(b"PK\x01\x02"), 46 + 1
    entries = b"".join(good[start : start + size - 1] + bytes([n]) for n in b"abcdef")
    end = bytearray(good[start + size :])
    struct.pack_into("<2H2I", end, 8, 6, 6, len(entries), start)
    (tmp_path / "x").write_bytes(good[:start] + entries + end)

    assert zipfile.ZipFile(tmp_path / "x").namelist() == [*"abcdef"]
    assert "reads alike" in refused(tmp_path / "x", home).problem


def test_a04_an_archive_in_an_archive_stays_closed(tmp_path, home):
    """It is a file like any other."""
    inner = tar(tmp_path / "inner.tar", "deep").read_bytes()

    extract(tar(tmp_path / "x", (tarfile.TarInfo("inner.tar"), inner)), home)

    assert [path.name for path in home.iterdir()] == ["inner.tar"]


def test_a05_lying_sizes_and_sums(tmp_path, home):
    """A zip archive that says another length or sum than its bytes have."""
    good = zipped(tmp_path / "good", {"a": b"abc" * 100}).read_bytes()
    crc = struct.pack("<I", zlib.crc32(b"abc" * 100))
    for name, old, new in (
        ("longer", struct.pack("<I", 300), struct.pack("<I", 301)),
        ("shorter", struct.pack("<I", 300), struct.pack("<I", 299)),
        ("sum", crc, bytes(4)),
    ):
        place = home / name
        place.mkdir()
        (tmp_path / name).write_bytes(good.replace(old, new))
        assert "damaged" in refused(tmp_path / name, place).problem


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz", "zip"])
def test_a05_an_archive_that_ends_early(tmp_path, home, mode):
    """Cut off at any byte it is refused, unless it lacks nothing but zeros at its end."""
    path = tmp_path / "x"
    names = {"saved_model.pb": b"abc" * 50, "v/variables.index": b"def"}
    if mode == "zip":
        zipped(path, names)
    else:
        tar(path, *((tarfile.TarInfo(name), data) for name, data in names.items()), mode=mode)
    whole = path.read_bytes()
    needed = len(whole.rstrip(b"\0")) if mode == "w" else len(whole)
    for end in {*range(min(needed, 700)), *range(700, needed, 7), needed - 1}:
        path.write_bytes(whole[:end])
        (home / str(end)).mkdir()
        with pytest.raises(FormatError):
            extract(path, home / str(end))


@pytest.mark.parametrize("mode", ["w:gz", "w:bz2", "w:xz", "zip"])
def test_a05_a_flipped_bit(tmp_path, home, mode):
    """It is refused, or it was in what nobody needs: the files are the same."""
    path, data = tmp_path / "x", os.urandom(300)
    if mode == "zip":
        zipped(path, {"a": data})
    else:
        tar(path, (tarfile.TarInfo("a"), data), mode=mode)
    whole = bytearray(path.read_bytes())
    for place in range(len(whole)):
        whole[place] ^= 1 << (place % 8)
        path.write_bytes(whole)
        whole[place] ^= 1 << (place % 8)
        folder = home / str(place)
        folder.mkdir()
        try:
            extract(path, folder)
        except FormatError:
            continue
        names = [one for one in folder.iterdir() if one.is_file()]
        assert [one.read_bytes() for one in names] == [data]


@pytest.mark.parametrize(
    "names",
    [
        ["a", "a"],
        ["Net.pb", "net.pb"],
        ["Nets/a", "nets/b"],
        ["stra\u00dfe", "STRASSE"],
        ["a", "a/b"],
        ["a/b", "a"],
        ["./a", "a"],
    ],
)
@pytest.mark.parametrize("pack", ["tar", "zip"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a06_two_members_for_one_place(tmp_path, home, names, pack):
    """The same name, one that is the same on some disks, or a file that is a folder too."""
    path = tmp_path / "x"
    if pack == "tar":
        tar(path, *names)
    else:
        with zipfile.ZipFile(path, "w") as whole:
            for name in names:
                whole.writestr(name, "abc")

    assert "two members for one place" in refused(path, home).problem


def test_a06_a_folder_may_be_named_twice(tmp_path, home):
    """Archives that were added to have that, and it means one thing."""
    folder = special("a", tarfile.DIRTYPE)

    extract(tar(tmp_path / "x", folder, "a/b", folder, "a/c"), home)

    assert sorted(path.name for path in (home / "a").iterdir()) == ["b", "c"]


def pax(tmp_path, headers, data=b"abc"):
    """Return an archive whose one member has these pax headers."""
    info = tarfile.TarInfo("a")
    info.pax_headers = headers
    return tar(tmp_path / "x", (info, data), format=tarfile.PAX_FORMAT)


def test_a07_two_sizes_for_one_member(tmp_path, home):
    """What one reader takes for bytes of the member is the next member for another."""
    hidden = tar(tmp_path / "hidden", "evil").read_bytes()

    error = refused(pax(tmp_path, {"size": "0"}, hidden), home)

    assert error.found == f"two sizes for one member, {len(hidden)} and 0"


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"size": "-1"}, "the size b'-1'"),
        ({"size": "1e3"}, "the size b'1e3'"),
        ({"size": " 3"}, "the size b' 3'"),
        ({"path": ""}, "''"),
        ({"GNU.sparse.major": "1"}, "'GNU.sparse.major' in"),
        ({"hdrcharset": "BINARY"}, "'hdrcharset' in"),
    ],
)
def test_a07_pax_headers_that_readers_take_in_their_own_way(tmp_path, home, headers, found):
    """Numbers that are none, no name, and extensions that change what the bytes are."""
    assert found in refused(pax(tmp_path, headers), home).found


@pytest.mark.parametrize(
    ("records", "found"),
    [
        (b"9 path=b\n" * 2, "'path' twice in a pax header"),
        (b"99999 path=b\n", "a damaged pax header"),
        (b"8 path=b\n", "a damaged pax header"),
        (b"0 path=b\n", "a damaged pax header"),
        (b"x path=b\n", "a damaged pax header"),
        (b"6 path\n", "a damaged pax header"),
        (b"10 path=bX", "a damaged pax header"),
    ],
)
def test_a07_damaged_pax_records(tmp_path, home, records, found):
    """Lengths that are not theirs; one thing said twice."""
    header = tarfile.TarInfo("pax")
    header.type = tarfile.XHDTYPE

    assert refused(tar(tmp_path / "x", (header, records), "a"), home).found == found


def test_a07_what_holds_for_all_members(tmp_path, home):
    """A comment, as git writes, is fine; a name or a size for all is not."""
    with tarfile.open(tmp_path / "git", "w", pax_headers={"comment": "0123abcd"}) as whole:
        whole.addfile(tarfile.TarInfo("a"))
    assert [one.path for one in extract(tmp_path / "git", home)] == ["a"]

    with tarfile.open(tmp_path / "x", "w", pax_headers={"path": "b"}) as whole:
        whole.addfile(tarfile.TarInfo("a"))
    (home / "x").mkdir()
    assert "of all members" in refused(tmp_path / "x", home / "x").found


def test_a07_names_and_headers_that_say_more_than_one_thing(tmp_path, home):
    """A long name before a pax name, a header without its member, bytes behind the end."""
    name, header = tarfile.TarInfo("././@LongLink"), tarfile.TarInfo("pax")
    name.type, header.type = tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE
    one, two = (name, b"b\0"), (header, b"9 path=c\n")
    good = tar(tmp_path / "good", "a").read_bytes()
    for number, archive in enumerate(
        (
            tar(tmp_path / "both", one, two, "a").read_bytes(),
            tar(tmp_path / "alone", "a", one).read_bytes(),
            tar(tmp_path / "twice", two, (header, b"9 uid=12\n"), "a").read_bytes(),
            good + good,
            good[:1024] + bytes(512) + good,
        )
    ):
        (home / str(number)).mkdir()
        (tmp_path / "x").write_bytes(archive)
        assert "reads alike" in refused(tmp_path / "x", home / str(number)).problem


@pytest.mark.parametrize(
    ("place", "new", "found"),
    [
        (100, b"00006x4\0", "for a number"),
        (108, b"0000\0000", "for a number"),
        (136, b"\0\0000000123\0", "for a number"),
        (329, b"000000A\0", "for a number"),
        (345, b"above\0\0\0", "a name in two parts, in a format that has none"),
        (257, b"ustar\0  ", "a block that is no header of a member"),
    ],
)
def test_a07_fields_that_readers_stop_at_or_pass_over(tmp_path, home, place, new, found):
    """Some end there, as if the archive did; some take the name in two parts, and some do not."""
    data = bytearray(tar(tmp_path / "x", "good", "a", format=tarfile.GNU_FORMAT).read_bytes())
    header = data[1024:1536]
    header[place : place + len(new)] = new
    header[148:156] = b"%06o\0 " % sum(header[:148] + b" " * 8 + header[156:])
    data[1024:1536] = header
    (tmp_path / "x").write_bytes(data)

    assert refused(tmp_path / "x", home).found.endswith(found)


@pytest.mark.parametrize("text", [b"b", b"b\0c\0", b"b\0\0", b""])
def test_a07_long_names_that_do_not_end_where_they_should(tmp_path, home, text):
    """Some readers add what is missing, some take what is there."""
    name = tarfile.TarInfo("././@LongLink")
    name.type = tarfile.GNUTYPE_LONGNAME

    assert "long name" in refused(tar(tmp_path / "x", (name, text), "a"), home).found


def headers_differ(data):
    """Change the name in the member's own header, not in the directory."""
    return data.replace(b"good", b"evil", 1)


def in_front(data):
    """Put a member before the first one, which no directory names."""
    return b"PK\x03\x04" + bytes(26) + data


def behind(data):
    """Put bytes behind the archive."""
    return data + b"more"


def in_a_comment(data):
    """Put a second end into the comment of the first one."""
    return data[:-2] + struct.pack("<H", 22) + data[-22:]


@pytest.mark.parametrize("change", [headers_differ, in_front, behind, in_a_comment])
def test_a08_zip_archives_that_say_two_things(tmp_path, home, change):
    """By the directory at its end, or by the headers on the way: readers choose."""
    good = zipped(tmp_path / "good", {"good": b"abc"}).read_bytes()
    (tmp_path / "x").write_bytes(change(good))

    assert "reads alike" in refused(tmp_path / "x", home).problem


def test_a08_a_program_that_unpacks_itself_is_no_archive(tmp_path):
    """Its directory is that of an archive, its beginning is not."""
    good = zipped(tmp_path / "good", {"good": b"abc"}).read_bytes()
    (tmp_path / "x").write_bytes(b"#!/bin/sh\n" + good)

    assert zipfile.is_zipfile(tmp_path / "x")
    assert not archives.recognises(tmp_path / "x")


def test_a08_bytes_before_the_first_member(tmp_path, home):
    """Readers that begin at the beginning see a member that no directory has."""
    (tmp_path / "x").write_bytes(b"PK\x03\x04" + bytes(26))
    with zipfile.ZipFile(tmp_path / "x", "a") as whole:
        whole.writestr("good", b"abc")

    assert zipfile.ZipFile(tmp_path / "x").read("good") == b"abc"
    assert "no member" in refused(tmp_path / "x", home).found


def deflated(path, packed, data):
    """Return `path`, to which an archive was written that has `packed` for the bytes `data`."""
    whole = zipped(path, {"a": packed}, zipfile.ZIP_STORED).read_bytes()
    stored = struct.pack("<2I", len(packed), len(packed))
    whole = whole.replace(stored, struct.pack("<2I", len(packed), len(data)))
    whole = whole.replace(*(struct.pack("<I", zlib.crc32(one)) for one in (packed, data)))
    whole = bytearray(whole)
    whole[8] = whole[whole.rfind(b"PK\x01\x02") + 10] = zipfile.ZIP_DEFLATED
    path.write_bytes(whole)
    return path


def test_a05_packed_bytes_that_do_not_end_where_they_should(tmp_path, home):
    """More of them than are needed, or none that say that it is the end."""
    data, folder = b"abc" * 100, home / "good"
    packing = zlib.compressobj(wbits=-15)
    open_end = packing.compress(data) + packing.flush(zlib.Z_SYNC_FLUSH)
    end = packing.flush()
    folder.mkdir()
    good = deflated(tmp_path / "good", open_end + end, data)
    assert [one.size for one in extract(good, folder)] == [300]

    for number, packed in enumerate((open_end, open_end + end + b"more")):
        (home / str(number)).mkdir()
        refused(deflated(tmp_path / "x", packed, data), home / str(number))


def test_a08_a_second_name_in_an_extra_field(tmp_path, home):
    """Info-ZIP takes the name in there, most others do not."""
    info = zipfile.ZipInfo("good")
    info.extra = struct.pack("<2HBI4s", 0x7075, 9, 1, zlib.crc32(b"good"), b"evil")

    assert "two names" in refused(zipped(tmp_path / "x", {info: b"abc"}), home).found


def test_a08_an_encrypted_member(tmp_path, home):
    """It needs a password, which nobody has given."""
    data = bytearray(zipped(tmp_path / "x", {"a": b"abc"}).read_bytes())
    data[6] |= 1
    data[data.rfind(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "x").write_bytes(data)

    assert "is encrypted" in refused(tmp_path / "x", home).problem


def test_a08_numbers_of_eight_bytes(tmp_path, home, monkeypatch):
    """Archives of more than 4 GiB are read; here a small one that is written in that way."""
    with zipfile.ZipFile(tmp_path / "x", "w", allowZip64=True) as whole:
        with whole.open("a", "w", force_zip64=True) as file:
            file.write(b"abc")
        monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1)
        monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 0)

    assert [(one.path, one.size) for one in extract(tmp_path / "x", home)] == [("a", 3)]
    assert b"PK\x06\x06" in (tmp_path / "x").read_bytes()


def test_a09_an_archive_under_another_name(tmp_path, home):
    """What it is, its bytes say."""
    for number, mode in enumerate(("w", "w:gz", "w:xz")):
        (home / str(number)).mkdir()
        extract(tar(tmp_path / "x.zip", "a", mode=mode), home / str(number))
    (home / "zip").mkdir()
    extract(zipped(tmp_path / "x.tar.gz", {"a": "abc"}), home / "zip")

    assert len([*home.glob("*/a")]) == 4


def test_a10_very_many_members(tmp_path, home):
    """A million tiny files would cost the disk a million entries."""
    archive = tar(tmp_path / "x", *(special(f"d{n}", tarfile.DIRTYPE) for n in range(101)))

    with pytest.raises(FormatError, match="more than 100 members"):
        extract(archive, home, SMALL)
    assert Limits().members == 10_000


@pytest.mark.parametrize(
    "name",
    [
        *("CON", "aux.txt", "nul.tar.gz", "Com1", "lpt\u00b9.pb", "a/PRN/b", "conin$"),
        *("dot.", "space ", "a /b", "net.pb:stream", "a.:$DATA"),
    ],
)
def test_d09_names_that_windows_reads_otherwise(tmp_path, home, name):
    """Devices, names that lose their end, streams: refused on every system."""
    assert "Windows" in refused(tar(tmp_path / "x", name), home).problem


@pytest.mark.parametrize("name", ["a\x1bb", "a\u202eb", "a\u2028b", "u\u0308ber", "\x7f"])
def test_d09_names_that_read_like_others(tmp_path, home, name):
    """Control characters, text that turns around, and two ways to write one letter."""
    assert "reads like another" in refused(tar(tmp_path / "x", name), home).problem


@pytest.mark.parametrize("name", ["conv.pb", "aux1", "nul_0", "com", ".hidden", "a.b.", "größe"])
def test_d09_names_that_are_only_near(name):
    """What merely begins like a device is a name."""
    assert Member(name.rstrip("."), 0).fault == ""


@pytest.mark.parametrize("name", ["a" * 256, "ä" * 128, "/".join(["a" * 200] * 6), "a/" * 40 + "b"])
def test_d10_names_that_no_disk_takes(tmp_path, home, name):
    """Too long a part, too long a whole, too many folders."""
    assert " more than " in refused(tar(tmp_path / "x", name), home).problem
    assert members.LONGEST_PART == 255


def test_d18_sparse_members(tmp_path, home):
    """GNU tar's files with holes: a few bytes that say they are gigabytes."""
    info = tarfile.TarInfo("a")
    info.type = tarfile.GNUTYPE_SPARSE

    assert "type 'S'" in refused(tar(tmp_path / "x", (info, b"abc")), home).found


def test_d18_sizes_that_no_header_has(tmp_path, home):
    """Negative numbers in GNU's binary form, and digits that are no octal ones."""
    good = bytearray(tar(tmp_path / "good", "a").read_bytes())
    for number, size in enumerate((b"\xff" * 12, b"0000000008\0 ", b"\x80" + b"\x7f" * 11)):
        good[124:136] = size
        blank = good[:148] + b" " * 8 + good[156:512]
        good[148:156] = b"%06o\0 " % sum(blank)
        (tmp_path / "x").write_bytes(good)
        (home / str(number)).mkdir()
        with pytest.raises(ZooError):
            extract(tmp_path / "x", home / str(number))


def test_xz_may_not_take_all_memory(tmp_path, home):
    """A header of a few bytes can ask for gigabytes."""
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 29}]
    data = lzma.compress(tar(tmp_path / "good", "a").read_bytes(), filters=filters)
    (tmp_path / "x").write_bytes(data)

    with pytest.raises(FormatError, match="damaged"):
        extract(tmp_path / "x", home)
