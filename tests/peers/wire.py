"""A TCP connection with a vocabulary like that of haproxy's tcploop.

Every wait ends: `patience` seconds without the awaited thing is a `Failure`, never a hang.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Self

from .msrp import Frame, take_frame

READ_SIZE = 65536
RETRY_SECONDS = 0.005
Address = tuple[str, int]


class Failure(AssertionError):
    """The other end did not do what was expected of it."""


class End(StrEnum):
    """How a connection ended, as its peer saw it."""

    FIN = "FIN"
    RESET = "RST"


class Ended(Failure):
    """The connection ended while more was awaited."""

    def __init__(self, how: End, awaited: str, seen: bytes) -> None:
        super().__init__(f"{how} instead of {awaited}; unread before it: {clip(seen)}")
        self.how = how


class Wire:
    """One connection; `patience` bounds every wait, in seconds."""

    def __init__(self, sock: socket.socket, patience: float = 5.0) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = sock
        self.patience = patience
        self._unread = bytearray()

    @classmethod
    def dial(
        cls,
        address: Address,
        patience: float = 5.0,
        *,
        make: Callable[[], socket.socket] | None = None,
        receive_buffer: int | None = None,
        retry: bool = False,
    ) -> Self:
        """Connect, by a socket of `make` if there is one. Raises Failure.

        `receive_buffer` (octets, SO_RCVBUF) makes a small window.
        `retry` asks again while the port is closed: a plain relay opens its second port only when
        its first is taken, and gives no sign of it.
        """
        deadline = time.monotonic() + patience
        while True:
            sock = make() if make else socket.socket(_family(address))
            if receive_buffer is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            sock.settimeout(patience)
            try:
                sock.connect(address)
            except OSError as error:
                sock.close()
                if not retry or time.monotonic() > deadline:
                    raise Failure(f"cannot connect to {address}: {error}") from error
                time.sleep(RETRY_SECONDS)
            else:
                return cls(sock, patience)

    # What a peer may do.

    def send(self, data: bytes) -> None:
        """All of it, in as few segments as TCP likes."""
        self.sock.settimeout(self.patience)
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Failure(f"cannot send {len(data)} octets: {error or 'no room'}") from error

    def send_pieces(self, *pieces: bytes) -> None:
        """Each piece in a segment of its own (TCP_NODELAY)."""
        for piece in pieces:
            self.send(piece)

    def trickle(self, data: bytes) -> None:
        """Every octet in a segment of its own."""
        self.send_pieces(*(data[at : at + 1] for at in range(len(data))))

    def urgent(self, octet: bytes) -> None:
        """One octet as urgent data (MSG_OOB)."""
        self.sock.send(octet, socket.MSG_OOB)

    def fill(self, quiet: float = 0.3) -> int:
        """Send until nothing more is taken for `quiet` seconds; how many octets went."""
        block, sent = bytes(READ_SIZE), 0
        self.sock.setblocking(False)
        while is_ready(self.sock, select.POLLOUT, quiet):
            try:
                sent += self.sock.send(block)
            except BlockingIOError:
                continue
            except OSError:
                break
        return sent

    def fin(self) -> None:
        """End our direction; the other one stays open."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """End the connection by RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        """End the connection as the kernel likes: FIN, or RST if something is unread."""
        self.sock.close()

    # What a peer may expect.

    def expect(self, data: bytes) -> None:
        """The next octets are exactly these; the first wrong one is a Failure."""
        got = b""
        while len(got) < len(data):
            piece = self._some(f"{clip(data[len(got) :])}", most=len(data) - len(got))
            if not data.startswith(got + piece):
                self._unread[:0] = got + piece
                same = _common(data, got + piece)
                found = bytes(self._unread[max(same - 20, 0) :])
                raise Failure(
                    f"octet {same} differs: got {clip(found)}, "
                    f"expected {clip(data[max(same - 20, 0) :])}"
                )
            got += piece

    def frame(self) -> Frame:
        """The next whole MSRP frame."""
        while True:
            found = take_frame(bytes(self._unread))
            if found is not None:
                frame, length = found
                del self._unread[:length]
                return frame
            self._fill("a frame")

    def answer(self, frame: Frame, status: bytes = b"200 OK") -> None:
        """Answer a request as an endpoint that takes its paths from the request does."""
        to_path = frame.from_path[0] if frame.method == "SEND" else b" ".join(frame.from_path)
        head = b"MSRP %b %b\r\nTo-Path: %b\r\nFrom-Path: %b\r\n"
        tid = frame.tid
        self.send(head % (tid, status, to_path, frame.to_path[0]) + b"-------%b$\r\n" % tid)

    def end(self) -> End:
        """Read everything away; how the connection ended."""
        while True:
            self._unread.clear()
            try:
                self._fill("the end of the connection")
            except Ended as ended:
                return ended.how

    def expect_end(self, *, how: End | None = None) -> None:
        """Nothing more comes, and the connection ends; `how`, if that matters."""
        try:
            self._fill("the end of the connection")
        except Ended as ended:
            if how is not None and ended.how is not how:
                raise Failure(f"ended by {ended.how}, not by {how}") from ended
            return
        raise Failure(f"expected the end of the connection, got {clip(bytes(self._unread))}")

    def is_open(self) -> bool:
        """Whether the connection has not ended so far, as far as has been heard."""
        self.sock.setblocking(False)
        try:
            return self.sock.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def unread(self) -> int:
        """Octets that have arrived and were not taken."""
        self.sock.setblocking(False)
        try:
            return len(self._unread) + len(self.sock.recv(READ_SIZE, socket.MSG_PEEK))
        except OSError:
            return len(self._unread)

    def _some(self, awaited: str, most: int) -> bytes:
        if not self._unread:
            self._fill(awaited)
        piece = bytes(self._unread[:most])
        del self._unread[: len(piece)]
        return piece

    def _fill(self, awaited: str) -> None:
        self.sock.settimeout(self.patience)
        try:
            data = self.sock.recv(READ_SIZE)
        except TimeoutError:
            raise Failure(
                f"nothing in {self.patience:g} s instead of {awaited}; "
                f"unread before it: {clip(bytes(self._unread))}"
            ) from None
        except OSError:
            raise Ended(End.RESET, awaited, bytes(self._unread)) from None
        if not data:
            raise Ended(End.FIN, awaited, bytes(self._unread))
        self._unread += data


