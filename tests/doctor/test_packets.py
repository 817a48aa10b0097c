"""Frames of every link type, fragments, options and files."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msrprelay.doctor.capture import Capture, Frame
from msrprelay.doctor.errors import CaptureError
from msrprelay.doctor.packets import Datagram, Decoder, TcpPacket, TooBig, Unreachable, address
from msrprelay.doctor.streams import Reassembler
from msrprelay.doctor.tcp_options import parse_options

from .wire import (
    ETHERNET,
    Wire,
    ethernet,
    fragment,
    ip_packet,
    mss,
    pcap,
    sack,
    scale,
    stamps,
    tcp_segment,
    udp_datagram,
)

V4 = tcp_segment(("192.0.2.1", 1111), ("192.0.2.2", 2222), 24, 7, 9, b"hello")
V6 = tcp_segment(("2001:db8::1", 1111), ("2001:db8::2", 2222), 24, 7, 9, b"hello")
SLL = b"\0\0\0\1\0\6" + b"\0" * 8
SLL2 = b"\0\0" + b"\0" * 16


def frame(data: bytes, linktype: int = ETHERNET) -> Frame:
    return Frame(1, 0.0, linktype, data, len(data))


@pytest.mark.parametrize(
    ("linktype", "data"),
    [
        pytest.param(1, ethernet(V4), id="ethernet"),
        pytest.param(1, ethernet(V4, [7]), id="vlan"),
        pytest.param(1, ethernet(V4, [7, 8]), id="two-vlans"),
        pytest.param(1, ethernet(V6), id="ipv6"),
        pytest.param(1, ethernet(V6, [7]), id="ipv6-vlan"),
        pytest.param(113, SLL + b"\x08\0" + V4, id="sll"),
        pytest.param(113, SLL + b"\x86\xdd" + V6, id="sll-ipv6"),
        pytest.param(113, SLL + b"\x81\0\0\7\x08\0" + V4, id="sll-vlan"),
        pytest.param(276, b"\x08\0" + SLL2 + V4, id="sll2"),
        pytest.param(276, b"\x81\0" + SLL2 + b"\0\7\x08\0" + V4, id="sll2-vlan"),
        pytest.param(101, V4, id="raw"),
        pytest.param(12, V6, id="raw-bsd"),
        pytest.param(0, b"\2\0\0\0" + V4, id="null"),
        pytest.param(108, b"\0\0\0\2" + V4, id="loop"),
    ],
)
def test_reads_every_link_type(linktype: int, data: bytes) -> None:
    packet = Decoder().decode(frame(data, linktype))
    assert isinstance(packet, TcpPacket)
    assert (packet.sport, packet.dport, packet.seq, packet.ack) == (1111, 2222, 7, 9)
    assert packet.payload == b"hello"
    assert packet.length == 5
    assert packet.checksum == "ok"


def test_ethernet_padding_is_no_payload() -> None:
    packet = Decoder().decode(frame(ethernet(V4) + b"\0" * 20))
    assert isinstance(packet, TcpPacket)
    assert packet.payload == b"hello"


def test_a_short_capture_keeps_the_true_length() -> None:
    packet = Decoder().decode(frame(ethernet(V4)[:-3]))
    assert isinstance(packet, TcpPacket)
    assert (packet.payload, packet.length, packet.checksum) == (b"he", 5, "unknown")


def test_a_checksum_left_to_the_card_is_unknown() -> None:
    partial = bytearray(V4)
    pseudo = V4[12:20] + struct.pack("!II", len(V4) - 20, 6)
    total = sum(struct.unpack("!8H", pseudo))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    partial[36:38] = struct.pack("!H", total)
    packet = Decoder().decode(frame(ethernet(bytes(partial))))
    assert isinstance(packet, TcpPacket)
    assert packet.checksum == "unknown"


def fragments(size: int) -> list[bytes]:
    whole = udp_datagram(("192.0.2.1", 5060), ("192.0.2.2", 5060), bytes(range(256)) * 12)
    payload = whole[20:]
    return [
        fragment(
            "192.0.2.1", "192.0.2.2", 17, 77, at, payload[at : at + size],
            more=at + size < len(payload),
        )
        for at in range(0, len(payload), size)
    ]  # fmt: skip


@pytest.mark.parametrize("order", ["forward", "backward"])
def test_fragments_are_put_together(order: str) -> None:
    pieces = fragments(1480)
    assert len(pieces) > 2
    decoder = Decoder()
    found = [
        packet
        for piece in (pieces if order == "forward" else pieces[::-1])
        if (packet := decoder.decode(frame(ethernet(piece)))) is not None
    ]
    assert len(found) == 1
    assert isinstance(found[0], Datagram)
    assert found[0].payload == bytes(range(256)) * 12


def test_fragments_that_never_end_take_bounded_memory() -> None:
    decoder = Decoder()
    head = bytearray(fragments(1480)[0])
    for identity in range(5000):
        head[4:6] = struct.pack("!H", identity)
        assert decoder.decode(frame(ethernet(bytes(head)))) is None
    assert len(decoder._waiting) <= 64


@pytest.mark.parametrize(
    ("src", "dst", "protocol", "head"),
    [
        pytest.param("192.0.2.1", "192.0.2.2", 1, b"\x03\x03", id="ipv4-port"),
        pytest.param("192.0.2.1", "192.0.2.2", 1, b"\x03\x01", id="ipv4-host"),
        pytest.param("2001:db8::1", "2001:db8::2", 58, b"\x01\x04", id="ipv6-port"),
    ],
)
def test_icmp_unreachable_names_both_ends(src: str, dst: str, protocol: int, head: bytes) -> None:
    about = udp_datagram((src, 5060), (dst, 5062), b"INVITE")
    packet = Decoder().decode(
        frame(ethernet(ip_packet(dst, src, protocol, head + b"\0" * 6 + about)))
    )
    assert isinstance(packet, Unreachable)
    assert (address(packet.src), packet.sport) == (src, 5060)
    assert (address(packet.dst), packet.dport) == (dst, 5062)


def test_icmp_too_big_names_the_destination() -> None:
    icmp = b"\3\4\0\0\0\0\5\0" + V4[:28]
    packet = Decoder().decode(frame(ethernet(ip_packet("192.0.2.9", "192.0.2.1", 1, icmp))))
    assert isinstance(packet, TooBig)
    assert address(packet.to) == "192.0.2.2"


@pytest.mark.parametrize("data", [ethernet(V4), ethernet(V6), ethernet(fragments(1480)[0])])
def test_a_frame_cut_anywhere_is_survived(data: bytes) -> None:
    for cut in range(len(data)):
        Decoder().decode(frame(data[:cut]))


@given(st.binary(max_size=200), st.sampled_from([0, 1, 12, 101, 108, 113, 276, 999]))
def test_any_bytes_are_survived(data: bytes, linktype: int) -> None:
    Decoder().decode(frame(data, linktype))


@given(st.binary(max_size=40))
def test_any_options_are_survived(data: bytes) -> None:
    parse_options(data)


def test_options_are_read() -> None:
    options = parse_options(mss(1460) + scale(7) + stamps(5, 6) + sack((1, 2), (3, 4)))
    assert (options.mss, options.scale, options.tsval, options.tsecr) == (1460, 7, 5, 6)
    assert options.sack == ((1, 2), (3, 4))


@given(st.binary(min_size=1, max_size=300), st.data())
def test_any_order_of_segments_gives_the_same_stream(body: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, len(body)), max_size=10)) | {len(body)})
    pieces = [(a, body[a:b]) for a, b in zip([0, *cuts], cuts, strict=False)]
    extra = data.draw(st.lists(st.sampled_from(pieces), max_size=5))
    order = data.draw(st.permutations(pieces + extra))
    stream = Reassembler()
    out = [p for offset, part in order for p in stream.add(offset, part, 1, 0.0)]
    assert b"".join(piece.data for piece in out) == body
    assert not any(piece.hole for piece in out)


def test_pending_bytes_are_bounded() -> None:
    stream = Reassembler()
    out = []
    for at in range(1000):
        out += stream.add(1 + at * 2000, b"x" * 1000, at, 0.0)
    assert any(piece.hole for piece in out)
    assert stream._pending_bytes <= 1 << 18


class TestFiles:
    def wire(self) -> Wire:
        wire = Wire()
        for _ in range(3):
            wire.put(V4)
        return wire

    def test_pcap_and_gzip_hold_the_same_frames(self, tmp_path: Path) -> None:
        plain = self.wire().save(tmp_path / "a.pcap")
        packed = tmp_path / "a.pcap.gz"
        packed.write_bytes(gzip.compress(plain.read_bytes()))
        assert list(Capture(plain)) == list(Capture(packed))
        assert [f.number for f in Capture(plain)] == [1, 2, 3]

    def test_a_gzip_of_two_members_is_read_to_its_end(self, tmp_path: Path) -> None:
        data = pcap(self.wire().frames)
        packed = tmp_path / "a.gz"
        packed.write_bytes(gzip.compress(data[:100]) + gzip.compress(data[100:]))
        capture = Capture(packed)
        assert len(list(capture)) == 3
        assert capture.damage is None

    def test_a_cut_gzip_gives_what_was_before_the_cut(self, tmp_path: Path) -> None:
        packed = tmp_path / "a.gz"
        packed.write_bytes(gzip.compress(pcap(self.wire().frames) + b"")[:-9])
        capture = Capture(packed)
        assert len(list(capture)) <= 3
        assert capture.damage is not None
        assert "compressed data is damaged" in capture.damage

    def test_a_cut_file_names_the_packet(self, tmp_path: Path) -> None:
        path = tmp_path / "a.pcap"
        path.write_bytes(pcap(self.wire().frames)[:-1])
        capture = Capture(path)
        assert len(list(capture)) == 2
        assert capture.damage is not None
        assert capture.damage.startswith("packet 3 cannot be read")

    @pytest.mark.parametrize("data", [b"", b"hello", b"\x1f\x8b", b"\x1f\x8bnonsense" * 9])
    def test_no_capture_is_refused(self, tmp_path: Path, data: bytes) -> None:
        path = tmp_path / "a.pcap"
        path.write_bytes(data)
        with pytest.raises(CaptureError, match=r"a\.pcap"):
            Capture(path)

    @pytest.mark.parametrize(
        ("linktype", "name"),
        [
            pytest.param(9, r"9 \(PPP\)", id="named"),
            pytest.param(105, "105", id="bare-number"),
        ],
    )
    def test_a_link_type_that_is_not_read_is_named(
        self, tmp_path: Path, linktype: int, name: str
    ) -> None:
        path = tmp_path / "a.pcap"
        path.write_bytes(pcap(self.wire().frames, linktype))
        with pytest.raises(CaptureError, match=rf"a\.pcap: link type {name} cannot"):
            Capture(path)

    def test_a_missing_file_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(CaptureError, match="No such file"):
            Capture(tmp_path / "none.pcap")

    def test_progress_is_told(self, tmp_path: Path) -> None:
        wire = Wire()
        for _ in range(5000):
            wire.put(V4)
        seen: list[tuple[int, int]] = []
        path = wire.save(tmp_path / "a.pcap")
        assert sum(1 for _ in Capture(path, lambda read, size: seen.append((read, size)))) == 5000
        assert seen
        assert all(0 < read <= size == path.stat().st_size for read, size in seen)
