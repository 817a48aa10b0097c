"""How fast ``msrprelay-ctl doctor`` reads, and in how much memory.

``python bench/doctor.py [MEGABYTES]`` writes captures of that size (default 1000) under a
temporary directory, judges each in a process of its own and writes ``bench/doctor.json``.
CPU seconds, not seconds: the figures are of use on a machine that is busy with other things.
"""

from __future__ import annotations

import json
import platform
import resource
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.doctor.wire import SYN, ACK, FIN, PSH, START, Call, Talk, Wire, ok, pcap, send  # noqa: E402, I001

RESULTS = ROOT / "bench" / "doctor.json"
MEGABYTE = 1_000_000
SEGMENT = 1400
CHUNK_SEGMENTS = 200
MESSAGES = 40
ABOUT_A_CALL = "chat-000000"
CLIENT, SERVER = b"\xc0\x00\x02\x0a", b"\xc0\x00\x02\x14"

Frame = tuple[float, bytes]


def without_checksum(frame: bytes) -> bytes:
    """Packets whose checksum is left to the card cost the same and can be copied."""
    return frame[:50] + b"\0\0" + frame[52:] if frame[23] == 6 else frame


def bulk() -> Iterator[Frame]:
    """One connection that carries one endless transfer in chunks of 280 kB."""
    wire = Wire()
    Call(wire).up()
    talk = Talk(wire).open(at=0.5)
    talk.send(0, send("bind"))
    talk.send(1, ok("bind"))
    yield from wire.frames
    now, count = 1.0, 0
    body = b"x" * (SEGMENT * CHUNK_SEGMENTS)
    while True:
        tid = f"tid{count:09}"
        first = count * len(body) + 1
        span = f"{first}-{first + len(body) - 1}/*"
        data = send(tid, body, span=span, flag="+")
        wire = Wire()
        wire.now, talk.wire = now, wire
        for at in range(0, len(data), SEGMENT):
            talk.raw(0, ACK, data[at : at + SEGMENT])
            if at // SEGMENT % 2:
                talk.raw(1)
        talk.send(1, ok(tid))
        now, count = wire.now, count + 1
        yield from wire.frames


def template() -> list[Frame]:
    """A call with a chat of MESSAGES messages each way."""
    wire = Wire()
    call = Call(wire, call_id=ABOUT_A_CALL).up()
    talk = Talk(wire).open()
    talk.send(0, send("bind"))
    talk.send(1, ok("bind"))
    for number in range(MESSAGES):
        talk.send(0, send(f"tid-{number}", b"hello, how are you today?" * 8))
        talk.send(1, ok(f"tid-{number}"))
    talk.close()
    call.bye()
    return [(at, without_checksum(frame)) for at, frame in wire.frames]


def chats() -> Iterator[Frame]:
    """Thousands of calls, each with hosts of its own."""
    frames, count = template(), 0
    while True:
        client = b"\x0a" + struct.pack("!I", count)[1:]
        server = b"\x0b" + struct.pack("!I", count)[1:]
        name = b"chat-%06d" % count
        session = b"bbbb%04x" % (count & 0xFFFF), b"aaaa%04x" % (count & 0xFFFF)
        for at, frame in frames:
            made = frame.replace(CLIENT, client).replace(SERVER, server)
            made = made.replace(ABOUT_A_CALL.encode(), name)
            made = made.replace(b"bbbb2222", session[0]).replace(b"aaaa1111", session[1])
            yield count * 0.5 + at, made
        count += 1


def strangers() -> Iterator[Frame]:
    """Web traffic that the doctor must step over."""
    count, body = 0, b"HTTP/1.1 200 OK\r\n\r\n" + b"y" * (SEGMENT - 19)
    while True:
        wire = Wire()
        wire.now = count * 0.1
        talk = Talk(wire, client=(f"10.1.{count >> 8 & 255}.{count & 255}", 30000 + count % 20000))
        talk.raw(0, SYN)
        talk.raw(1, SYN | ACK)
        talk.send(0, b"GET / HTTP/1.1\r\n\r\n")
        for _ in range(40):
            talk.raw(1, ACK | PSH, body)
        talk.raw(0, FIN | ACK)
        yield from wire.frames
        count += 1


WORKS = {"one bulk transfer": bulk, "chats": chats, "web traffic": strangers}


def write(path: Path, frames: Iterator[Frame], size: int) -> int:
    """Fill ``path`` to ``size`` bytes; give the number of packets."""
    count = written = 0
    with path.open("wb") as file:
        written += file.write(pcap([]))
        for at, frame in frames:
            whole = round((START + at) * 1_000_000)
            row = struct.pack("<IIII", whole // 10**6, whole % 10**6, len(frame), len(frame))
            written += file.write(row + frame)
            count += 1
            if written >= size:
                break
    return count


JUDGE = """
import json, re, sys, time
from msrprelay.doctor.analysis import analyse
began = time.process_time()
analysis = analyse(sys.argv[1])
seconds = time.process_time() - began
rules = sorted({f.rule for f in analysis.findings if f.severity == "error"})
peak = int(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1]) * 1024
print(json.dumps([seconds, peak, analysis.packets, len(analysis.outcomes), rules]))
"""


def judge(path: Path) -> list[object]:
    """Analyse ``path`` in a process of its own."""
    made = subprocess.run(
        [sys.executable, "-c", JUDGE, str(path)], cwd=ROOT, stdout=subprocess.PIPE, check=True
    )
    found: list[object] = json.loads(made.stdout)
    return found


def main() -> None:
    """Measure and write the results."""
    megabytes = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    rows = []
    for name, work in WORKS.items():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "big.pcap"
            write(path, work(), megabytes * MEGABYTE)
            seconds, peak, packets, calls, rules = judge(path)
        assert isinstance(seconds, float)
        assert isinstance(peak, int)
        assert isinstance(packets, int)
        row = {
            "work": name,
            "megabytes": megabytes,
            "packets": packets,
            "calls": calls,
            "cpu_seconds": round(seconds, 2),
            "megabytes_per_cpu_second": round(megabytes / seconds, 1),
            "packets_per_cpu_second": round(packets / seconds),
            "peak_memory_megabytes": round(peak / MEGABYTE),
            "errors": rules,
        }
        print(json.dumps(row), flush=True)
        rows.append(row)
    where = {"python": platform.python_version(), "machine": platform.machine()}
    RESULTS.write_text(
        json.dumps({"date": time.strftime("%Y-%m-%d"), **where, "rows": rows}, indent=1) + "\n",
        "utf-8",
    )


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
