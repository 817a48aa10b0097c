"""``list``, ``show``, ``statistics`` and ``limits``."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import click
import msgspec

from ..config.units import show as show_value
from ..ladder import draw
from ..printable import printable
from .client import Client
from .connection import Terminal, calls_at_hand, talks_to_the_daemon
from .table import amount, cell, table, whole

# Calls asked about in one batch, which the daemon answers in one go; bytes of their names, with
# which a line stays far below limits.jsonrpc-line.
BATCH = 100
BATCH_BYTES = 1 << 16
# What the relay reads as a number.
MOST = 999_999_999


@click.command("list")
@click.option(
    "--limit",
    type=click.IntRange(1, MOST),
    default=1000,
    show_default=True,
    help="So many at most.",
)
@talks_to_the_daemon
def list_calls(client: Client, terminal: Terminal, limit: int) -> None:
    """List the calls."""
    names: list[str] = client.call("list", {"limit": limit})["calls"]
    calls = list(described(client, names))
    head = ("CALL-ID", "STATE", "POLICY", "AGE", "A", "B", "A TO B", "B TO A", "REASON")
    terminal.give({"calls": calls}, lambda: table(head, rows_of(calls)))
    if len(names) == limit:
        there = client.call("statistics")["sessions"]["calls"]
        if there > limit:
            click.echo(f"the first {limit} of {there} calls; --limit shows more", err=True)


def described(client: Client, names: list[str]) -> Iterator[dict[str, Any]]:
    """Each call with its query reply; one that has ended meanwhile is left out."""
    for batch in batches(names):
        replies = client.calls("query", ({"call-id": name} for name in batch))
        for name, reply in zip(batch, replies, strict=True):
            if isinstance(reply, dict):
                yield {"call-id": name, **reply}


def batches(names: Iterable[str]) -> Iterator[list[str]]:
    """The names, as many at a time as fit into a batch."""
    batch: list[str] = []
    size = 0
    for name in names:
        length = len(msgspec.json.encode(name))
        if batch and (len(batch) == BATCH or size + length > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(name)
        size += length
    if batch:
        yield batch


def rows_of(calls: Iterable[Mapping[str, Any]]) -> Iterator[tuple[object, ...]]:
    """A line for each session of each call."""
    for call in calls:
        for session in sessions_of(call) or [{}]:
            yield session_row(call, session)


def sessions_of(reply: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The sessions of a call, one for each MSRP section and branch."""
    found: list[Mapping[str, Any]] = reply.get("msrp", {}).get("sessions", [])
    return found


def session_row(call: Mapping[str, Any], session: Mapping[str, Any]) -> tuple[object, ...]:
    """The line of one session."""
    legs = {leg.get("side"): leg for leg in session.get("legs", [])}
    a, b = legs.get("a", {}), legs.get("b", {})
    return (
        call["call-id"],
        standing(session),
        session.get("policy"),
        age(call),
        a.get("state"),
        b.get("state"),
        amount(a.get("bytes-in", 0)),
        amount(b.get("bytes-in", 0)),
        session.get("reason"),
    )


def standing(session: Mapping[str, Any]) -> str:
    """Its state, and whether the SIP side has its traffic dropped."""
    return f"{session.get('state')}{', paused' if session.get('paused') else ''}"


def age(call: Mapping[str, Any]) -> str:
    """How long ago the call was created."""
    created = call.get("created")
    if not isinstance(created, int):
        return ""
    seconds = max(0, int(time.time()) - created)
    hours, rest = divmod(seconds, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"


@click.command()
@click.argument("call_id", shell_complete=calls_at_hand)
@click.option("--ladder", is_flag=True, help="Draw what happened, as far as it is remembered.")
@talks_to_the_daemon
def show(client: Client, terminal: Terminal, call_id: str, ladder: bool) -> None:
    """Show the call CALL_ID, live or lately ended: its legs, addresses, bytes and reasons."""
    reply = client.call("query", {"call-id": call_id, "msrp-ended": 1})
    terminal.give(reply, lambda: "\n".join(call_text(call_id, reply, ladder)))


def call_text(call_id: str, reply: Mapping[str, Any], ladder: bool) -> Iterator[str]:
    """The call for a person: what it is, its tags, its sessions."""
    yield f"call     {whole(call_id)}"
    yield f"age      {age(reply) or '-'}"
    if reply.get("tags"):
        yield f"tags     {', '.join(cell(tag) for tag in reply['tags'])}"
    for session in sessions_of(reply):
        yield ""
        yield from session_text(session)
        if ladder:
            yield ""
            yield from map(printable, draw(session).splitlines())


def session_text(session: Mapping[str, Any]) -> Iterator[str]:
    """One session: its state, why it ended, its legs."""
    branch = f", branch {cell(session['branch'])}" if session.get("branch") else ""
    yield f"session  of section {session.get('section', 0)}{branch}"
    yield f"state    {cell(standing(session))}, policy {cell(session.get('policy'))}"
    if session.get("reason"):
        yield f"reason   {cell(session['reason'])}: {printable(session.get('sentence', ''))}"
    yield table(
        ("LEG", "ROLE", "STATE", "LOCAL", "PEER", "BYTES IN", "BYTES OUT", "CHUNKS", "REASON"),
        map(leg_row, session.get("legs", [])),
    )


def leg_row(leg: Mapping[str, Any]) -> tuple[object, ...]:
    """The line of one leg."""
    return (
        leg.get("side"),
        leg.get("role"),
        leg.get("state"),
        address(leg, "local"),
        address(leg, "peer"),
        leg.get("bytes-in"),
        leg.get("bytes-out"),
        leg.get("chunks"),
        leg.get("reason"),
    )


def address(leg: Mapping[str, Any], which: str) -> str:
    """``ADDR:PORT`` of one end; empty if there is none yet."""
    host = leg.get(f"{which}-address")
    if not host:
        return ""
    return f"[{host}]:{leg[f'{which}-port']}" if ":" in host else f"{host}:{leg[f'{which}-port']}"


@click.command()
@talks_to_the_daemon
def statistics(client: Client, terminal: Terminal) -> None:
    """Show the relay's counters."""
    reply = client.call("statistics")
    terminal.give(reply, lambda: table(("COUNTER", "VALUE"), flattened(reply)))


def flattened(tree: object, name: str = "") -> Iterator[tuple[str, object]]:
    """Nested counters with dotted names; what is in a list has its number. The result is none."""
    if isinstance(tree, dict):
        pairs = tree.items()
    elif isinstance(tree, list):
        pairs = {str(number): item for number, item in enumerate(tree)}.items()
    else:
        yield name, tree
        return
    for key, value in pairs:
        if name or key != "result":
            yield from flattened(value, f"{name}.{key}" if name else key)


@click.command()
@talks_to_the_daemon
def limits(client: Client, terminal: Terminal) -> None:
    """Show every limit and timer: its key, its value, and what it refused."""
    reply = client.call("limits")
    terminal.give(
        reply,
        lambda: table(("KEY", "VALUE", "REFUSED", "WHAT"), map(limit_row, reply["limits"])),
    )


def limit_row(limit: Mapping[str, Any]) -> tuple[object, ...]:
    """The line of one limit."""
    unit = "" if limit["unit"] == "count" else limit["unit"]
    return limit["key"], show_value(float(limit["value"]), unit), limit["refusals"], limit["what"]
