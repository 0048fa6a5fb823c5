"""``zoo list``, ``info``, ``fetch``, ``check``: what registries say, and the bytes behind it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo import catalogue as catalogues
from zoo import home, origins, output, sources
from zoo.addresses import shown
from zoo.commands.completion import complete_names
from zoo.commands.examples import examples
from zoo.commands.libraries import library_options, registry_option
from zoo.commands.network import fetching_options
from zoo.commands.options import (
    remark,
    speech_options,
)
from zoo.commands.places import Place
from zoo.errors import UsageError, counted, some
from zoo.findings import LEVELS
from zoo.names import reference
from zoo.registry import Registry
from zoo.store import Store

if TYPE_CHECKING:
    from zoo.catalogue import Listed
    from zoo.entries import Entry
    from zoo.library import Library
    from zoo.patience import Manner


_LABELS = 20
"""Labels that are shown of more; ``--json`` has all."""


@click.command(
    "list",
    epilog=examples(
        "zoo list",
        "zoo list 'vgg*' --cached",
        "zoo list --registry https://models.example.org/registry.yaml",
    ),
)
@click.argument("pattern", metavar="[GLOB]", default="*", shell_complete=complete_names)
@click.option("--cached", is_flag=True, help="Only those that are in the store.")
@registry_option
@speech_options
def list_models(pattern: str, cached: bool, registry: Path | str | None, as_json: bool) -> None:
    """List the registered models whose names match GLOB, as in `zoo list 'vgg*'`."""
    store = Store(home.cache())
    models = [
        {
            "name": listed.row.name,
            "summary": listed.row.summary,
            "tags": [tag for tag, _ in listed.row.tags],
            "cached": _is_cached(listed, store),
            "registry": str(listed.registry),
            "overrides": [str(path) for path in listed.overrides],
        }
        for listed in catalogues.standard(registry).listed(pattern)
    ]
    models = [model for model in models if model["cached"] or not cached]
    if as_json:
        output.say(output.document({"models": models}))
        return
    rows = [[str(model["name"]), _line(model)] for model in models]
    output.say(output.table(rows) or f"no model matches {pattern!r}")


def _is_cached(listed: Listed, store: Store) -> bool:
    """Tell whether any weights of a model are in the store, as far as the index alone can say."""
    return any(digest is not None and store.has(digest) for _, digest in listed.row.tags)


def _line(model: dict[str, Any]) -> str:
    marks = [model["summary"]]
    if model["overrides"]:
        marks.append(f"(overrides {', '.join(model['overrides'])})")
    return " ".join(marks)


@click.command("info", epilog=examples("zoo info vgg16", "zoo info vgg16 --json"))
@click.argument("name", shell_complete=complete_names)
@registry_option
@speech_options
def info(name: str, registry: Path | str | None, as_json: bool) -> None:
    """Show what the registry says of the model NAME: sources, licence, inputs, head, its card."""
    wanted = reference(name)
    if wanted is None:
        raise UsageError(f"{name!r} is no name", hint="`zoo inspect` looks at files")
    found = catalogues.standard(registry)
    entry, place = found.entry(wanted.name), found.registry_of(wanted.name)
    card = _card_text(entry, place)
    if as_json:
        facts = _without_secrets(entry.model_dump(mode="json", exclude_none=True))
        facts |= {"name": wanted.name, "registry": str(place.place), "card_text": card}
        if place.allowed:
            facts["registry_policy"] = {"allow": sorted(place.allowed)}
        output.say(output.document(facts))
    else:
        output.say(_table(wanted.name, entry, place) + (f"\n\n{card.rstrip()}" if card else ""))


def _without_secrets(value: Any) -> Any:
    """Return what an entry holds, its addresses as they may be shown."""
    if isinstance(value, dict):
        return {
            key: list(map(shown, one)) if key == "urls" else _without_secrets(one)
            for key, one in value.items()
        }
    return list(map(_without_secrets, value)) if isinstance(value, list) else value


def _card_text(entry: Entry, place: Registry) -> str | None:
    """Return the card of `entry`, which is Markdown; None if it lies on another machine.

    No more of it is read than one chunk, a megabyte: a card is a page.
    """
    if entry.card is None or not entry.card.startswith(sources.LOCAL):
        return None
    found = next(sources.opened(entry.card, place.base), b"")
    return found.decode(errors="replace")


def _table(name: str, entry: Entry, place: Registry) -> str:
    """Return `entry` as people read it."""
    rows = [["name", name], ["summary", entry.summary], ["registry", str(place.place)]]
    for key in ("architecture", "license", "paper", "base_model", "labels", "card"):
        value = getattr(entry, key)
        if value is not None:
            rows.append([key, some(value, _LABELS) if isinstance(value, list) else str(value)])
    for key in ("inputs", "outputs"):
        for short, tensor in getattr(entry, key).items():
            rows.append([key, f"{short} = {tensor}"])
    rows += _policy(entry, place)
    for key in ("head", "preprocessing"):
        stated = getattr(entry, key)
        if stated is not None:
            facts = stated.model_dump()
            rows.append([key, ", ".join(f"{k} {v}" for k, v in facts.items())])
    for tag, weights in entry.weights.items():
        rows.append([f"weights:{tag}", f"{weights.format}, {_pinned(weights)}"])
        rows += [["", shown(url)] for url in weights.urls]
        rows += [["", f"{file.path}: {shown(file.urls[0])}"] for file in weights.files]
    return output.table(rows)


def _policy(entry: Entry, place: Registry) -> list[list[str]]:
    """Return a row on what the model may do besides what any may, if the registry says so."""
    stated = place.allowed | {*(entry.policy.allow if entry.policy else ())}
    if not stated:
        return []
    said = f"allows {', '.join(level for level in LEVELS if level in stated)}"
    mark = "" if catalogues.counts(place) else "; ignored, as this is no registry of yours"
    return [["policy", said + mark]]


def _pinned(weights: Any) -> str:
    if weights.files:
        total = sum(file.size for file in weights.files)
        return f"{output.size(total)} in {counted(len(weights.files), 'file')}"
    digests = [
        f"{n} {d[:12]}..." for n in ("sha256", "sha384", "md5") if (d := getattr(weights, n))
    ]
    return ", ".join([output.size(weights.size)] * (weights.size is not None) + digests)


@click.command(
    "fetch",
    epilog=examples(
        "zoo fetch vgg16",
        "zoo fetch keras-vgg16 mobilenet-v2 --into models/",
        "zoo fetch https://example.org/net.pb#sha256=...",
    ),
)
@click.argument("refs", metavar="REF...", nargs=-1, required=True, shell_complete=complete_names)
@click.option("--into", type=click.Path(file_okay=False, path_type=Path), help="Copy them there.")
@click.option("--force", is_flag=True, help="Replace what is there.")
@library_options
@fetching_options
@speech_options
def fetch(
    refs: tuple[str, ...],
    into: Path | None,
    force: bool,
    library: Library,
    manner: Manner,
    as_json: bool,
) -> None:
    """Bring the models REF into the store, verified, and print where they are."""
    from zoo.fetching import copy_into
    from zoo.pinning import refuse_missing

    library.manner = manner
    if library.offline:
        pinned = [library.pinned(ref) for ref in refs]
        wanted = [(str(p.name), file) for p in pinned for file in p.files]
        refuse_missing(wanted, library.store, library.sources)
    models = []
    for ref in refs:
        name, fetched = library.fetch(ref)
        path = fetched.path
        if into is not None:
            path = copy_into(fetched, into, name.name, force=force)
        done = "in the store already" if fetched.from_cache else "fetched and verified"
        remark(f"{name}: {output.size(fetched.size)}, {done}")
        if not as_json:
            output.say(str(path))
        models.append(
            {
                "name": name.name,
                "tag": name.tag,
                "path": str(path),
                "sha256": fetched.sha256,
                "bytes": fetched.size,
                "from_cache": fetched.from_cache,
            }
        )
    if as_json:
        output.say(output.document({"models": models}))


@click.command("check", epilog=examples("zoo check", "zoo check registry.yaml"))
@click.argument("file", required=False, type=Place(dir_okay=False))
@speech_options
@click.pass_context
def check(ctx: click.Context, file: Path | None, as_json: bool) -> None:
    """Check every entry of the registry FILE (by default the bundled one), all faults at once."""
    from zoo.library import Library

    path = file or catalogues.bundled()
    registry = Registry(path, home.cache())
    faults = registry.faults(Library().sources)
    remarks = [] if faults else [*registry.remarks(), *_policies(registry)]
    count = len(registry.names())
    if as_json:
        facts = [fault.facts() for fault in faults]
        document = {"path": str(path), "models": count, "faults": facts, "remarks": remarks}
        output.say(output.document(document))
    elif faults:
        for fault in faults:
            output.say(str(fault))
    else:
        for sentence in remarks:
            remark(sentence)
        output.say(f"{path}: {counted(count, 'model')}, no faults")
    ctx.exit(65 if faults else 0)


def _policies(registry: Registry) -> list[str]:
    """Return a sentence on each policy in a registry whose word does not count."""
    if catalogues.counts(registry):
        return []
    hinting = (name for name in registry.names() if '"policy"' in registry.raw(name))
    stating = [name for name in hinting if registry.entry(name).policy is not None]
    whose = ["all models"] * bool(registry.allowed) + stating
    return [origins.ignored(registry, name) for name in whose]


COMMANDS = {"list": list_models, "info": info, "fetch": fetch, "check": check}
