"""What a registry says of one model, checked when it is used."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    model_validator,
)

from zoo.entry_values import (
    USUAL,
    Address,
    Bytes,
    Given,
    Inside,
    Link,
    Md5,
    Pixels,
    Sha256,
    Sha384,
    Text,
)
from zoo.errors import RegistryError, UnknownNameError, UsageError, did_you_mean, some
from zoo.names import NAME, NAME_RULE, Reference


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=False)

    @model_validator(mode="before")
    @classmethod
    def _without_extensions(cls, values: Any) -> Any:
        """Leave out the keys that begin with ``x-``, which are anyone's own."""
        if isinstance(values, dict):
            return {key: value for key, value in values.items() if not key.startswith("x-")}
        return values


class File(_Strict):
    """One file of a model that has several."""

    path: Inside
    urls: Annotated[list[Address], Field(min_length=1)]
    sha256: Sha256
    size: Bytes


class Weights(_Strict):
    """Where the bytes behind one tag are, and what they must hash to."""

    format: Text
    urls: list[Address] = []
    sha256: Sha256 | None = None
    sha384: Sha384 | None = None
    md5: Md5 | None = None
    size: Bytes | None = None
    member: Inside | None = None
    link: Link | None = None
    files: list[File] = []

    @model_validator(mode="after")
    def _is_pinned(self) -> Weights:
        if [bool(self.files), bool(self.urls), bool(self.link)].count(True) != 1:
            raise ValueError("needs either urls, files or a link")
        if self.link is not None:
            return self
        if self.files:
            paths = {PurePosixPath(file.path.casefold()) for file in self.files}
            if len(paths) < len(self.files):
                raise ValueError("two files have one path")
            if any(parent in paths for path in paths for parent in path.parents):
                raise ValueError("a file has the path of a folder")
            return self
        if not (self.sha256 or self.sha384 or self.md5):
            raise ValueError("needs a sha256 (or the sha384 or md5 that upstream states)")
        if self.size is None and self.sha256:
            raise ValueError("needs a size in bytes beside its sha256")
        return self


class Head(_Strict):
    """The layer that gives the outputs: the tensor before it, and the logits it computes."""

    features: Text
    logits: Text


class Preprocessing(_Strict):
    """How an image becomes an input: ``(x - mean) * scale`` of values from 0 to 255."""

    size: Annotated[list[Pixels], Field(min_length=2, max_length=2)]
    resize: Literal["stretch", "crop"] = "stretch"
    channels: Literal["rgb", "bgr", "gray"] = "rgb"
    mean: list[FiniteFloat] = [0.0]
    scale: FiniteFloat = 1.0


Level = Literal["pure", "saver", "assets", "io", "python", "network", "custom-op", "unknown"]


class Policy(_Strict):
    """What models may do when they run, besides what any may: levels of `zoo.findings.LEVELS`."""

    allow: Annotated[list[Level], Field(min_length=1)]


class Entry(_Strict):
    """What a registry says of one model."""

    summary: Text
    architecture: Text | None = None
    weights: dict[str, Weights] = {}
    inputs: dict[Text, Text] = {}
    outputs: dict[Text, Text] = {}
    head: Head | None = None
    preprocessing: Preprocessing | None = None
    labels: str | list[str] | None = None
    license: Text | None = None
    paper: Text | None = None
    base_model: Text | None = None
    card: Address | None = None
    policy: Policy | None = None

    @model_validator(mode="after")
    def _has_a_source(self) -> Entry:
        if not self.architecture and not self.weights:
            raise ValueError("needs an architecture, weights, or both")
        bad = [tag for tag in self.weights if not NAME.fullmatch(tag)]
        if bad:
            raise ValueError(f"tag {bad[0]!r} is no name: {NAME_RULE}")
        return self

    @classmethod
    def checked(cls, raw: Any, given: Given = USUAL) -> Entry:
        """Return `raw`, an entry as the YAML has it, as one of these.

        Parameters
        ----------
        given
            Who gave the registry: a server may not name files of this machine.

        Raises
        ------
        pydantic.ValidationError
            It is wrong; `faults` says how.
        """
        return cls.model_validate(raw, context=given)

    def tag(self, name: Reference) -> str:
        """Return the tag of the weights that `name` means: its own, or the first there is.

        Raises
        ------
        UnknownNameError
            There are no weights with that tag.
        """
        tag = name.tag or next(iter(self.weights), "")
        if tag not in self.weights:
            raise UnknownNameError(
                f"{name.name} has no weights tagged {tag!r}",
                found=some(self.weights) or "no weights",
                hint=did_you_mean(tag, self.weights),
            )
        return tag

    def refuse_other(self, name: str, form: str | None, architecture: str | None) -> None:
        """Raise `UsageError` if a caller wants the model `name` in another format or graph."""
        formats = {pinned.format for pinned in self.weights.values()}
        if form is not None and form not in formats:
            raise UsageError(
                f"{name} is not in the format {form!r}",
                found=some(sorted(formats)) or "a plugin builds it",
            )
        if architecture not in (None, self.architecture):
            raise UsageError(
                f"{name} is not of the architecture {architecture!r}",
                found=self.architecture or "its own graph",
            )


def validated(raw: Any, place: str, lines: dict[tuple[str, ...], int], start: int) -> Entry:
    """Return `raw`, an entry as the YAML has it, as an `Entry`.

    Parameters
    ----------
    place
        The path of the registry, for errors.
    lines
        The line of each key below the entry.
    start
        The line of the entry itself.

    Raises
    ------
    RegistryError
        The first fault; `faults` gives all.
    """
    found = faults(raw, place, lines, start)
    if found:
        raise found[0]
    return Entry.checked(raw)


def faults(
    raw: Any,
    place: str,
    lines: dict[tuple[str, ...], int],
    start: int,
    given: Given = USUAL,
) -> list[RegistryError]:
    """Return everything that is wrong with `raw`, each fault with its line."""
    try:
        Entry.checked(raw, given)
    except ValidationError as error:
        return [_as_ours(detail, place, lines, start) for detail in error.errors()]
    return []


def _as_ours(
    detail: Any, place: str, lines: dict[tuple[str, ...], int], start: int
) -> RegistryError:
    path = tuple(str(part) for part in detail["loc"])
    line = next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), start)
    where, key = ".".join(path), path[-1] if path else ""
    if detail["type"] == "extra_forbidden":
        known = _fields_at(path[:-1])
        return RegistryError(
            f"{place}:{line}: nobody reads {where!r}",
            found=key,
            hint=did_you_mean(key, known, f"the keys here are {', '.join(known)}"),
        )
    if detail["type"] == "missing":
        return RegistryError(f"{place}:{line}: {where!r} is missing")
    message = detail["msg"].removeprefix("Value error, ")
    shown = repr(detail["input"])
    found = shown if len(shown) < 100 else ""
    return RegistryError(f"{place}:{line}: {where + ' ' if where else ''}{message}", found=found)


def _fields_at(path: tuple[str, ...]) -> list[str]:
    kinds: dict[str, type[_Strict]] = {
        "weights": Weights,
        "files": File,
        "head": Head,
        "preprocessing": Preprocessing,
        "policy": Policy,
    }
    kind = next((kinds[part] for part in reversed(path) if part in kinds), Entry)
    return sorted(kind.model_fields)
