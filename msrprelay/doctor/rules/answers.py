"""MSRP requests without the answer they need, or with the wrong one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ...net.uri import Uri, same_host
from ..cases import Case, read_uri
from ..finding import Hit, Level, rule
from ..legs import Leg
from ..msrp import ANSWER_SECONDS, Response, Transaction
from ..quote import quoted
from ..tracker import Link

SHUT_SECONDS = 5.0
"""A window closed this long is a receiver that does not read."""

SETTLE_SECONDS = 1.0
"""A request this young at the end of the capture may still have been answered."""

REFUSALS = {
    400: "the request could not be understood",
    403: "the request is not allowed",
    408: "a relay downstream got no answer in time",
    413: "the receiver wants no more of this message",
    415: "the receiver does not take this media type",
    423: "a parameter is out of bounds",
    481: "the receiver knows no such session",
    501: "the receiver does not know the method",
    506: "the session is already bound to another connection",
}
"""RFC 4975 section 10."""


class Asked(NamedTuple):
    """A request, the connection it was seen on, and its copies on other legs."""

    link: Link
    request: Transaction
    packets: list[int]


def _unanswered(case: Case) -> Iterator[Asked]:
    """Requests without an answer, each once: on the last leg it reached."""
    found: dict[str, Asked] = {}
    for link in case.links:
        for request in link.msrp.transactions:
            if not request.wants_answer or request.responses or not request.flag:
                continue
            if _deaf(link, 1 - request.side) or not _due(request, link, case):
                continue
            if _under_way(link, request, case):
                continue  # the hop behind the relay cannot have answered it yet
            asked = _last_hop(link, request, case)
            known = found.get(request.tid)
            if known is not None:
                packets = [*known.packets, request.done.number]
                last = max(known, asked, key=lambda asked: asked.request.begin.number)
                asked = last._replace(packets=packets)
            found[request.tid] = asked
    yield from found.values()


def _last_hop(link: Link, request: Transaction, case: Case) -> Asked:
    """Where the request was last seen without an answer: a relay waits for the hop behind it."""
    packets = [request.done.number]
    twin = case.twin(link, request)
    if twin is None or twin.request.responses or not twin.request.flag or twin.earlier(request):
        return Asked(link, request, packets)
    return Asked(twin.link, twin.request, [*packets, twin.request.done.number])


def _deaf(link: Link, side: int) -> bool:
    """Whether an answer may have been on the wire and not in the capture."""
    half = link.msrp.halves[side]
    silent = link.tcp.directions[side].sent == 0
    return half.holes > 0 or half.lost is not None or silent or not link.heard_out(side)


def _under_way(link: Link, request: Transaction, case: Case) -> bool:
    """Whether a relay is still passing it on to somebody who reads."""
    found = case.under_way(link, request)
    return found is not None and not _shut(found[0], case)


def _shut(leg: Leg, case: Case) -> bool:
    """Whether the party of a leg has stopped reading."""
    party = leg.party
    return party.window_closed and case.end - party.zero_windows[-1].start > SHUT_SECONDS


def _due(request: Transaction, link: Link, case: Case) -> bool:
    waited = case.end - request.done.time
    return waited >= (SETTLE_SECONDS if not link.tcp.closed else 0.0)


def _delivered(asked: Asked) -> bool:
    return asked.link.tcp.directions[asked.request.side].acked >= asked.request.end


@rule(
    "M01",
    Level.CASE,
    "SEND not answered",
    "A bug of the host that has the request. Known: python-msrplib <= 0.12.1 in active/active took "
    "the peer's bind SEND as its own answer (fixed 2011-05-03).",
)
def not_answered(case: Case, _: Case) -> Iterator[Hit]:
    """TCP delivered the request; no response within 30 s or the rest of the capture."""
    for asked in _unanswered(case):
        if not _delivered(asked):
            continue
        link, request = asked.link, asked.request
        receiver = case.party(link, 1 - request.side)
        waited = min(case.end - request.done.time, ANSWER_SECONDS)
        yield Hit(
            asked.packets,
            f"{request.method} {request.tid} was delivered to the {receiver} (acknowledged by TCP) "
            f"and not answered in {waited:.1f} s.{_kept_back(link, request, case)}",
        )


def _kept_back(link: Link, request: Transaction, case: Case) -> str:
    """What a relay that has the request did with it, and with the answer."""
    host = link.tcp.ends[1 - request.side].host
    if case.roles.get(host) != "relay":
        return ""
    if (found := case.under_way(link, request)) is not None:
        ahead, chunk = found
        return (
            f" The relay is passing on {chunk.tid}, {chunk.body_length:,} bytes of its body so "
            f"far, and the {case.who(ahead)} has kept its window closed since packet "
            f"{ahead.party.zero_windows[-1].number}."
        )
    twin = case.twin(link, request)
    if twin is None:
        return " The relay did not pass it on."
    if not twin.request.responses:
        return ""
    answer = twin.request.responses[0]
    who = case.party(twin.link, 1 - twin.request.side)
    return (
        f" The {who} answered {answer.status} (packet {answer.at.number}), and the relay did not "
        "pass the answer on."
    )


@rule(
    "M01b",
    Level.CASE,
    "SEND not delivered",
    "See the TCP findings. A missing 200 may also sit behind Nagle while an earlier SEND is "
    "unacknowledged.",
)
def not_delivered(case: Case, _: Case) -> Iterator[Hit]:
    """TCP itself did not get the request through: the application is not to blame."""
    for asked in _unanswered(case):
        if _delivered(asked):
            continue
        link, request = asked.link, asked.request
        yield Hit(
            asked.packets,
            f"{request.method} {request.tid} never reached the "
            f"{case.party(link, 1 - request.side)}: TCP did not acknowledge it. "
            "Transport fault; do not blame the application.",
        )


@rule(
    "M02",
    Level.LINK,
    "Request refused",
    "481: the relay must present a path that the peer knows (rewrite To-Path and From-Path, or "
    "a=msrp-cema of RFC 6714, or sessmatch). 415: see a=accept-types. 413: see a=max-size.",
)
def refused(link: Link, case: Case) -> Iterator[Hit]:
    """An error response of RFC 4975 section 10."""
    for request in link.msrp.transactions:
        for response in request.responses:
            if response.status not in REFUSALS or _only_told(link, request, response, case):
                continue
            who = case.party(link, 1 - request.side)
            text = (
                f"The {who} refused {request.method} {request.tid} with {response.status}: "
                f"{REFUSALS[response.status]}."
            )
            if response.status == 481:
                text += _difference(request, link, case)
            yield Hit([request.done.number, response.at.number], text)


def _only_told(link: Link, request: Transaction, response: Response, case: Case) -> bool:
    """Whether a relay passes on what the hop behind it said."""
    twin = case.twin(link, request)
    if twin is None or twin.earlier(request):
        return False
    return any(heard.status == response.status for heard in twin.request.responses)


def _difference(request: Transaction, link: Link, case: Case) -> str:
    """Both URIs and where they differ first (RFC 4975 section 6.1)."""
    asked = read_uri(request.to_path[0]) if request.to_path else None
    if asked is None:
        return f" To-Path is no MSRP URI: {quoted(' '.join(request.to_path))}."
    owned = case.owned(link.tcp.ends[1 - request.side].host)
    own = [uri for media in owned for uri in media.uris]
    if not own:
        return f" To-Path: {asked}."
    nearest = next((uri for uri in own if uri.session_id == asked.session_id), own[-1])
    part = differing_part(asked, nearest)
    return f" To-Path is {asked}, its own path is {nearest}: the {part} differs."


def differing_part(one: Uri, other: Uri) -> str:
    """The first part in which two URIs differ, in the order of RFC 4975 section 6.1."""
    checks = (
        ("scheme", one.scheme == other.scheme),
        ("host", same_host(one.host, other.host)),
        ("port", one.port == other.port),
        ("session-id", one.session_id == other.session_id),
        ("transport", one.transport.lower() == other.transport.lower()),
    )
    return next((name for name, same in checks if not same), "comparison, not the URI,")


@rule(
    "M02b",
    Level.LINK,
    "Unknown session-id",
    "Stale NAT binding or port reuse, or the wrong legs paired: keep freed ports unused for 60 s.",
)
def unknown_session(link: Link, case: Case) -> Iterator[Hit]:
    """The first SEND names a session that no description of this call knows.

    Nothing is said where a description of the call was not captured.
    """
    if any(dialog.half_known for dialog in case.dialogs):
        return
    known = {name for media in case.media for name in media.session_ids}
    first = next((t for t in link.msrp.transactions if t.to_path), None)
    if not known or first is None:
        return
    uri = read_uri(first.to_path[-1])
    if uri is not None and uri.session_id is not None and uri.session_id not in known:
        yield Hit(
            [first.begin.number],
            f"{first.method} {first.tid} is for session-id {uri.session_id}, which stands in no "
            "a=path of this call: it belongs to another one.",
        )


@rule(
    "M11",
    Level.LINK,
    "Wrong responder path",
    "The relay must reverse the path: a response's To-Path is the request's From-Path.",
)
def wrong_response_path(link: Link, case: Case) -> Iterator[Hit]:
    """RFC 4975 section 7.2: to the first URI of the request's From-Path."""
    for request in link.msrp.transactions:
        for response in request.responses:
            if not _same_uri(response.to_path[:1], request.from_path[:1]):
                yield Hit(
                    [request.done.number, response.at.number],
                    f"The {response.status} to {request.tid} goes to "
                    f"{' '.join(response.to_path) or 'nobody'}, the request came from "
                    f"{' '.join(request.from_path[:1])}.",
                )
                return


