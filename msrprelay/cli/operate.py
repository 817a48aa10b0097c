"""``ping``, ``terminate``, ``drain``, ``upgrade`` and ``events``."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from ..printable import printable
from .client import Client, NotReached, Refused
from .connection import FAILED, Terminal, calls_at_hand, document, talks_to_the_daemon
from .table import whole

# A daemon that does not answer any more for so long will not.
UPGRADE_SECONDS = 30.0
INTERVAL_SECONDS = 0.05
# What stands in front of a line, not among its fields.
LEADING = ("time", "event", "call-id")


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


@click.command()
@click.option("--off", is_flag=True, help="Take new calls again.")
@talks_to_the_daemon
def drain(client: Client, terminal: Terminal, off: bool) -> None:
    """Take no new calls; those that are there go on.

    SIP servers are told to try the next relay.
    """
    result = client.call("drain", {"off": 1} if off else {})
    state = "draining" if result["draining"] else "serving"
    terminal.give(result, lambda: f"{state}, {result['calls']} calls")


@click.command()
@talks_to_the_daemon
def upgrade(client: Client, terminal: Terminal) -> None:
    """Let a new process take over, from what is on disk now; calls go on.

    If it cannot, everything stays as it was, and the reason is told.
    """
    control = Path(click.get_current_context().params["control"])
    result = upgraded(client, client.call("upgrade"), control)
    if "relay" in result:
        terminal.give(result, lambda: f"upgraded, the relay process is {result['relay']}")
    else:
        terminal.give(result, lambda: f"upgraded, {control} is not its control socket any more")


def upgraded(client: Client, before: Mapping[str, Any], control: Path) -> dict[str, Any]:
    """Wait for the successor: the relay's ``processes`` then. Raises Refused, NotReached.

    One that listens elsewhere cannot be asked: then there is only its ``keeper``.
    """
    patience = time.monotonic() + UPGRADE_SECONDS
    while True:
        try:
            now: dict[str, Any] = client.call("statistics")["processes"]
        except NotReached:
            # The old process has ended; the other one answers when it serves.
            if not control.exists() and runs(before["keeper"]):
                return {"keeper": before["keeper"]}
            if time.monotonic() > patience:
                raise
        else:
            if now["restarts"] > before["restarts"]:
                raise Refused(FAILED, f"the relay process has died: {now['last-end']}")
            if now["upgrades"] > before["upgrades"]:
                return now
            if now["failed-upgrades"] > before["failed-upgrades"]:
                raise Refused(FAILED, now["last-failure"])
            if time.monotonic() > patience:
                raise Refused(FAILED, f"no successor within {UPGRADE_SECONDS:g} s; it may come yet")
        time.sleep(INTERVAL_SECONDS)


def runs(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return True


@click.command()
@click.argument("names", nargs=-1)
@click.option("--call-id", shell_complete=calls_at_hand, help="Of this call only.")
@talks_to_the_daemon
def events(client: Client, terminal: Terminal, names: tuple[str, ...], call_id: str | None) -> None:
    """Follow what happens: all events, or those called NAMES (joined, call-ended ...).

    docs/control-protocol.md has their names; so has the answer to one that is none.

    Ends with status 3 when the relay process does, also by an upgrade.
    """
    params: dict[str, object] = {"events": list(names)}
    if call_id is not None:
        params["call-id"] = call_id
    for told in client.events(params):
        click.echo(document(told) if terminal.as_json else event_text(told))


def event_text(told: Mapping[str, Any]) -> str:
    """One notification for a person."""
    params = told["params"]
    if told["method"] == "events-lost":
        return f"-- {params['lost']} events were lost: this terminal is too slow"
    at = datetime.fromtimestamp(params["time"], UTC).strftime("%H:%M:%S.%f")[:-3]
    more = (f"{key}={printable(str(params[key]))}" for key in params if key not in LEADING)
    return " ".join([at, params["event"], whole(params.get("call-id")), *more])
