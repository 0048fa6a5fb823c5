"""``zoo lock`` and ``zoo sync``: the models of a project, pinned, and installed as pinned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from zoo import lockfile, locking, output
from zoo.addresses import shown
from zoo.commands.completion import complete_names
from zoo.commands.examples import examples
from zoo.commands.libraries import library_options, offline_option
from zoo.commands.network import fetching_options
from zoo.commands.options import remark, speech_options
from zoo.errors import UsageError
from zoo.library import Library

if TYPE_CHECKING:
    from zoo.lockfile import Locked
    from zoo.patience import Manner

_lock_option = click.option(
    "--lockfile",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path(lockfile.NAME),
    help="The file, by default ./zoo.lock.",
)


@click.command("lock", epilog=examples("zoo lock vgg16 toy-adder:tutorial", "zoo lock --update"))
@click.argument("names", metavar="[NAME...]", nargs=-1, shell_complete=complete_names)
@click.option("--update", is_flag=True, help="Pin anew what was published again.")
@click.option("--remove", "removing", is_flag=True, help="Take the pins of NAME out.")
@_lock_option
@library_options
@fetching_options
@speech_options
def lock(
    names: tuple[str, ...],
    update: bool,
    removing: bool,
    path: Path,
    library: Library,
    manner: Manner,
    as_json: bool,
) -> None:
    """Pin the models NAME in ./zoo.lock: tag, digest, size, sources.

    Without a NAME, check that the registries still have what is pinned.
    """
    if removing:
        if not names:
            raise UsageError("nothing is named to take out", hint="zoo lock --remove NAME...")
        for locked in locking.remove(names, path):
            remark(f"{locked.name} is pinned no longer")
    else:
        library.manner = manner
        for change in locking.lock(library, names, path, update=update):
            remark(f"{change.now.name}: {_told(change)}")
    models = (lockfile.here(path) or lockfile.Lock(path)).models
    if as_json:
        output.say(output.document({"path": str(path), "models": [_facts(one) for one in models]}))
    else:
        rows = [[str(one.name), output.size(one.size), one.sha256] for one in models]
        output.say(output.table(rows) or f"{path} pins nothing")


def _told(change: locking.Change) -> str:
    if change.before is None:
        return "pinned"
    if change.before.sha256 != change.now.sha256:
        return f"pinned anew; it was sha256 {change.before.sha256}"
    return "as it was" if change.before == change.now else "the same bytes, from elsewhere"


def _facts(locked: Locked) -> dict[str, Any]:
    return {
        "name": locked.name.name,
        "tag": locked.name.tag,
        "sha256": locked.sha256,
        "bytes": locked.size,
        "urls": [shown(url) for file in locked.files for url in file.urls],
    }


@click.command("sync", epilog=examples("zoo sync", "zoo sync --offline"))
@click.argument("names", metavar="[NAME...]", nargs=-1)
@_lock_option
@offline_option
@fetching_options
@speech_options
def sync(names: tuple[str, ...], path: Path, offline: bool, manner: Manner, as_json: bool) -> None:
    """Bring exactly what ./zoo.lock pins into the store; no registry is asked."""
    models = []
    for locked, fetched in locking.sync(Library(offline=offline, manner=manner), path, names):
        done = "in the store already" if fetched.from_cache else "fetched and verified"
        remark(f"{locked.name}: {output.size(fetched.size)}, {done}")
        if not as_json:
            output.say(str(fetched.path))
        models.append(
            {
                "name": locked.name.name,
                "tag": locked.name.tag,
                "path": str(fetched.path),
                "sha256": fetched.sha256,
                "bytes": fetched.size,
                "from_cache": fetched.from_cache,
            }
        )
    if as_json:
        output.say(output.document({"path": str(path), "models": models}))


COMMANDS = {"lock": lock, "sync": sync}
