"""What a file is that no format reads: told by its first bytes, never by its name.

Most of what is taken for a model and is none came from a download that went wrong, or belongs to
another framework.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_LOOK = 4096
_REPLACEMENT = "\ufffd".encode()
"""What a text editor puts in the place of bytes that it cannot read."""


@dataclass(frozen=True)
class FileType:
    """What a file is.

    Attributes
    ----------
    name
        A word for it: ``"html"``, ``"git_lfs"``, ``"empty"``, ``"tflite"``.
    what
        The same as a clause for people.
    hint
        What helps.
    """

    name: str
    what: str
    hint: str = ""


_AGAIN = "the download went wrong: fetch the file itself"
_STARTS = (
    (b"version https://git-lfs", FileType(
        "git_lfs", "a Git LFS pointer, not the file itself", "`git lfs pull` brings the file")),
    (b"\x89HDF\r\n\x1a\n", FileType("hdf5", "an HDF5 file")),
    (b"PK\x03\x04", FileType("zip", "a zip archive", "unpack it")),
    (b"PK\x05\x06", FileType("zip", "an empty zip archive")),
    (b"\x1f\x8b", FileType("gzip", "a file compressed by gzip", "unpack it: `gunzip`")),
    (b"BZh", FileType("bzip2", "a file compressed by bzip2", "unpack it: `bunzip2` or `tar xjf`")),
    (b"\xfd7zXZ\x00", FileType("xz", "a file compressed by xz", "unpack it: `unxz` or `tar xJf`")),
    (b"\x28\xb5\x2f\xfd", FileType("zstd", "a file compressed by zstd", "unpack it: `zstd -d`")),
    (b"7z\xbc\xaf", FileType("7z", "a 7-Zip archive", "unpack it")),
    (b"Rar!", FileType("rar", "a RAR archive", "unpack it")),
    (b"\x93NUMPY", FileType("npy", "a NumPy array, not a model")),
    (b"\x89PNG", FileType("png", "a PNG image")),
    (b"\xff\xd8\xff", FileType("jpeg", "a JPEG image")),
    (b"RIFF", FileType("riff", "a RIFF file, sound or video")),
    (b"%PDF", FileType("pdf", "a PDF document")),
    (b"\x7fELF", FileType("elf", "a program or library")),
    (b"\x80\x02", FileType("pickle", "a Python pickle, as PyTorch and scikit-learn write them",
                           "loading a pickle runs code: only from those you trust")),
    (b"\x80\x03", FileType("pickle", "a Python pickle")),
    (b"\x80\x04", FileType("pickle", "a Python pickle")),
    (b"\x80\x05", FileType("pickle", "a Python pickle")),
)  # fmt: skip
_MAGIC_AT_FOUR = {
    b"TFL3": FileType("tflite", "a TensorFlow Lite model", "it is a product of conversion: "
                      "look for the SavedModel or frozen graph that it was made of"),
}  # fmt: skip
_WORDS = (
    ((b"<!doctype html", b"<html", b"<head", b"<body"), FileType(
        "html", "an HTML page, not a model", _AGAIN)),
    ((b"<?xml", b"<error"), FileType("xml", "an XML document, as servers answer errors", _AGAIN)),
)  # fmt: skip
_PAGE_WITHIN = 1024


def file_type(path: Path) -> FileType:
    """Return what the file at `path` is.

    Raises
    ------
    OSError
        It cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(_LOOK)
    size = path.stat().st_size
    if not start:
        return FileType("empty", "an empty file", _AGAIN)
    for begin, found in _STARTS:
        if start.startswith(begin):
            return found
    if start[4:8] in _MAGIC_AT_FOUR:
        return _MAGIC_AT_FOUR[start[4:8]]
    if start[257:262] == b"ustar":
        return FileType("tar", "a tar archive", "unpack it: `tar xf`")
    seen = (look(start, size) for look in _LOOKS)
    return next((one for one in seen if one is not None), _other(start, size))


def _zeros(start: bytes, size: int) -> FileType | None:
    if start.strip(b"\0"):
        return None
    what = f"{size} bytes that begin with {len(start)} zeros, as a download leaves that was cut off"
    return FileType("zeros", what, _AGAIN)


def _page(start: bytes, size: int) -> FileType | None:  # noqa: ARG001  (one form for all looks)
    text = start[:_PAGE_WITHIN].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return next((found for words, found in _WORDS if text.startswith(words)), None)


def _onnx(start: bytes, size: int) -> FileType | None:  # noqa: ARG001
    """Tell an ONNX model by its first two fields: a small version, and its producer's name."""
    if start[:1] == b"\x08" and 0 < start[1] < 32 and start[2:3] == b"\x12" and 0 < start[3] < 64:
        name = start[4 : 4 + start[3]]
        if name.isascii() and name.replace(b".", b"").replace(b"_", b"").isalnum():
            return FileType("onnx", "an ONNX model", "convert it with onnx2tf or onnx-tf")
    return None


def _mangled(start: bytes, size: int) -> FileType | None:  # noqa: ARG001
    """Tell binary data that was saved as text: bytes that are no text became U+FFFD."""
    if start.count(_REPLACEMENT) < 3:
        return None
    return FileType(
        "mangled", "binary data that was opened and saved as text: bytes are lost for good",
        "fetch the file again, and copy it as binary",
    )  # fmt: skip


def _text(start: bytes, size: int) -> FileType | None:
    cut = len(start) < size  # maybe in the middle of a letter
    try:
        text = start.decode("utf-8", "ignore" if cut and _ends_whole(start) else "strict")
    except UnicodeDecodeError:
        return None
    if any(ord(letter) < 32 and letter not in "\t\r\n\f" for letter in text):
        return None
    begin = text.strip()
    if begin.startswith(("{", "[")):
        return FileType("json", f"a JSON document of {size} bytes, which begins {_begin(begin)}")
    return FileType("text", f"a text of {size} bytes, which begins {_begin(begin)}")


def _ends_whole(start: bytes) -> bool:
    """Tell whether `start` is text but for a letter that is cut off at its end."""
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(start) - 4
    return True


def _begin(text: str) -> str:
    line = text.partition("\n")[0].strip()
    return repr(line[:60])


_LOOKS: tuple[Callable[[bytes, int], FileType | None], ...] = (
    _zeros, _page, _mangled, _text, _onnx,
)  # fmt: skip


def _other(start: bytes, size: int) -> FileType:
    return FileType("data", f"{size} bytes that begin with {start[:16]!r}")
