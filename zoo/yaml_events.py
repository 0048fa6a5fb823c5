"""Read YAML strictly: text stays text, every key has a line, and nothing is read twice.

PyYAML's event stream is used, not its loaders: these keep the last of two equal keys, turn ``no``
into False and digests into numbers, and follow aliases into any amount of memory.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zoo import budget
from zoo.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEEPEST = 20
LARGEST = 256 << 20
"""Bytes that a document may have."""
_CONTAINER, _PAIR, _ITEM = 256, 200, 60
"""Bytes that a mapping or a list takes in memory, and each of what is in it."""
_NULLS = {"", "~", "null"}


class Mapping(dict[str, Any]):
    """A mapping of a YAML document that knows on which line each of its keys stands.

    Attributes
    ----------
    line
        The line on which the mapping begins.
    places
        The line of each key, in the order of the keys.
    """

    __slots__ = ("line", "places")

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.places: list[int] = []

    @property
    def lines(self) -> dict[str, int]:
        """The line of each key."""
        return dict(zip(self, self.places, strict=True))


def read(data: bytes, name: str) -> Mapping:
    """Return the document in `data`: mappings, lists, text, and None for nothing.

    Parameters
    ----------
    name
        What errors call the file.

    Raises
    ------
    RegistryError
        The bytes are too many or not UTF-8; the YAML is wrong; a key stands twice; or it has
        aliases, tags, merges or several documents, or is nested too deeply.  The message starts
        with ``name:line``.
    """
    with uncollected(), _explained(name):
        document = _Builder(name, _loader(data, name), False, len(data)).document()
    if not isinstance(document, Mapping):
        raise RegistryError(f"{name}:1: a mapping is wanted", found=_kind(document))
    return document


def parts(data: bytes, name: str, apart: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield the parts of the document in `data`, a mapping, each with the keys that lead to it.

    What stands under the key `apart` comes entry by entry, and nothing of it is kept: a large
    document takes a fifth of the time and memory of `read`, whose errors know more lines.

    Raises
    ------
    RegistryError
        As `read`.
    """
    with _explained(name):
        yield from _Builder(name, _loader(data, name), True, len(data)).parts(apart)


def parse(text: str, name: str) -> Mapping:
    """Return the document `text`, which errors call `name`.

    Raises
    ------
    RegistryError
        As `read`.
    """
    try:
        data = text.encode()
    except UnicodeEncodeError as error:  # half of a pair of surrogates
        raise RegistryError(f"{name}:1: the text is no Unicode", found=error.reason) from error
    return read(data, name)


def _loader(data: bytes, name: str) -> Any:
    """Return what gives the events of `data`."""
    import yaml

    if len(data) > LARGEST:
        raise RegistryError(f"{name}: the file is too large", found=f"{len(data)} bytes")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise RegistryError(f"{name}:{line}: the file is not UTF-8", found=error.reason) from error
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return loader(data.removeprefix(b"\xef\xbb\xbf"))


