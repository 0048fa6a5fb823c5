"""Read YAML strictly: text stays text, every key has a line, and nothing is read twice.

PyYAML's event stream is used, not its loaders: these keep the last of two equal keys, turn ``no``
into False and digests into numbers, and follow aliases into any amount of memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zoo.errors import RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEEPEST = 20
_LARGEST = 256 << 20
_NULLS = {"", "~", "null"}


class Mapping(dict[str, Any]):
    """A mapping of a YAML document that knows on which line each of its keys stands.

    Attributes
    ----------
    line
        The line on which the mapping begins.
    lines
        The line of each key.
    """

    def __init__(self, line: int) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}


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
    if len(data) > _LARGEST:
        raise RegistryError(f"{name}: the file is too large", found=f"{len(data)} bytes")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise RegistryError(f"{name}:{line}: the file is not UTF-8", found=error.reason) from error
    return parse(text, name)


def parse(text: str, name: str) -> Mapping:
    """Return the document `text`, which errors call `name`.

    Raises
    ------
    RegistryError
        As `read`.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _Builder(name)
    try:
        for event in yaml.parse(text.removeprefix("\ufeff"), Loader=loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RegistryError(f"{name}:{line}: {error.problem or 'this is no YAML'}") from error
    except yaml.YAMLError as error:
        raise RegistryError(f"{name}:1: this is no YAML", found=str(error)) from error
    if not isinstance(builder.document, Mapping):
        raise RegistryError(f"{name}:1: a mapping is wanted", found=_kind(builder.document))
    return builder.document


class _Builder:
    """Builds the document from events, with a stack of its own: depth is counted, not trusted."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.document: Any = None
        self.documents = 0
        self.open: list[Mapping | list[Any]] = []
        self.keys: list[str | None] = []

    def take(self, event: Any) -> None:
        """Build what `event`, the next of the stream, says."""
        import yaml

        line = event.start_mark.line + 1
        if isinstance(event, yaml.ScalarEvent):
            self._refuse_extras(event, line)
            self._scalar(event, line)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            self._refuse_extras(event, line)
            self._begin(Mapping(line) if isinstance(event, yaml.MappingStartEvent) else [], line)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self.open.pop()
            self.keys.pop()
        elif isinstance(event, yaml.AliasEvent):
            raise self._wrong(line, "aliases are not allowed", f"*{event.anchor}")
        elif isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise self._wrong(line, "a second document begins")

    def _refuse_extras(self, event: Any, line: int) -> None:
        if event.anchor:
            raise self._wrong(line, "anchors are not allowed", f"&{event.anchor}")
        if event.tag is not None and event.tag != "!":
            raise self._wrong(line, "tags are not allowed", event.tag)

    def _scalar(self, event: Any, line: int) -> None:
        holder = self.open[-1] if self.open else None
        if isinstance(holder, Mapping) and self.keys[-1] is None:
            self._key(holder, event.value, line)
            return
        plain = event.implicit[0]
        self._put(None if plain and event.value in _NULLS else event.value)

    def _key(self, holder: Mapping, key: str, line: int) -> None:
        if key == "<<":
            raise self._wrong(line, "merge keys are not allowed", "<<")
        if key in holder:
            first = holder.lines[key]
            raise self._wrong(line, f"{key!r} stands twice", f"first on line {first}")
        holder[key] = None
        holder.lines[key] = line
        self.keys[-1] = key

    def _begin(self, container: Mapping | list[Any], line: int) -> None:
        if len(self.open) >= _DEEPEST:
            raise self._wrong(line, f"nested more than {_DEEPEST} deep")
        if self.open and isinstance(self.open[-1], Mapping) and self.keys[-1] is None:
            raise self._wrong(line, "a key must be text")
        self._put(container)
        self.open.append(container)
        self.keys.append(None)

    def _put(self, value: Any) -> None:
        if not self.open:
            self.document = value
        elif isinstance(holder := self.open[-1], Mapping):
            holder[str(self.keys[-1])] = value
            self.keys[-1] = None
        else:
            holder.append(value)

    def _wrong(self, line: int, problem: str, found: str = "") -> RegistryError:
        return RegistryError(f"{self.name}:{line}: {problem}", found=found)


def lines_of(value: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield the path of every key below `value`, and the line it stands on."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield (*before, key), value.lines[key]
            yield from lines_of(inner, (*before, key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from lines_of(inner, (*before, str(position)))


def _kind(value: Any) -> str:
    if value is None:
        return "nothing"
    return "a list" if isinstance(value, list) else f"text: {str(value)[:40]!r}"
