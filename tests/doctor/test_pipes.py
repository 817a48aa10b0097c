"""Captures that come through pipes, each of which can be read only once."""

from __future__ import annotations

import gzip
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from msrprelay.doctor import capture as capture_module
from msrprelay.doctor import unpack
from msrprelay.doctor.capture import Capture
from msrprelay.doctor.errors import CaptureError

from .test_unpack import PACKET, pcapng
from .wire import pcap

Source = Callable[[Path, pytest.MonkeyPatch], Iterator[str]]


def named(path: Path, _: pytest.MonkeyPatch) -> Iterator[str]:
    """A FIFO: a reader that opened it twice would wait for ever."""
    fifo = path.with_name("fifo")
    os.mkfifo(fifo)
    with subprocess.Popen(["sh", "-c", 'exec cat "$0" > "$1"', path, fifo]):
        yield str(fifo)


def substituted(path: Path, _: pytest.MonkeyPatch) -> Iterator[str]:
    """What a shell makes of ``<(cat FILE)``."""
    with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as cat:
        assert cat.stdout is not None
        yield f"/dev/fd/{cat.stdout.fileno()}"


def piped(path: Path, patch: pytest.MonkeyPatch) -> Iterator[str]:
    with subprocess.Popen(["cat", path], stdout=subprocess.PIPE) as cat:
        assert cat.stdout is not None
        patch.setattr(capture_module, "STANDARD_INPUT", cat.stdout.fileno())
        yield "-"


def redirected(path: Path, patch: pytest.MonkeyPatch) -> Iterator[str]:
    with path.open("rb") as file:
        patch.setattr(capture_module, "STANDARD_INPUT", file.fileno())
        yield "-"


SOURCES: tuple[Source, ...] = (named, substituted, piped, redirected)
PLAIN = pcap([(float(number), PACKET) for number in range(3)])
CONTENTS = {
    "pcap": PLAIN,
    "gzip": gzip.compress(PLAIN),
    "differing-snap-lengths": pcapng([96]) + pcapng([97]) + pcapng([98]),
}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("content", CONTENTS)
def test_a_pipe_is_read_like_a_file(
    source: Source, content: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(CONTENTS[content])
    told: list[tuple[int, int]] = []
    with contextmanager(source)(path, monkeypatch) as name:
        capture = Capture(name, lambda read, size: told.append((read, size)))
        assert [(frame.number, frame.data) for frame in capture] == [(n, PACKET) for n in (1, 2, 3)]
    assert capture.damage is None


def test_progress_of_a_pipe_is_told_without_a_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(pcap([(0.0, PACKET)] * 5_000))
    told: list[tuple[int, int]] = []
    with contextmanager(piped)(tmp_path / "a", monkeypatch) as name:
        assert sum(1 for _ in Capture(name, lambda read, size: told.append((read, size)))) == 5_000
    assert told
    assert all(read > 0 and size == 0 for read, size in told)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"hello" * 9, id="text"),
        pytest.param(b"\x1f\x8b", id="a-gzip-that-ends-at-once"),
        pytest.param(b"\x1f\x8bnonsense" * 9, id="no-gzip-after-all"),
    ],
)
def test_a_pipe_without_a_capture_is_refused(
    source: Source, data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(data)
    with contextmanager(source)(path, monkeypatch) as name, pytest.raises(CaptureError):
        Capture(name)


def test_a_bomb_in_a_pipe_is_told_by_what_was_read_of_it() -> None:
    packed = gzip.compress(bytes(unpack.FREE + 1))
    sizes: list[int] = []
    with pytest.raises(ValueError, match="expands to more than 50 times its size"):
        sizes.extend(map(len, unpack.gunzipped([packed], 0)))
    assert sum(sizes) <= unpack.FREE


def test_a_directory_is_refused_as_one(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match="Is a directory"):
        Capture(tmp_path)
