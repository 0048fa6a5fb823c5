"""``zoo cache`` and ``zoo verify``: what the store holds, what goes, and whether it is sound."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from zoo import amounts, home, inventory, output, pruning, rehashing, removal, repairing, work
from zoo.commands.examples import examples
from zoo.commands.libraries import offline_option, registry_option
from zoo.commands.options import remark, speech_options
from zoo.errors import BusyError, UsageError, counted, some
from zoo.library import Library

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from zoo.inventory import Item
    from zoo.repairing import Verified

_UNSOUND = 1


def _amount(read: Callable[[str], Any]) -> Callable[..., Any]:
    """Return a callback that reads the value of an option by `read`."""

    def parsed(ctx: click.Context, _: click.Parameter, value: str | None) -> Any:  # noqa: ARG001
        """Return what `value` says."""
        return None if value is None else read(value)

    return parsed


_SORTS: dict[str, Callable[[Item], Any]] = {
    "used": lambda item: -item.used,
    "size": lambda item: -item.size,
    "name": lambda item: item.name,
}
_refs = click.argument("refs", metavar="NAME...", nargs=-1, required=True)
_dry = click.option("-n", "--dry-run", "dry", is_flag=True, help="Only say what would go.")


@click.group("cache", epilog=examples("zoo cache ls", "zoo cache prune --max-size 10GB"))
def cache() -> None:
    """Look after the store of fetched models: what is in it, what goes, is it sound.

    Each of these prints a document with --json.
    """


@cache.command("dir", epilog=examples("zoo cache dir", 'du -sh "$(zoo cache dir)"'))
@speech_options
def show_folder(as_json: bool) -> None:
    """Print where it is."""
    path = str(home.cache())
    output.say(output.document({"path": path}) if as_json else path)


@cache.command("ls", epilog=examples("zoo cache ls", "zoo cache ls 'vgg*' --json"))
@click.argument("pattern", metavar="[GLOB]", default=None, required=False)
@click.option("--kind", type=click.Choice(inventory.KINDS), help="Only things of this kind.")
@click.option(
    "--unused-for", "unused", callback=_amount(amounts.duration), metavar="30d", help="Since then."
)
@click.option(
    "--larger", callback=_amount(amounts.size), metavar="100MB", help="Only what is larger."
)
@click.option("--sort", type=click.Choice([*_SORTS]), default="used", help="The first, the most.")
@speech_options
def show_items(
    pattern: str | None,
    kind: str | None,
    unused: float | None,
    larger: int | None,
    sort: str,
    as_json: bool,
) -> None:
    """List what is in the store: size, last use, where it came from.

    GLOB is matched with names, or a digest that begins so.
    """
    now = time.time()
    found = [
        item
        for item in inventory.items(home.cache())
        if (pattern is None or item.is_called(pattern))
        and (kind is None or item.kind == kind)
        and (unused is None or now - item.used > unused)
        and (larger is None or item.size > larger)
    ]
    found.sort(key=_SORTS[sort])
    total = inventory.total(found)
    if as_json:
        output.say(output.document({"items": [*map(_facts, found)], "bytes": total}))
        return
    output.say(output.table([_row(item, now) for item in found]) or "nothing is there")
    remark(f"{counted(len(found), 'thing')}, {output.size(total)} in {home.cache()}")


def _row(item: Item, now: float) -> list[str]:
    marks = [item.kind] * (item.kind != inventory.MODEL) + ["pinned"] * item.pinned
    marks += ["in use"] * bool(item.users)
    shown = [item.name, output.size(item.size), amounts.ago(now - item.used)]
    return [*shown, item.key[:12], ", ".join(marks) or "-", item.source]


def _facts(item: Item) -> dict[str, Any]:
    return {
        "key": item.key,
        "kind": item.kind,
        "names": [*item.names],
        "bytes": item.size,
        "used": item.used,
        "source": item.source,
        "pinned": item.pinned,
        "in_use": [*item.users],
        "paths": [*map(str, item.paths)],
    }


@cache.command("rm", epilog=examples("zoo cache rm vgg16", "zoo cache rm vgg16:imagenet --dry-run"))
@_refs
@click.option("--force", is_flag=True, help="Take out what is pinned, too.")
@_dry
@speech_options
def remove(refs: tuple[str, ...], force: bool, dry: bool, as_json: bool) -> None:
    """Delete the models NAME from the store: globs of names, or beginnings of digests."""
    root = home.cache()
    chosen = repairing.chosen(Library(), inventory.items(root), refs)
    pinned = [item.name for item in chosen if item.pinned]
    if pinned and not force:
        raise UsageError(
            f"{some(pinned)} stays",
            found="pinned by `zoo cache pin`, or in ./zoo.lock",
            hint="--force deletes it; `zoo cache unpin` lets it go",
        )
    busy = [item for item in chosen if item.users or not (dry or removal.remove(root, item))]
    _say_gone([item for item in chosen if item not in busy], dry, as_json)
    if busy:
        users = {user for item in busy for user in item.users}
        raise BusyError(
            f"{some(item.name for item in busy)} was not deleted",
            found=f"in use by {some(sorted(users)) or 'another process'}",
            hint="try again when that has ended",
        )


@cache.command(
    "prune",
    epilog=examples(
        "zoo cache prune --max-size 10GB", "zoo cache prune --keep-within 90d --dry-run"
    ),
)
@click.option(
    "--keep-within",
    "within",
    callback=_amount(amounts.duration),
    metavar="30d",
    help="What was used within this time stays.",
)
@click.option(
    "--max-size",
    "size",
    callback=_amount(amounts.size),
    metavar="20GB",
    help="What may be there in all; by default $ZOO_CACHE_MAX_SIZE.",
)
@click.option("--keep", metavar="NAME", multiple=True, help="A model that stays; a glob.")
@_dry
@speech_options
def prune(
    within: float | None, size: int | None, keep: tuple[str, ...], dry: bool, as_json: bool
) -> None:
    """Delete what was not used for long, and what dead processes left.

    The least recently used goes first; what is pinned or in use stays. With both limits, what goes
    is older than the one and too much for the other.
    """
    allowed = pruning.budget() if size is None and within is None else size
    done = pruning.prune(home.cache(), pruning.Limits(within, allowed, keep), dry=dry)
    _say_gone(done.gone, dry, as_json, left=done.left)
    if done.busy:
        remark(f"in use, and left: {some(item.name for item in done.busy)}")
    if allowed is not None and done.left > allowed:
        remark(f"{output.size(done.left)} are left: pinned, in use, or used within that time")


def _say_gone(gone: Sequence[Item], dry: bool, as_json: bool, **more: Any) -> None:
    size = sum(item.size for item in gone)
    if as_json:
        facts = {"deleted": [*map(_facts, gone)], "bytes": size, "dry_run": dry, **more}
        output.say(output.document(facts))
        return
    for item in gone:
        output.say(f"{item.name}  {output.size(item.size)}")
    verb = "would be deleted" if dry else "deleted"
    remark(f"{counted(len(gone), 'thing')} {verb}, {output.size(size)}")


@cache.command("pin", epilog=examples("zoo cache pin vgg16"))
@_refs
@speech_options
def pin(refs: tuple[str, ...], as_json: bool) -> None:
    """Have the models NAME stay, whatever is pruned."""
    _mark(refs, as_json, pinned=True)


@cache.command("unpin", epilog=examples("zoo cache unpin vgg16"))
@_refs
@speech_options
def unpin(refs: tuple[str, ...], as_json: bool) -> None:
    """Let the models NAME go when they are pruned."""
    _mark(refs, as_json, pinned=False)


def _mark(refs: tuple[str, ...], as_json: bool, *, pinned: bool) -> None:
    root = home.cache()
    found = repairing.chosen(Library(), inventory.items(root), refs)
    for item in found:
        inventory.pin(root, item.key, pinned=pinned)
    if as_json:
        output.say(output.document({"models": [item.key for item in found], "pinned": pinned}))
    else:
        verb = "stays" if pinned else "may go"
        output.say("\n".join(f"{item.name} {verb}" for item in found))


def _verified(refs: tuple[str, ...], registry: Path | None, offline: bool, as_json: bool) -> int:
    """Verify the models called `refs`, all if none is named; return the exit code."""
    library = Library(registry, offline, rehash=True)
    found = inventory.items(library.store.root)
    if refs:
        found = repairing.chosen(library, found, refs)
    with work.counted("reading what the store has", sum(item.size for item in found)):
        done = [*repairing.verify(library, found)]
    if as_json:
        output.say(output.document({"items": [*map(_told, done)]}))
    else:
        for one in done:
            if one.state not in ("sound", "unknown"):
                output.say(f"{one.item.name}: {one.state}" + (f" ({one.why})" if one.why else ""))
        bad = sum(one.state not in ("sound", "unknown") for one in done)
        size = output.size(sum(one.item.size for one in done))
        output.say(f"{counted(len(done), 'thing')}, {size}: {bad or 'none'} damaged")
    return _UNSOUND if any(one.state == rehashing.DAMAGED for one in done) else 0


def _told(one: Verified) -> dict[str, Any]:
    aside = [*map(str, one.aside)]
    facts = _facts(one.item)
    return {**facts, "state": one.state, "why": one.why, "aside": aside}


@cache.command("verify", epilog=examples("zoo cache verify"))
@registry_option
@offline_option
@speech_options
@click.pass_context
def verify_all(ctx: click.Context, registry: Path | None, offline: bool, as_json: bool) -> None:
    """Hash all of the store again, as `zoo verify --all` does."""
    ctx.exit(_verified((), registry, offline, as_json))


@click.command("verify", epilog=examples("zoo verify vgg16", "zoo verify --all"))
@click.argument("refs", metavar="REF...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that is there.")
@registry_option
@offline_option
@speech_options
@click.pass_context
def verify(
    ctx: click.Context,
    refs: tuple[str, ...],
    everything: bool,
    registry: Path | None,
    offline: bool,
    as_json: bool,
) -> None:
    """Hash again what the store has of the models REF; what is damaged is fetched anew.

    Damaged files are set aside, in the folder `corrupt`. It ends with 1 where something damaged
    could not be replaced.
    """
    if bool(refs) == everything:
        raise UsageError("say what to verify", hint="name models, or --all")
    ctx.exit(_verified(refs, registry, offline, as_json))


COMMANDS = {"cache": cache, "verify": verify}
