"""``completion``: what a shell needs to complete ``msrprelay-ctl``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

PROGRAM = "msrprelay-ctl"
VARIABLE = "_MSRPRELAY_CTL_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion for SHELL.

    For bash: eval "$(msrprelay-ctl completion bash)"
    """
    script = get_completion_class(shell)
    assert script is not None
    click.echo(script(context.find_root().command, {}, PROGRAM, VARIABLE).source())
