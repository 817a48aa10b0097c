# cython: annotation_typing=False
"""From the fields of a message to a typed request, parsed once at the edge.

Keys are read as rtpengine reads them (space and underscore mean ``-``); what the relay does not
know is ignored, and so are values for audio. A wrong value of one of the relay's own keys is
refused by its name: it can only be a mistake in the SIP server's script. All raise CommandError,
with rtpengine's words where it has some.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..commands import (
    Answer,
    Delete,
    Drain,
    List,
    Offer,
    Origin,
    Query,
    Rollback,
    SdpRequest,
    Terminate,
)
from ..errors import CommandError
from ..net.interfaces import advertisable
from .bencode import Value
from .flags import dashed, expand, word, words

SPACE, UNDERSCORE = " ", "_"
# Octets of a character in UTF-8, at most.
WIDEST = 4
# What calls, their parties and branches are known by: they stay as long as the call does.
IDENTIFIERS = frozenset({"call-id", "from-tag", "to-tag", "via-branch"})
Fields = Mapping[str, Value]
# The attributes of a request while it is being read.
Draft = dict[str, Any]
Reader = Callable[[Draft, str, Value], None]
T = TypeVar("T", bound=str)
S = TypeVar("S", bound=SdpRequest)


def parse_offer(raw: Fields, origin: Origin) -> Offer:
    """Read an ``offer``."""
    return sdp_request(Offer, raw, origin)


def parse_answer(raw: Fields, origin: Origin) -> Answer:
    """Read an ``answer``: as an offer, but the answerer's tag is needed."""
    request = sdp_request(Answer, raw, origin)
    if request.to_tag is None:
        raise CommandError("No to-tag in message")
    return request


def sdp_request(kind: type[S], raw: Fields, origin: Origin) -> S:
    """Read what offers and answers have in common."""
    fields = normal(raw)
    draft: Draft = {"origin": origin}
    # Most of the keys are absent from most messages: what is there finds its reader.
    strings, readers = STRINGS, READERS
    for key, value in fields.items():
        name = strings.get(key)
        if name is not None:
            read_string(draft, name, value)
            continue
        reader = readers.get(key)
        if reader is not None:
            reader(draft, key, value)
    if "interface" in fields:
        # For both sides, as far as no other key has said it.
        read_direction(draft, "interface", [fields["interface"]] * 2)
    if "sdp" not in draft:
        raise CommandError("No SDP body in message")
    for name, key in (("call_id", "call-id"), ("from_tag", "from-tag")):
        if name not in draft:
            raise CommandError(f"No {key} in message")
    return kind(**draft)


def parse_delete(raw: Fields, origin: Origin) -> Delete:
    """Read a ``delete``."""
    fields = normal(raw)
    return Delete(
        origin=origin,
        call_id=needed(fields, "call-id"),
        from_tag=text(fields, "from-tag"),
        to_tag=text(fields, "to-tag"),
        via_branch=text(fields, "via-branch"),
        flags=word_set(fields.get("flags")),
        delay=whole_or_unsaid(fields, "delete-delay"),
        pending=one_of(fields, "delete-pending", ("rollback", "delete")),
    )


def parse_rollback(raw: Fields, origin: Origin) -> Rollback:
    """Read a ``rollback``."""
    fields = normal(raw)
    return Rollback(
        origin=origin,
        call_id=needed(fields, "call-id"),
        from_tag=needed(fields, "from-tag"),
        via_branch=text(fields, "via-branch"),
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


def parse_drain(raw: Fields, origin: Origin) -> Drain:
    """Read a ``drain``; ``off`` takes it back."""
    return Drain(origin, bool(whole(normal(raw), "off")))


def check_identifiers(request: SdpRequest, longest: int) -> None:
    """Refuse a request that has one of more than ``longest`` octets."""
    _check(request.call_id, "call-id", longest)
    _check(request.from_tag, "from-tag", longest)
    _check(request.to_tag, "to-tag", longest)
    _check(request.via_branch, "via-branch", longest)


def _check(said: str | None, key: str, longest: int) -> None:
    if said is not None and len(said) * WIDEST > longest and octets_of(said) > longest:
        raise CommandError(f"{key}: longer than {longest} bytes")


def octets_of(text: str) -> int:
    """How long it was in the message."""
    return len(text.encode("utf-8", "surrogateescape"))


def normal(raw: Fields) -> Fields:
    """The fields with their keys in one spelling, and an ``rtpp-flags`` string taken apart."""
    for key in raw:
        if SPACE in key or UNDERSCORE in key or key == "rtpp-flags":
            break
    else:
        return raw
    fields = {dashed(key): value for key, value in raw.items()}
    bundle = fields.pop("rtpp-flags", None)
    return expand(bundle, fields) if isinstance(bundle, bytes) else fields


def text(fields: Fields, key: str) -> str | None:
    """The string (or number, as a string) under ``key``; None if it is missing or empty."""
    return word(fields.get(key))


def needed(fields: Fields, key: str) -> str:
    """The string under ``key``, or rtpengine's refusal."""
    value = text(fields, key)
    if value is None:
        raise CommandError(f"No {key} in message")
    return value


def word_set(value: Value | None) -> frozenset[str]:
    """The words of a list, in one spelling."""
    return frozenset(map(dashed, words(value)))


def one_of(fields: Fields, key: str, choices: tuple[T, ...]) -> T | None:
    """One of a few words, or a refusal that names the key and what it may be."""
    value = text(fields, key)
    if value is None:
        return None
    for choice in choices:
        if choice == value:
            return choice
    raise CommandError(f"{key}: {' or '.join(choices)} expected")


def whole(fields: Fields, key: str) -> int | None:
    """A number that is not negative, as a number or as digits."""
    value = text(fields, key)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 9):
        raise CommandError(f"{key}: a whole number from 0 to 999999999 expected")
    return int(value)