class Listener:
    """A listening port of a peer that waits to be dialled."""

    def __init__(self, host: str, patience: float = 5.0, *, receive_buffer: int | None = None):
        self.patience = patience
        self.sock = socket.socket(_family((host, 0)))
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.bind((host, 0))
        self.sock.listen()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.sock.getsockname()[1])

    def accept(self) -> Wire:
        """The next connection; a Failure if none comes."""
        self.sock.settimeout(self.patience)
        try:
            return Wire(self.sock.accept()[0], self.patience)
        except TimeoutError:
            raise Failure(f"not dialled within {self.patience:g} s") from None

    def is_dialled(self) -> bool:
        """Whether somebody has connected and was not accepted yet."""
        return is_ready(self.sock, select.POLLIN, 0)

    def close(self) -> None:
        """Stop listening."""
        self.sock.close()


def carry(sender: Wire, data: bytes, receiver: Wire, expected: bytes) -> None:
    """Send and receive at the same time: for more than the buffers between them hold."""
    sender.sock.setblocking(False)
    receiver.sock.setblocking(False)
    left, got = memoryview(data), bytearray(receiver._unread)
    receiver._unread.clear()
    while left or len(got) < len(expected):
        # select(2) knows no descriptor above 1023.
        waiting = select.poll()
        waiting.register(receiver.sock, select.POLLIN)
        if left:
            waiting.register(sender.sock, select.POLLOUT)
        ready = dict(waiting.poll(receiver.patience * 1000))
        readable = receiver.sock.fileno() in ready
        writable = bool(left) and sender.sock.fileno() in ready
        if not readable and not writable:
            raise Failure(f"stuck: {len(left)} octets not taken, {len(got)} arrived")
        if writable:
            left = left[sender.sock.send(left) :]
        if readable:
            piece = receiver.sock.recv(READ_SIZE)
            if not piece:
                raise Failure(f"FIN after {len(got)} of {len(expected)} octets")
            got += piece
    if got != expected:
        at = _common(bytes(got), expected)
        raise Failure(f"octet {at} of {len(expected)} differs: got {clip(bytes(got[at:]))}")


def is_ready(sock: socket.socket, events: int, seconds: float) -> bool:
    """Whether one of these events of poll(2) comes within so many seconds."""
    poll = select.poll()
    poll.register(sock, events)
    return bool(poll.poll(seconds * 1000))


def is_closed(address: Address) -> bool:
    """Whether nobody listens there (RST to a SYN)."""
    with socket.socket(_family(address)) as probe:
        probe.settimeout(2.0)
        return probe.connect_ex(address) != 0


def await_closed(address: Address, patience: float) -> None:
    """Wait until nobody listens there any more."""
    deadline = time.monotonic() + patience
    while not is_closed(address):
        if time.monotonic() > deadline:
            raise Failure(f"{address} still accepts connections after {patience:g} s")
        time.sleep(RETRY_SECONDS)


def _family(address: Address) -> int:
    return socket.AF_INET6 if ":" in address[0] else socket.AF_INET


def clip(data: bytes, most: int = 120) -> str:
    """Octets for a message to humans."""
    return repr(data[:most]) + (f" … {len(data)} octets" if len(data) > most else "")


def _common(one: bytes, other: bytes) -> int:
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))
