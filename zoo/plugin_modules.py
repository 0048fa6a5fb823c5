"""Import a plugin's module, and take the hooks out of it that zoo asks."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pluggy

from zoo import hookspecs
from zoo.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from importlib.metadata import EntryPoint

Hook = Callable[..., Any]
"""What a plugin implements a hook with; takes what the hook gives, by name."""

_HOOKS = frozenset(name for name in vars(hookspecs) if name.startswith("zoo_"))


def imported(entry: EntryPoint) -> dict[str, Hook]:
    """Return what the module that `entry` names implements, by the names of the hooks.

    Raises
    ------
    PluginError
        It was written for other hooks, or one of its own is no hook of zoo or has another form.
        Importing it may raise anything besides.
    """
    module = entry.load()
    _refuse_other_hooks(module)
    manager = pluggy.PluginManager("zoo")
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(module, name=entry.name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        lines = str(error).splitlines()
        found = ": ".join(dict.fromkeys([lines[0], lines[-1]]))
        raise PluginError("a hook has another form than zoo asks for", found=found) from error
    callers = manager.get_hookcallers(module) or ()
    hooks = {one.name: _by_name(one.get_hookimpls()[0]) for one in callers}
    _refuse_unmarked(module, hooks)
    return hooks


def _refuse_other_hooks(module: Any) -> None:
    wanted = getattr(module, "zoo_api", None)
    if wanted == hookspecs.API:
        return
    newer = isinstance(wanted, int) and wanted > hookspecs.API
    raise PluginError(
        "the plugin was written for other hooks",
        found=f"zoo_api = {wanted!r}, where this zoo has {hookspecs.API}",
        hint="a newer zoo may have them" if newer else "a newer version of the plugin may fit",
    )


def _refuse_unmarked(module: Any, hooks: Mapping[str, Hook]) -> None:
    """Refuse a function that is called like a hook and would never be asked."""
    for name in sorted(_HOOKS - set(hooks)):
        if inspect.isroutine(getattr(module, name, None)):
            raise PluginError("a hook is not marked with @zoo.hookimpl", found=name)


def _by_name(implementation: pluggy.HookImpl) -> Hook:
    """Return the function behind a hook, which need not take all that the hook gives."""

    def called(**given: Any) -> Any:
        """Call it with what it takes."""
        return implementation.function(*(given[name] for name in implementation.argnames))

    return called
