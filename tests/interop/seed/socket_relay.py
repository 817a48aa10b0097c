"""The plainest relay that terminates TCP: accepts one connection on each of two ports, copies.

The control of the control: in the splicer's place, with the same peers, it must carry the call, or
the laboratory itself is at fault.

Run: `socket_relay.py ADDRESS PORT_FOR_CLIENT_1 PORT_FOR_CLIENT_2`; prints `ready`.
"""

from __future__ import annotations

import socket
import sys
import threading

READ_SIZE = 65536


def copy(source: socket.socket, sink: socket.socket) -> None:
    """Moves bytes one way until FIN, and passes that on."""
    while data := source.recv(READ_SIZE):
        sink.sendall(data)
    sink.shutdown(socket.SHUT_WR)


def main(address: str, first_port: str, second_port: str) -> None:
    listeners = [socket.create_server((address, int(port))) for port in (first_port, second_port)]
    print("ready", flush=True)
    first, second = (listener.accept()[0] for listener in listeners)
    ways = [threading.Thread(target=copy, args=way) for way in ((first, second), (second, first))]
    for way in ways:
        way.start()
    for way in ways:
        way.join()


if __name__ == "__main__":
    main(*sys.argv[1:])
