"""The ``zoo`` command: find the subcommand, load only that, and end with the right exit code."""

from __future__ import annotations

import errno
import gc
import importlib
import os
import signal
import sys
import traceback
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeGuard

import click

from zoo import apart, output, work
from zoo.errors import AccessError, DiskError, UsageError, ZooError, did_you_mean
from zoo.redaction import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from zoo.patience import Watch

_OBJECTS_BETWEEN_COLLECTIONS = 100_000
"""Graphs are many objects without circles: looking for these at every 700 takes a fifth longer."""
_BESIDE = ("TensorFlow", "Keras", "NumPy", "protobuf")
"""The libraries whose versions matter in a report."""
_NO_PLUGINS = "--no-plugins"
_BUG, _INTERRUPTED, _TERMINATED = 70, 130, 143
_SYSTEM: dict[int, type[ZooError]] = {
    errno.EACCES: AccessError,
    errno.EDQUOT: DiskError,
    errno.EIO: DiskError,
    errno.ENAMETOOLONG: UsageError,
    errno.ENOSPC: DiskError,
    errno.EPERM: AccessError,
    errno.EROFS: DiskError,
}
"""What may be wrong with a file wherever it is touched; any other failure is a bug of ours."""
_OF_DISKS = {number for number, kind in _SYSTEM.items() if kind is DiskError}
"""What is wrong with a disk, also where the system does not name the file: while it is read."""

COMMANDS = {
    "add": ("zoo.commands.registering", "Give a model a name."),
    "cache": ("zoo.commands.cache", "The store of fetched models: what is in it, and what goes."),
    "check": ("zoo.commands.catalogue", "Check every entry of a registry, all faults at once."),
    "completion": ("zoo.commands.shells", "Print what a shell reads to complete commands."),
    "convert": ("zoo.commands.converting", "Write a model in another format."),
    "diff": ("zoo.commands.comparing", "Tell whether two models are the same."),
    "doctor": ("zoo.commands.doctoring", "Say why a file does not load, and what helps."),
    "fetch": ("zoo.commands.catalogue", "Bring models into the store, verified."),
    "formats": ("zoo.commands.environment", "List the formats that are installed."),
    "info": ("zoo.commands.catalogue", "Show what the registry says of a model."),
    "inspect": ("zoo.commands.inspecting", "Show what is in a model, without TensorFlow."),
    "list": ("zoo.commands.catalogue", "List the registered models."),
    "lock": ("zoo.commands.locking", "Pin models of a project in its zoo.lock."),
    "new-plugin": ("zoo.commands.beginning", "Begin a format: a project that works."),
    "plugins": ("zoo.commands.environment", "List the plugins, and what broke."),
    "remove": ("zoo.commands.registering", "Take a name out of your registry."),
    "run": ("zoo.commands.running", "Run a model once."),
    "scan": ("zoo.commands.scanning", "Say what a model would do besides computing."),
    "sync": ("zoo.commands.locking", "Bring exactly what zoo.lock pins into the store."),
    "trust": ("zoo.commands.trusting", "Trust a model as it is: it may do more than compute."),
    "verify": ("zoo.commands.cache", "Hash again what is in the store."),
}
"""The commands of the core: the module of each, and its line in ``zoo --help``."""


class Zoo(click.Group):
    """The group of all commands, each imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        """Return the names of all commands, those of plugins too."""
        return sorted({*COMMANDS, *_from_plugins()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return the command `cmd_name`; plugins are asked only for what the core does not have."""
        if cmd_name in COMMANDS:
            module = importlib.import_module(COMMANDS[cmd_name][0])
            command: click.Command = module.COMMANDS[cmd_name]
            return command
        return _from_plugins().get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that `args` begin with; an unknown one is offered its neighbours."""
        if args and self.get_command(ctx, args[0]) is None:
            known = self.list_commands(ctx)
            raise UsageError(
                f"zoo has no command {args[0]!r}",
                found=", ".join(known),
                hint=did_you_mean(args[0], known, "zoo --help"),
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands; the core's are not imported for it."""
        rows = [(name, line) for name, (_, line) in COMMANDS.items()]
        for name in self.list_commands(ctx):
            command = None if name in COMMANDS else self.get_command(ctx, name)
            if command is not None:
                rows.append((name, command.get_short_help_str()))
        with formatter.section("Commands"):
            formatter.write_dl(sorted(rows))


def _from_plugins() -> Mapping[str, click.Command]:
    from zoo import plugins

    return plugins.commands(plugins.installed(), taken=COMMANDS)


