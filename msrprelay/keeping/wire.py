"""What the keeper and the relay process say to each other.

On a socket pair (SOCK_SEQPACKET). A message is ``op, version, count`` (``<BBH``), as many labels of
16 bytes, and a payload; HOLD and HELD carry a descriptor for each label. The engine speaks it too.
"""

from __future__ import annotations

import array
import socket
import struct
from collections.abc import Sequence

VERSION = 1
HEAD = struct.Struct("<BBH")
LABEL = 16
# How many descriptors a message of ours carries at most.
MOST = 250
# Bytes to receive descriptors in: the kernel lets a message carry 253 (SCM_MAX_FD).
SPACE = socket.CMSG_SPACE(253 * array.array("i").itemsize)
# Bytes of a message at most.
LONGEST = 1 << 16
# As numbers: members of an enumeration cost as much to combine as a system call does.
DONTWAIT = int(socket.MSG_DONTWAIT)
NOSIGNAL = int(socket.MSG_NOSIGNAL)
CLOEXEC = int(socket.MSG_CMSG_CLOEXEC)

# From the relay process.
HOLD, DROP, READY, UPGRADE, BYE, PREPARED, REFUSED, STOPPING = 1, 2, 3, 4, 5, 7, 8, 9
# To the relay process.
HELD, ALL, FAILED = 16, 17, 18

Labels = Sequence[bytes]
Descriptors = Sequence[int]


def pack(op: int, labels: Labels = (), payload: bytes = b"") -> bytes:
    """A message."""
    return HEAD.pack(op, VERSION, len(labels)) + b"".join(labels) + payload


def unpack(message: bytes) -> tuple[int, list[bytes], bytes]:
    """Op, labels and payload; op 0: it is no message of this version."""
    if len(message) < HEAD.size:
        return 0, [], b""
    op, version, count = HEAD.unpack_from(message)
    end = HEAD.size + count * LABEL
    if version != VERSION or end > len(message):
        return 0, [], b""
    return op, [message[at : at + LABEL] for at in range(HEAD.size, end, LABEL)], message[end:]


def send(
    link: socket.socket, message: bytes, descriptors: Descriptors = (), flags: int = 0
) -> None:
    """Send a message whole; raises OSError."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
    link.sendmsg([message], rights if descriptors else [], flags | NOSIGNAL)


def receive(link: socket.socket, flags: int = 0) -> tuple[bytes, list[int]]:
    """The next message and its descriptors, which no child inherits; raises OSError.

    Without anything: the other end is closed.
    """
    message, ancillary, _, _ = link.recvmsg(LONGEST, SPACE, flags | CLOEXEC)
    found = array.array("i")
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(content[: len(content) // found.itemsize * found.itemsize])
    return message, list(found)
