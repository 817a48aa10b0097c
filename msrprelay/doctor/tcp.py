"""TCP connections as the rules see them: facts per direction, no opinions.

Side 0 sent the first SYN. Offsets count data bytes from the first one after the SYN, so that 0
is ISN+1 on the wire; they never wrap.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from .hosts import Endpoint
from .packets import ACK, CHECKSUM_BAD, FIN, RST, SYN, TcpPacket, address
from .paws import Paws
from .sequence import distance, unwrap
from .streams import Piece, Reassembler
from .tcp_options import NONE, Options, parse_options

KEPT_NUMBERS = 40
"""Packet numbers kept per kind of event; more would not help a reader."""

STORM_ACKS, STORM_SECONDS = 200, 1.0
IDLE_SECONDS = 300.0
FULL_SIZE_SLACK = 40
"""Bytes of options by which a full segment's payload may fall short of the MSS."""

ECHO_SLACK = TICKS = 1_000
"""Ticks by which an echo may be newer than anything captured, and more per second of silence."""

SYN_SLACK = 63 * TICKS
"""Ticks by which a SYN-ACK may echo a SYN older than any captured: Linux gives up after 63 s."""

STUCK = 16
"""Full-size segments whose repeats are counted per direction."""

DIGEST_BYTES = 21
"""Enough of a payload to tell MSRP chunks apart: ``MSRP `` and the transaction id."""


class Segment(NamedTuple):
    """One segment, as kept for the ladder, the plots and the rules that compare legs."""

    number: int
    time: float
    side: int
    flags: int
    seq: int
    ack: int | None
    length: int
    window: int
    tsval: int | None
    tsecr: int | None
    repeat: bool
    rejected: bool
    digest: int


class Syn(NamedTuple):
    """A SYN or SYN-ACK and what it offers."""

    number: int
    time: float
    window: int
    options: Options


class ZeroWindow(NamedTuple):
    """A time in which a side's window was closed; ``end`` None if it never opened again."""

    number: int
    start: float
    end: float | None


class SackOutside(NamedTuple):
    """A SACK block that names bytes ``low`` to ``high`` when only ``sent`` had been sent."""

    number: int
    low: int
    high: int
    sent: int


class Idle(NamedTuple):
    """The last silence of at least IDLE_SECONDS, and the packets around it."""

    before: int
    after: int
    seconds: float


@dataclass(slots=True, eq=False)
class Direction:
    """What one side sent, and what came back; ``claimed`` is the highest ACK, seen bytes or not."""

    isn: int | None = None
    syns: list[Syn] = field(default_factory=list)
    next: int = 0
    acked: int = 0
    claimed: int = 0
    sent: int = 0
    data_segments: int = 0
    last: float = 0.0
    last_data: float = 0.0
    first: tuple[int, int] | None = None
    first_data: tuple[int, float] | None = None
    handshake_ack: int | None = None
    repeats: list[int] = field(default_factory=list)
    repeat_count: int = 0
    repeats_since_ack: int = 0
    dup_acks: list[int] = field(default_factory=list)
    dup_ack_count: int = 0
    stuck: dict[int, list[int]] = field(default_factory=dict)
    tsvals: tuple[int, int] | None = None
    strange_tsecr: list[tuple[int, int]] = field(default_factory=list)
    sack_outside: list[SackOutside] = field(default_factory=list)
    zero_windows: list[ZeroWindow] = field(default_factory=list)
    bad_checksums: list[int] = field(default_factory=list)
    fins: list[tuple[int, float]] = field(default_factory=list)
    rsts: list[tuple[int, float, int]] = field(default_factory=list)
    ttl: int | None = None
    scale: int = 0
    paws: Paws = field(default_factory=Paws)
    stream: Reassembler = field(default_factory=Reassembler)
    last_ack: tuple[int, int | None] | None = None

    @property
    def options(self) -> Options:
        """The options of its last SYN or SYN-ACK; empty if none was captured."""
        return self.syns[-1].options if self.syns else NONE

    @property
    def unacked(self) -> int:
        """Bytes sent and never acknowledged."""
        return max(self.next - self.acked, 0)

    @property
    def window_closed(self) -> bool:
        """Whether it closed its window and has not opened it again."""
        return bool(self.zero_windows) and self.zero_windows[-1].end is None

    def offset(self, seq: int) -> int:
        """The stream offset of a sequence number."""
        return 0 if self.isn is None else unwrap(seq, self.isn + 1, self.next)