@contextmanager
def _explained(name: str) -> Iterator[None]:
    """Have what YAML says of the file `name` be an error of ours."""
    import yaml

    try:
        yield
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RegistryError(f"{name}:{line}: {error.problem or 'this is no YAML'}") from error
    except yaml.YAMLError as error:
        raise RegistryError(f"{name}:1: this is no YAML", found=str(error)) from error


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep the search for circles out of a block: a million new containers have none."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _Builder:
    """Builds the document from the events of `loader`; depth is counted, not trusted.

    There are a million events in a large registry: the common ones cost one call each.
    """

    def __init__(self, name: str, loader: Any, plain: bool, size: int) -> None:
        from yaml import events

        self.name = name
        self.kinds: Any = events
        self.take = loader.get_event
        self.plain = plain
        self.begun = False
        self.size, self.left = size, budget.most(size)

    def document(self) -> Any:
        """Return the only document there is, None if there is none."""
        event = self._begin()
        document = None if event is None else self._value(event, 0)
        self._end()
        return document

    def parts(self, apart: str) -> Iterator[tuple[tuple[str, ...], Any]]:
        """Yield the parts of the only document there is; those under `apart` one by one."""
        event = self._begin()
        if event.__class__ is not self.kinds.MappingStartEvent:
            raise RegistryError(f"{self.name}:1: a mapping is wanted")
        self._refuse_extras(event)
        for key, begun in self._keys():
            if key == apart and begun.__class__ is self.kinds.MappingStartEvent:
                self._refuse_extras(begun)
                for inner, value in self._keys():
                    self.left = budget.most(self.size)  # nothing of it is kept
                    yield (key, inner), self._value(value, 2)
            else:
                yield (key,), self._value(begun, 1)
        self._end()

    def _begin(self) -> Any:
        """Return the event that the first document begins with, None if there is none."""
        self.take()  # the stream begins
        if self.take().__class__ is self.kinds.StreamEndEvent:
            return None
        self.begun = True
        return self.take()

    def _end(self) -> None:
        """Refuse another document behind the first."""
        if self.begun:
            self.take()  # the document ends
            event = self.take()
            if event.__class__ is not self.kinds.StreamEndEvent:
                raise self._wrong(event, "a second document begins")

    def _keys(self) -> Iterator[tuple[str, Any]]:
        """Yield the keys of a mapping, each with the event that its value begins with."""
        seen: dict[str, Any] = {}
        while (event := self.take()).__class__ is not self.kinds.MappingEndEvent:
            self._refuse_key(event)
            if event.value in seen or event.value == "<<":
                self._refuse_repeated(seen, event.value, event)
            seen[event.value] = None
            yield event.value, self.take()

    def _value(self, event: Any, depth: int) -> Any:
        if event.__class__ is self.kinds.AliasEvent:
            raise self._wrong(event, "aliases are not allowed", f"*{event.anchor}")
        self._refuse_extras(event)
        if event.__class__ is self.kinds.ScalarEvent:
            return None if event.value in _NULLS and event.implicit[0] else event.value
        if depth >= _DEEPEST:
            raise self._wrong(event, f"nested more than {_DEEPEST} deep")
        if event.__class__ is self.kinds.MappingStartEvent:
            return self._mapping(event.start_mark.line + 1, depth + 1)
        return self._list(depth + 1)

    def _mapping(self, line: int, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {} if self.plain else Mapping(line)
        places, take = None if self.plain else found.places, self.take  # type: ignore[attr-defined]
        scalar, end = self.kinds.ScalarEvent, self.kinds.MappingEndEvent
        while (event := take()).__class__ is not end:
            if event.__class__ is not scalar or event.anchor is not None or event.tag is not None:
                self._refuse_key(event)
            key = event.value
            if key in found or key == "<<":
                self._refuse_repeated(found, key, event)
            if places is not None:
                places.append(event.start_mark.line + 1)
            value = take()
            plain = value.__class__ is scalar and value.tag is None and value.anchor is None
            simple = plain and value.value not in _NULLS
            found[key] = value.value if simple else self._value(value, depth)
        self._spend(_PAIR * len(found))
        return found

    def _list(self, depth: int) -> list[Any]:
        found = []
        scalar, end = self.kinds.ScalarEvent, self.kinds.SequenceEndEvent
        while (event := self.take()).__class__ is not end:
            plain = event.__class__ is scalar and event.tag is None and event.anchor is None
            simple = plain and event.value not in _NULLS
            found.append(event.value if simple else self._value(event, depth))
        self._spend(_ITEM * len(found))
        return found

    def _spend(self, size: int) -> None:
        """Note that another container was made, whose contents take `size` bytes."""
        self.left -= _CONTAINER + size
        if self.left < 0:
            claimed = budget.most(self.size) - self.left
            error = budget.beyond(claimed, self.size, self.name)
            raise RegistryError(error.problem, found=error.found, hint=error.hint)

    def _refuse_key(self, event: Any) -> None:
        """Raise an error unless `event` is text after all."""
        if event.__class__ is self.kinds.AliasEvent:
            raise self._wrong(event, "aliases are not allowed", f"*{event.anchor}")
        self._refuse_extras(event)
        if event.__class__ is not self.kinds.ScalarEvent:
            raise self._wrong(event, "a key must be text")

    def _refuse_repeated(self, found: dict[str, Any], key: str, event: Any) -> None:
        if key == "<<":
            raise self._wrong(event, "merge keys are not allowed", "<<")
        first = f"first on line {found.lines[key]}" if isinstance(found, Mapping) else ""
        raise self._wrong(event, f"{key!r} stands twice", first)

    def _refuse_extras(self, event: Any) -> None:
        if event.anchor:
            raise self._wrong(event, "anchors are not allowed", f"&{event.anchor}")
        if event.tag is not None and event.tag != "!":
            raise self._wrong(event, "tags are not allowed", event.tag)

    def _wrong(self, event: Any, problem: str, found: str = "") -> RegistryError:
        line = event.start_mark.line + 1
        return RegistryError(f"{self.name}:{line}: {problem}", found=found)


def lines_of(value: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield the path of every key below `value`, and the line it stands on."""
    if isinstance(value, Mapping):
        for (key, inner), line in zip(value.items(), value.places, strict=True):
            yield (*before, key), line
            yield from lines_of(inner, (*before, key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from lines_of(inner, (*before, str(position)))


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    return "a list" if isinstance(value, list) else f"text: {str(value)[:40]!r}"
