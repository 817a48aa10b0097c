"""Rules about SIP transactions and session descriptions."""

from __future__ import annotations

import pytest

from .wire import (
    ANSWER,
    OFFER,
    PATH_A,
    PATH_B,
    A,
    B,
    Call,
    Talk,
    Wire,
    errors,
    ip_packet,
    notes,
    ok,
    only,
    sdp,
    send,
    udp_datagram,
)

AUDIO = b"v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
AUDIO += b"m=audio 4000 RTP/AVP 0\r\n"


def kept_alive(at: float, final: bool, expires: str = "Expires: 300\r\n") -> tuple[Wire, Call]:
    """A call with one re-INVITE at ``at`` that gets a 100, and perhaps its final."""
    wire = Wire()
    call = Call(wire).up(AUDIO, AUDIO)
    call.invite(AUDIO, 2, at, again=True, extra=expires)
    call.reply("100 Trying", 2)
    if final:
        call.reply("488 Not Acceptable Here", 2)
        call.ack(2)
    return wire, call


class TestTransactions:
    def test_s01_final_lost(self) -> None:
        wire, call = kept_alive(32.0, final=False)
        call.bye(at=100.0)
        assert "CSeq 2 got a provisional 100 and no final" in only(wire, "S01").verdict
        assert "S02" not in errors(wire)

    def test_s01_without_a_bye_after_32_s(self) -> None:
        wire, _ = kept_alive(32.0, final=False)
        Call(wire, call_id="later").up(AUDIO, AUDIO, at=70.0)
        assert "S01" in errors(wire)

    def test_s01_not_while_it_may_still_come(self) -> None:
        wire, _ = kept_alive(32.0, final=False)
        assert errors(wire) == set()

    def test_s01_not_with_a_final(self) -> None:
        wire, call = kept_alive(32.0, final=True)
        call.bye(at=364.0)
        assert errors(wire) == set()

    @pytest.mark.parametrize(("expires", "timer"), [("Expires: 300\r\n", 300), ("", 300)])
    def test_s02_cut_by_the_timer(self, expires: str, timer: int) -> None:
        wire, call = kept_alive(64.0, final=False, expires=expires)
        call.bye(at=64.0 + timer)
        assert only(wire, "S02").follows == "S01"
        assert "The user did not hang up" in only(wire, "S02").verdict

    def test_s02_takes_the_expires_of_the_request(self) -> None:
        wire, call = kept_alive(64.0, final=False, expires="Expires: 120\r\n")
        call.bye(at=184.0)
        assert "timer of 120 s" in only(wire, "S02").verdict

    def test_s02b_first_keepalive(self) -> None:
        wire, call = kept_alive(32.0, final=False)
        call.bye(at=932.0)
        assert "600 s more" in only(wire, "S02b").verdict
        assert "S02" not in errors(wire)

    def test_s03_stateless_final(self) -> None:
        wire, call = kept_alive(32.0, final=False)
        call.reply("488 Not Acceptable Here", 2)
        call.bye(at=60.0)
        assert "sent once" in only(wire, "S03").verdict

    def test_s04_final_repeated_without_ack(self) -> None:
        wire, call = kept_alive(32.0, final=False)
        for at in (32.1, 32.6, 33.6):
            call.reply("200 OK", 2, at=at)
        call.bye(at=60.0)
        assert "sent 3 times" in only(wire, "S04").verdict

    def test_a_repeated_final_that_is_acknowledged_is_healthy(self) -> None:
        wire, call = kept_alive(32.0, final=False)
        for at in (32.1, 32.6):
            call.reply("488 No", 2, at=at)
        call.ack(2)
        call.bye(at=60.0)
        assert errors(wire) == set()

    def test_s04b_peer_unreachable(self) -> None:
        wire = Wire()
        call = Call(wire)
        for at in (0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5):
            call.invite(AUDIO, at=at)
        assert "never answered 7 INVITEs" in only(wire, "S04b").verdict

    def unreachable(self, answered: bool) -> Wire:
        """One INVITE, and ICMP port unreachable with the beginning of it."""
        wire = Wire()
        call = Call(wire)
        call.invite(AUDIO)
        quoted = wire.frames[-1][1][14:][:28]
        wire.put(ip_packet(B, A, 1, b"\x03\x03" + b"\0" * 6 + quoted))
        if answered:
            call.reply("180 Ringing")
        return wire

    def test_s04b_one_invite_and_port_unreachable(self) -> None:
        found = only(self.unreachable(answered=False), "S04b")
        assert found.packets == (1, 2)
        assert f"{B}:5060 cannot be reached: ICMP says so" in found.verdict

    def test_s04b_not_when_an_answer_came_all_the_same(self) -> None:
        assert "S04b" not in errors(self.unreachable(answered=True))

    def test_s04b_not_when_it_rings(self) -> None:
        wire = Wire()
        call = Call(wire)
        for at in (0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5):
            call.invite(AUDIO, at=at)
        call.reply("180 Ringing")
        assert errors(wire) == set()