def _leave_plugins_out(ctx: click.Context) -> None:
    """Let only the bundled plugins in until the command has ended, in processes it starts too."""
    from zoo import found_plugins

    before = found_plugins.chosen()
    os.environ[found_plugins.CHOICE] = ""

    def put_back() -> None:
        """Leave the environment as it was: a program may run several commands."""
        del os.environ[found_plugins.CHOICE]
        if before is not None:
            os.environ[found_plugins.CHOICE] = before

    ctx.call_on_close(put_back)


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        import zoo

        beside = [f"{name} {version(name.lower())}" for name in _BESIDE]
        beside.append("Python " + ".".join(map(str, sys.version_info[:3])))
        output.say(f"zoo {zoo.__version__} ({', '.join(beside)}, {sys.platform})")
        ctx.exit()


@click.group(cls=Zoo, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the versions of zoo, TensorFlow and Python.",
)
@click.option(
    _NO_PLUGINS,
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda ctx, _, wanted: _leave_plugins_out(ctx) if wanted else None,
    help="Import only the plugins that zoo brings, as with ZOO_PLUGINS=''.",
)
def zoo() -> None:
    """Fetch, inspect, run and convert TensorFlow models by name."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``zoo`` and leave with its exit code."""
    output.keep_places()
    signal.signal(signal.SIGTERM, _terminate)
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    given = sys.argv[1:] if arguments is None else list(arguments)
    sys.exit(_run_apart(given) if _runs_tensorflow(given) else run(given))


def _runs_tensorflow(arguments: Sequence[str]) -> bool:
    """Tell whether the command runs graphs, whose kernels may end the process."""
    arguments = arguments[1:] if arguments[:1] == [_NO_PLUGINS] else arguments
    return arguments[:1] == ["run"] or (arguments[:1] == ["convert"] and "--verify" in arguments)


def _run_apart(arguments: Sequence[str]) -> int:
    """Run ``zoo`` in a process of its own, which TensorFlow may end."""
    try:
        return apart.guarded(lambda: run(arguments))
    except ZooError as error:
        return _failed(error, "--json" in arguments)


def run(arguments: Sequence[str]) -> int:
    """Run ``zoo`` with `arguments` and return its exit code; docs/errors.md lists them."""
    as_json, verbose = "--json" in arguments, bool({"-v", "--verbose"} & set(arguments))
    warnings.showwarning = _as_note
    try:
        with work.shown(_watch_unless({"-q", "--quiet"} & set(arguments))):
            code = zoo.main(list(arguments), prog_name="zoo", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except ZooError as error:
        if verbose:
            output.note("".join(traceback.format_exception(error)))
        return _failed(error, as_json)
    except click.UsageError as error:
        hint = error.ctx.command_path + " --help" if error.ctx else "zoo --help"
        return _failed(UsageError(error.format_message().rstrip("."), hint=hint), as_json)
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    except output.ClosedError:
        return 0
    except Exception as error:  # noqa: BLE001  (what is not the system's word on a file is ours)
        if _is_of_the_system(error):
            return _failed(_of_the_system(error), as_json)
        output.note(traceback.format_exc())
        output.note(f"zoo: {_blamed(error)}, not in what you did; the lines above say where")
        return _BUG


def _watch_unless(quiet: object) -> Callable[[], Watch]:
    """Return what long work is shown by; nothing is shown where that is not wanted."""

    def watch() -> Watch:
        """Return it: imported where something is long enough to be counted."""
        from zoo import patience, transfer_progress

        return patience.Watch() if quiet else transfer_progress.working()

    return watch


def _blamed(error: Exception) -> str:
    """Return whose bug `error` is."""
    from zoo import plugins

    plugin = plugins.culprit(plugins.installed(), error)
    return "this is a bug in zoo" if plugin is None else f"this is a bug in the plugin {plugin}"


def _is_of_the_system(error: Exception) -> TypeGuard[OSError]:
    """Tell whether the system says of a file, or of the disk below it, that it cannot be used."""
    if not isinstance(error, OSError) or error.errno not in _SYSTEM:
        return False
    return bool(error.filename) or error.errno in _OF_DISKS


def _of_the_system(error: OSError) -> ZooError:
    """Return what the system says of a file as an error of ours."""
    kind = _SYSTEM[error.errno or 0]
    name = str(error.filename)[:100] if error.filename else "a file"
    return kind(f"{name} cannot be used", found=error.strerror or "")


def _as_note(message: Warning | str, *_: Any, **__: Any) -> None:
    """Print a warning as a remark, without the line of code that gave it."""
    output.note(f"note: {message}")


def _failed(error: ZooError, as_json: bool) -> int:
    if as_json:
        with suppress(ZooError, output.ClosedError):
            facts = {key: _safe(value) for key, value in error.facts().items()}
            output.say(output.document({"error": facts}))
    output.note(f"zoo: {error}")
    return error.code


def _safe(value: str | int) -> str | int:
    return redacted(value) if isinstance(value, str) else value


def _terminate(*_: Any) -> None:
    sys.exit(_TERMINATED)