class Connection:
    """One TCP connection: two directions, and what the packets of both say about it."""

    def __init__(self, packet: TcpPacket, client: Endpoint, server: Endpoint) -> None:
        self.ends = (client, server)
        self.directions = (Direction(), Direction())
        self.start = self.last = packet.time
        self.first_number = self.last_number = packet.number
        self.segments: list[Segment] = []
        self.segments_dropped = 0
        self.idle: Idle | None = None
        self.since_idle: list[Segment] = []
        self.storm: tuple[int, int] | None = None
        self._acks: deque[tuple[float, int, int]] = deque(maxlen=STORM_ACKS + 1)
        forward = Endpoint(address(packet.src), packet.sport) == client
        self._client_key = (packet.src, packet.sport) if forward else (packet.dst, packet.dport)

    def __str__(self) -> str:
        return f"{self.ends[0]} → {self.ends[1]}"

    @property
    def begun(self) -> bool:
        """Whether the capture has its beginning: a SYN of either side."""
        return any(direction.syns for direction in self.directions)

    @property
    def established(self) -> float | None:
        """When the server's SYN-ACK was seen; None without one."""
        syns = self.directions[1].syns
        return syns[0].time if syns and self.directions[0].syns else None

    @property
    def closed(self) -> bool:
        """Whether both sides sent FIN, or one RST."""
        one, two = self.directions
        return bool((one.fins and two.fins) or one.rsts or two.rsts)

    def side_of(self, packet: TcpPacket) -> int:
        """Which side sent ``packet``."""
        return 0 if (packet.src, packet.sport) == self._client_key else 1

    def observe(self, packet: TcpPacket, keep: bool) -> list[tuple[int, Piece]]:
        """Take a packet; give the stream bytes that are now in order, with their sender.

        ``keep`` says whether there is room to remember the segment itself.
        """
        side = self.side_of(packet)
        ours, theirs = self.directions[side], self.directions[1 - side]
        options = parse_options(packet.options)
        self._note_silence(packet)
        if packet.flags & SYN:
            _note_syn(ours, theirs, packet, options)
        segment = self._segment(side, ours, theirs, packet, options)
        if keep:
            self.segments.append(segment)
        else:
            self.segments_dropped += 1
        advances = ours.last_ack is not None and (segment.ack or 0) > (ours.last_ack[1] or 0)
        _note_events(ours, theirs, packet, segment, options)
        self._note_storm(segment, advances)
        if self.idle is not None and len(self.since_idle) < KEPT_NUMBERS:
            self.since_idle.append(segment)
        self.last, self.last_number = packet.time, packet.number
        heard = [(1 - side, piece) for piece in theirs.stream.skip_holes(theirs.acked)]
        return heard + [(side, piece) for piece in _stream(ours, packet, segment)]

    def _segment(
        self, side: int, ours: Direction, theirs: Direction, packet: TcpPacket, options: Options
    ) -> Segment:
        if ours.isn is None:
            # The capture began later: what comes first counts as the first byte.
            ours.isn = (packet.seq - 1) & 0xFFFFFFFF
        seq = ours.offset(packet.seq + 1 if packet.flags & SYN else packet.seq)
        ack = None
        if packet.flags & ACK:
            if theirs.isn is None:
                theirs.isn = (packet.ack - 1) & 0xFFFFFFFF
            ack = theirs.offset(packet.ack)
        probe = packet.length <= 1 and seq == ours.next - 1
        repeat = packet.length > 0 and seq + packet.length <= ours.next and not probe
        plain = not packet.flags & (SYN | RST)
        rejected = plain and theirs.paws.arrive(
            options.tsval, seq, packet.length, ours.acked, packet.number
        )
        return Segment(
            packet.number,
            packet.time,
            side,
            packet.flags,
            seq,
            ack,
            packet.length,
            packet.window if packet.flags & SYN else packet.window << ours.scale,
            options.tsval,
            options.tsecr,
            repeat,
            rejected,
            hash(packet.payload[:DIGEST_BYTES]) if packet.length else 0,
        )

    def _note_silence(self, packet: TcpPacket) -> None:
        seconds = packet.time - self.last
        if seconds >= IDLE_SECONDS and not self.unanswered:
            self.idle = Idle(self.last_number, packet.number, seconds)
            self.since_idle = []

    @property
    def unanswered(self) -> bool:
        """Whether one side alone was heard since the silence, and had to repeat itself."""
        sides = {segment.side for segment in self.since_idle}
        return len(sides) == 1 and any(segment.repeat for segment in self.since_idle)

    def _note_storm(self, segment: Segment, advances: bool) -> None:
        # An ACK that advances answers data, though only one side may have been captured.
        if segment.length or advances or segment.flags & (SYN | FIN | RST):
            self._acks.clear()
            return
        self._acks.append((segment.time, segment.number, segment.side))
        if self.storm is None and len(self._acks) > STORM_ACKS:
            first_time, first, _ = self._acks[0]
            sides = {side for _, _, side in self._acks}
            if len(sides) == 2 and segment.time - first_time <= STORM_SECONDS:
                self.storm = (first, segment.number)