def _same_uri(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return one == other or [read_uri(text) for text in one] == [read_uri(text) for text in other]


@rule(
    "M12",
    Level.LINK,
    "Late or second answer",
    "One answer per transaction, within 30 s: look for two responders, or for a stuck one.",
)
def late_or_twice(link: Link, case: Case) -> Iterator[Hit]:
    """RFC 4975 section 7.1.1: the sender has given up after 30 s."""
    for request in link.msrp.transactions:
        if not request.responses:
            continue
        numbers = [request.done.number, *(r.at.number for r in request.responses)]
        late = request.responses[0].at.time - request.done.time
        if len(request.responses) > 1:
            codes = ", ".join(str(r.status) for r in request.responses)
            yield Hit(
                numbers, f"{request.tid} was answered {len(request.responses)} times: {codes}."
            )
        elif late > ANSWER_SECONDS:
            yield Hit(numbers, f"{request.tid} was answered after {late:.1f} s, too late.")


@rule(
    "M13",
    Level.LINK,
    "Failure REPORT",
    "The message was not delivered beyond the first hop: see the code, and the hop that sent it.",
)
def failure_report(link: Link, case: Case) -> Iterator[Hit]:
    """A REPORT with Status 000 4xx or 5xx (RFC 4975 section 7.1.2)."""
    for report in link.msrp.transactions:
        code = report.status[4:7]
        if report.method == "REPORT" and report.status[:4] == "000 " and code[:1] in ("4", "5"):
            span = report.byte_range
            what = f"bytes {span.start}-{'*' if span.end is None else span.end}" if span else "it"
            yield Hit(
                [report.done.number],
                f"The {case.party(link, report.side)} reports {quoted(report.status[4:])} "
                f"for {what} of message {report.message_id}.",
            )
