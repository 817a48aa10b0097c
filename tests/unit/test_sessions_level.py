"""The session level of a description: whose o= and c= it has, and its version."""

from __future__ import annotations

from typing import Any

import pytest

from msrprelay.sdp import Connection

from .session_fakes import (
    Lab,
    answer,
    listing,
    offer,
    sdp,
    send,
)
from .session_replies import head, section

pytestmark = pytest.mark.usefixtures("lives")


@pytest.mark.parametrize(
    ("replace", "expected"),
    [
        pytest.param((), [b"o=- 1 1 IN IP4 198.51.100.7", b"c=IN IP4 198.51.100.7"], id="nothing"),
        pytest.param(
            ("origin",), [b"o=- 1 1 IN IP4 192.0.2.10", b"c=IN IP4 198.51.100.7"], id="origin"
        ),
        pytest.param(
            ("session-connection",),
            [b"o=- 1 1 IN IP4 198.51.100.7", b"c=IN IP4 192.0.2.10"],
            id="session-connection",
        ),
        pytest.param(
            ("force-increment-sdp-ver",),
            [b"o=- 1 2 IN IP4 198.51.100.7", b"c=IN IP4 198.51.100.7"],
            id="version",
        ),
        pytest.param(
            ("username", "zero-address"),
            [b"o=- 1 1 IN IP4 198.51.100.7", b"c=IN IP4 198.51.100.7"],
            id="for-audio",
        ),
    ],
)
def test_replace_rewrites_the_session_level(
    replace: tuple[str, ...], expected: list[bytes]
) -> None:
    assert head(send(Lab(), offer(replace=frozenset(replace)))) == expected


def test_versions_grow_with_every_change_that_the_recipient_sees() -> None:
    lab = Lab()
    said = frozenset({"sdp-version"})

    def version(body: bytes) -> int:
        reply = send(lab, offer(body, to_tag="bob", replace=said))
        send(lab, answer())
        return int(head(reply)[0].split()[2])

    send(lab, offer(replace=said))
    send(lab, answer())
    changed = sdp(session_id="another")
    assert version(sdp(setup="actpass")) == 1
    assert version(sdp(extra="a=max-size:5\r\n")) == 2
    assert version(changed.replace(b"o=- 1 1", b"o=- 1 9")) == 9


def test_the_origin_stays_ours_and_grows_where_no_section_is_left() -> None:
    lab = Lab()
    said = frozenset({"origin", "force-increment-sdp-ver"})
    send(lab, offer(replace=said))
    send(lab, answer(replace=said))
    refused = sdp().replace(b"m=message 7654", b"m=message 0")
    reply: Any = send(lab, offer(refused, to_tag="bob", replace=said))
    assert b"m=message 0 " in reply["sdp"]
    assert head(reply) == [b"o=- 1 3 IN IP4 192.0.2.10", b"c=IN IP4 198.51.100.7"]


def test_an_answer_that_refuses_every_section_hides_the_answerer_too() -> None:
    lab = Lab()
    said = frozenset({"origin"})
    send(lab, offer(replace=said))
    reply = send(lab, answer(sdp("203.0.113.9", 0), replace=said))
    # The section that is not relayed keeps its own c=.
    assert head(reply) == [b"o=- 1 1 IN IP4 192.0.2.10", b"c=IN IP4 203.0.113.9"]


def test_a_message_that_this_relay_has_rewritten_passes_untouched() -> None:
    lab = Lab()
    flags = frozenset({"loop-protect"})
    marked = send(lab, offer(flags=flags))["sdp"]
    assert isinstance(marked, bytes)
    assert b"a=msrprelay:relay-1\r\n" in marked
    for again in (offer(marked, call_id="call-2", flags=flags), answer(marked, flags=flags)):
        reply = send(lab, again)
        assert (reply["sdp"], "loop" in str(reply["warning"])) == (marked, True)
    assert lab.plane.opened[0].answers == []
    elsewhere = marked.replace(b"relay-1", b"relay-2")
    assert b"relay-2\r\n" in bytes(send(lab, offer(elsewhere, call_id="c3", flags=flags))["sdp"])  # type: ignore[call-overload]
    assert send(lab, listing()) == {"calls": ["call-1", "c3"]}


def test_what_is_not_served_is_said() -> None:
    refused = send(Lab(), offer(transport_protocol="TCP/TLS/MSRP"))
    assert "transport-protocol" in str(refused["warning"])


def test_a_media_address_that_comes_too_late_is_said() -> None:
    lab = Lab()
    reply: Any = send(lab, offer(media_address="203.0.113.77"))
    assert "warning" not in reply
    assert b"c=IN IP4 203.0.113.77\r\n" in reply["sdp"]
    assert "warning" not in send(lab, answer(media_address="203.0.113.78"))
    told = "media-address: 203.0.113.78 since it was told first"
    again = send(lab, answer(to_tag="fork", media_address="203.0.113.79"))
    assert again["warning"] == told
    assert section(again).connection == Connection("IP4", "203.0.113.78")
    told = "media-address: 203.0.113.77 since it was told first"
    moved = sdp(session_id="moved")
    assert send(lab, offer(moved, media_address="203.0.113.80"))["warning"] == told
