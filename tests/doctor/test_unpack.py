"""Files that libpcap does not read by itself: gzip, and differing snap lengths."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msrprelay.doctor import capture as capture_module
from msrprelay.doctor import unpack
from msrprelay.doctor.capture import Capture

from .wire import ethernet, pcap, udp_datagram

PACKET = ethernet(udp_datagram(("192.0.2.1", 1), ("192.0.2.2", 2), b"hello"))


def block(order: str, kind: int, body: bytes) -> bytes:
    size = struct.pack(f"{order}I", 12 + len(body))
    return struct.pack(f"{order}I", kind) + size + body + size


def pcapng(snap_lengths: list[int], order: str = "<") -> bytes:
    """A section with an interface per snap length, and one packet of the last interface."""
    section = block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))
    interfaces = [block(order, 1, struct.pack(f"{order}HHI", 1, 0, size)) for size in snap_lengths]
    head = struct.pack(
        f"{order}IIIII", len(snap_lengths) - 1, 0, 1_000_000, len(PACKET), len(PACKET)
    )
    padded = PACKET + b"\0" * (-len(PACKET) % 4)
    return section + b"".join(interfaces) + block(order, 6, head + padded)


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("sizes", [[65535, 262144], [1500, 0, 96], [96, 96]], ids=str)
def test_interfaces_may_differ_in_their_snap_length(
    order: str, packed: bool, sizes: list[int], tmp_path: Path
) -> None:
    path = tmp_path / "merged.pcapng"
    data = pcapng(sizes, order)
    path.write_bytes(gzip.compress(data) if packed else data)
    capture = Capture(path)
    assert [frame.data for frame in capture] == [PACKET]
    assert capture.damage is None


@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_sections_may_differ_in_their_snap_length(order: str, packed: bool, tmp_path: Path) -> None:
    path = tmp_path / "appended.pcapng"
    data = pcapng([65535], order) + pcapng([262144, 96], order) + pcapng([96], order)
    path.write_bytes(gzip.compress(data) if packed else data)
    capture = Capture(path)
    assert [(frame.number, frame.data) for frame in capture] == [(n, PACKET) for n in (1, 2, 3)]
    assert capture.damage is None


def test_a_later_interface_may_differ_in_its_snap_length(tmp_path: Path) -> None:
    path = tmp_path / "grown.pcapng"
    section, interface = 28, 20
    begun, other = pcapng([65535]), pcapng([65535, 262144])
    path.write_bytes(begun + other[section + interface :])
    assert sum(1 for _ in Capture(path)) == 2


def test_a_file_that_libpcap_reads_by_itself_is_left_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_module, "_Feed", None)
    for data in (pcapng([96]), pcapng([96, 96]), pcap([(0.0, PACKET)])):
        (tmp_path / "a").write_bytes(data)
        assert len(list(Capture(tmp_path / "a"))) == 1


@given(st.integers(1, 200), st.sampled_from("<>"))
def test_snap_lengths_are_found_in_any_pieces(size: int, order: str) -> None:
    data = pcapng([96, 1500], order)
    alike = pcapng([unpack.ANY_SNAP] * 2, order)
    assert b"".join(unpack.with_one_snap_length(pieces(data, size))) == alike


@given(st.binary(max_size=200), st.integers(1, 50))
def test_other_bytes_pass_unchanged(data: bytes, size: int) -> None:
    assert b"".join(unpack.with_one_snap_length(pieces(data, size))) == data


def test_zeros_come_in_bounded_pieces_and_only_so_many() -> None:
    packed = gzip.compress(bytes(unpack.FREE + 1))
    tracemalloc.start()
    sizes: list[int] = []
    with pytest.raises(ValueError, match="expands to more than 50 times its size"):
        sizes.extend(map(len, unpack.gunzipped([packed], len(packed))))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert sum(sizes) <= unpack.FREE
    assert max(sizes) <= unpack.CHUNK
    assert peak < 8 << 20


def test_a_bomb_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / "bomb.pcap.gz"
    frames = [(float(number), bytes(60_000)) for number in range(1200)]
    path.write_bytes(gzip.compress(pcap(frames)))
    capture = Capture(path)
    assert sum(1 for _ in capture) < 1200
    assert capture.damage is not None
    assert "the compressed data expands to more than 50 times" in capture.damage


@pytest.mark.parametrize("size", [1, unpack.CHUNK - 1, unpack.CHUNK, 3 * unpack.CHUNK, 1_000_003])
def test_every_byte_of_every_member_comes_out(size: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    packed = gzip.compress(data) + gzip.compress(b"more")
    assert b"".join(unpack.gunzipped([packed], len(packed))) == data + b"more"


@given(st.data())
def test_a_gzip_cut_anywhere_is_damaged(data: st.DataObject) -> None:
    packed = gzip.compress(b"hello" * 20)
    cut = data.draw(st.integers(1, len(packed) - 1))
    with pytest.raises(ValueError, match="is damaged: the file ends in the middle"):
        list(unpack.gunzipped([packed[:cut]], cut))
