"""A relay process for the keeper's tests: it holds a socket, memory and a pipe, and answers.

Run by a keeper: ``fake_relay.py FOLDER --keeper=N [--successor]``. The file ``mode`` in the folder
says how it misbehaves; the first one writes its UDP port to standard output.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[2]))

from msrprelay.keeping import wire
from msrprelay.keeping.wire import pack, receive, send, unpack

SOCKET, MEMORY, PIPE_EXIT, PIPE_ENTRY = (name.ljust(16, b"\0") for name in (b"s", b"m", b"x", b"e"))


class FakeRelay:
    def __init__(self, folder: Path, link: socket.socket) -> None:
        self.folder = folder
        self.link = link
        self.mode = (folder / "mode").read_text() if (folder / "mode").exists() else ""
        self.held: dict[bytes, int] = {}
        self.left: dict[str, Any] = {}
        self.heard: list[str] = []
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, self.signalled)

    def signalled(self, number: int, _frame: object) -> None:
        self.heard.append(signal.Signals(number).name)

    def be_successor(self) -> None:
        if self.mode == "exit":
            sys.exit(3)
        if self.mode == "hang":
            time.sleep(600)
        if self.mode == "refuse":
            send(self.link, pack(wire.REFUSED, (), b"not like this"))
            sys.exit(1)
        send(self.link, pack(wire.PREPARED))

    def take(self) -> None:
        op = 0
        while op != wire.ALL:
            message, descriptors = receive(self.link)
            op, labels, payload = unpack(message)
            self.held.update(zip(labels, descriptors, strict=True))
        self.left = json.loads(payload)

    def begin(self) -> None:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        os.write(1, b"%d\n" % udp.getsockname()[1])
        memory = os.memfd_create("memory")
        exit_, entry = os.pipe()
        self.hold({SOCKET: udp.detach(), MEMORY: memory, PIPE_EXIT: exit_, PIPE_ENTRY: entry})

    def hold(self, more: dict[bytes, int]) -> None:
        send(self.link, pack(wire.HOLD, list(more)), list(more.values()))
        self.held.update(more)

    def serve(self) -> None:
        udp = socket.socket(fileno=self.held[SOCKET])
        while True:
            request, peer = udp.recvfrom(65536)
            command, _, argument = request.partition(b" ")
            reply = getattr(self, command.decode())(argument)
            udp.sendto(json.dumps(reply).encode(), peer)

    # What a test can ask for.

    def state(self, _argument: bytes) -> object:
        size = os.fstat(self.held[MEMORY]).st_size
        return {
            "pid": os.getpid(),
            "left": self.left,
            "labels": len(self.held),
            "memory": os.pread(self.held[MEMORY], size, 0).decode(),
            "heard": self.heard,
            "open": len(os.listdir("/proc/self/fd")),
        }

    def write(self, argument: bytes) -> object:
        os.write(self.held[MEMORY], argument)
        return os.write(self.held[PIPE_ENTRY], argument)

    def read(self, argument: bytes) -> object:
        return os.read(self.held[PIPE_EXIT], int(argument)).decode()

    def hold_more(self, argument: bytes) -> object:
        """So many more, in the largest messages there may be."""
        labels = [b"n%015d" % number for number in range(int(argument))]
        for at in range(0, len(labels), wire.MOST):
            batch = labels[at : at + wire.MOST]
            send(self.link, pack(wire.HOLD, batch), [0] * len(batch))
        self.held.update(dict.fromkeys(labels, 0))
        return len(self.held)

    def drop(self, argument: bytes) -> object:
        labels = [b"n%015d" % number for number in range(int(argument))]
        for name in labels:
            send(self.link, pack(wire.DROP, [name]))
        return len(labels)

    def say(self, argument: bytes) -> object:
        """A message as it is, in hexadecimal."""
        return self.link.send(bytes.fromhex(argument.decode()))

    def upgrade(self, _argument: bytes) -> object:
        """The reason of its failure; the process is killed where it works."""
        send(self.link, pack(wire.UPGRADE))
        op, _, payload = unpack(receive(self.link)[0])
        assert op == wire.FAILED
        return json.loads(payload)["reason"]

    def bye(self, argument: bytes) -> object:
        send(self.link, pack(wire.BYE))
        os._exit(int(argument))


def main() -> None:
    number = next(each for each in sys.argv if each.startswith("--keeper="))
    relay = FakeRelay(Path(sys.argv[1]), socket.socket(fileno=int(number.partition("=")[2])))
    if "--successor" in sys.argv:
        relay.be_successor()
    relay.take()
    if relay.mode == "fail":
        sys.exit(7)
    if not relay.held:
        relay.begin()
    if relay.mode != "unready" and (relay.mode != "slow" or relay.left["cold"]):
        send(relay.link, pack(wire.READY))
    if relay.mode == "die":
        sys.exit(9)
    relay.serve()


if __name__ == "__main__":
    main()
