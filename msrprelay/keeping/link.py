"""The relay process's end of the keeper: what is held there, what was left, who starts another.

Imports little: after a crash bytes stand still until this has done its work.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import signal
import socket
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping

from .wire import (
    ALL,
    BYE,
    DONTWAIT,
    DROP,
    FAILED,
    HELD,
    HOLD,
    LABEL,
    PREPARED,
    READY,
    REFUSED,
    STOPPING,
    UPGRADE,
    pack,
    receive,
    send,
    unpack,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle
    from typing import Any

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# The first byte of a label: whose it is.
ENGINE, CONTROL = b"e", b"c"
# A label's name has no more bytes.
LONGEST_NAME = LABEL - 1
# A keeper that is starting takes these later.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2)
# Seconds: a keeper that dies sooner is not replaced at once, but after as long.
SOON = 1.0
LONGEST_PAUSE = 10.0
# Seconds: a keeper that takes nothing for so long hangs, as does one that has not begun to take
# anything so long after its start, which is looked at as often.
PATIENCE, PREPARATION, LOOK = 0.5, 10.0, 0.02


def keeper_command(origin: Mapping[str, object], more: Mapping[str, object]) -> list[str]:
    """What runs a keeper, and what it runs.

    ``origin``: ``path`` and ``overrides`` of the configuration, ``prepare`` in seconds. ``more``:
    settings of the keeper alone.
    """
    settings = {"prepare": origin["prepare"], **more}
    entry = os.path.join(PACKAGE, "process", "entry.py")
    keeper = os.path.join(PACKAGE, "keeping", "keeper.py")
    relay = [sys.executable, "-P", "-S", entry, json.dumps(origin)]
    return [sys.executable, "-I", "-S", keeper, json.dumps(settings), *relay]


def memory(name: str, content: bytes) -> int:
    """A descriptor of memory with this content, to be held. Raises OSError."""
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    return descriptor


def remembered(descriptor: int) -> bytes:
    """The content of such memory. Raises OSError."""
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


def label(name: str) -> bytes:
    """The control plane's label of that name, which has at most 15 bytes."""
    assert len(name) <= LONGEST_NAME, name
    return (CONTROL + name.encode()).ljust(LABEL, b"\0")


def reap(child: int) -> None:
    """Let a child that has ended go; nothing happens if there is none of that number."""
    with contextlib.suppress(ChildProcessError):
        os.waitpid(child, os.WNOHANG)


def end(keeper: int) -> None:
    """Kill a keeper that hangs, if it is still there: it would take our end for a crash."""
    alive = keeper == os.getppid()
    with contextlib.suppress(ChildProcessError):
        alive = alive or os.waitpid(keeper, os.WNOHANG) == (0, 0)
    if alive:
        os.kill(keeper, signal.SIGKILL)


def impatient(link: socket.socket) -> socket.socket:
    """The same socket: what cannot be sent on it for too long raises BlockingIOError."""
    link.setsockopt(
        socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", 0, int(PATIENCE * 1e6))
    )
    return link


def unread(link: socket.socket) -> int:
    """Bytes that the other end has not taken."""
    (waiting,) = struct.unpack("@i", fcntl.ioctl(link, termios.TIOCOUTQ, bytes(4)))
    return int(waiting)