def _note_syn(ours: Direction, theirs: Direction, packet: TcpPacket, options: Options) -> None:
    if len(ours.syns) < KEPT_NUMBERS:
        ours.syns.append(Syn(packet.number, packet.time, packet.window, options))
    if ours.isn is None or ours.data_segments == 0:
        ours.isn = packet.seq
    if theirs.paws.announced is None:
        theirs.paws.open(options.tsval, packet.number)
    # RFC 7323 section 2.2: windows are scaled only if both SYNs carried the option.
    if theirs.syns and options.scale is not None and theirs.options.scale is not None:
        ours.scale, theirs.scale = options.scale, theirs.options.scale


def _note_events(
    ours: Direction, theirs: Direction, packet: TcpPacket, segment: Segment, options: Options
) -> None:
    flags = packet.flags
    ours.sent += 1
    ours.last = packet.time
    if ours.ttl is None:
        ours.ttl = packet.ttl
    if ours.first is None and not flags & (SYN | RST):
        ours.first = (packet.number, segment.seq)
    if segment.length:
        _note_data(ours, theirs, segment)
    elif not flags & (SYN | FIN | RST):
        _note_pure_ack(ours, theirs, packet, segment)
    if segment.length or not ours.fins:  # what follows a FIN counts it, and it is no byte
        ours.next = max(ours.next, segment.seq + segment.length)
    if flags & FIN and len(ours.fins) < KEPT_NUMBERS:
        ours.fins.append((packet.number, packet.time))
    if flags & RST and len(ours.rsts) < KEPT_NUMBERS:
        ours.rsts.append((packet.number, packet.time, packet.ttl))
    if packet.checksum == CHECKSUM_BAD and segment.length and len(ours.bad_checksums) < 40:
        ours.bad_checksums.append(packet.number)
    if segment.ack is not None:
        _note_ack(ours, theirs, segment, options)
    _note_window(ours, segment)
    _note_clock(ours, theirs, segment)


