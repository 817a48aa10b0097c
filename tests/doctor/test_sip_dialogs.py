"""When a call begins, is refused, goes on and ends, by its SIP messages alone."""

from __future__ import annotations

import pytest

from .wire import (
    ACK,
    ANSWER,
    FIN,
    PATH_A,
    PATH_B,
    RST,
    SYN,
    A,
    B,
    Call,
    Talk,
    Wire,
    diagnoses,
    errors,
    ok,
    only,
    sdp,
    send,
    track,
)

PROXY = "192.0.2.77"
NOTHING = b"v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n"
AUDIO = NOTHING + b"m=audio 4000 RTP/AVP 0\r\n"
CHALLENGES = ["401 Unauthorized", "407 Proxy Authentication Required", "422 Too Small"]


def later(wire: Wire, at: float) -> None:
    """Something else, so that the capture goes on."""
    Call(wire, call_id="later").message("OPTIONS sip:b@x SIP/2.0", 1, "OPTIONS", at=at)


def challenged(wire: Wire, refusal: str, ringing: float = 0.0) -> Call:
    """A call whose first INVITE is refused and whose second one is accepted."""
    call = Call(wire)
    call.invite()
    call.reply(refusal)
    call.ack()
    call.invite(cseq=2)
    call.reply("180 Ringing", 2)
    call.reply("200 OK", 2, ANSWER, at=wire.now + ringing)
    call.ack(2)
    return call


@pytest.mark.parametrize("refusal", CHALLENGES)
class TestChallenges:
    def test_m04_after_a_challenge(self, refusal: str) -> None:
        wire = Wire()
        challenged(wire, refusal)
        later(wire, 60.0)
        assert "M04" in errors(wire)

    def test_m03_after_a_challenge(self, refusal: str) -> None:
        wire = Wire()
        challenged(wire, refusal)
        Talk(wire).open().raw(1, FIN | ACK, at=3.5)
        assert "M03" in errors(wire)

    def test_a_long_ringing_does_not_part_the_chat_from_its_call(self, refusal: str) -> None:
        wire = Wire()
        challenged(wire, refusal, ringing=45.0)
        talk = Talk(wire).open()
        talk.send(0, send("t-1"))
        talk.send(1, ok("t-1"))
        assert len(diagnoses(wire)) == 1


class TestEnds:
    def end(self, wire: Wire) -> float | None:
        return track(wire).dialogs["call-1"].ended

    def test_a_refusal_is_the_end(self) -> None:
        wire = Wire()
        call = Call(wire)
        call.invite()
        call.reply("486 Busy Here")
        call.ack()
        assert self.end(wire) is not None

    def test_a_refusal_of_the_second_try_is_the_end(self) -> None:
        wire = Wire()
        call = Call(wire)
        call.invite()
        call.reply(CHALLENGES[1])
        call.ack()
        call.invite(cseq=2, at=5.0)
        assert self.end(wire) is None
        call.reply("486 Busy Here", 2, at=20.0)
        end = self.end(wire)
        assert end is not None
        assert end % 100 == 20.0

    def test_the_bye_ends_a_call_of_many_transactions(self) -> None:
        wire = Wire()
        call = Call(wire).up(AUDIO, AUDIO)
        for number in range(420):
            call.message("OPTIONS sip:b@x SIP/2.0", 10 + number, "OPTIONS", at=30.0 * number + 1)
            call.reply("200 OK", 10 + number, method="OPTIONS")
        call.invite(AUDIO, 9000, 13_000.0, again=True, extra="Expires: 300\r\n")
        call.reply("100 Trying", 9000)
        call.bye(at=13_300.0, cseq=9001)
        assert "S02" in errors(wire)


class TestEndToEndAck:
    def call(self, finals: int) -> Wire:
        """As the callee sees it: the INVITE over a proxy, the ACK from the caller itself."""
        wire = Wire()
        over = Call(wire, caller=PROXY)
        over.invite()
        for number in range(finals):
            over.reply("200 OK", body=ANSWER, at=0.5 * number + 0.001)
        Call(wire).message("ACK sip:b@x SIP/2.0", 1, "ACK", branch="z9hG4bKown")
        return wire

    @pytest.mark.parametrize("finals", [1, 2], ids=["final-once", "final-repeated"])
    def test_it_acknowledges_the_acceptance(self, finals: int) -> None:
        wire = self.call(finals)
        talk = Talk(wire).open()
        talk.send(0, send("t-1"))
        talk.send(1, ok("t-1"))
        later(wire, 20.0)
        assert errors(wire) == set()

    def test_a_refused_connection_after_it_is_no_race(self) -> None:
        wire = self.call(1)
        talk = Talk(wire)
        talk.raw(0, SYN, at=5.0)
        talk.raw(1, RST | ACK, ack=0)
        assert "S11" not in errors(wire)

    def test_s04_if_a_proxy_keeps_the_ack(self) -> None:
        wire = Wire()
        outer, inner = Call(wire, A, PROXY), Call(wire, PROXY, B)
        outer.invite(AUDIO)
        inner.invite(AUDIO)
        for at in (0.1, 0.6, 1.6):
            inner.reply("200 OK", body=AUDIO, at=at)
        outer.reply("200 OK", body=AUDIO)
        outer.ack()
        assert "S04" in errors(wire)

    def test_s03_not_if_the_ack_went_another_way(self) -> None:
        wire = Wire()
        call = Call(wire)
        call.invite(AUDIO)
        call.reply("200 OK", body=AUDIO)
        later(wire, 20.0)
        assert errors(wire) == set()


def test_m04_not_while_it_rings() -> None:
    wire = Wire()
    call = Call(wire)
    call.invite()
    call.reply("183 Session Progress", body=ANSWER)
    call.reply("180 Ringing", at=12.0)
    assert errors(wire) == set()
    call.reply("200 OK", body=ANSWER, at=13.0)
    call.ack(at=16.0)
    assert "M04" not in errors(wire)
    later(wire, 19.0)
    assert "M04" in errors(wire)


@pytest.mark.parametrize("cseq", [1, 2], ids=["same-cseq", "other-cseq"])
def test_s05_whatever_the_other_sides_cseq(cseq: int) -> None:
    wire = Wire()
    call = Call(wire).up(sdp(A, 2855, PATH_A, "active"), ANSWER)
    branch = "z9hG4bKother"
    call.message(
        "INVITE sip:a@x SIP/2.0", cseq, "INVITE", back=True, body=ANSWER, at=5.0, branch=branch
    )
    moved = sdp(A, 2999, PATH_A.replace("2855", "2999"), "active", version=2)
    call.message("SIP/2.0 200 OK", cseq, "INVITE", body=moved, branch=branch)
    assert "moved from 192.0.2.10:2855" in only(wire, "S05").verdict
    assert PATH_B in ANSWER.decode()