def whole_or_unsaid(fields: Fields, key: str) -> int | None:
    """As :func:`whole`, but what is none counts as not said: rtpengine's rule for -1 and words."""
    try:
        return whole(fields, key)
    except CommandError:
        return None


# Readers: each puts what it finds under one key into the draft, or leaves it as it is.


def read_string(draft: Draft, name: str, value: Value) -> None:
    """A string for the attribute ``name``."""
    found = word(value)
    if found is not None:
        draft[name] = found


def second_choice(name: str) -> Reader:
    """As :func:`read_string`, but only where another key has not said it already."""

    def read(draft: Draft, _key: str, value: Value) -> None:
        found = word(value)
        if found is not None:
            draft.setdefault(name, found)

    return read


def choice(name: str, *choices: str) -> Reader:
    """One of a few words for the attribute ``name``; any other is refused."""

    def read(draft: Draft, key: str, value: Value) -> None:
        found = one_of({key: value}, key, choices)
        if found is not None:
            draft[name] = found

    return read


def number(name: str) -> Reader:
    """A whole number for the attribute ``name``."""

    def read(draft: Draft, key: str, value: Value) -> None:
        found = whole({key: value}, key)
        if found is not None:
            draft[name] = found

    return read


def word_list(name: str) -> Reader:
    """A set of words for the attribute ``name``."""

    def read(draft: Draft, _key: str, value: Value) -> None:
        draft[name] = word_set(value)

    return read


def read_replace(draft: Draft, _key: str, value: Value) -> None:
    """What to replace, whatever its case: OpenSIPS asks for ``SDP version``."""
    draft["replace"] = frozenset([each.lower() for each in word_set(value)])


def read_media_address(draft: Draft, key: str, value: Value) -> None:
    """An address or a host name, spelled as the SDP will have it."""
    # In a string of flags, an address in brackets looks like a list.
    for found in words(value)[:1]:
        try:
            draft["media_address"] = advertisable(found)
        except ValueError as error:
            raise CommandError(f"{key}: {error}") from None


def read_sdp(draft: Draft, _key: str, value: Value) -> None:
    """The body, as it is."""
    if isinstance(value, bytes) and value:
        draft["sdp"] = value


def read_direction(draft: Draft, _key: str, value: Value) -> None:
    """``[from, to]``: names of interfaces."""
    for name, found in zip(("from_interface", "to_interface"), words(value), strict=False):
        draft.setdefault(name, found)


def read_received_from(draft: Draft, _key: str, value: Value) -> None:
    """``[family, address]``."""
    pair = words(value)
    if len(pair) == 2:
        draft["received_from"] = (pair[0], pair[1])


def read_transport(draft: Draft, _key: str, value: Value) -> None:
    """The transport asked for, unless it is one for audio: stock scripts set RTP/AVP."""
    found = word(value)
    if found in ("TCP/MSRP", "TCP/TLS/MSRP"):
        draft["transport_protocol"] = found


def read_type_of_service(draft: Draft, _key: str, value: Value) -> None:
    """-1 keeps what is, 256 and more is the default (rtpengine's rule)."""
    found = word(value)
    if found is not None and found.isascii() and found.isdigit():
        draft["tos"] = int(found) if len(found) <= 3 and int(found) < 256 else 0


def read_relay(draft: Draft, key: str, value: Value) -> None:
    """``msrp``: ``pass`` and ``off`` leave the sections alone."""
    draft["relay"] = one_of({key: value}, key, ("relay", "pass", "off")) not in ("pass", "off")


def read_priority(draft: Draft, key: str, value: Value) -> None:
    """``msrp-priority``: there is one."""
    draft["emergency"] = one_of({key: value}, key, ("emergency",)) is not None


# The attributes that are strings, by the key of each.
STRINGS: Mapping[str, str] = {
    "call-id": "call_id",
    "from-interface": "from_interface",
    "from-tag": "from_tag",
    "metadata": "metadata",
    "set-label": "label",
    "to-interface": "to_interface",
    "to-tag": "to_tag",
    "via-branch": "via_branch",
}
# All other attributes that are read.
READERS: Mapping[str, Reader] = {
    "TOS": read_type_of_service,
    "address-family": choice("address_family", "IP4", "IP6"),
    "direction": read_direction,
    "drop-traffic": choice("drop_traffic", "start", "stop"),
    "flags": word_list("flags"),
    "from-label": second_choice("label"),
    "label": second_choice("label"),
    "media-address": read_media_address,
    "msrp": read_relay,
    "msrp-idle": number("idle"),
    "msrp-path": choice("policy", "aware", "cema", "sessmatch"),
    "msrp-priority": read_priority,
    "msrp-setup": choice("setup", "active", "passive", "actpass"),
    "msrp-source": choice("source", "any", "sdp", "sip"),
    "received-from": read_received_from,
    "replace": read_replace,
    "sdp": read_sdp,
    "tos": read_type_of_service,
    "transport-protocol": read_transport,
}
