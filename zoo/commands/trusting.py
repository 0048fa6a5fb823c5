"""``zoo trust``: the models that may do anything, by the bytes that they have now."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from zoo import output, trusted
from zoo.commands.completion import complete_refs
from zoo.commands.examples import examples
from zoo.commands.libraries import library_options
from zoo.commands.options import (
    attaching_options,
    format_option,
    quiet_tensorflow,
    remark,
    speech_options,
    tags_option,
)
from zoo.errors import UnknownNameError, UsageError, ZooError, counted
from zoo.findings import LEVELS, USUAL
from zoo.trusted import Trusted

if TYPE_CHECKING:
    from zoo.findings import Finding
    from zoo.library import Library
    from zoo.renaming import Wishes
    from zoo.trust import Origin

_DIGEST = re.compile("[0-9a-f]{8,64}")
_SHOWN = 12


@click.command("trust", epilog=examples("zoo trust model.pb", "zoo trust --list"))
@click.argument("ref", required=False, shell_complete=complete_refs)
@click.option("--list", "listing", is_flag=True, help="List the models that are trusted.")
@click.option("--remove", "removing", is_flag=True, help="Trust REF, or a digest, no longer.")
@tags_option
@attaching_options
@format_option
@library_options
@speech_options
def trust(
    ref: str | None,
    listing: bool,
    removing: bool,
    tags: list[str] | None,
    wishes: Wishes,
    read_as: str | None,
    library: Library,
    as_json: bool,
) -> None:
    """Trust the model REF as it is now: from now on it runs, whatever it does.

    It is remembered by its digest: what is changed is trusted no longer.
    """
    if (ref is None) != listing or (listing and removing):
        raise UsageError("zoo trust takes a REF, or --list", hint="zoo trust --help")
    if ref is None:
        _list(as_json)
        return
    if removing:
        gone = _named(ref)
        if not gone:
            with suppress(ZooError):  # under another name, if it is a model at all
                gone = [_found(library, ref, read_as, wishes, tags)[0]]
        _remove(ref, gone, as_json)
        return
    sha256, origin, found = _found(library, ref, read_as, wishes, tags)
    new = Trusted.now(sha256, origin.place, {one.level for one in found})
    place = trusted.add(new)
    _say(new, found, str(place), as_json)


def _found(
    library: Library, ref: str, read_as: str | None, wishes: Wishes, tags: list[str] | None
) -> tuple[str, Origin, list[Finding]]:
    """Return the digest of the model `ref`, where it came from, and what it may do."""
    from zoo.scanning import scan

    quiet_tensorflow()  # a Keras file brings it in when it is opened
    model = library.open(ref, format=read_as, wishes=wishes, options={"tags": tags}).model
    origin = model.trust.origin
    sha256 = trusted.digest(origin.parts()) if origin is not None else ""
    if origin is None or not sha256:
        raise UsageError(
            f"{ref} has no bytes to be known by",
            found="a plugin builds it",
            hint="--trust lets it do anything for once",
        )
    return sha256, origin, [one for one in scan(model.meta_graph) if one.level not in USUAL]


def _say(new: Trusted, found: list[Finding], place: str, as_json: bool) -> None:
    facts = [{**asdict(one), "path": list(one.path)} for one in found]
    if as_json:
        output.say(output.document({**_facts(new), "file": place, "findings": facts}))
        return
    order = sorted(found, key=lambda one: LEVELS.index(one.level), reverse=True)
    rows = [[one.level, one.op, one.node, one.why] for one in order[:_SHOWN]]
    if rows:
        output.say(output.table(rows))
    if len(order) > _SHOWN:
        output.say(f"and {len(order) - _SHOWN} more")
    if not found:
        remark("nothing was found in it that needs trust")
    output.say(f"trusted from now on, as long as it is sha256 {new.sha256[:12]}...: {new.name}")


def _list(as_json: bool) -> None:
    known = trusted.listed()
    if as_json:
        facts = [_facts(one) for one in known]
        output.say(output.document({"file": str(trusted.path()), "models": facts}))
        return
    rows = [
        [one.sha256[:12], one.date[:10], ",".join(one.levels) or "-", one.name] for one in known
    ]
    output.say(output.table(rows) or "no model is trusted")


def _named(ref: str) -> list[str]:
    """Return the digests that are trusted as `ref`: a name, a path, or how a digest begins."""
    from zoo.origins import place

    known = trusted.listed()
    if _DIGEST.fullmatch(ref):
        return [one.sha256 for one in known if one.sha256.startswith(ref)]
    return [one.sha256 for one in known if one.name in (ref, place(ref))]


def _remove(ref: str, digests: list[str], as_json: bool) -> None:
    gone = [one for one in trusted.listed() if one.sha256 in digests]
    if not gone:
        hint = "`zoo trust --list` shows what is"
        raise UnknownNameError(f"{ref} is not trusted", found="nothing of that digest", hint=hint)
    place = trusted.remove(one.sha256 for one in gone)
    if as_json:
        facts = [_facts(one) for one in gone]
        output.say(output.document({"file": str(place), "removed": facts}))
        return
    for one in gone:
        output.say(f"trusted no longer: sha256 {one.sha256[:12]}..., {one.name}")
    if len(gone) > 1:
        remark(f"{counted(len(gone), 'version')} of it")


def _facts(one: Trusted) -> dict[str, Any]:
    return {**asdict(one), "levels": list(one.levels)}


COMMANDS = {"trust": trust}
