"""From the fields of a message to a typed request, parsed once at the edge.

Keys are read as rtpengine reads them (space and underscore mean ``-``); what the relay does not
know is ignored, and so are values for audio. A wrong value of one of the relay's own keys is
refused by its name: it can only be a mistake in the SIP server's script. All raise CommandError,
with rtpengine's words where it has some.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar, cast

from ..commands import (
    Answer,
    Delete,
    List,
    Offer,
    Origin,
    Query,
    SdpRequest,
    Terminate,
    Transport,
)
from ..errors import CommandError
from .bencode import Value
from .flags import dashed, expand, word, words

Fields = Mapping[str, Value]
T = TypeVar("T", bound=str)


def parse_offer(raw: Fields, origin: Origin) -> Offer:
    """Read an ``offer``."""
    return sdp_request(Offer, raw, origin)


def parse_answer(raw: Fields, origin: Origin) -> Answer:
    """Read an ``answer``: as an offer, but the answerer's tag is needed."""
    request = sdp_request(Answer, raw, origin)
    if request.to_tag is None:
        raise CommandError("No to-tag in message")
    return request


S = TypeVar("S", bound=SdpRequest)


def sdp_request(kind: type[S], raw: Fields, origin: Origin) -> S:
    """Read what offers and answers have in common."""
    fields = normal(raw)
    sdp = fields.get("sdp")
    if not isinstance(sdp, bytes) or not sdp:
        raise CommandError("No SDP body in message")
    call_id = needed(fields, "call-id")
    from_tag = needed(fields, "from-tag")
    from_interface, to_interface = sides(fields)
    return kind(
        origin=origin,
        call_id=call_id,
        from_tag=from_tag,
        sdp=sdp,
        to_tag=text(fields, "to-tag"),
        via_branch=text(fields, "via-branch"),
        flags=word_set(fields, "flags"),
        replace=word_set(fields, "replace"),
        from_interface=from_interface,
        to_interface=to_interface,
        media_address=text(fields, "media-address"),
        address_family=one_of(fields, "address-family", ("IP4", "IP6")),
        transport_protocol=msrp_transport(fields),
        received_from=address_pair(fields, "received-from"),
        tos=type_of_service(fields),
        label=text(fields, "set-label") or text(fields, "label") or text(fields, "from-label"),
        metadata=text(fields, "metadata"),
        drop_traffic=one_of(fields, "drop-traffic", ("start", "stop")),
        relay=one_of(fields, "msrp", ("relay", "pass")) != "pass",
        policy=one_of(fields, "msrp-path", ("aware", "cema", "sessmatch")),
        setup=one_of(fields, "msrp-setup", ("active", "passive", "actpass")),
        source=one_of(fields, "msrp-source", ("any", "sdp", "sip")) or "any",
        idle=whole(fields, "msrp-idle"),
        emergency=one_of(fields, "msrp-priority", ("emergency",)) is not None,
    )


def parse_delete(raw: Fields, origin: Origin) -> Delete:
    """Read a ``delete``."""
    fields = normal(raw)
    return Delete(
        origin=origin,
        call_id=needed(fields, "call-id"),
        from_tag=text(fields, "from-tag"),
        to_tag=text(fields, "to-tag"),
        via_branch=text(fields, "via-branch"),
        flags=word_set(fields, "flags"),
        delay=whole(fields, "delete-delay"),
    )


def parse_query(raw: Fields, origin: Origin) -> Query:
    """Read a ``query``; ``msrp-ended`` also finds calls that have ended."""
    fields = normal(raw)
    return Query(
        origin=origin,
        call_id=needed(fields, "call-id"),
        from_tag=text(fields, "from-tag"),
        to_tag=text(fields, "to-tag"),
        ended=bool(whole(fields, "msrp-ended")),
    )


def parse_list(raw: Fields, origin: Origin) -> List:
    """Read a ``list``; rtpengine's limit is 32 unless another is asked for."""
    limit = whole(normal(raw), "limit")
    return List(origin, 32 if limit is None else limit)


def parse_terminate(raw: Fields, origin: Origin) -> Terminate:
    """Read a ``terminate``; all calls end only if ``all`` says so."""
    fields = normal(raw)
    if whole(fields, "all"):
        return Terminate(origin, None)
    return Terminate(origin, needed(fields, "call-id"))


def normal(raw: Fields) -> dict[str, Value]:
    """The fields with their keys in one spelling, and an ``rtpp-flags`` string taken apart."""
    fields = {dashed(key): value for key, value in raw.items()}
    bundle = fields.pop("rtpp-flags", None)
    return fields if not isinstance(bundle, bytes) else expand(bundle, fields)


def text(fields: Fields, key: str) -> str | None:
    """The string (or number, as a string) under ``key``; None if it is missing or empty."""
    return word(fields.get(key))


def needed(fields: Fields, key: str) -> str:
    """The string under ``key``, or rtpengine's refusal."""
    value = text(fields, key)
    if value is None:
        raise CommandError(f"No {key} in message")
    return value


def word_set(fields: Fields, key: str) -> frozenset[str]:
    """The words of the list under ``key``, in one spelling."""
    return frozenset(map(dashed, words(fields.get(key))))


def one_of(fields: Fields, key: str, choices: tuple[T, ...]) -> T | None:
    """One of a few words, or a refusal that names the key and what it may be."""
    value = text(fields, key)
    if value is None:
        return None
    if value not in choices:
        raise CommandError(f"{key}: {' or '.join(choices)} expected")
    return value


def whole(fields: Fields, key: str) -> int | None:
    """A number that is not negative, as a number or as digits."""
    value = text(fields, key)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 9):
        raise CommandError(f"{key}: a whole number expected")
    return int(value)


def sides(fields: Fields) -> tuple[str | None, str | None]:
    """The interfaces named for the sender's and the recipient's side."""
    named = [*words(fields.get("direction")), None, None]
    both = text(fields, "interface")
    return (
        text(fields, "from-interface") or named[0] or both,
        text(fields, "to-interface") or named[1] or both,
    )


def address_pair(fields: Fields, key: str) -> tuple[str, str] | None:
    """``[family, address]``."""
    pair = words(fields.get(key))
    return (pair[0], pair[1]) if len(pair) == 2 else None


def msrp_transport(fields: Fields) -> Transport | None:
    """The transport asked for, unless it is one for audio: stock scripts set RTP/AVP."""
    value = text(fields, "transport-protocol")
    return cast("Transport", value) if value in ("TCP/MSRP", "TCP/TLS/MSRP") else None


def type_of_service(fields: Fields) -> int | None:
    """``TOS``: -1 keeps what is, 256 and more is the default (rtpengine's rule)."""
    value = text(fields, "TOS") or text(fields, "tos")
    if value is None or not value.isascii() or not value.isdigit():
        return None
    return int(value) if len(value) <= 3 and int(value) < 256 else 0
