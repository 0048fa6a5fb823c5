"""Which plugins are installed: read from metadata, so that none is imported for it."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

GROUP = "zoo"
CHOICE = "ZOO_PLUGINS"
"""The variable that says which plugins come in besides the bundled ones: ``a,b``; empty, none."""

_OURS = "zoo"
"""The distribution whose plugins are the bundled ones."""
_HOOKS_OF_OURS = {
    "architectures": {"zoo_architectures"},
    "checkpoint": {"zoo_formats"},
    "finetune": {"zoo_commands"},
    "frozen": {"zoo_formats"},
    "keras": {"zoo_architectures", "zoo_formats"},
    "npz": {"zoo_formats"},
    "safetensors": {"zoo_formats"},
    "saved_model": {"zoo_formats"},
}
"""What each bundled plugin implements: it is imported for nothing else."""
_ENTRIES = "entry_points.txt"
_UNNAMED = re.compile(r"[-_.]+")


@dataclass(frozen=True)
class Plugin:
    """A plugin that was found: its name, its module, and the distribution that brought it."""

    name: str
    module: str
    distribution: str
    version: str

    @property
    def bundled(self) -> bool:
        """Tell whether it comes with zoo."""
        return self.distribution == _OURS

    def may_implement(self, hook: str) -> bool:
        """Tell whether it may have an answer to `hook`; what others bring, only an import tells."""
        return not self.bundled or hook in _HOOKS_OF_OURS.get(self.name, {hook})

    @property
    def root(self) -> str:
        """Return the package that its module is in."""
        return self.module.partition(":")[0].partition(".")[0].strip()

    def __str__(self) -> str:
        return f"{self.name} ({self.distribution} {self.version})".replace(" )", ")")


@dataclass(frozen=True)
class FoundPlugins:
    """What metadata says of plugins.

    Attributes
    ----------
    entries
        The entry points, by their plugins; the bundled ones first.
    broken
        The distributions whose metadata cannot be read, as plugins, with the reason.
    """

    entries: dict[Plugin, EntryPoint] = field(default_factory=dict)
    broken: dict[Plugin, BaseException] = field(default_factory=dict)


def search() -> FoundPlugins:
    """Return the plugins of this environment.

    Not those of the folder one stands in: where ``python -m`` put it on the path, nobody chose to
    install what lies there.
    """
    found = FoundPlugins()
    entries: list[EntryPoint] = []
    for one in _brings_plugins(distributions(path=_places())):
        try:
            entries += [entry for entry in one.entry_points if entry.group == GROUP]
        except Exception as error:  # noqa: BLE001  (a file of another project, in any state)
            name, version = _stated(one)
            found.broken[Plugin(name, "", name, version)] = PluginError(
                f"its {_ENTRIES} cannot be read", found=f"{type(error).__name__}: {error}"
            )
    found.entries.update(by_plugin(entries))
    return found


def by_plugin(entries: Iterable[EntryPoint]) -> dict[Plugin, EntryPoint]:
    """Return `entries` by the plugins that they are, the bundled ones first."""
    known = [(_plugin(entry), entry) for entry in entries]
    return dict(sorted(known, key=lambda pair: _bundled_first(pair[0])))


def wanted(plugin: Plugin, choice: str | None) -> bool:
    """Tell whether `plugin` may come in, where `CHOICE` has the value `choice`, None for any."""
    return plugin.bundled or choice is None or bool(_called(plugin) & _names(choice))


def unknown(plugins: Iterable[Plugin], choice: str | None) -> list[str]:
    """Return the names in `choice` by which none of `plugins` is known."""
    known: set[str] = set().union(*map(_called, plugins))
    return sorted(_names(choice or "") - known)


def _names(choice: str) -> set[str]:
    return {_plain(name) for name in choice.split(",") if name.strip()}


def _called(plugin: Plugin) -> set[str]:
    return {_plain(plugin.name), _plain(plugin.distribution)}


def _plain(name: str) -> str:
    return _UNNAMED.sub("-", name.strip()).lower()


def _places() -> list[str]:
    """Return where distributions are looked for."""
    try:
        here = str(Path.cwd())
    except OSError:  # the folder is gone
        here = ""
    return sys.path[1:] if sys.path[:1] in ([""], [here]) else sys.path


def _brings_plugins(installed: Iterable[Distribution]) -> Iterator[Distribution]:
    """Yield those of `installed` that may bring plugins; of two of one name, the first."""
    seen: set[str] = set()
    for one in installed:
        try:
            text = one.read_text(_ENTRIES) or ""
        except Exception:  # noqa: BLE001  (who asks for its entry points hears what is wrong)
            text = f"[{GROUP}]"
        if f"[{GROUP}]" not in text:
            continue
        name = _plain(_stated(one)[0])
        if name not in seen:
            seen.add(name)
            yield one


@cache
def _stated(one: Distribution) -> tuple[str, str]:
    """Return name and version of a distribution, whose metadata may be damaged or missing."""
    name = version = None
    with suppress(Exception):  # as above; its folder has a name
        name, version = one.name, one.version
    folder = Path(str(getattr(one, "_path", "unknown")))
    return str(name or folder.stem), str(version or "")


def _plugin(entry: EntryPoint) -> Plugin:
    name, version = _stated(entry.dist) if entry.dist else ("unknown", "")
    return Plugin(entry.name, entry.value, name, version)


def _bundled_first(plugin: Plugin) -> tuple[bool, str, str, str]:
    return not plugin.bundled, plugin.distribution, plugin.name, plugin.module


def chosen() -> str | None:
    """Return the value of `CHOICE`, None where it is not set."""
    return os.environ.get(CHOICE)
