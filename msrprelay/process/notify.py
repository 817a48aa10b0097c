"""Telling systemd how the daemon is (sd_notify(3)); without systemd nothing happens."""

from __future__ import annotations

import contextlib
import os
import socket
import time

# From the last call to the end of the process, at most: web hooks and the state's file.
ENDING_SECONDS = 30


class Notifier:
    """Sends to the socket in ``NOTIFY_SOCKET``, as a unit with ``Type=notify`` has it.

    Nothing here waits or raises: a daemon runs on if nobody listens.
    """

    def __init__(self, address: str | None = None) -> None:
        """``address``: instead of the environment's; empty for none."""
        self._address = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._status = ""

    def ready(self) -> None:
        """Start-up or a reload is complete."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The configuration is read again; :meth:`ready` follows."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, seconds: float) -> None:
        """No new calls are taken any more; it may take so many seconds until the end."""
        # Else it is killed after TimeoutStopSec; what is asked for here only ever adds to that.
        microseconds = int((seconds + ENDING_SECONDS) * 1_000_000)
        self._send(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={microseconds}")

    def main_process(self, pid: int) -> None:
        """This process is the main one from now on."""
        self._send(f"MAINPID={pid}")

    def status(self, text: str) -> None:
        """One line for ``systemctl status``; sent only if it has changed."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={text}")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        # A leading @ stands for the zero byte of an abstract socket.
        address = self._address.replace("@", "\0", 1) if self._address[0] == "@" else self._address
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock,
        ):
            sock.sendto(message.encode(), address)
