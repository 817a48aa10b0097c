"""To-Path and From-Path against the a=path lines of the call."""

from __future__ import annotations

from collections.abc import Iterator

from ...net.uri import same_host
from ..cases import Case, read_uri
from ..finding import Hit, Level, Severity, rule
from ..msrp import Transaction
from ..tracker import Link


def _firsts(link: Link) -> Iterator[Transaction]:
    """The first request of each side: paths do not change within a connection."""
    for side in (0, 1):
        found = next((t for t in link.msrp.transactions if t.side == side and t.to_path), None)
        if found is not None:
            yield found


@rule(
    "M09",
    Level.LINK,
    "Path rewritten in the SDP only",
    "Rewrite the MSRP headers too, or negotiate CEMA.",
    Severity.NOTE,
)
def path_in_sdp_only(link: Link, case: Case) -> Iterator[Hit]:
    """To-Path has the receiver's session-id and somebody else's address."""
    for request in _firsts(link):
        asked = read_uri(request.to_path[0])
        receiver = link.tcp.ends[1 - request.side].host
        own = [
            uri
            for media in case.owned(receiver)
            for uri in media.uris
            if asked is not None and uri.session_id == asked.session_id
        ]
        if asked is None or not own:
            continue
        if not any(same_host(asked.host, uri.host) and asked.port == uri.port for uri in own):
            yield Hit(
                [request.begin.number],
                f"To-Path names {asked}, the {case.name(receiver)} calls itself {own[0]}: this "
                "works with sessmatch and CEMA peers only, strict ones answer 481.",
            )


@rule(
    "M10",
    Level.LINK,
    "From-Path is not the sender's",
    "The sender's From-Path must be the path it gave in its SDP, or the relay's own.",
)
def strange_from_path(link: Link, case: Case) -> Iterator[Hit]:
    """RFC 4975 section 7.1: From-Path is what the sender advertised, in every request."""
    known = [_session_ids(link, side, case) for side in (0, 1)]
    told: set[tuple[int, str]] = set()
    for request in link.msrp.transactions:
        own, said = known[request.side], request.from_path[-1] if request.from_path else ""
        uri = read_uri(said)
        if not own or uri is None or uri.session_id in own or (request.side, said) in told:
            continue
        if (twin := case.twin(link, request)) is not None and twin.earlier(request):
            continue  # whoever passed it on did not write it
        told.add((request.side, said))
        yield Hit(
            [request.begin.number],
            f"The {case.party(link, request.side)} sends {request.method} {request.tid} with "
            f"From-Path {uri}, its SDP says session-id {' or '.join(sorted(own))}.",
        )


def _session_ids(link: Link, side: int, case: Case) -> set[str]:
    sender = link.tcp.ends[side].host
    return {name for media in case.owned(sender) for name in media.session_ids}
