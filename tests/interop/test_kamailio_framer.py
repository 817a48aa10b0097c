"""The framer against a foreign one that runs: Kamailio's msrp module, on valid streams.

A stream is sent at once: it is then for the foreign reader, too, to find where a chunk ends and
the next one starts. (That our own finds the same however it is cut is a property of its tests.)
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest

from msrprelay.framing import Chunk, ChunkReader

from .sip import programs
from .test_foreign_framers import DATA, generated

SCRIPT = Path(__file__).with_name("framing.cfg")
# Its MSRP_MAX_BODY_SIZE. A somewhat longer chunk vanishes without a word; at one longer than the
# read buffer the connection does.
LONGEST_BODY = 10_240
TOO_LONG = f"bodies of more than {LONGEST_BODY} bytes"
EXCLUDED = {
    "v26_header_case": "it knows To-Path and From-Path only as the RFC spells them",
    "l03_1MiB_interrupted": TOO_LONG,
    "l04_1MiB_hyphens": TOO_LONG,
    "l05_1MiB_near_endlines": TOO_LONG,
    "l07_1MiB_3byte_chunks_head": TOO_LONG,
}
LAST = (
    b"MSRP last SEND\r\nTo-Path: msrp://192.0.2.1:7654/s1;tcp\r\n"
    b"From-Path: msrp://192.0.2.2:7655/s2;tcp\r\nMessage-ID: last\r\n-------last$\r\n"
)
FRAMED = re.compile(rb"framed (\S+) (?:<null>/)?(\w+)(?:/<null>)? (.) (\d+) (\w*)$", re.MULTILINE)
ANSWER_SECONDS = 10.0


class Frame(NamedTuple):
    """A chunk; its body with the CRLF before the end-line, which Kamailio counts as body."""

    tid: str
    what: str
    flag: str
    size: int
    """0 for a bodiless chunk, 2 for an empty body."""
    digest: str


def frame(chunk: Chunk) -> Frame:
    body = b"" if chunk.body is None else chunk.body + b"\r\n"
    digest = hashlib.md5(body).hexdigest() if body else ""
    return Frame(chunk.tid, chunk.method or str(chunk.status), chunk.flag, len(body), digest)


def chunks(stream: bytes) -> list[Chunk]:
    found = ChunkReader().feed(stream)
    sound = [chunk for chunk in found if isinstance(chunk, Chunk)]
    assert len(sound) == len(found), "the stream is sound"
    return sound


def ours(stream: bytes) -> list[Frame]:
    return [frame(chunk) for chunk in chunks(stream + LAST)]


@dataclass
class Kamailio:
    """The foreign framer: where it listens, and its log."""

    port: int
    log: Path

    async def framed(self, stream: bytes) -> list[Frame]:
        """What it finds in a stream, on a connection of its own, until it answers or hangs up.

        Of a stream that leaves it waiting: what it found before.
        """
        before = self.log.stat().st_size
        reader, writer = await asyncio.open_connection(programs.HOST, self.port)
        writer.write(stream + LAST)
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(ANSWER_SECONDS):
                await reader.read(1)
        writer.close()
        found = FRAMED.findall(self.log.read_bytes()[before:])
        return [
            Frame(tid.decode(), what.decode(), flag.decode(), int(size), digest.decode())
            for tid, what, flag, size, digest in found
        ]


@pytest.fixture
async def kamailio(tmp_path: Path) -> AsyncIterator[Kamailio]:
    programs.require([("kamailio", shutil.which("kamailio"))])
    port = programs.free_range(programs.TCP_RANGE, 1)
    listen = f"MSRP_ADDRESS={programs.HOST}:{port}"
    async with programs.kamailio(tmp_path, SCRIPT, [listen]):
        yield Kamailio(port, tmp_path / "kamailio.log")


def valid() -> dict[str, bytes]:
    files = json.loads((DATA / "msrp/index.json").read_bytes())["files"]
    paths = [DATA / entry["file"] for entry in files if entry["class"] == "valid"]
    return {path.stem: path.read_bytes() for path in paths}


async def test_kamailio_finds_the_same_chunks_in_the_corpus(kamailio: Kamailio) -> None:
    streams = {name: stream for name, stream in valid().items() if name not in EXCLUDED}
    assert len(streams) == len(valid()) - len(EXCLUDED)
    for name, stream in streams.items():
        assert await kamailio.framed(stream) == ours(stream), name


@pytest.mark.parametrize("name", EXCLUDED)
async def test_what_is_excluded_differs(kamailio: Kamailio, name: str) -> None:
    """An exclusion that is needed no more would hide a difference that matters."""
    stream = valid()[name]
    assert await kamailio.framed(stream) != ours(stream), EXCLUDED[name]


@pytest.mark.parametrize(
    ("name", "count"), [("l03_1MiB_interrupted", 37), ("l07_1MiB_3byte_chunks_head", 1024)]
)
async def test_kamailio_finds_the_same_without_long_bodies(
    kamailio: Kamailio, name: str, count: int
) -> None:
    stream = valid()[name]
    short = [chunk for chunk in chunks(stream) if chunk.body_length <= LONGEST_BODY]
    assert len(short) == count
    rest = b"".join(stream[chunk.offset : chunk.offset + chunk.length] for chunk in short)
    assert await kamailio.framed(rest) == ours(rest)


async def test_kamailio_finds_the_same_chunks_in_generated_streams(kamailio: Kamailio) -> None:
    for number in range(1000):
        stream = generated(number)
        assert await kamailio.framed(stream) == ours(stream), number
