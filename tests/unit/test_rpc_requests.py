"""Requests are read as rtpengine's clients mean them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msrprelay.commands import Answer, Delete, Offer, Origin
from msrprelay.errors import CommandError
from msrprelay.rpc import bencode
from msrprelay.rpc.encoding import decode
from msrprelay.rpc.requests import (
    Fields,
    parse_answer,
    parse_delete,
    parse_list,
    parse_offer,
    parse_query,
    parse_terminate,
)

from .rpc_recordings import REQUESTS, Recorded, request

ORIGIN = Origin("udp", "127.0.0.1", 5000)
Parse = Callable[[Fields, Origin], Offer | Answer | Delete]
KINDS: dict[str, Parse] = {
    "offer": parse_offer,
    "answer": parse_answer,
    "delete": parse_delete,
}
LEAST: dict[str, bencode.Value] = {"call-id": b"c", "from-tag": b"f", "to-tag": b"t", "sdp": b"v=0"}


def offer(**fields: bencode.Value) -> Offer:
    dashed = {key.replace("_", "-"): value for key, value in fields.items()}
    return parse_offer({**LEAST, **dashed}, ORIGIN)


@pytest.mark.parametrize(
    "one", [one for one in REQUESTS if one.command != "ping"], ids=lambda one: one.id
)
def test_every_recorded_request_is_understood(one: Recorded) -> None:
    fields = decode(one.body)
    parsed = KINDS[one.command](fields, ORIGIN)
    assert parsed.call_id.encode() == fields["call-id"]
    assert one.call_id in ("", parsed.call_id)
    assert (parsed.from_tag or "").encode() == fields["from-tag"]
    assert (parsed.to_tag or "").encode() == fields.get("to-tag", b"")
    if isinstance(parsed, (Offer, Answer)):
        assert parsed.sdp == fields["sdp"]
        assert parsed.relay


def test_the_request_with_all_flags_is_read_to_the_last() -> None:
    parsed = parse_offer(decode(request("kamailio", 23).body), ORIGIN)
    assert parsed.via_branch == "z9hG4bK62bae97ea3"
    assert parsed.flags == {
        "trust-address",
        "loop-protect",
        "port-latching",
        "strict-source",
        "no-redis-update",
    }
    assert parsed.replace == {"origin", "session-connection"}
    assert (parsed.from_interface, parsed.to_interface) == ("pub", "priv")
    assert (parsed.media_address, parsed.address_family) == ("192.0.2.7", "IP4")
    assert parsed.transport_protocol == "TCP/MSRP"
    assert parsed.received_from == ("IP4", "127.0.0.1")
    assert (parsed.tos, parsed.label, parsed.drop_traffic) == (184, "foo", "start")


def test_the_delay_is_read_from_either_spelling() -> None:
    assert parse_delete(decode(request("kamailio", 33).body), ORIGIN).delay == 7


@pytest.mark.parametrize(
    ("parse", "missing", "reason"),
    [
        pytest.param(parse_offer, "sdp", "No SDP body in message", id="offer-sdp"),
        pytest.param(parse_offer, "call-id", "No call-id in message", id="offer-call-id"),
        pytest.param(parse_offer, "from-tag", "No from-tag in message", id="offer-from-tag"),
        pytest.param(parse_answer, "sdp", "No SDP body in message", id="answer-sdp"),
        pytest.param(parse_answer, "to-tag", "No to-tag in message", id="answer-to-tag"),
        pytest.param(parse_delete, "call-id", "No call-id in message", id="delete-call-id"),
        pytest.param(parse_query, "call-id", "No call-id in message", id="query-call-id"),
        pytest.param(parse_terminate, "call-id", "No call-id in message", id="terminate-call-id"),
    ],
)
@pytest.mark.parametrize("how", ["absent", "empty", "list"])
def test_what_is_missing_is_named_in_rtpengines_words(
    parse: Callable[[Fields, Origin], object], missing: str, reason: str, how: str
) -> None:
    fields = {key: value for key, value in LEAST.items() if key != missing}
    if how != "absent":
        fields[missing] = b"" if how == "empty" else [b"x"]
    with pytest.raises(CommandError) as refused:
        parse(fields, ORIGIN)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    "spelling",
    ["delete-delay", "delete delay", "delete_delay"],
    ids=["dash", "space", "underscore"],
)
def test_keys_are_spelled_three_ways(spelling: str) -> None:
    assert parse_delete({"call-id": b"c", spelling: b"7"}, ORIGIN).delay == 7


@pytest.mark.parametrize(
    ("key", "value", "field", "expected"),
    [
        pytest.param("msrp", b"pass", "relay", False, id="pass"),
        pytest.param("msrp", b"off", "relay", False, id="off"),
        pytest.param("msrp", b"relay", "relay", True, id="relay"),
        pytest.param("msrp-path", b"sessmatch", "policy", "sessmatch", id="policy"),
        pytest.param("msrp-setup", b"passive", "setup", "passive", id="setup"),
        pytest.param("msrp-source", b"sip", "source", "sip", id="source"),
        pytest.param("msrp-idle", b"600", "idle", 600, id="idle-digits"),
        pytest.param("msrp-idle", 600, "idle", 600, id="idle-number"),
        pytest.param("msrp-priority", b"emergency", "emergency", True, id="emergency"),
        pytest.param("TOS", -1, "tos", None, id="tos-keep"),
        pytest.param("TOS", 256, "tos", 0, id="tos-default"),
        pytest.param("tos", b"184", "tos", 184, id="tos-digits"),
        pytest.param("transport-protocol", b"RTP/AVP", "transport_protocol", None, id="for-audio"),
        pytest.param(
            "media-address", b"[2001:DB8::7]", "media_address", "2001:db8::7", id="media-address"
        ),
        pytest.param(
            "rtpp-flags",
            b"media-address=[2001:db8::7]",
            "media_address",
            "2001:db8::7",
            id="media-address-as-a-flag",
        ),
        pytest.param("from-interface", b"a", "from_interface", "a", id="from-interface"),
        pytest.param("interface", b"a", "to_interface", "a", id="interface"),
        pytest.param("direction", [b"a"], "to_interface", None, id="half-a-direction"),
        pytest.param("from-label", b"x", "label", "x", id="label"),
        pytest.param("metadata", {"a": b"b"}, "metadata", None, id="odd-metadata"),
        pytest.param("received-from", [b"IP4"], "received_from", None, id="odd-source"),
        pytest.param("flags", b"fatal", "flags", frozenset({"fatal"}), id="one-flag"),
        pytest.param(
            "flags", [b"SIP source_address"], "flags", {"SIP-source-address"}, id="spelling"
        ),
        pytest.param("flags", [[b"x"], 3, {}], "flags", {"3"}, id="odd-flags"),
        pytest.param("ICE", b"remove", "flags", frozenset(), id="not-for-us"),
    ],
)
def test_reads_one_key(key: str, value: bencode.Value, field: str, expected: object) -> None:
    parsed = parse_offer({**LEAST, key: value}, ORIGIN)
    assert getattr(parsed, field) == expected


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("msrp", b"on"),
        ("msrp-path", b"awar"),
        ("msrp-setup", b"holdconn"),
        ("msrp-source", b"tcp"),
        ("msrp-idle", b"-1"),
        ("msrp-idle", b"9" * 5000),
        ("msrp-priority", b"low"),
        ("address-family", b"IP5"),
        ("media-address", b"two words"),
        ("media-address", b"a..b"),
        ("media-address", b"[::1 x"),
        ("media-address", b"0.0.0.0"),
        ("media-address", b"192.0.2.1\r\na=x"),
    ],
)
def test_a_wrong_value_of_our_own_key_is_refused_by_its_name(key: str, value: bytes) -> None:
    with pytest.raises(CommandError, match=f"^{key}: "):
        parse_offer({**LEAST, key: value}, ORIGIN)


@pytest.mark.parametrize("parse", [parse_offer, parse_answer])
@pytest.mark.parametrize(
    "said",
    [
        pytest.param({"media-address": b"a..b"}, id="key"),
        pytest.param({"media_address": b"a..b"}, id="underscore"),
        pytest.param({"media-address": [b"a..b"]}, id="list"),
        pytest.param({"rtpp-flags": b"media-address=a..b"}, id="flag-string"),
        pytest.param({"rtpp-flags": b"media-address=[a..b]"}, id="flag-string-in-brackets"),
    ],
)
def test_what_goes_into_an_sdp_is_read_wherever_it_is_said(parse: Parse, said: Fields) -> None:
    """Nothing behind this looks at it again."""
    with pytest.raises(CommandError, match=r"^media.address: "):
        parse({**LEAST, **said}, ORIGIN)


def test_the_raw_flags_of_newer_kamailio_say_the_same_as_the_keys_of_older() -> None:
    old = parse_offer(decode(request("kamailio", 23).body), ORIGIN)
    bundle = (
        b"replace-origin replace-session-connection trust-address ICE=remove direction=pub "
        b"direction=priv media-address=192.0.2.7 address-family=IP4 label=caller TOS=184 "
        b"drop-traffic=start transport-protocol=TCP/MSRP msrp=relay loop-protect port-latching "
        b"strict-source no-redis-update record-call=off set-label=foo interface=priv"
    )
    fields: Fields = {
        "call-id": b"flags-35d8d7",
        "from-tag": b"Ae1a09f",
        "via-branch": b"z9hG4bK62bae97ea3",
        "received-from": [b"IP4", b"127.0.0.1"],
        "sdp": old.sdp,
        "rtpp_flags": bundle,
    }
    assert parse_offer(fields, ORIGIN) == old


@pytest.mark.parametrize(
    ("bundle", "field", "expected"),
    [
        pytest.param(b"flags=[fatal reset]", "flags", {"debug", "fatal", "reset"}, id="list"),
        pytest.param(b"  fatal   reset ", "flags", {"debug", "fatal", "reset"}, id="spaces"),
        pytest.param(b"codec=[strip=[a b] c] fatal", "flags", {"debug", "fatal"}, id="nested"),
        pytest.param(b"codec=[strip fatal", "flags", {"debug"}, id="bracket-left-open"),
        pytest.param(b"] fatal", "flags", {"debug", "]", "fatal"}, id="bracket-never-opened"),
        pytest.param(b"replace=[origin]", "replace", {"origin"}, id="replace"),
        pytest.param(
            b"replace=[SDP-version]", "replace", {"sdp-version"}, id="replace-as-opensips-spells-it"
        ),
        pytest.param(b"direction=[pub priv]", "to_interface", "priv", id="direction"),
        pytest.param(b"internal external", "from_interface", "internal", id="bare-direction"),
        pytest.param(b"from-tag=other", "from_tag", "other", id="wins-over-the-key"),
        pytest.param(b"msrp-path=cema", "policy", "cema", id="our-key"),
        pytest.param(b"", "flags", {"debug"}, id="empty"),
    ],
)
def test_takes_the_flag_string_apart(bundle: bytes, field: str, expected: object) -> None:
    parsed = offer(flags=[b"debug"], rtpp_flags=bundle)
    assert getattr(parsed, field) == expected


@pytest.mark.parametrize(("limit", "expected"), [(None, 32), (b"7", 7), (0, 0)])
def test_a_list_has_rtpengines_limit(limit: bencode.Value | None, expected: int) -> None:
    fields: Fields = {} if limit is None else {"limit": limit}
    assert parse_list(fields, ORIGIN).limit == expected


def test_all_calls_end_only_if_that_is_said() -> None:
    assert parse_terminate({"all": 1}, ORIGIN).call_id is None
    assert parse_terminate({"call-id": b"c"}, ORIGIN).call_id == "c"


@pytest.mark.parametrize(
    ("value", "delay"),
    [
        pytest.param(0, 0, id="at-once"),
        pytest.param(b"30", 30, id="digits"),
        pytest.param(-1, None, id="as-configured"),
        pytest.param(b"-1", None, id="as-configured-in-digits"),
        pytest.param(b"5s", None, id="a-unit"),
        pytest.param(10**12, None, id="beyond-all-bounds"),
    ],
)
def test_no_delete_fails_by_its_delay(value: bencode.Value, delay: int | None) -> None:
    assert parse_delete({"call-id": b"c", "delete-delay": value}, ORIGIN).delay == delay


PARSERS = [*KINDS.values(), parse_query, parse_list, parse_terminate]
KEYS = (
    "sdp call-id from-tag to-tag flags direction TOS msrp rtpp-flags replace received-from limit "
    "all delete_delay msrp_idle metadata supports"
)
keys = st.sampled_from(KEYS.split())
odd_values = st.recursive(
    st.binary(max_size=12) | st.integers(-5, 10**18),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=6,
)


@given(
    parse=st.sampled_from(PARSERS),
    fields=st.dictionaries(keys, odd_values),
)
def test_any_fields_are_read_or_refused(
    parse: Callable[[Fields, Origin], object], fields: Fields
) -> None:
    with suppress(CommandError):
        parse(fields, ORIGIN)


@given(bundle=st.text(alphabet="ab=[] -_\xff", max_size=60).map(lambda text: text.encode()))
def test_any_flag_string_is_read(bundle: bytes) -> None:
    offer(rtpp_flags=bundle)
