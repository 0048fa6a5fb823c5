"""The options that commands share."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from zoo import output
from zoo.errors import UsageError
from zoo.repairs import Choice

Command = TypeVar("Command", bound=Callable[..., Any])

_QUIET, _VERBOSE = "zoo.quiet", "zoo.verbose"


def _keep(key: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    """Return a callback that keeps the value of a flag for whoever asks the context."""

    def keep(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        """Note `value` in the context."""
        ctx.meta[key] = value

    return keep


_SPEECH = (
    click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
    click.option(
        "-q",
        "--quiet",
        is_flag=True,
        expose_value=False,
        callback=_keep(_QUIET),
        help="Print no remarks and no progress.",
    ),
    click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=_keep(_VERBOSE),
        help="Print TensorFlow's messages, and where an error came from.",
    ),
)


def speech_options(command: Command) -> Command:
    """Give `command` what every command has to say how much it prints: as_json, and two flags."""
    for option in reversed(_SPEECH):
        command = option(command)
    return command


format_option = click.option("--format", "read_as", metavar="FORMAT", help="The format REF is in.")
_ATTACHING = (
    click.option("--architecture", metavar="NAME", help="The net that the weights belong to."),
    click.option(
        "--graph",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A graph for weights without one, or in place of theirs: .pb, .pbtxt, .meta.",
    ),
    click.option(
        "--rename",
        metavar="PATTERN=NAME",
        multiple=True,
        help=r"Rename stored weights: 'vgg_16/(.*)=\1'.",
    ),
    click.option("--ema", is_flag=True, help="Take the weights' moving averages."),
    click.option("--drop-slots", is_flag=True, help="Leave out what only an optimizer needs."),
)


def attaching_options(command: Command) -> Command:
    """Give `command` what says to which graph weights belong: its argument `wishes`."""

    @functools.wraps(command)
    def gathered(**given: Any) -> Any:
        """Call the command with one argument in the place of five."""
        from zoo.renaming import Wishes

        names = ("architecture", "graph", "rename", "ema", "drop_slots")
        return command(wishes=Wishes(*(given.pop(name) for name in names)), **given)

    whole: Any = gathered
    for option in reversed(_ATTACHING):
        whole = option(whole)
    return cast("Command", whole)


_SAVING = (
    click.option("--option", "options", metavar="NAME=VALUE", multiple=True, help="Of the format."),
    click.option("--shard-size", metavar="BYTES", help="Of a data file at most: 500MB, 1GiB."),
    click.option(
        "--version",
        metavar="N|next",
        help="Write this version of the model that is served from DEST.",
    ),
)


def saving_options(command: Command) -> Command:
    """Give `command` what it hands on to the format that is written: its argument `options`."""

    @functools.wraps(command)
    def gathered(options: tuple[str, ...], **given: Any) -> Any:
        """Call the command with one argument in the place of three."""
        named = {name: given.pop(name) for name in ("shard_size", "version")}
        stated = {name: value for name, value in named.items() if value is not None}
        return command(options={**key_values(options), **stated}, **given)

    whole: Any = gathered
    for option in reversed(_SAVING):
        whole = option(whole)
    return cast("Command", whole)


_REPAIRING = (
    click.option(
        "--repair",
        "asked",
        metavar="NAME",
        multiple=True,
        help="Repair this too: batch-norm, dropout, moving-averages...; or all.",
    ),
    click.option(
        "--no-repair", "refused", metavar="NAME", multiple=True, help="Leave this as it is; or all."
    ),
)


def repairing_options(command: Command) -> Command:
    """Give `command` what says which repairs are made: its argument `repairs`."""

    @functools.wraps(command)
    def gathered(asked: tuple[str, ...], refused: tuple[str, ...], **given: Any) -> Any:
        """Call the command with one argument in the place of two."""
        return command(repairs=Choice.of(asked, refused), **given)

    whole: Any = gathered
    for option in reversed(_REPAIRING):
        whole = option(whole)
    return cast("Command", whole)


_ALTERING = (
    click.option(
        "--shape",
        "shapes",
        metavar="NAME=SIZES",
        multiple=True,
        help="Another shape of an input: images=1,224,224,3; ? for an open axis.",
    ),
    click.option(
        "--rename-input", "rename_inputs", metavar="OLD=NEW", multiple=True, help="Rename an input."
    ),
    click.option(
        "--rename-output",
        "rename_outputs",
        metavar="OLD=NEW",
        multiple=True,
        help="Rename an output.",
    ),
    click.option(
        "--dtype",
        type=click.Choice(["float16", "bfloat16"]),
        help="Store weights in half precision.",
    ),
)


def altering_options(command: Command) -> Command:
    """Give `command` what alters a model on its way: its argument `altering`."""

    @functools.wraps(command)
    def gathered(shapes: tuple[str, ...], dtype: str | None, **given: Any) -> Any:
        """Call the command with one argument in the place of four."""
        inputs, outputs = (pairs(given.pop(f"rename_{side}")) for side in ("inputs", "outputs"))
        sizes = {name: _sizes(spelled) for name, spelled in pairs(shapes).items()}
        from zoo.alterations import Alterations

        return command(altering=Alterations(sizes, inputs, outputs, dtype), **given)

    whole: Any = gathered
    for option in reversed(_ALTERING):
        whole = option(whole)
    return cast("Command", whole)


def pairs(arguments: tuple[str, ...]) -> dict[str, str]:
    """Return arguments ``NAME=TEXT`` as a mapping; the name ends at the last ``=``.

    Raises
    ------
    UsageError
        One has no ``=``, nothing on one side of it, or the name of another.
    """
    found: dict[str, str] = {}
    for argument in arguments:
        name, _, text = argument.rpartition("=")
        if not name or not text or name in found:
            raise UsageError(f"{argument!r} cannot be taken", hint="write NAME=..., each name once")
        found[name] = text
    return found


def _sizes(spelled: str) -> list[int | None]:
    """Return ``1,?,3`` as sizes, None for an open one."""
    words = [word.strip() for word in spelled.split(",")]
    if not all(word in ("?", "-1") or (word.isascii() and word.isdecimal()) for word in words):
        raise UsageError(f"{spelled!r} is no shape", hint="write sizes, as in images=1,224,224,3")
    return [None if word in ("?", "-1") else int(word) for word in words]


signature_option = click.option("--signature", metavar="KEY", help="The signature to use.")


def _split_tags(ctx: click.Context, _: click.Parameter, value: str | None) -> list[str] | None:  # noqa: ARG001
    return None if value is None else [tag for tag in value.split(",") if tag]


tags_option = click.option(
    "--tags", metavar="A,B", callback=_split_tags, help="Tags of the MetaGraph of a SavedModel."
)


def key_values(pairs: tuple[str, ...]) -> dict[str, Any]:
    """Return the options of a format given as ``NAME=VALUE``, values read as JSON where they are.

    Raises
    ------
    UsageError
        One has no ``=``.
    """
    import json

    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"{pair!r} is no option", hint="write NAME=VALUE")
        try:
            found[name] = json.loads(value)
        except json.JSONDecodeError:
            found[name] = value
    return found


def verbose() -> bool:
    """Tell whether the user of this command wants to see everything."""
    return bool(click.get_current_context().meta.get(_VERBOSE))


def quiet() -> bool:
    """Tell whether the user of this command wants no remarks, and no progress."""
    return bool(click.get_current_context().meta.get(_QUIET))


def quiet_tensorflow() -> None:
    """Keep what TensorFlow logs to itself, unless the user of this command wants to see it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0" if verbose() else "3")


def import_tensorflow() -> None:
    """Bring in TensorFlow, its greetings to the terminal only where they are wanted."""
    with contextlib.nullcontext() if verbose() else output.hushed():
        from zoo.engine import tensorflow

        tensorflow()


def remark(sentence: str) -> None:
    """Print `sentence` to standard error, unless the user of this command wants it quiet."""
    if not quiet():
        output.note(f"note: {sentence}")
