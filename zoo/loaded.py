"""The plugins of a process: asked when something is wanted, set aside where they fail.

A plugin that raises, exits, hangs or takes a taken name costs itself, never a command: it is set
aside, and a warning names it.
"""

from __future__ import annotations

import os
import sys
import threading
import warnings
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from zoo import found_plugins
from zoo.errors import PluginError, UsageError, ZooError
from zoo.plugin_modules import Hook, imported
from zoo.tiered import Tiered
from zoo.time_limits import OverdueError, within

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from zoo.found_plugins import FoundPlugins, Plugin

T = TypeVar("T")
TIMEOUT = "ZOO_PLUGIN_TIMEOUT"
"""The variable that says how many seconds a plugin has to be imported, and for each answer."""
_USUAL = 5.0

_turn = threading.RLock()
"""Hooks need not be fit for threads: one asks them at a time."""
_asked: ContextVar[bool] = ContextVar("asked", default=False)
"""Whether this is the work of a plugin that is being asked, in a thread of its own."""


class _WordsAside:
    """What is printed in a block goes to standard error, also where threads are in it at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before = sys.stdout

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._before, sys.stdout = sys.stdout, sys.stderr
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                sys.stdout = self._before


_words_aside = _WordsAside()


class PluginWarning(UserWarning):
    """A plugin was set aside."""


@contextmanager
def turn() -> Iterator[None]:
    """Let one thread ask at a time.

    Raises
    ------
    PluginError
        A plugin asks for plugins while it is asked itself: it would wait for its own end.
    """
    if _asked.get():
        raise PluginError("a plugin cannot ask for plugins while it is asked what it offers")
    with _turn:
        yield


class Loaded:
    """The plugins that were found, and what has become of them so far.

    Parameters
    ----------
    found
        What metadata says of them.
    choice
        Which may come in besides the bundled ones, ``"a,b"``; None for all.

    Attributes
    ----------
    found
        Every plugin, the bundled ones first.
    left_out
        Those that were not chosen.
    broken
        Those that were set aside, with the reason.
    owners
        Who offers what, as far as it was asked for: plugins by the name of a hook and of an offer.
    """

    def __init__(self, found: FoundPlugins, choice: str | None = None) -> None:
        self.found = [*found.entries, *found.broken]
        self.left_out = [one for one in self.found if not found_plugins.wanted(one, choice)]
        self.broken: dict[Plugin, BaseException] = {}
        self.owners: dict[tuple[str, str], Plugin] = {}
        self._metadata = found
        self._hooks: dict[Plugin, Mapping[str, Hook]] = {}
        self._tiers: dict[tuple[str, bool], Mapping[str, Any]] = {}

    def offers(
        self,
        hook: str,
        ask: Callable[[Plugin, Hook], Mapping[str, T]],
        taken: Collection[str] = (),
    ) -> Tiered[T]:
        """Return what plugins offer through `hook`, by name; each is asked once, by one thread.

        Parameters
        ----------
        ask
            Returns what one plugin offers, given what it implements the hook with.
        taken
            Names that zoo itself has: who offers one is set aside.
        """

        def tier(bundled: bool) -> Mapping[str, T]:
            """Return what the plugins of one tier offer."""
            with turn():
                if (hook, bundled) not in self._tiers:
                    self._tiers[hook, bundled] = self._collected(hook, ask, taken, bundled)
                return self._tiers[hook, bundled]

        return Tiered(lambda: tier(True), lambda: (tier(True), tier(False))[1])

    def hooks(self, plugin: Plugin) -> Mapping[str, Hook]:
        """Return what `plugin` implements, by the names of the hooks; imported for it."""
        with turn():
            if plugin not in self._hooks and plugin not in self.broken:
                found = self._asked(plugin, lambda: self._imported(plugin))
                self._hooks[plugin] = found or {}
            return self._hooks.get(plugin, {})

    def guarded(self, plugin: Plugin, work: Callable[[], T]) -> T | None:
        """Return what `work` of `plugin` returns; None if it fails, which sets the plugin aside.

        A stranger's work has a time limit, and what it prints goes to standard error: a command
        prints its answer and nothing else.
        """
        limit = seconds()
        try:
            if plugin.bundled:
                return work()
            with _words_aside:
                return within(limit, work)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001  (a plugin may raise anything, SystemExit too)
            self.set_aside(plugin, error)
            return None

    def set_aside(self, plugin: Plugin, error: BaseException) -> None:
        """Ask `plugin` no more, and warn of it once."""
        if plugin in self.broken:
            return
        self.broken[plugin] = error
        said = f"plugin {plugin} was set aside: {reason(error)}; see `zoo plugins --traceback`"
        warnings.warn(said, PluginWarning, stacklevel=2)

    def _asked(self, plugin: Plugin, work: Callable[[], T]) -> T | None:
        """Return what `work` returns, which is done while nobody else asks."""
        before = _asked.set(not plugin.bundled)
        try:
            return self.guarded(plugin, work)
        finally:
            _asked.reset(before)

    def _imported(self, plugin: Plugin) -> dict[str, Hook]:
        if plugin in self._metadata.broken:
            raise self._metadata.broken[plugin]
        named = (one for one in self.found if one.name == plugin.name)
        owner = next(one for one in named if one not in self.left_out)
        if owner != plugin:
            raise PluginError(f"the name {plugin.name!r} is taken", found=str(owner))
        return imported(self._metadata.entries[plugin])

    def _collected(
        self,
        hook: str,
        ask: Callable[[Plugin, Hook], Mapping[str, T]],
        taken: Collection[str],
        bundled: bool,
    ) -> Mapping[str, T]:
        collected: dict[str, T] = {}
        for plugin in self.found:
            if plugin.bundled != bundled or plugin in self.left_out or plugin in self.broken:
                continue
            if not plugin.may_implement(hook):
                continue
            function = self.hooks(plugin).get(hook)
            if function is None:
                continue
            work = partial(self._new, hook, partial(ask, plugin, function), taken)
            new = self._asked(plugin, work) or {}
            collected.update(new)
            self.owners.update({(hook, name): plugin for name in new})
        return collected

    def _new(
        self, hook: str, ask: Callable[[], Mapping[str, T]], taken: Collection[str]
    ) -> Mapping[str, T]:
        """Return what a plugin offers, none of which may be there already."""
        new = ask()
        for name in new:
            owner = "zoo" if name in taken else self.owners.get((hook, name))
            if owner is not None:
                raise PluginError(f"the name {name!r} is taken in {hook}", found=str(owner))
        return new


def seconds() -> float:
    """Return how long a plugin may take to be imported, and for each answer.

    Raises
    ------
    UsageError
        `TIMEOUT` is no positive number.
    """
    given = os.environ.get(TIMEOUT, "")
    try:
        limit = float(given or _USUAL)
    except ValueError:
        limit = 0.0
    if not 0 < limit <= threading.TIMEOUT_MAX:
        raise UsageError(f"{TIMEOUT} must be a number of seconds", found=given)
    return limit


def reason(error: BaseException) -> str:
    """Return why a plugin was set aside, in one line."""
    if isinstance(error, ZooError):
        return f"{error.problem} ({error.found})" if error.found else error.problem
    if isinstance(error, OverdueError):
        return f"{error} ({TIMEOUT} says how long it may take)"
    try:
        text = " ".join(str(error).split())
    except Exception:  # noqa: BLE001  (a stranger's error may not even be able to say itself)
        text = ""
    return f"{type(error).__name__}: {text}".removesuffix(": ")
