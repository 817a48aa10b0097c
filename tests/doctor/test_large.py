"""Large captures: bounded memory, and the same findings as in small ones."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from msrprelay.doctor import analysis as module
from msrprelay.doctor import tracker
from msrprelay.doctor.analysis import analyse
from msrprelay.doctor.packets import Packet

from .population import population
from .wire import ACK, OFFER, RST, SBC, SYN, A, B, Call, Talk, Wire, ok, sdp, send

PEAK = """
import re, sys
from msrprelay.doctor.analysis import analyse
analyse(sys.argv[1])
print(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1])
"""
"""getrusage would tell the parent's peak where that is higher."""


def many_calls(path: Path, calls: int, faulty: int) -> Path:
    """Calls one after the other, with ids used again; the last ``faulty`` ones are refused."""
    wire = Wire()
    for number in range(calls):
        caller, callee = f"10.1.{number >> 8}.{number & 255}", f"10.2.{number >> 8}.{number & 255}"
        wire.now = number * 2.0
        uri = f"msrp://{callee}:7654/bbbb2222;tcp"
        call = Call(wire, caller, callee, f"call-{number}")
        call.up(OFFER, sdp(callee, 7654, uri, "passive"))
        talk = Talk(wire, (caller, 4000), (callee, 7654)).open()
        talk.send(0, send("bind", to=uri))
        talk.send(1, ok("bind", "481 no" if number >= calls - faulty else "200 OK"))
        talk.close()
        call.bye()
    return wire.save(path)


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "MAX_LINKS", 20)
    monkeypatch.setattr(tracker, "MAX_DIALOGS", 20)
    monkeypatch.setattr(tracker, "MAX_SEGMENTS", 300)
    monkeypatch.setattr(module, "SWEEP_EVERY", 10)


@pytest.mark.usefixtures("small_limits")
def test_calls_that_are_over_are_judged_and_dropped(tmp_path: Path) -> None:
    analysis = analyse(many_calls(tmp_path / "a.pcap", calls=300, faulty=7))
    assert analysis.calls == 300
    assert analysis.faulty_calls == 7
    assert analysis.rushed == 0
    assert len(analysis.outcomes) == 300
    errors = [f.rule for f in analysis.findings if f.severity == "error"]
    assert errors.count("M02") == 7


def test_the_same_without_sweeping(tmp_path: Path) -> None:
    analysis = analyse(many_calls(tmp_path / "a.pcap", calls=60, faulty=7))
    assert (analysis.calls, analysis.faulty_calls) == (60, 7)


@pytest.mark.usefixtures("small_limits")
def test_calls_that_never_end_are_judged_before_their_end(tmp_path: Path) -> None:
    wire = Wire()
    for number in range(400):
        Call(wire, call_id=f"call-{number}").invite(b"")
    analysis = analyse(wire.save(tmp_path / "a.pcap"))
    assert analysis.rushed > 0
    assert analysis.calls == 400


@pytest.mark.usefixtures("small_limits")
def test_outcomes_survive_sweeping(tmp_path: Path) -> None:
    made = population(tmp_path, calls=300, files=1, loss=0.02)
    (path,) = tmp_path.iterdir()
    outcomes = analyse(path).outcomes
    assert len(outcomes) == 300
    cut = [o for o in outcomes if o.ended.startswith("cut by")]
    assert len(cut) == sum(call.cut for call in made)


def test_strangers_take_no_room(tmp_path: Path) -> None:
    wire = Wire()
    for number in range(3000):
        talk = Talk(wire, client=(f"10.3.{number >> 8}.{number & 255}", 5000)).open()
        talk.send(0, b"GET / HTTP/1.1\r\n\r\n")
    analysis = analyse(wire.save(tmp_path / "a.pcap"))
    assert analysis.calls == 0
    assert analysis.findings == []
    assert analysis.doubt == "no SIP or MSRP found"


def probes(wire: Wire, count: int) -> None:
    """A scan: SYNs that are answered by RST."""
    for number in range(count):
        talk = Talk(wire, (f"10.3.{number >> 8}.{number & 255}", 5000), (SBC, 443))
        talk.raw(0, SYN)
        talk.raw(1, RST | ACK, ack=0)


def unanswered(wire: Wire, count: int) -> None:
    """The same, where a firewall is silent."""
    for number in range(count):
        Talk(wire, (f"10.3.{number >> 8}.{number & 255}", 5000), (SBC, 443)).raw(0, SYN)


