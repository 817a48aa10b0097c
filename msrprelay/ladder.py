"""The ladder of one session as text: two clients outside, the relay in the middle. Pure.

Drawn from a session as ``query`` tells it, in the manner of a packet table: time at the left,
labels over arrows, ports at both ends of an arrow, the protocol at the right.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

CELL = 28
"""Characters between two of the three lines."""

TIME = 11
"""Characters of the time column; a call is rarely older than 9,999 seconds when it is drawn."""

KEPT = (24, 48)
"""The engine keeps the first 24 events for good, and 48 in all."""


class _Hops(NamedTuple):
    """Where an arrow goes; what is said over it and at the right."""

    kind: str
    label: str
    remark: str


# Arrows by event: "in" from the peer to the relay, "out" the other way, "through" from peer to
# peer; "at" says it beside the leg and "middle" beside the relay, without an arrow. {n} is the
# event's number, {peer} and {local} are the ports of its leg, {there} is the event's address and
# port as far as they are known; {why} its reason, behind a colon.
_ARROWS = {
    "aborted": _Hops("out", "reset", "TCP: {local} > {peer} [RST]"),
    "accepted": _Hops("in", "connect", "TCP: {n} > {local} accepted"),
    "bound": _Hops("at", "bound", "relay: leg {side} has its connection"),
    "closed": _Hops("middle", "closed", "relay: session over"),
    "connected": _Hops("out", "connected", "TCP: {peer} has answered the relay's dial"),
    "dial-denied": _Hops("at", "not dialled", "relay: leg {side} has no address to be dialled"),
    "dial-failed": _Hops("out", "dial failed", "TCP: no connection to {there}{why}"),
    "dialling": _Hops("out", "connect", "TCP: the relay dials {there}"),
    "fin": _Hops("in", "FIN", "TCP: {peer} > {local} [FIN]"),
    "fin-sent": _Hops("out", "FIN", "TCP: {local} > {peer} [FIN]"),
    "first-frame": _Hops("in", "first frame", "MSRP: the first frame names this session"),
    "joined": _Hops("middle", "joined", "relay: bytes move both ways"),
    "lost": _Hops("in", "lost", "TCP: {peer} > {local} broken off"),
    "own-bind": _Hops("out", "SEND", "MSRP: Request: SEND (the relay's own bind)"),
    "own-bind-answer": _Hops("in", "{n}", "MSRP: Response: {n} (to the relay's own bind)"),
    "paused": _Hops("middle", "paused", "relay: neither peer is read (drop-traffic)"),
    "reconnecting": _Hops("middle", "reconnecting", "relay: both ports are open again"),
    "refused": _Hops("in", "refused", "TCP: {there} > {local} refused{why}"),
    "renewed": _Hops("at", "renewed", "relay: leg {side} has another connection, {peer}"),
    "report": _Hops("through", "REPORT", "MSRP: Request: REPORT"),
    "request": _Hops("through", "request", "MSRP: Request of another method"),
    "response": _Hops("through", "{n}", "MSRP: Response: {n}"),
    "resumed": _Hops("middle", "resumed", "relay: another process went on with the session"),
    "send": _Hops("through", "SEND", "MSRP: Request: SEND"),
    "unpaused": _Hops("middle", "unpaused", "relay: both peers are read again"),
}

# What stands for the address of a peer whose connection was never its leg's, by the leg's latest
# event of these.
_UNBOUND = {
    "accepted": "not bound",
    "connected": "not bound",
    "dial-denied": "not dialled",
    "dial-failed": "dial failed",
    "dialling": "no answer to the dial",
    "refused": "refused",
}


@dataclass(frozen=True, slots=True)
class _Step:
    """One event, and how often it came in a row."""

    at: int
    side: str
    what: str
    number: int
    address: str
    reason: str
    times: int


def draw(session: Mapping[str, Any]) -> str:
    """The ladder of ``session``, one of ``msrp.sessions`` in a query reply."""
    legs = {leg["side"]: leg for leg in session["legs"]}
    events = session["events"]
    lines = list(_header(legs, events))
    if not events:
        return "\n".join([*lines, _row("", "", "", "no events were kept")])
    for step in _steps(events[: KEPT[0]]):
        lines += _drawn(step, legs, session)
    if len(events) >= KEPT[1]:
        # Just as many may have been all.
        lines.append(_row("...", "", "", "first and latest events: others, if any, were not kept"))
    for step in _steps(events[KEPT[0] :]):
        lines += _drawn(step, legs, session)
    return "\n".join(lines)


def _steps(events: Sequence[Mapping[str, Any]]) -> Iterator[_Step]:
    """Events that repeat themselves, such as 20 SENDs of one side, become one step."""
    for said, same in itertools.groupby(events, _said):
        run = list(same)
        yield _Step(run[0]["at"], *said, len(run))


def _said(event: Mapping[str, Any]) -> tuple[str, str, int, str, str]:
    address, reason = event.get("address", ""), event.get("reason", "")
    return event["side"], event["what"], event["n"], address, reason


def _header(
    legs: Mapping[str, Mapping[str, Any]], events: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    a, b = legs["a"], legs["b"]
    local = {a["local-address"], b["local-address"]}
    relay = f"{' / '.join(sorted(local))} (relay)"
    yield _row("", _client(a, events), relay, _client(b, events))
    yield _row("seconds", "", "")


def _client(leg: Mapping[str, Any], events: Sequence[Mapping[str, Any]]) -> str:
    side = leg["side"]
    tried = [_UNBOUND[each["what"]] for each in events if _is_attempt(each, side)]
    return f"{leg['peer-address'] or (tried or ['never connected'])[-1]} ({side})"


def _is_attempt(event: Mapping[str, Any], side: str) -> bool:
    return event["side"] == side and event["what"] in _UNBOUND


def _drawn(
    step: _Step, legs: Mapping[str, Mapping[str, Any]], session: Mapping[str, Any]
) -> Iterator[str]:
    """The rows of one step: the label with its time, and the arrow under it."""
    hops = _ARROWS.get(step.what, _Hops("at", step.what, ""))
    side = step.side or "a"
    ports = {key: _ports(legs[key], step if key == side else None) for key in "ab"}
    peer, local = ports[side]
    names = {
        "n": step.number,
        "peer": peer,
        "local": local,
        "side": step.side,
        "there": _there(step),
        "why": f": {step.reason}" if step.reason else "",
    }
    label = hops.label.format(**names) + (f" x{step.times}" if step.times > 1 else "")
    remark = hops.remark.format(**names)
    if step.what == "closed" and session["reason"]:
        remark += f": {session['reason']}"
    time = f"{step.at / 1e6:.6f}"
    if hops.kind == "middle":
        yield _row(time, "", f" {label}", remark)
        return
    text = label.center(CELL)
    yield _row(time, text if side == "a" else "", text if side == "b" else "", remark)
    if hops.kind != "at":
        yield _row("", *_arrows(hops.kind, side, ports))


def _ports(leg: Mapping[str, Any], step: _Step | None) -> tuple[int, int]:
    """(peer's, the relay's) port of a leg; an event about a connection brings the peer's."""
    connecting = ("accepted", "refused", "dialling", "dial-failed")
    known = step is not None and step.what in connecting and step.number
    peer = step.number if step is not None and known else leg["peer-port"]
    return peer, leg["local-port"]


def _there(step: _Step) -> str:
    """The other end of a connection that an event is about."""
    if not step.address:
        return str(step.number) if step.number else f"leg {step.side}"
    host = f"[{step.address}]" if ":" in step.address else step.address
    return f"{host}:{step.number}"


def _arrows(kind: str, side: str, ports: Mapping[str, tuple[int, int]]) -> tuple[str, str]:
    """The two cells of an arrow row."""
    (peer_a, local_a), (peer_b, local_b) = ports["a"], ports["b"]
    rightwards = (side == "a") == (kind != "out")
    left = _arrow(peer_a, local_a, rightwards)
    right = _arrow(local_b, peer_b, rightwards)
    if kind == "through":
        return left, right
    return (left, "") if side == "a" else ("", right)


def _arrow(left: int, right: int, rightwards: bool) -> str:
    start, end = f"({left})", f"({right})"
    shaft = "-" * (CELL - len(start) - len(end) - 1)
    return f"{start}{shaft}>{end}" if rightwards else f"{start}<{shaft}{end}"


def _row(time: str, left: str, right: str, tail: str = "") -> str:
    return f"{time:>{TIME}} |{left:<{CELL}}|{right:<{CELL}}|{tail}".rstrip()
