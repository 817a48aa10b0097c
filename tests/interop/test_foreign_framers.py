"""The framer against a foreign one: tshark's dissector.

Only chunks on which both should agree. tshark takes any body line of seven hyphens for an end-line,
reads no further than the first chunk of a segment, and gives up on bodies whose own dissector does.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

from msrprelay.framing import Chunk, ChunkReader

from ..doctor.wire import ethernet, pcap, tcp_segment

DATA = Path(__file__).resolve().parents[1] / "data"
PORT = 2855
# No dissector of another protocol claims these.
FIRST = 50_000
PSH_ACK = 0x18
ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


class Frame(NamedTuple):
    """What every framer says of a chunk."""

    tid: str
    what: str
    flag: str


def ours(stream: bytes) -> list[Frame]:
    found = ChunkReader().feed(stream)
    chunks = [chunk for chunk in found if isinstance(chunk, Chunk)]
    assert len(chunks) == len(found), "the stream is sound"
    return [Frame(c.tid, c.method or str(c.status), c.flag) for c in chunks]


def corpus() -> list[bytes]:
    """The valid streams whose bodies hold no line of hyphens."""
    files = json.loads((DATA / "msrp/index.json").read_bytes())["files"]
    streams = []
    for entry in files:
        body = (DATA / entry["file"]).read_bytes()
        if entry["class"] != "valid" or len(body) > 60_000 or b"pkcs7" in body:
            continue
        frames = entry["frames"]
        if body.count(b"\r\n-------") == body.count(b"-------") == len(frames):
            streams.append(body)
    return streams


def generated(number: int) -> bytes:
    """A few chunks with bodies of what end-lines are made of, but no line of seven hyphens."""
    chance = random.Random(number)
    paths = "To-Path: msrp://192.0.2.1:7654/s1;tcp\r\nFrom-Path: msrp://192.0.2.2:7655/s2;tcp\r\n"
    stream = b""
    for _ in range(chance.randint(1, 5)):
        tid = "".join(chance.choices(ALPHABET, k=chance.randint(4, 32)))
        if chance.random() < 0.2:
            stream += f"MSRP {tid} 200 OK\r\n{paths}-------{tid}$\r\n".encode()
            continue
        method = chance.choice(["SEND", "SEND", "SEND", "REPORT"])
        head = f"MSRP {tid} {method}\r\n{paths}Message-ID: m{tid[:20]}\r\n"
        if method == "REPORT":
            stream += f"{head}Byte-Range: 1-9/9\r\nStatus: 000 200 OK\r\n-------{tid}$\r\n".encode()
            continue
        pieces = [b"\r\n", b"------", b"-", b"\r", b"\n", b"$", tid.encode(), b"x y", b"MSRP "]
        body = b"".join(chance.choices(pieces, k=chance.randint(0, 30)))
        while b"-------" in body:
            body = body.replace(b"-------", b"------ ")
        size = len(body)
        head += f"Byte-Range: 1-{size}/{size}\r\nContent-Type: text/plain\r\n\r\n"
        stream += head.encode() + body + f"\r\n-------{tid}{chance.choice('$+#')}\r\n".encode()
    return stream


def segments(stream: bytes) -> list[bytes]:
    """Each chunk for itself: tshark looks no further than the first end-line of a segment."""
    chunks = [chunk for chunk in ChunkReader().feed(stream) if isinstance(chunk, Chunk)]
    ends = [chunk.offset + chunk.length for chunk in chunks]
    return [stream[start:end] for start, end in zip([0, *ends], ends, strict=False)]


def dissected(streams: list[bytes], folder: Path) -> list[list[Frame]]:
    """What tshark finds; each stream is a connection of its own."""
    packets: list[tuple[float, bytes]] = []
    for number, stream in enumerate(streams):
        source, seq = ("192.0.2.1", FIRST + number), 1
        for segment in segments(stream):
            packet = tcp_segment(source, ("192.0.2.2", PORT), PSH_ACK, seq, 1, segment)
            packets.append((len(packets) / 1000, ethernet(packet)))
            seq += len(segment)
    capture = folder / "streams.pcap"
    capture.write_bytes(pcap(packets))
    fields = ["tcp.srcport", "msrp.request.line", "msrp.response.line", "msrp.end.line"]
    command = ["tshark", "-n", "-r", str(capture), "-d", f"tcp.port=={PORT},msrp", "-T", "json"]
    said = subprocess.run(
        [*command, "-Y", "msrp", *(word for field in fields for word in ("-e", field))],
        capture_output=True,
        check=True,
        timeout=100,
    )
    found: list[list[Frame]] = [[] for _ in streams]
    for packet in json.loads(said.stdout or b"[]"):
        layers = packet["_source"]["layers"]
        number = int(layers["tcp.srcport"][0]) - FIRST
        found[number] += frames_of(layers)
    return found


def frames_of(layers: dict[str, list[str]]) -> list[Frame]:
    starts = layers.get("msrp.request.line", []) + layers.get("msrp.response.line", [])
    what = {tid: rest.split()[0] for _, tid, rest in (line.split(" ", 2) for line in starts)}
    frames = []
    for line in layers.get("msrp.end.line", []):
        end = line.replace("\\r\\n", "").strip()
        tid, flag = end[7:-1], end[-1]
        frames.append(Frame(tid, what[tid], flag))
    return frames


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is not installed")
def test_tshark_finds_the_same_chunks(tmp_path: Path) -> None:
    streams = [*corpus(), *map(generated, range(1000))]
    found = dissected(streams, tmp_path)
    differing = [
        (stream, said, ours(stream))
        for stream, said in zip(streams, found, strict=True)
        if said != ours(stream)
    ]
    assert not differing, differing[0]
