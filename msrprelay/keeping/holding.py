"""What a keeper looks after: descriptors, and relay processes."""

from __future__ import annotations

import collections
import contextlib
import os
import signal
import socket
import time

from .wire import HELD, MOST, Descriptors, Labels, pack


class Inventory:
    """What is held: a descriptor for each label."""

    def __init__(self) -> None:
        self._held: dict[bytes, int] = {}

    def __len__(self) -> int:
        return len(self._held)

    def hold(self, labels: Labels, descriptors: Descriptors) -> None:
        """Hold these from now on; a label that is there gets the new descriptor.

        Where the process had no room for all descriptors, the last labels have none.
        """
        for label, descriptor in zip(labels, descriptors, strict=False):
            if label in self._held:
                self.drop([label])
            self._held[label] = descriptor
        for descriptor in descriptors[len(labels) :]:
            os.close(descriptor)

    def drop(self, labels: Labels) -> None:
        """Close these; one that is not there does no harm."""
        for label in labels:
            descriptor = self._held.pop(label, None)
            if descriptor is not None:
                os.close(descriptor)

    def clear(self) -> None:
        """Close everything."""
        self.drop(list(self._held))

    def batches(self) -> list[list[bytes]]:
        """All labels, as many at a time as one message takes."""
        labels = list(self._held)
        return [labels[at : at + MOST] for at in range(0, len(labels), MOST)]

    def batch(self, labels: Labels) -> tuple[bytes, list[int]]:
        """HELD with those of ``labels`` that are still there, and their descriptors."""
        there = [label for label in labels if label in self._held]
        return pack(HELD, there), [self._held[label] for label in there]


class Process:
    """A relay process as its keeper sees it."""

    def __init__(self, pid: int, pidfd: int, link: socket.socket) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self.link = link
        self.since = time.monotonic()
        self.alive = True
        # What it has said of itself; ``reason``: why it does not want to be the successor.
        self.prepared = self.ready = self.leaving = False
        self.reason = ""
        # What waits to be sent: a message, or the labels of a batch.
        self.outbox: collections.deque[bytes | list[bytes]] = collections.deque()

    @classmethod
    def start(cls, command: list[str], *options: str) -> Process:
        """Start another one; raises OSError."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            theirs.set_inheritable(True)
            arguments = [*command, f"--keeper={theirs.fileno()}", *options]
            # A group of its own: Ctrl-C on a terminal is for the keeper, which passes it on.
            pid = os.posix_spawn(command[0], arguments, os.environ, setpgroup=0, setsigmask=())
        return cls(pid, os.pidfd_open(pid), ours)

    def signal(self, number: int) -> None:
        """Send a signal, if it is still there."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.pidfd, number)

    def reap(self) -> int | None:
        """Wait for its end; gives its exit code, None where it is no child of ours."""
        self.alive = False
        try:
            return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        except ChildProcessError:
            return None
