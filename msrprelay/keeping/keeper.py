"""The keeper: a small process that outlives the relay process, and keeps what it must not lose.

Run by its path (``python -I -S keeper.py SETTINGS COMMAND...``). It holds duplicates of sockets,
pipes and memory for the relay process, looks into none of them, and gives them to the next one:
after a crash, or when an upgrade has a successor prepared. It uses the standard library alone, has
no threads, and imports nothing after its start: what is on disk may change under it.
"""

from __future__ import annotations

import collections.abc
import errno
import json
import os
import resource
import select
import signal
import socket
import sys
import time

# Behind the standard library: what stands beside the package must not take its place.
sys.path.append(os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..")))

from msrprelay.keeping.holding import Inventory, Process
from msrprelay.keeping.lines import log
from msrprelay.keeping.wire import (
    ALL,
    BYE,
    DONTWAIT,
    DROP,
    FAILED,
    HOLD,
    PREPARED,
    READY,
    REFUSED,
    STOPPING,
    UPGRADE,
    Descriptors,
    Labels,
    pack,
    receive,
    send,
    unpack,
)

# Seconds: one that dies sooner has not recovered.
SOON = 1.0
# Deaths in a row that are answered at once, and the one at which what is held is given up.
PATIENT, HOPELESS = 3, 12
SHORTEST_PAUSE, LONGEST_PAUSE = 0.25, 10.0
# Messages of a living process that are read at a time: signals and the other process wait.
TURN = 256
ENDING = (signal.SIGTERM, signal.SIGINT)
SIGNALS = (*ENDING, signal.SIGHUP, signal.SIGUSR2)


def words(code: int | None) -> str:
    """An exit code as subprocess has it (negative: by a signal), in words."""
    if code is None:
        return "ended"
    return f"ended with status {code}" if code >= 0 else f"killed by signal {-code}"


class Keeper:
    """Keeps a relay process running, and holds what it wants held."""

    def __init__(self, command: list[str], prepare: float, story: dict[str, object]) -> None:
        """``prepare``: seconds a successor may take; ``story``: what a keeper before this told."""
        self.command = command
        self.prepare = prepare
        self.story: dict[str, object] = {"restarts": 0, "upgrades": 0, "last-end": "", **story}
        self.inventory = Inventory()
        self.relay: Process | None = None
        self.successor: Process | None = None
        # When it is due, in seconds of the monotonic clock.
        self.restart_at: float | None = None
        self.give_up_at: float | None = None
        # Deaths in a row, and the last one's exit code; whether anybody has ever served; the
        # signal that is to end everything.
        self.failures = 0
        self.last: int | None = None
        self.served = False
        self.stopping = 0
        # Signals for the process that is not ready for them yet.
        self.waiting: list[int] = []
        self.garbled = 0
        # Whether this is the end, and the exit code; None: nobody knows.
        self.over = False
        self.code: int | None = None
        self.epoll = select.epoll()
        self.watched: dict[int, collections.abc.Callable[[int], object]] = {}

    def run(self) -> int | None:
        """Until the relay process has ended in order; gives its exit code."""
        woken, wake = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in SIGNALS:
            signal.signal(number, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        self.watch(woken, lambda _: self.signalled(os.read(woken, 512)))
        while not self.over:
            self.carry_out_what_is_due()
            # One at a time: what is handled may close what the next event is about.
            for descriptor, event in self.epoll.poll(self.patience(), 1):
                self.watched[descriptor](event)
        self.inventory.clear()
        return self.code

    def patience(self) -> float | None:
        """Seconds until something is due; None: nothing is."""
        if self.over:
            return 0.0
        due = [at for at in (self.restart_at, self.give_up_at) if at is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def carry_out_what_is_due(self) -> None:
        """Restart after a pause; give up a successor that takes too long."""
        now = time.monotonic()
        if self.restart_at is not None and now >= self.restart_at:
            self.restart_at = None
            self.start()
        if self.give_up_at is not None and now >= self.give_up_at:
            self.give_up(f"the successor is not prepared within {self.prepare:g} s")

    def watch(self, descriptor: int, handler: collections.abc.Callable[[int], object]) -> None:
        """Call ``handler`` with the event when there is something to read."""
        self.watched[descriptor] = handler
        self.epoll.register(descriptor, select.EPOLLIN)

    def unwatch(self, descriptor: int) -> None:
        """Look at it no more."""
        if self.watched.pop(descriptor, None) is not None:
            self.epoll.unregister(descriptor)

    def observe(self, process: Process) -> None:
        """Look at a process and at what it says."""
        self.watch(process.pidfd, lambda _: self.ended(process))
        self.watch(process.link.fileno(), lambda event: self.linked(process, event))

    def part(self, process: Process) -> int | None:
        """Reap it, and hear what it had said last; gives its exit code."""
        code = process.reap()
        self.hear(process)
        self.unwatch(process.pidfd)
        self.unwatch(process.link.fileno())
        process.link.close()
        os.close(process.pidfd)
        return code

    def start(self) -> None:
        """Start a relay process, and give it what is held."""
        try:
            process = Process.start(self.command)
        except OSError as error:
            self.died(f"cannot be started: {error}")
        else:
            self.observe(process)
            self.hand_over(process, self.last)

    def hand_over(self, process: Process, code: int | None) -> None:
        """Let ``process`` be the relay process: send it what one that ended so has left."""
        self.relay = process
        ended = {"signal": None, "status": code}
        if code is not None and code < 0:
            ended = {"signal": -code, "status": None}
        end = {**self.story, "ended": ended, "cold": not len(self.inventory), "keeper": os.getpid()}
        process.outbox.extend(self.inventory.batches())
        process.outbox.append(pack(ALL, (), json.dumps(end).encode()))
        self.flush(process)

    def ended(self, process: Process) -> None:
        """A process has ended."""
        code = self.part(process)
        if process is self.successor:
            self.successor = None
            self.refused(process.reason or f"the successor {words(code)}")
            return
        self.relay = None
        if process.leaving or not self.served:
            self.leave(code if code is not None else int(not process.leaving))
        elif self.successor is not None and self.successor.prepared:
            self.take_over(self.successor)
        else:
            lived = time.monotonic() - process.since
            if process.ready and (lived >= SOON or code == -signal.SIGKILL):
                # It would have gone on.
                self.failures = 0
            self.last = code
            self.died(words(code))

    def take_over(self, process: Process) -> None:
        """The old one is gone, the successor is prepared."""
        self.successor = None
        self.story["upgrades"] = int(str(self.story["upgrades"])) + 1
        self.hand_over(process, -signal.SIGKILL)

    def died(self, how: str) -> None:
        """The relay process has died: start another, after a pause if that has not helped."""
        log("error", "relay process died", how=how, held=len(self.inventory))
        self.story["restarts"] = int(str(self.story["restarts"])) + 1
        self.story["last-end"] = how
        self.give_up("the relay process died meanwhile")
        if not self.served:
            self.leave(1)
        if self.stopping:
            self.waiting.append(self.stopping)
        self.failures += 1
        pause = 0.0
        if self.failures > PATIENT:
            pause = min(SHORTEST_PAUSE * 2 ** (self.failures - PATIENT - 1), LONGEST_PAUSE)
            log("error", "relay process dies again and again", times=self.failures, seconds=pause)
        if self.failures == HOPELESS:
            log("error", "what was held is given up", held=len(self.inventory))
            self.inventory.clear()
        self.restart_at = time.monotonic() + pause

    def leave(self, code: int | None) -> None:
        """End with this exit code."""
        self.over = True
        self.code = code
        for process in filter(None, (self.relay, self.successor)):
            process.signal(signal.SIGKILL)
            self.part(process)

    def upgrade(self) -> None:
        """Start a successor, which says when it is prepared to take over."""
        if self.stopping or self.relay is None or not self.relay.ready:
            self.refused("the relay process is not serving")
        elif self.successor is not None:
            self.refused("another upgrade is under way")
        else:
            try:
                self.successor = Process.start(self.command, "--successor")
            except OSError as error:
                self.refused(f"the successor cannot be started: {error}")
                return
            self.give_up_at = time.monotonic() + self.prepare
            self.observe(self.successor)

    def give_up(self, reason: str) -> None:
        """End the successor, if there is one; the relay process goes on."""
        process, self.successor, self.give_up_at = self.successor, None, None
        if process is not None:
            process.signal(signal.SIGKILL)
            self.part(process)
            self.refused(reason)

    def refused(self, reason: str) -> None:
        """Tell why an upgrade came to nothing."""
        self.give_up_at = None if self.successor is None else self.give_up_at
        log("error", "upgrade failed", reason=reason)
        if self.relay is not None:
            self.relay.outbox.append(pack(FAILED, (), json.dumps({"reason": reason}).encode()))
            self.flush(self.relay)

    # Signals.

    def signalled(self, numbers: bytes) -> None:
        """Signals have come."""
        for number in numbers:
            if number == signal.SIGUSR2:
                self.upgrade()
            else:
                self.pass_on(number)

    def pass_on(self, number: int) -> None:
        """Let the relay process have the signal, now or when it serves."""
        ending = number in ENDING
        if ending:
            self.give_up("the relay is stopping")
        if self.relay is not None and (self.relay.ready or (ending and not self.served)):
            self.relay.signal(number)
        elif ending and (self.relay is None or self.stopping):
            # It cannot drain, or has been told already.
            self.leave(-number)
        else:
            self.waiting.append(number)
        self.stopping = number if ending else self.stopping

    # Messages.

    def linked(self, process: Process, event: int) -> None:
        """There is something to read, room to write, or the other end is closed."""
        if event & select.EPOLLOUT:
            self.flush(process)
        if event & select.EPOLLIN and self.hear(process, TURN):
            return
        if event & (select.EPOLLHUP | select.EPOLLERR):
            # Its end shows elsewhere.
            self.unwatch(process.link.fileno())

    def flush(self, process: Process) -> None:
        """Send what waits, until the socket is full."""
        try:
            while process.outbox:
                first = process.outbox[0]
                message, descriptors = (
                    (first, []) if isinstance(first, bytes) else self.inventory.batch(first)
                )
                send(process.link, message, descriptors, DONTWAIT)
                process.outbox.popleft()
        except OSError as error:
            if error.errno == errno.ETOOMANYREFS:
                time.sleep(0.001)  # too many are on their way: it has to read some first
            elif error.errno != errno.EAGAIN:
                process.outbox.clear()
        if process.link.fileno() in self.watched:
            events = select.EPOLLIN | (select.EPOLLOUT if process.outbox else 0)
            self.epoll.modify(process.link.fileno(), events)

    def hear(self, process: Process, most: int = sys.maxsize) -> bool:
        """Read what there is, ``most`` messages at a time; gives whether there was anything."""
        for number in range(most):
            try:
                message, descriptors = receive(process.link, DONTWAIT)
            except OSError:
                return number > 0
            if not message and not descriptors:
                return number > 0
            self.obey(process, *unpack(message), descriptors)
        return True

    def obey(
        self, process: Process, op: int, labels: Labels, payload: bytes, descriptors: Descriptors
    ) -> None:
        """Do what a message says, if it may say so."""
        if op == HOLD and process is self.relay and not process.leaving:
            self.inventory.hold(labels, descriptors)
            return
        for descriptor in descriptors:
            os.close(descriptor)
        if op == DROP and process is self.relay:
            self.inventory.drop(labels)
        elif op == READY:
            self.serving(process)
        elif op == UPGRADE and process.alive:
            self.upgrade()
        elif op == STOPPING:
            # Whoever comes after it is to stop as well.
            self.stopping = self.stopping or signal.SIGTERM
        elif op == BYE:
            process.leaving = True
            self.inventory.clear()
        elif op == PREPARED and process is self.successor and self.relay is not None:
            process.prepared, self.give_up_at = True, None
            self.relay.signal(signal.SIGKILL)
        elif op == REFUSED:
            process.reason = payload.decode(errors="replace")
        elif op != HOLD:
            self.garbled += 1
            if self.garbled == 1:
                log("error", "garbled message", pid=process.pid)

    def serving(self, process: Process) -> None:
        """It is ready for what has waited."""
        process.ready = self.served = True
        waiting, self.waiting = self.waiting, []
        for number in waiting:
            process.signal(number)


def main(arguments: list[str]) -> int:
    """Keep a relay process until it ends in order; gives the exit status."""
    settings = json.loads(arguments[0])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    keeper = Keeper(arguments[1:], settings["prepare"], settings.get("story") or {})
    if "relay" in settings:
        # Another keeper has died; the relay process has started this one.
        link = socket.socket(fileno=settings["link"])
        for descriptor in (link.fileno(), settings["pidfd"]):
            os.set_inheritable(descriptor, False)
        keeper.relay = Process(settings["relay"], settings["pidfd"], link)
        keeper.observe(keeper.relay)
    else:
        keeper.start()
    code = keeper.run()
    if code is not None and code < 0 and -code in ENDING:
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return 128 - code if code is not None and code < 0 else code or 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
