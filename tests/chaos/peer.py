"""One end of a session: a connection that is dialled or waited for, written and read."""

from __future__ import annotations

import contextlib
import random
import socket
import time
from collections.abc import Callable
from typing import Protocol

from .kinds import Manner
from .loop import IN, OUT, Loop
from .tally import Tally

HERE = "127.0.0.1"
Address = tuple[str, int]
# So small that a slow reader's sender has to wait.
SLOW_BUFFER = 64 << 10
# A connection may die once before it is joined.
REDIALS = 1


class Writer(Protocol):
    """What is said; see opaque and aware."""

    def first(self) -> bytes:
        """The octets that bind the leg."""

    def more(self, now: float) -> bytes:
        """The next octets."""

    def wait(self, now: float) -> float | None:
        """In how many seconds there may be more by itself."""

    def stop(self) -> None:
        """Begin nothing more."""

    @property
    def done(self) -> bool:
        """Whether all has been said."""

    @property
    def is_answered(self) -> bool:
        """Whether all that was said was answered."""

    def arriving(self, sent: int) -> int:
        """How many octets arrive of so many sent."""


class Reader(Protocol):
    """Who compares; see opaque and aware."""

    tally: Tally

    def feed(self, data: bytes) -> None:
        """Take what has arrived."""

    def finish(self) -> None:
        """Nothing more comes."""


class Watcher(Protocol):
    """Who hears of a peer: its session."""

    def has_joined(self, side: str) -> None:
        """The first octets of the other side have come."""

    def has_moved(self, side: str, before: float, now: float) -> None:
        """Octets have come; the ones before them at `before`."""

    def has_ended(self, side: str, how: str) -> None:
        """Its joined connection has ended: `FIN`, or an error."""

    def has_failed(self, side: str, why: str) -> None:
        """It will not be joined."""

    def has_redialled(self, side: str) -> None:
        """Its connection had died before it was joined."""