def chat(offer: bytes, answer: bytes) -> Wire:
    """A call with a healthy chat behind the given descriptions."""
    wire = Wire()
    Call(wire).up(offer, answer)
    talk = Talk(wire).open(at=1.0)
    talk.send(0, send("bind"))
    talk.send(1, ok("bind"))
    return wire


class TestReoffers:
    def again(self, offer: bytes) -> Wire:
        wire = Wire()
        call = Call(wire).up(sdp(A, 2855, PATH_A, "actpass"), ANSWER)
        talk = Talk(wire).open()
        talk.send(0, send("bind"))
        talk.send(1, ok("bind"))
        call.invite(offer, 2, at=5.0, again=True)
        call.reply("200 OK", 2, ANSWER)
        call.ack(2)
        return wire

    def test_s05_port_changed(self) -> None:
        moved = sdp(A, 2999, PATH_A.replace("2855", "2999"), "actpass", version=2)
        found = only(self.again(moved), "S05")
        assert "2855" in found.verdict
        assert "2999" in found.verdict
        assert "S05b" not in errors(self.again(moved))

    def test_s05_not_with_a_new_session(self) -> None:
        new = sdp(A, 2999, PATH_A.replace("2855/aaaa1111", "2999/eeee5555"), "actpass", version=2)
        assert errors(self.again(new)) == set()

    def test_s05b_body_changed_version_not(self) -> None:
        body = sdp(A, 2855, PATH_A, "actpass", types="text/plain text/html")
        assert "the body differs" in only(self.again(body), "S05b").verdict

    def test_s05b_version_changed_body_not(self) -> None:
        body = sdp(A, 2855, PATH_A, "actpass", version=2)
        assert "the body is the same" in only(self.again(body), "S05b").verdict

    def test_the_same_offer_again_is_healthy(self) -> None:
        assert errors(self.again(sdp(A, 2855, PATH_A, "actpass"))) == set()


class TestRoles:
    @pytest.mark.parametrize(
        ("offered", "answered", "rule"),
        [
            ("active", "active", "S06a"),
            ("passive", "passive", "S06b"),
            ("actpass", "actpass", "S06c"),
            ("active", "actpass", "S06c"),
        ],
    )
    def test_conflicts(self, offered: str, answered: str, rule: str) -> None:
        wire = chat(sdp(A, 2855, PATH_A, offered), sdp(B, 7654, PATH_B, answered))
        assert errors(wire) == {rule}

    @pytest.mark.parametrize(
        ("offered", "answered"),
        [
            ("active", "passive"),
            ("passive", "active"),
            ("actpass", "active"),
            ("actpass", "passive"),
            ("active", "holdconn"),
            ("active", None),
            (None, None),
            ("actpass", None),
        ],
    )
    def test_legal_pairs(self, offered: str | None, answered: str | None) -> None:
        wire = chat(sdp(A, 2855, PATH_A, offered), sdp(B, 7654, PATH_B, answered))
        assert errors(wire) == set()

    def test_s06d_private_peer_answers_passive(self) -> None:
        wire = chat(
            sdp("8.8.8.8", 2855, "msrp://8.8.8.8:2855/aaaa1111;tcp", "actpass"),
            sdp("10.1.1.1", 7654, "msrp://10.1.1.1:7654/bbbb2222;tcp", "passive"),
        )
        assert "private address 10.1.1.1:7654" in only(wire, "S06d").verdict

    def test_s06e_is_a_note(self) -> None:
        found = only(chat(sdp(A, 2855, PATH_A, "active"), ANSWER), "S06e")
        assert found.severity == "note"
        assert "says a=setup:active and names port 2855" in found.verdict
        assert found.title == "No a=setup, or an active end with a port"
        assert "S06e" not in notes(chat(OFFER, ANSWER))


