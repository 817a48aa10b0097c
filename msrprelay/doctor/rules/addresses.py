"""Addresses, types and protocols in the SDP that cannot work together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...net.roles import dials
from ...net.uri import Uri, address, same_host
from ...sdp import MsrpSection
from ..cases import Case, read_uri
from ..finding import Hit, Level, rule
from ..hosts import private, public
from ..media import Exchange, Media


def _each(exchange: Exchange) -> Iterator[tuple[Media, MsrpSection]]:
    for media in (exchange.offer, exchange.answer):
        if media is not None and media.section is not None:
            yield media, media.section


def agrees(section: MsrpSection, uri: Uri) -> bool:
    """Whether a path URI names the address of c= and m=; names count as equal to anything."""
    if section.connection is None:
        return True
    literal = address(uri.host) is not None and address(section.connection.host) is not None
    same = not literal or same_host(uri.host, section.connection.host)
    return same and uri.port in (None, section.port)


def path_agrees(section: MsrpSection) -> bool:
    """RFC 4975 section 8.1: with relays of RFC 4976 the last URI is the endpoint's own."""
    uris = [read_uri(text) for text in (section.path[:1] + section.path[-1:])]
    return any(uri is not None and agrees(section, uri) for uri in uris)


@rule(
    "S07",
    Level.EXCHANGE,
    "Path and c=/m= disagree",
    "Rewrite a=path too, or use CEMA on both sides.",
)
def path_disagrees(exchange: Exchange, case: Case) -> Iterator[Hit]:
    """Old peers dial the path, CEMA peers c=/m=: both must lead to the same place."""
    for media, section in _each(exchange):
        if section.port in (0, 9) or section.cema or section.uri is None:
            continue
        if not path_agrees(section):
            yield Hit(
                [media.number],
                f"The SDP of the {case.name(media.message.src.host)} says {media.address} in c= "
                f"and m=, and {section.uri} in a=path, without a=msrp-cema: old peers dial the "
                "path and bypass the relay.",
            )


@rule(
    "S07b",
    Level.EXCHANGE,
    "CEMA on one side only",
    "RFC 6714 sections 4.2 and 4.3: fall back to a path-aware relay.",
)
def half_cema(exchange: Exchange, case: Case) -> Iterator[Hit]:
    """CEMA offered, not answered, and the answer's c=/m= were changed."""
    sections = [section for _, section in _each(exchange)]
    if len(sections) != 2 or exchange.answer is None:
        return
    offer, answer = sections
    if offer.cema and not answer.cema and answer.port != 9 and not path_agrees(answer):
        yield Hit(
            [exchange.offer.number, exchange.answer.number],
            f"a=msrp-cema was offered and not answered, while c=/m= of the answer "
            f"({exchange.answer.address}) were changed: the offerer falls back to the path.",
        )


@rule(
    "S08",
    Level.EXCHANGE,
    "Private address leaks",
    "Anchor the media in the SBC, or let the side behind NAT dial (active).",
)
def private_leak(exchange: Exchange, case: Case) -> Iterator[Hit]:
    """A side that is to be dialled tells a public peer an RFC 1918 address."""
    answer = exchange.answer
    roles = [section.setup for _, section in _each(exchange)]
    if len(roles) != 2 or answer is None:
        return
    offerer_dials, answerer_dials = dials(*roles)
    for media, dialled in ((exchange.offer, answerer_dials), (answer, offerer_dials)):
        end, peer = media.address, media.message.dst.host
        if not dialled or end is None or end.port == 9 or not public(peer):
            continue
        if private(end.host):
            yield Hit(
                [media.number],
                f"The {case.name(media.message.src.host)} tells the public peer {peer} to dial "
                f"{end}: unreachable.",
            )


@rule(
    "S09",
    Level.EXCHANGE,
    "No common media type",
    "Let the a=accept-types lists overlap; do not filter types in the SBC.",
)
def types_disjoint(exchange: Exchange, case: Case) -> Iterator[Hit]:
    """RFC 4975 section 8.6: a SEND with another type gets 415."""
    taken = [(media.number, section.accept_types) for media, section in _each(exchange)]
    numbers, lists = [number for number, _ in taken], [types for _, types in taken if types]
    if len(lists) < 2 or common_type(lists[0], lists[1]):
        return
    yield Hit(
        numbers,
        f"No common type: {' '.join(lists[0])} against {' '.join(lists[1])}; every SEND will get "
        "415.",
    )


def common_type(ones: Sequence[str], others: Sequence[str]) -> bool:
    """Whether two a=accept-types lists overlap, wildcards included."""
    return any(_overlap(one, other) for one in ones for other in others)


def _overlap(one: str, other: str) -> bool:
    if "*" in (one, other):
        return True
    (major, _, minor), (major2, _, minor2) = (t.lower().partition("/") for t in (one, other))
    return major == major2 and (minor == minor2 or "*" in (minor, minor2))


@rule(
    "S10",
    Level.EXCHANGE,
    "Protocol mismatch",
    "TCP/MSRP with msrp://, TCP/TLS/MSRP with msrps://.",
)
def proto_mismatch(exchange: Exchange, case: Case) -> Iterator[Hit]:
    """RFC 4975 section 8.1: the scheme of the path goes with the proto of the m= line."""
    for media, section in _each(exchange):
        if section.uri is not None and section.uri.tls != section.tls:
            yield Hit(
                [media.number],
                f"The m= line of the {case.name(media.message.src.host)} says {section.proto}, its "
                f"path says {section.uri.scheme}://.",
            )