class Peer:
    """One side of a session; `first` says a bind as soon as it is connected."""

    def __init__(self, loop: Loop, watcher: Watcher, side: str, manner: Manner, seed: str) -> None:
        self._loop = loop
        self._watcher = watcher
        self.side = side
        self._manner = manner
        self._random = random.Random(seed)
        self._listener: socket.socket | None = None
        self._sock: socket.socket | None = None
        self._address: Address | None = None
        self._pending = memoryview(b"")
        self._reads = 0
        self._paused_reading = self._paused_writing = self._timer_set = False
        self._last = 0.0
        self._redials = 0
        self.is_joined = self.finned = self.is_over = False
        self.sent = 0
        self.writer: Writer
        self.reader: Reader

    def listen(self) -> int:
        """Wait to be dialled; at which port."""
        self._listener = socket.socket()
        self._listener.bind((HERE, 0))
        self._listener.listen()
        return int(self._listener.getsockname()[1])

    def begin(self, address: Address, renew: Callable[[], tuple[Writer, Reader]]) -> None:
        """Dial, unless it listens. `renew` makes what every new connection begins with."""
        self._address = address
        self._renew = renew
        self.writer, self.reader = renew()
        if self._listener is None:
            self._dial()
        else:
            self._loop.watch(self._listener.fileno(), IN, lambda _: self._accept())

    def say_first(self, data: bytes) -> None:
        """Write this before what the writer says next; only between its frames."""
        self._pending = memoryview(bytes(self._pending) + data)
        self._arm()

    def wake(self) -> None:
        """There may be more to write."""
        self._arm()

    def hurry(self) -> None:
        """Read and write as fast as possible from now on."""
        self._manner = Manner()
        self._paused_reading = self._paused_writing = False
        self._arm()

    def fin(self) -> None:
        """End this direction."""
        if self._sock is not None and not self.finned:
            self.finned = True
            with contextlib.suppress(OSError):
                self._sock.shutdown(socket.SHUT_WR)
            self._arm()

    @property
    def has_said_all(self) -> bool:
        """Whether the kernel has all that will be written."""
        return self.is_joined and self.writer.done and not self._pending

    def close(self) -> None:
        """Leave."""
        for sock in (self._sock, self._listener):
            if sock is not None:
                self._loop.forget(sock.fileno())
                sock.close()
        self._sock = self._listener = None
        self.is_over = True

    def _dial(self) -> None:
        assert self._address is not None
        sock = socket.socket()
        if self._manner.read_pause:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SLOW_BUFFER)
        sock.setblocking(False)
        sock.connect_ex(self._address)
        self._adopt(sock)
        self._pending = memoryview(self.writer.first())
        self._arm()

    def _accept(self) -> None:
        assert self._listener is not None
        sock, _ = self._listener.accept()
        if self._sock is not None:
            if self.is_joined:
                sock.close()
                return
            self._drop()
        self._adopt(sock)

    def _adopt(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self.sent = 0
        self._loop.watch(sock.fileno(), IN, self._ready)

    def _drop(self) -> None:
        if self._sock is not None:
            self._loop.forget(self._sock.fileno())
            self._sock.close()
            self._sock = None
        self._pending = memoryview(b"")

    def _ready(self, events: int) -> None:
        if events & ~OUT:
            if self.is_over:
                self._hung_up()
                return
            self._read()
        if events & OUT and self._sock is not None:
            self._write()

    def _hung_up(self) -> None:
        """Nothing can be written any more either."""
        assert self._sock is not None
        self._loop.forget(self._sock.fileno())
        if not self.finned:
            self._watcher.has_ended(self.side, "RST after its FIN")

    def _read(self) -> None:
        assert self._sock is not None
        try:
            data = self._sock.recv(self._manner.read_most)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(error.strerror or "error")
            return
        if not data:
            self._end("FIN")
            return
        self._take(data)

    def _take(self, data: bytes) -> None:
        now = time.monotonic()
        before, self._last = self._last or now, now
        first, self.is_joined = not self.is_joined, True
        self.reader.feed(data)
        if first:
            if self._listener is not None:
                self.say_first(self.writer.first())
            self._watcher.has_joined(self.side)
        self._watcher.has_moved(self.side, before, now)
        self._pause_reading()
        self._arm()

    def _pause_reading(self) -> None:
        self._reads += 1
        manner = self._manner
        pause = manner.read_pause
        if manner.stall_every and self._reads % manner.stall_every == 0:
            pause = manner.stall
        if pause:
            self._paused_reading = True
            self._loop.later(pause, self._read_on)

    def _read_on(self) -> None:
        self._paused_reading = False
        self._arm()

    def _write(self) -> None:
        assert self._sock is not None
        if not self._pending and self.is_joined:
            self._pending = memoryview(self.writer.more(time.monotonic()))
        if self._pending:
            size = self._random.randint(self._manner.write_least, self._manner.write_most)
            try:
                done = self._sock.send(self._pending[:size])
            except BlockingIOError:
                return
            except OSError as error:
                self._end(error.strerror or "error")
                return
            self.sent += done
            self._pending = self._pending[done:]
            if self._manner.write_pause:
                self._paused_writing = True
                self._loop.later(self._manner.write_pause, self._write_on)
        self._arm()

    def _write_on(self) -> None:
        self._paused_writing = False
        self._arm()

    def _arm(self) -> None:
        """Wait for what can be done now; an error is heard of in any case."""
        if self._sock is None:
            return
        events = 0 if self._paused_reading or self.is_over else IN
        if not self._paused_writing and not self.finned and self._has_words():
            events |= OUT
        self._loop.change(self._sock.fileno(), events)

    def _has_words(self) -> bool:
        if self._pending:
            return True
        wait = self.writer.wait(time.monotonic()) if self.is_joined else None
        if wait and not self._timer_set:
            self._timer_set = True
            self._loop.later(wait, self._think_over)
        return wait == 0

    def _think_over(self) -> None:
        self._timer_set = False
        self._arm()

    def _end(self, how: str) -> None:
        if self.is_joined:
            # After a FIN the other direction may go on.
            self.reader.finish()
            self.is_over = True
            self._arm()
            self._watcher.has_ended(self.side, how)
            return
        self._drop()
        if self._redials == REDIALS:
            self._watcher.has_failed(self.side, f"{how} on its second connection, before a join")
        else:
            self._redials += 1
            self._watcher.has_redialled(self.side)
            self.writer, self.reader = self._renew()
            if self._listener is None:
                self._dial()