class TestAddresses:
    def test_s07_path_and_media_line_differ(self) -> None:
        answer = sdp(B, 15000, PATH_B, "passive", connection="203.0.113.5")
        assert errors(chat(OFFER, answer)) == {"S07"}

    def test_s07_not_with_cema(self) -> None:
        answer = sdp(B, 15000, PATH_B, "passive", connection="203.0.113.5", cema=True)
        assert errors(chat(OFFER, answer)) == set()

    def test_s07_not_for_a_host_name(self) -> None:
        answer = sdp(B, 7654, PATH_B.replace("192.0.2.20", "bob.example"), "passive")
        assert "S07" not in errors(chat(OFFER, answer))

    def test_s07b_cema_in_the_offer_only(self) -> None:
        offer = sdp(A, 9, PATH_A.replace(":2855", ":9"), "active", cema=True)
        answer = sdp(B, 15000, PATH_B, "passive", connection="203.0.113.5")
        assert only(chat(offer, answer), "S07b").follows == "S07"

    def test_s08_private_address_to_a_public_peer(self) -> None:
        wire = Wire()
        private = sdp("10.1.1.1", 7654, "msrp://10.1.1.1:7654/bbbb2222;tcp", "passive")
        Call(wire, caller="8.8.8.8", callee="9.9.9.9").up(OFFER, private)
        assert "tells the public peer 8.8.8.8 to dial 10.1.1.1:7654" in only(wire, "S08").verdict

    def test_s08_not_for_a_side_that_dials(self) -> None:
        wire = Wire()
        private = sdp("10.1.1.1", 2855, "msrp://10.1.1.1:2855/aaaa1111;tcp", "active")
        Call(wire, caller="8.8.8.8", callee="9.9.9.9").up(private, ANSWER)
        assert "S08" not in errors(wire)

    @pytest.mark.parametrize(
        ("one", "other", "clash"),
        [
            ("text/plain", "message/cpim", True),
            ("text/*", "text/html", False),
            ("*", "message/cpim", False),
            ("text/plain message/cpim", "message/CPIM", False),
        ],
    )
    def test_s09_common_type(self, one: str, other: str, clash: bool) -> None:
        wire = chat(
            sdp(A, 9, PATH_A.replace(":2855", ":9"), "active", types=one),
            sdp(B, 7654, PATH_B, "passive", types=other),
        )
        assert ("S09" in errors(wire)) is clash

    def test_s10_scheme_and_proto_differ(self) -> None:
        answer = sdp(B, 7654, PATH_B.replace("msrp:", "msrps:"), "passive")
        assert "says TCP/MSRP, its path says msrps://" in only(chat(OFFER, answer), "S10").verdict


class TestMessages:
    def test_compact_and_folded_headers_are_read(self) -> None:
        wire = Wire()
        text = (
            "INVITE sip:b@x SIP/2.0\r\nv: SIP/2.0/UDP h;branch=z9hG4bKx\r\nf: <sip:a@x>;\r\n tag=a"
            "\r\nt: <sip:b@x>\r\ni: compact\r\nCSeq: 1 INVITE\r\nl: 0\r\n\r\n"
        )
        for at in (0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5):
            wire.put(udp_datagram((A, 5060), (B, 5060), text.encode()), float(at))
        assert "S04b" in errors(wire)

    def test_sip_over_tcp_is_read(self) -> None:
        wire = Wire()
        talk = Talk(wire, server=(B, 5060)).open()
        invite = (
            b"INVITE sip:b@x SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bKx\r\nFrom: <sip:a@x>;tag=a"
            b"\r\nTo: <sip:b@x>\r\nCall-ID: t\r\nCSeq: 1 INVITE\r\n"
            b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%b"
        )
        both = sdp(A, 2855, PATH_A, "passive"), sdp(B, 7654, PATH_B, "passive")
        data = invite % (len(both[0]), both[0])
        for at in range(0, len(data), 100):
            talk.send(0, data[at : at + 100])
        talk.send(
            1,
            (b"SIP/2.0 200 OK" + data[data.index(b"\r\n") :])
            .replace(both[0], both[1])
            .replace(b"Content-Length: %d" % len(both[0]), b"Content-Length: %d" % len(both[1])),
        )
        assert "S06b" in errors(wire)