def web(wire: Wire, count: int) -> None:
    """TLS connections, half of them never closed."""
    for number in range(count):
        talk = Talk(wire, (f"10.3.{number >> 8}.{number & 255}", 5000), (SBC, 443)).open()
        talk.send(0, b"\x16\x03\x01" + b"t" * 200)
        if number % 2:
            talk.close()


def registrations(wire: Wire, count: int) -> None:
    """SIP over TCP, a connection each."""
    for number in range(count):
        talk = Talk(wire, (f"10.3.{number >> 8}.{number & 255}", 5000), (SBC, 5060)).open()
        talk.send(0, b"REGISTER sip:x SIP/2.0\r\nContent-Length: 0\r\n\r\n")


def pings(wire: Wire, count: int) -> None:
    """SIP over UDP, each with a Call-ID of its own."""
    for number in range(count):
        ping = Call(wire, call_id=f"ping-{number}")
        ping.message("OPTIONS sip:b@x SIP/2.0", 1, "OPTIONS", to_tag="")
        ping.reply("200 OK", method="OPTIONS")


Crowd = Callable[[Wire, int], None]
CROWDS: tuple[Crowd, ...] = (probes, unanswered, web, registrations, pings)


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("crowd", CROWDS)
def test_connections_of_no_call_do_not_pile_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, crowd: Crowd
) -> None:
    most = 0
    take = tracker.Tracker.take

    def counted(self: tracker.Tracker, packet: Packet) -> None:
        nonlocal most
        take(self, packet)
        most = max(most, len(self.all_links), len(self.dialogs))

    monkeypatch.setattr(tracker.Tracker, "take", counted)
    wire = Wire()
    crowd(wire, 500)
    analyse(wire.save(tmp_path / "a.pcap"))
    assert most < (tracker.HARD + 1) * tracker.MAX_LINKS


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("crowd", CROWDS)
def test_calls_among_many_strangers_are_judged_at_their_end(tmp_path: Path, crowd: Crowd) -> None:
    wire = Wire()
    calls = []
    for number in range(4):
        callee = f"10.2.0.{number}"
        own, uri = f"msrp://{A}:9/aaaa{number};tcp", f"msrp://{callee}:7654/bbbb{number};tcp"
        call = Call(wire, callee=callee, call_id=f"call-{number}")
        call.up(sdp(A, 9, own), sdp(callee, 7654, uri, "passive"))
        talk = Talk(wire, server=(callee, 7654)).open()
        talk.send(0, send(f"tid{number}", to=uri, of=own))
        calls.append((call, talk, ok(f"tid{number}", to=own, of=uri)))
    crowd(wire, 500)
    for call, talk, answer in calls:
        talk.send(1, answer)
        talk.close()
        call.bye()
    analysis = analyse(wire.save(tmp_path / "a.pcap"))
    assert (analysis.calls, analysis.rushed) == (4, 0)
    assert analysis.healthy, analysis.findings


@pytest.mark.usefixtures("small_limits")
def test_a_busy_signalling_connection_outlives_many_strangers(tmp_path: Path) -> None:
    wire = Wire()
    trunk = Talk(wire, (A, 5060), (B, 5060)).open()
    first, rest = invite_text()[:200], invite_text()[200:]
    for _ in range(30):
        trunk.send(0, first)
        web(wire, 10)
        trunk.send(0, rest)
    analysis = analyse(wire.save(tmp_path / "a.pcap"))
    assert analysis.calls == 1
    (diagnosis,) = analysis.diagnoses
    assert len(diagnosis.case.dialogs[0].events) == 30


def invite_text() -> bytes:
    """An INVITE, as it stands on a TCP connection."""
    wire = Wire()
    Call(wire).invite()
    return wire.frames[0][1][14 + 20 + 8 :]


def test_a_long_transfer_fits_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "bulk.pcap"
    wire = Wire()
    talk = Talk(wire).open()
    body = b"x" * 1400
    talk.send(0, send("tid-1", b"", span="1-*/*")[:-17])
    for _ in range(30_000):
        talk.raw(0, ACK, body)
    for _ in range(2):
        talk.raw(1)
    wire.save(path)
    assert path.stat().st_size > 40_000_000
    made = subprocess.run(
        [sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True
    )
    assert int(made.stdout) < 80_000, "kilobytes: the file is read as a stream"
