"""What a keeper does for a relay process that works: it holds what it is told to hold.

Run as ``python -m bench.holder DESCRIPTOR``; it ends with the other end of that socket.
"""

from __future__ import annotations

import os
import socket
import sys

from msrprelay.keeping.holding import Inventory
from msrprelay.keeping.wire import DROP, HOLD, receive, unpack


def hold(link: socket.socket) -> None:
    """Until the other end is closed."""
    inventory = Inventory()
    while True:
        message, descriptors = receive(link)
        if not message:
            return
        op, labels, _ = unpack(message)
        if op == HOLD:
            inventory.hold(labels, descriptors)
        elif op == DROP:
            inventory.drop(labels)


def start() -> int:
    """Start one beside this process; gives the engine's end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.set_inheritable(True)
    command = [sys.executable, "-m", "bench.holder", str(theirs.fileno())]
    os.posix_spawn(command[0], command, os.environ)
    theirs.close()
    return ours.detach()


if __name__ == "__main__":
    hold(socket.socket(fileno=int(sys.argv[1])))
