"""Descriptions with several MSRP sections, and descriptions that are one part of a body."""

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
    diagnoses,
    errors,
    ok,
    only,
    sdp,
    send,
    udp_datagram,
)

PATH_A2 = PATH_A.replace("aaaa1111", "aaaa3333")


def second(port: int, path: str, setup: str, proto: str = "TCP/MSRP") -> bytes:
    lines = [
        f"m=message {port} {proto} *",
        "a=accept-types:*",
        f"a=path:{path}",
        f"a=setup:{setup}",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode()


def path_b2(port: int) -> str:
    return PATH_B.replace("7654/bbbb2222", f"{port}/bbbb4444")


def call(port: int, roles: tuple[str, str] = ("active", "passive")) -> tuple[Wire, Call]:
    """A call with two sections; on the first one a chat is up."""
    wire = Wire()
    offer = OFFER + second(9, PATH_A2.replace(":2855", ":9"), roles[0])
    dialog = Call(wire).up(offer, ANSWER + second(port, path_b2(port), roles[1]))
    talk = Talk(wire).open()
    talk.send(0, send("t-1"))
    talk.send(1, ok("t-1"))
    return wire, dialog


def other_chat(wire: Wire, port: int) -> None:
    talk = Talk(wire, client=(A, 40002), server=(B, port)).open()
    talk.send(0, send("u-1", to=path_b2(port), of=PATH_A2))
    talk.send(1, ok("u-1", to=PATH_A2, of=path_b2(port)))


class TestTwoSections:
    @pytest.mark.parametrize("port", [7654, 7655], ids=["same-port", "own-port"])
    def test_both_chats_belong_to_the_call(self, port: int) -> None:
        wire, _ = call(port)
        other_chat(wire, port)
        (diagnosis,) = diagnoses(wire)
        assert diagnosis.findings == []
        assert len(diagnosis.case.links) == 2

    def test_s06b_in_the_second_one(self) -> None:
        wire, _ = call(7655, ("passive", "passive"))
        assert errors(wire) == {"S06b"}

    def test_m04_for_the_second_one(self) -> None:
        wire, dialog = call(7655)
        dialog.bye(at=20.0)
        assert f"nobody dialled {B}:7655" in only(wire, "M04").verdict

    def test_s05_in_the_second_one(self) -> None:
        wire, dialog = call(7655)
        other_chat(wire, 7655)
        offer = OFFER.replace(b"77 1", b"77 2")
        moved = second(2999, PATH_A2.replace("2855", "2999"), "active")
        dialog.invite(offer + moved, 2, at=5.0, again=True)
        dialog.reply("488 Not Acceptable Here", 2)
        dialog.ack(2)
        assert "to 192.0.2.10:2999" in only(wire, "S05").verdict

    def test_m14_by_the_section_that_was_dialled(self) -> None:
        wire = Wire()
        tls = "TCP/TLS/MSRP"
        offer = OFFER + second(9, PATH_A2.replace("msrp:", "msrps:"), "active", tls)
        secure = second(7655, path_b2(7655).replace("msrp:", "msrps:"), "passive", tls)
        Call(wire).up(offer, ANSWER + secure)
        talk = Talk(wire).open()
        talk.send(0, send("t-1"))
        talk.send(1, ok("t-1"))
        Talk(wire, client=(A, 40002), server=(B, 7655)).open().send(0, b"\x16\x03\x01" + b"\1" * 60)
        assert errors(wire) == set()


@pytest.mark.parametrize("quote", ["", '"'], ids=["token", "quoted"])
def test_a_description_among_other_parts_is_read(quote: str) -> None:
    wire = Wire()
    call = Call(wire)
    parts = [
        b"Content-Type: message/cpim\r\n\r\nhello",
        b"Content-Type: application/sdp\r\n\r\n" + sdp(A, 2855, PATH_A, "passive"),
    ]
    body = b"".join(b"--b=1\r\n" + part + b"\r\n" for part in parts) + b"--b=1--\r\n"
    head = (
        f"INVITE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP {A};branch=z9hG4bK1INVITE\r\n"
        "From: <sip:a@x>;tag=a\r\nTo: <sip:b@x>\r\nCall-ID: call-1\r\nCSeq: 1 INVITE\r\n"
        f"Content-Type: multipart/mixed;boundary={quote}b=1{quote}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    wire.put(udp_datagram((A, 5060), (B, 5060), head.encode() + body))
    call.reply("200 OK", body=sdp(B, 7654, PATH_B, "passive"))
    call.ack()
    assert errors(wire) == {"S06b"}
