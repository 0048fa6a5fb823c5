"""The table of an index: whatever its bytes, entries or `Damaged`."""

import cramjam

from tests.fuzz.edits import Specimen, resealed, trees
from tests.fuzz.targets import Target
from zoo import table, wire

FEW = [(b"a", b"1"), (b"ab", b"22"), (b"b" * 40, b"3" * 40), (b"c", b"")]
MANY = [(f"key-{n:04}".encode(), bytes(n % 50)) for n in range(300)]


def specimens():
    """Return tables as they are, and such whose checksums are made right again."""
    plain = [table.write(pairs) for pairs in (FEW, MANY, [(b"", b"x")])]
    packed = cramjam.snappy.compress_raw(b"\0\1\1ab\0\0\0\0\1\0\0\0")
    texts = [{"t": data} for data in (*plain, bytes(packed).ljust(80, b"\0"))]
    sealed = [Specimen(text, lambda parts: {"t": resealed(parts["t"])}) for text in texts]
    return [*map(Specimen, texts), *sealed]


def look(folder):
    """Read every entry, and ask for some."""
    data = (folder / "t").read_bytes()
    table.recognises(data)
    for key in (b"", b"a", b"key-0100", b"\xff"):
        table.value(data, key)
    for key, value in table.entries(data):
        assert len(key) + len(value) <= 1 << 24


TARGETS = [Target("table", trees(specimens), look, (wire.Damaged,))]


def test_any_bytes_are_a_table_or_damaged():
    """Also where every checksum is right, so that nothing but the reader can notice."""
    read, refused = TARGETS[0].fuzz()

    assert read
    assert refused
