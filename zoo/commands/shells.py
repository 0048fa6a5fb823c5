"""``zoo completion``: what a shell reads to complete commands, options and names of models."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.shell_completion import get_completion_class

from zoo import output
from zoo.commands.examples import examples
from zoo.commands.options import speech_options
from zoo.errors import UsageError

if TYPE_CHECKING:
    from click.shell_completion import ShellComplete

SHELLS = ("bash", "zsh", "fish")


@click.command(
    "completion",
    epilog=examples(
        'eval "$(zoo completion bash)"                           in ~/.bashrc',
        'eval "$(zoo completion zsh)"                            in ~/.zshrc',
        "zoo completion fish > ~/.config/fish/completions/zoo.fish",
    ),
)
@click.argument("shell", required=False, type=click.Choice(SHELLS))
@speech_options
def completion(shell: str | None, as_json: bool) -> None:
    """Print what SHELL reads to complete commands, options and names of models.

    Without SHELL, for the one that runs: `$SHELL` says which.
    """
    chosen = shell or Path(os.environ.get("SHELL", "")).name
    if chosen not in SHELLS:
        raise UsageError(
            "it is not known which shell this is for",
            found=f"SHELL is {chosen}" if chosen else "SHELL is not set",
            hint=f"zoo completion {'|'.join(SHELLS)}",
        )
    script = _made_for(chosen).source().strip()
    output.say(output.document({"shell": chosen, "script": script}) if as_json else script)


def _made_for(shell: str) -> ShellComplete:
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101  (click has these three)
    return kind(click.get_current_context().find_root().command, {}, "zoo", "_ZOO_COMPLETE")


COMMANDS = {"completion": completion}