class Link:
    """The connection to the keeper; another keeper takes the place of one that died or hangs.

    ``inherited`` has the control plane's descriptors by name, ``engine`` the engine's by label.
    ``crashed``: the process before died by a signal other than SIGKILL. ``cold``: there was none.
    """

    def __init__(self, descriptor: int, origin: Mapping[str, object]) -> None:
        """``origin``: as :func:`keeper_command` has it."""
        self._socket = impatient(socket.socket(fileno=descriptor))
        self._socket.set_inheritable(False)
        self._origin = origin
        self._held: dict[str, int] = {}
        self.inherited: dict[str, int] = {}
        self.engine: list[tuple[bytes, int]] = []
        self.cold = True
        self.crashed = False
        self._story: dict[str, Any] = {}
        self._failed = 0
        self._failure = ""
        self._upgrading = self._stopping = False
        self._loop: AbstractEventLoop | None = None
        self._registered: Callable[[int, int], None] = lambda *_: None
        # When the last keeper was started here, in seconds of the monotonic clock.
        self._since = 0.0
        self._pause = 0.0
        # The keeper's pid, also of one that is starting; when that one is looked at again.
        self._keeper = os.getppid()
        self._introduction: TimerHandle | None = None

    def fileno(self) -> int:
        """The socket to the keeper; the engine sends on a duplicate of it."""
        return self._socket.fileno()

    def take(self) -> None:
        """Wait for everything the keeper holds. Raises OSError if the keeper ends before that."""
        op = 0
        while op != ALL:
            message, descriptors = receive(self._socket)
            if not message:
                raise ConnectionResetError("the keeper has ended")
            op, labels, payload = unpack(message)
            if op == HELD:
                self._sort(labels, descriptors)
        self._story = json.loads(payload)
        self.cold = self._story.pop("cold")
        self._keeper = self._story["keeper"]
        self.crashed = self._story.pop("ended")["signal"] not in (None, signal.SIGKILL)

    def _sort(self, labels: list[bytes], descriptors: list[int]) -> None:
        for name, descriptor in zip(labels, descriptors, strict=True):
            if name[:1] == ENGINE:
                self.engine.append((name, descriptor))
            else:
                self.inherited[name[1:].rstrip(b"\0").decode()] = descriptor
        self._held.update(self.inherited)

    def hold(self, name: str, descriptor: int) -> None:
        """Have a duplicate of ``descriptor`` held, which stays open here until :meth:`drop`."""
        self._held[name] = descriptor
        self._say(pack(HOLD, [label(name)]), [descriptor])

    def drop(self, name: str) -> None:
        """Have it held no more; then it may be closed."""
        if self._held.pop(name, None) is not None:
            self._say(pack(DROP, [label(name)]))

    def drop_engine(self) -> None:
        """Have nothing held any more that was the engine's."""
        for name, _ in self.engine:
            self._say(pack(DROP, [name]))
        self.engine = []

    def remember(self, name: str, content: bytes) -> None:
        """Have this content held, in memory, instead of what had that name."""
        old = self._held.get(name)
        self.hold(name, memory(name, content))
        if old is not None:
            os.close(old)

    def prepared(self) -> None:
        """This process can take over: the other is killed now."""
        self._say(pack(PREPARED))

    def refuse(self, reason: str) -> None:
        """This process will not take over."""
        self._say(pack(REFUSED, (), reason.encode()[:4096]))

    def ready(self) -> None:
        """This process serves."""
        self._say(pack(READY))

    @property
    def unable(self) -> str:
        """Why there can be no upgrade now; empty: there can."""
        if self._upgrading:
            return "Another upgrade is under way"
        return "" if self._story["keeper"] else "The keeper has died, another one is starting"

    def upgrade(self) -> None:
        """Have a successor started, which takes over when it is prepared; see :attr:`unable`."""
        self._upgrading = True
        self._say(pack(UPGRADE))

    def stopping(self) -> None:
        """This process ends with its last call, and so is whoever has to go on with those."""
        self._stopping = True
        self._say(pack(STOPPING))

    def bye(self) -> None:
        """Everything is to end with this process."""
        if self._loop is not None:
            self._loop.remove_reader(self.fileno())
            self._loop = None
        self._introduce_no_more()
        self._say(pack(BYE))

    def report(self) -> dict[str, object]:
        """For ``statistics``: the two processes, and what became of those before.

        ``keeper`` is 0 while there is none.
        """
        return {
            "relay": os.getpid(),
            **self._story,
            "failed-upgrades": self._failed,
            "last-failure": self._failure,
        }

    def watch(self, loop: AbstractEventLoop, registered: Callable[[int, int], None]) -> None:
        """Hear the keeper from now on, and replace it when it has died.

        ``registered`` is called with the socket to a new keeper and its pid, to give it the rest.
        """
        self._loop = loop
        self._registered = registered
        loop.add_reader(self.fileno(), self._on_readable)

    def _say(self, message: bytes, descriptors: list[int] | None = None) -> None:
        # A keeper that is gone shows when it is read from; its successor is told everything.
        with contextlib.suppress(OSError):
            try:
                send(self._socket, message, descriptors or [])
            except BlockingIOError:
                self._give_up()

    def _give_up(self) -> None:
        """It hangs. The end shows when it is read from: the engine does the same."""
        self._socket.shutdown(socket.SHUT_RDWR)
        end(self._keeper)

    def _on_readable(self) -> None:
        try:
            message, _ = receive(self._socket, DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        op, _, payload = unpack(message)
        if op == FAILED:
            self._upgrade_failed(json.loads(payload)["reason"])
        elif not message:
            self._lost()

    def _upgrade_failed(self, reason: str) -> None:
        self._upgrading = False
        self._failed += 1
        self._failure = reason

    def _lost(self) -> None:
        assert self._loop is not None
        self._loop.remove_reader(self.fileno())
        self._introduce_no_more()
        end(self._keeper)
        self._story["keeper"] = 0
        if self._upgrading:
            # The successor has ended with it.
            self._upgrade_failed("the keeper has died meanwhile")
        self._replace_later(quick=time.monotonic() - self._since < SOON)
        # The first keeper is our parent, those that we have started are children.
        self._loop.call_later(SOON, reap, self._keeper)

    def _replace_later(self, *, quick: bool) -> None:
        assert self._loop is not None
        self._pause = min(max(SOON, 2 * self._pause), LONGEST_PAUSE) if quick else 0.0
        self._loop.call_later(self._pause, self._replace)

    def _replace(self) -> None:
        if self._loop is None:
            return  # it ends
        self._since = time.monotonic()
        try:
            ours = self._start()
        except OSError:
            # There may be descriptors, or memory, before long.
            self._replace_later(quick=True)
            return
        self._socket.close()
        self._socket = impatient(ours)
        self._loop.add_reader(self.fileno(), self._on_readable)
        for name, descriptor in tuple(self._held.items()):
            self.hold(name, descriptor)
        self._introduction = self._loop.call_later(LOOK, self._introduce)

    def _introduce(self) -> None:
        """Let the new keeper have the rest once it takes anything: nobody waits for its start."""
        assert self._loop is not None
        self._introduction = None
        if not unread(self._socket):
            self._story["keeper"] = self._keeper
            self._registered(self.fileno(), self._keeper)
            self.ready()
            if self._stopping:
                self.stopping()
        elif time.monotonic() - self._since < PREPARATION:
            self._introduction = self._loop.call_later(LOOK, self._introduce)
        else:
            self._give_up()

    def _introduce_no_more(self) -> None:
        if self._introduction is not None:
            self._introduction.cancel()
            self._introduction = None

    def _start(self) -> socket.socket:
        """Start another keeper; gives the link to it. Raises OSError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs:
                self._keeper = self._spawn(theirs.fileno())
        except OSError:
            ours.close()
            raise
        return ours

    def _spawn(self, link: int) -> int:
        told = {key: value for key, value in self._story.items() if key != "keeper"}
        pidfd = os.pidfd_open(os.getpid())
        try:
            more = {"story": told, "relay": os.getpid(), "link": link, "pidfd": pidfd}
            command = keeper_command(self._origin, more)
            for descriptor in (link, pidfd):
                os.set_inheritable(descriptor, True)
            # Signals wait until it can do something about them.
            return os.posix_spawn(command[0], command, os.environ, setpgroup=0, setsigmask=SIGNALS)
        finally:
            os.close(pidfd)
