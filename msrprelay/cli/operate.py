"""``ping`` and ``terminate``."""

from __future__ import annotations

import click

from .client import Client
from .connection import Terminal, calls_at_hand, talks_to_the_daemon


@click.command()
@talks_to_the_daemon
def ping(client: Client, terminal: Terminal) -> None:
    """Ask whether the daemon answers."""
    result = client.call("ping")
    terminal.give(result, lambda: str(result["result"]))


@click.command()
@click.argument("call_id", required=False, shell_complete=calls_at_hand)
@click.option("--all", "everything", is_flag=True, help="End all calls.")
@talks_to_the_daemon
def terminate(client: Client, terminal: Terminal, call_id: str | None, everything: bool) -> None:
    """End the call CALL_ID, or all calls, at once."""
    if (call_id is None) != everything:
        raise click.UsageError("name one call, or give --all")
    params: dict[str, object] = {"all": 1} if everything else {"call-id": call_id}
    result = client.call("terminate", params)
    terminal.give(result, lambda: f"{result.get('terminated', 0)} ended")
