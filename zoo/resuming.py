"""Going on where a transfer ended: what is asked for, and whether the answer may be appended.

Bytes of two versions of a file must never stand in one.  A server that has a strong validator is
asked to judge that itself (``If-Range``); else a digest must tell in the end, or all comes anew.

Source: RFC 9110, sections 13.1.5 (If-Range), 14.2 (Range), 14.4 (Content-Range).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zoo.addresses import shown
from zoo.errors import FetchError, IntegrityError
from zoo.partials import Record

if TYPE_CHECKING:
    from zoo.asking import Answer

OK, PARTIAL, UNSATISFIABLE = 200, 206, 416
_SPAN = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
_TOTAL = re.compile(r"bytes \*/([0-9]{1,18})")


class StartOverError(FetchError):
    """What the server sends does not go on with what is here."""


class ChangedError(StartOverError):
    """There is another file at the address than there was when it was begun."""


def question(url: str, here: int, end: int | None, record: Record | None) -> dict[str, str]:
    """Return the headers that ask for the bytes from `here` on, up to before `end` if it is given.

    Parameters
    ----------
    record
        What the server said when the bytes that are here came.
    """
    if not here and end is None:
        return {}
    headers = {"Range": f"bytes={here}-" + ("" if end is None else str(end - 1))}
    strong = record.strong if record is not None and record.url == shown(url) else None
    return {**headers, "If-Range": strong} if strong else headers


def may_go_on(url: str, record: Record | None, *, pinned: bool) -> bool:
    """Tell whether what is here may be gone on with: the server can judge it, or a digest will."""
    return pinned or (record is not None and record.url == shown(url) and bool(record.strong))


def span(answer: Answer) -> tuple[int, int, int]:
    """Return which bytes `answer` has: the first, the one behind the last, and of how many.

    Raises
    ------
    StartOverError
        It does not say so.
    """
    found = _SPAN.fullmatch(answer.headers.get("Content-Range", "").strip())
    if found is None or not int(found[1]) <= int(found[2]) < int(found[3]):
        stated = answer.headers.get("Content-Range") or "no Content-Range"
        raise StartOverError(f"{shown(answer.url)} sent a part, and not which", found=stated)
    return int(found[1]), int(found[2]) + 1, int(found[3])


def refuse_other_part(answer: Answer, start: int, record: Record | None, size: int | None) -> None:
    """Check that `answer`, a part, begins at `start` and is of the file that was begun.

    Raises
    ------
    StartOverError
        It is another part; a `ChangedError` if it is of another file.
    """
    first, _, total = span(answer)
    if first != start:
        raise StartOverError(
            f"{shown(answer.url)} sent another part", found=f"from byte {first}, not {start}"
        )
    if size not in (None, total):
        raise _changed(answer, f"{total} bytes in all, not {size}")
    if record is None or record.url != shown(answer.asked):
        return
    for header, known in (("ETag", record.etag), ("Last-Modified", record.modified)):
        stated = answer.headers.get(header)
        if known is not None and stated is not None and stated != known:
            raise _changed(answer, f"{header} {stated}, not {known}")


def whole_at(answer: Answer) -> int | None:
    """Return the length of the file, out of an answer that there is nothing further behind."""
    found = _TOTAL.fullmatch(answer.headers.get("Content-Range", "").strip())
    return int(found[1]) if found else None


def refuse_other_total(answer: Answer, size: int | None) -> None:
    """Check that `answer`, which has nothing from there on, is not of another file.

    Raises
    ------
    IntegrityError
        The file has another length than `size`.
    """
    stated = whole_at(answer)
    if size is not None and stated is not None and stated != size:
        raise IntegrityError(
            f"{shown(answer.url)} is not the file that was pinned",
            found=f"{stated} bytes",
            hint=f"the registry says {size} bytes; nothing was fetched",
        )


def recorded(answer: Answer) -> Record:
    """Return what `answer`, which begins a file, says of it."""
    size = answer.number("Content-Length") if answer.status == OK else None
    if answer.status == PARTIAL:
        size = span(answer)[2]
    headers = answer.headers
    return Record(shown(answer.asked), headers.get("ETag"), headers.get("Last-Modified"), size)


def refuse_other_length(answer: Answer, here: int, size: int | None) -> None:
    """Check that `answer`, which is the whole file, may take the place of what is here.

    Raises
    ------
    IntegrityError
        It says already that it is another file than the one of `size` bytes.
    """
    stated, kind = answer.number("Content-Length"), described(answer)
    other = stated is not None and size is not None and stated != size
    page = here and stated is None and "text/html" in kind
    if other or page:
        raise IntegrityError(
            f"{shown(answer.url)} is not the file that was pinned",
            found=f"{stated} bytes{kind}" if other else f"a page{kind}",
            hint=f"the file has {size} bytes; a page may be that of a network that wants a login"
            if "text/html" in kind
            else f"the registry says {size} bytes; nothing was fetched",
        )


def described(answer: Answer) -> str:
    """Return what `answer` says of its kind, where that tells why its bytes are wrong ones."""
    names = ("Content-Type", "Content-Encoding")
    stated = {name: answer.headers.get(name, "") for name in names}
    told = [stated["Content-Type"]] if "text/html" in stated["Content-Type"] else []
    told += [stated["Content-Encoding"]] if stated["Content-Encoding"] else []
    return "".join(f", {one}" for one in told)


def _changed(answer: Answer, found: str) -> ChangedError:
    return ChangedError(f"{shown(answer.url)} has changed meanwhile", found=found)
