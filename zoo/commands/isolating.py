"""The options that say whether a model runs in a process that is locked in, and the running."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from zoo import amounts, means
from zoo.commands.options import import_tensorflow, quiet_tensorflow, verbose
from zoo.errors import UsageError

if TYPE_CHECKING:
    from zoo.isolation import Call
    from zoo.library import Library
    from zoo.located import Located
    from zoo.model import Model

Command = TypeVar("Command", bound=Callable[..., Any])

_LEAST_MEMORY = 1 << 20
_HARMLESS = frozenset({"pure", "saver"})
"""Levels for which no process is locked in: a saver's operations run only where they are named."""


@dataclass(frozen=True)
class Isolating:
    """Whether a model runs in a process that is locked in, and what that process may take.

    Attributes
    ----------
    wanted
        Whether it is isolated in any case, or in none; None where the model decides.
    memory, by
        See `zoo.isolation.Bounds`.
    """

    wanted: bool | None = None
    memory: int | None = None
    by: str = means.BEST


def _size(ctx: click.Context, _: click.Parameter, value: str | None) -> int | None:  # noqa: ARG001
    found = None if value is None else amounts.size(value)
    if found is not None and found < _LEAST_MEMORY:
        raise UsageError(f"{value!r} is no memory to run in", hint="write a size, as in 2GB")
    return found


_OPTIONS = (
    click.option(
        "--isolated/--no-isolated",
        "wanted",
        default=None,
        help="Run it in a process without network and files; a model that only computes does not.",
    ),
    click.option(
        "--memory",
        metavar="SIZE",
        callback=_size,
        help="What an isolated process may take: 2GB; half of the machine's by default.",
    ),
    click.option(
        "--isolation",
        "by",
        type=click.Choice(means.MEANS),
        default=means.BEST,
        help="What locks the process in.",
    ),
)


def isolating_options(command: Command) -> Command:
    """Give `command` what says how a model is isolated: its argument `isolating`."""

    @functools.wraps(command)
    def gathered(wanted: bool | None, memory: int | None, by: str, **given: Any) -> Any:
        """Call the command with one argument in the place of three."""
        stated = memory is not None or by != means.BEST
        if stated and wanted is False:
            raise UsageError("--memory and --isolation are for an isolated process")
        wanted = True if stated else wanted
        return command(isolating=Isolating(wanted, memory, by), **given)

    whole: Any = gathered
    for option in reversed(_OPTIONS):
        whole = option(whole)
    return cast("Command", whole)


def is_isolated(model: Model, outputs: Sequence[str]) -> bool:
    """Tell whether a call of `model` for `outputs` is isolated where the user says nothing.

    It is where anything in the model may do more than compute; of what belongs to a saver, which
    no signature reaches, only what is asked for by name.
    """
    from zoo import scanning

    found = {one.level for one in scanning.scan(model.meta_graph)} - _HARMLESS
    named = {one.level for one in scanning.scan(model.meta_graph, outputs)} if outputs else set()
    return bool(found | named - {"pure"})


def values(
    found: Located, ref: str, call: Call, library: Library, how: Isolating
) -> dict[str, Any]:
    """Return what the model called `ref` gives for `call`, run here or in a process of its own.

    A model whose format runs TensorFlow to open it is not opened here to be judged.
    """
    quiet_tensorflow()
    model = None
    if not _is_run_unseen(found, library, how):
        model = library.read(found, ref, call.options).model
        if how.wanted is False or not means.there() or not is_isolated(model, call.outputs):
            return _here(model, call, found)
    from zoo import isolation, policy

    trust = policy.known(library.trust_in(found, ref))
    if how.wanted is None and trust.is_full:
        model = model or library.read(found, ref, call.options).model
        return _here(replace(model, trust=trust), call, found)
    if model is not None:
        _refuse(replace(model, trust=trust), call)
    given: dict[str, Any] = {"heard": model is not None, "verbose": verbose()}
    bounds = isolation.Bounds(how.memory, how.by)
    return isolation.run(found, replace(call, trust=trust), bounds, library.plugins, **given)


def _refuse(model: Model, call: Call) -> None:
    """Refuse at once what the process would refuse, which takes seconds to start.

    Raises
    ------
    TrustError
        What gives the outputs goes beyond what `model` is trusted with.
    """
    from zoo.graph import tensor_name
    from zoo.values import split

    chosen = model.signature(call.signature)
    known = {**chosen.outputs, **chosen.inputs}
    asked = [*(call.outputs or chosen.outputs)], [split(one)[0] for one in call.inputs]
    fetches, feeds = (
        [known[name].tensor if name in known else tensor_name(name) for name in names]
        for names in asked
    )
    model.guard.require_call(fetches, feeds)


def _is_run_unseen(found: Located, library: Library, how: Isolating) -> bool:
    """Tell whether the model is isolated, if it is, without a look at it."""
    if how.wanted is not None or not means.there():
        return bool(how.wanted)
    return found.takes_tensorflow(library.plugins)


def _here(model: Model, call: Call, found: Located) -> dict[str, Any]:
    """Return what `model` gives for `call`, run in this process."""
    from zoo import values

    import_tensorflow()
    how = found.entry.preprocessing if found.entry else None
    feeds = values.feeds(model, call.inputs, call.signature, how)
    wanted = {name: name for name in call.outputs} or None
    given: dict[str, Any] = model.run(wanted, feeds, signature=call.signature, timeout=call.timeout)
    return given
