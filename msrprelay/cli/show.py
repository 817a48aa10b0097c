"""``list``, ``show``, ``statistics`` and ``limits``."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import click

from ..config.units import show as show_value
from .client import Client
from .connection import Terminal, calls_at_hand, talks_to_the_daemon
from .table import amount, cell, table

# Calls asked about in one batch: the daemon answers a batch in one go.
BATCH = 100


@click.command("list")
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="At most.")
@talks_to_the_daemon
def list_calls(client: Client, terminal: Terminal, limit: int) -> None:
    """List the calls."""
    names: list[str] = client.call("list", {"limit": limit})["calls"]
    calls = list(described(client, names))
    terminal.give(
        {"calls": calls},
        lambda: table(
            ("CALL-ID", "STATE", "POLICY", "AGE", "A", "B", "A TO B", "B TO A", "REASON"),
            map(call_row, calls),
        ),
    )


def described(client: Client, names: list[str]) -> Iterator[dict[str, Any]]:
    """Each call with its query reply; one that has ended meanwhile is left out."""
    for start in range(0, len(names), BATCH):
        batch = names[start : start + BATCH]
        replies = client.calls("query", ({"call-id": name} for name in batch))
        for name, reply in zip(batch, replies, strict=True):
            if isinstance(reply, dict):
                yield {"call-id": name, **reply}


def call_row(call: Mapping[str, Any]) -> tuple[object, ...]:
    """The line of one call."""
    msrp = call.get("msrp", {})
    legs = legs_of(msrp)
    a, b = legs.get("a", {}), legs.get("b", {})
    return (
        call["call-id"],
        msrp.get("state"),
        msrp.get("policy"),
        age(call),
        a.get("state"),
        b.get("state"),
        amount(a.get("bytes-in", 0)),
        amount(b.get("bytes-in", 0)),
        msrp.get("reason"),
    )


def legs_of(msrp: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The legs by side."""
    return {leg.get("side", ""): leg for leg in msrp.get("legs", [])}


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
@talks_to_the_daemon
def show(client: Client, terminal: Terminal, call_id: str) -> None:
    """Show the call CALL_ID: its legs, addresses, bytes and reasons."""
    reply = client.call("query", {"call-id": call_id})
    terminal.give(reply, lambda: "\n".join(call_text(call_id, reply)))


def call_text(call_id: str, reply: Mapping[str, Any]) -> Iterator[str]:
    """The call for a person: what it is, its tags, its legs."""
    msrp = reply.get("msrp", {})
    yield f"call    {cell(call_id)}"
    yield f"state   {cell(msrp.get('state'))}   policy {cell(msrp.get('policy'))}"
    yield f"age     {age(reply) or '-'}"
    if msrp.get("reason"):
        yield f"reason  {cell(msrp['reason'])}"
    if reply.get("tags"):
        yield f"tags    {', '.join(cell(tag) for tag in reply['tags'])}"
    yield ""
    yield table(
        ("LEG", "ROLE", "STATE", "LOCAL", "PEER", "BYTES IN", "BYTES OUT", "CHUNKS", "REASON"),
        map(leg_row, msrp.get("legs", [])),
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


def flattened(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Nested counters with dotted names; the result is none."""
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flattened(value, f"{prefix}{key}.")
        elif prefix or key != "result":
            yield f"{prefix}{key}", value


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