def _note_data(ours: Direction, theirs: Direction, segment: Segment) -> None:
    ours.data_segments += 1
    ours.last_data = segment.time
    if ours.first_data is None:
        ours.first_data = (segment.number, segment.time)
    if not segment.repeat:
        return
    ours.repeat_count += 1
    ours.repeats_since_ack += 1
    if len(ours.repeats) < KEPT_NUMBERS:
        ours.repeats.append(segment.number)
    announced = [mss for mss in (ours.options.mss, theirs.options.mss) if mss is not None]
    full = bool(announced) and segment.length >= min(announced) - FULL_SIZE_SLACK
    if full and (segment.seq in ours.stuck or len(ours.stuck) < STUCK):
        ours.stuck.setdefault(segment.seq, []).append(segment.number)


def _note_pure_ack(ours: Direction, theirs: Direction, packet: TcpPacket, segment: Segment) -> None:
    at_start = segment.seq == 0 and segment.ack == 0 and ours.data_segments == 0
    if at_start and ours.syns and ours.handshake_ack is None and not _provoked(ours, theirs):
        ours.handshake_ack = packet.number
    if ours.last_ack == (segment.seq, segment.ack):
        ours.dup_ack_count += 1
        if len(ours.dup_acks) < KEPT_NUMBERS:
            ours.dup_acks.append(packet.number)
    ours.last_ack = (segment.seq, segment.ack)


def _provoked(ours: Direction, theirs: Direction) -> bool:
    """Whether a pure ACK may answer a repeated SYN, or data that came out of order."""
    again = bool(theirs.syns) and theirs.syns[-1].number > ours.syns[0].number
    return again or theirs.data_segments > 1 or theirs.stream.next < theirs.next


def _note_ack(ours: Direction, theirs: Direction, segment: Segment, options: Options) -> None:
    ack = segment.ack or 0
    theirs.claimed = max(theirs.claimed, ack)
    # An ACK of bytes that were never sent, FIN aside, proves nothing about delivery.
    reached = min(ack, theirs.next)
    if ack <= theirs.next + 1 and reached > theirs.acked:
        theirs.acked, theirs.repeats_since_ack = reached, 0
    for left, right in options.sack:
        low, high = theirs.offset(left), theirs.offset(right)
        beyond = theirs.next + (1 if theirs.fins else 0)
        if (low < 0 or high > beyond) and len(ours.sack_outside) < KEPT_NUMBERS:
            ours.sack_outside.append(SackOutside(segment.number, low, high, theirs.next))


def _note_window(ours: Direction, segment: Segment) -> None:
    if segment.flags & (SYN | RST):
        return
    if segment.window == 0 and not ours.window_closed and len(ours.zero_windows) < KEPT_NUMBERS:
        ours.zero_windows.append(ZeroWindow(segment.number, segment.time, None))
    elif segment.window > 0 and ours.window_closed:
        ours.zero_windows[-1] = ours.zero_windows[-1]._replace(end=segment.time)


def _note_clock(ours: Direction, theirs: Direction, segment: Segment) -> None:
    tsval, tsecr = segment.tsval, segment.tsecr
    if tsval is not None:
        low, high = ours.tsvals or (tsval, tsval)
        low = tsval if distance(tsval, low) < 0 else low
        high = tsval if distance(tsval, high) > 0 else high
        ours.tsvals = (low, high)
    if not tsecr or segment.ack is None or theirs.tsvals is None:
        return
    low, high = theirs.tsvals
    if not theirs.syns:
        return  # what it sent before the capture began is unknown
    newer = ECHO_SLACK + TICKS * max(segment.time - theirs.last, 0.0)
    older = SYN_SLACK if segment.flags & SYN else 0
    strange = distance(tsecr, low) < -older or distance(tsecr, high) > newer
    if strange and len(ours.strange_tsecr) < KEPT_NUMBERS:
        ours.strange_tsecr.append((segment.number, tsecr))


def _stream(ours: Direction, packet: TcpPacket, segment: Segment) -> list[Piece]:
    if not packet.payload or (segment.seq < 0 and segment.seq + len(packet.payload) <= 0):
        return []
    return ours.stream.add(segment.seq, packet.payload, packet.number, packet.time)
