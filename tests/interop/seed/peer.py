"""A scripted MSRP endpoint that dials: binds, chats, answers, and prints what came of it as JSON.

Standard library and blocking socket only, so that a namespace runs it at once and nothing of the
product is under test twice. Two manners:

* `rfc`: answers the peer's bind SEND and waits for the 200 to its own (RFC 4975 section 5.4);
* `blink2011`: the Blink of the first seed (msrplib 0.12.1): the first request it sees while it
  waits for the 200 binds it, and is not answered.
"""

from __future__ import annotations

import argparse
import json
import secrets
import signal
import socket
import time
from dataclasses import asdict, dataclass, field
from types import FrameType
from typing import NamedTuple

CHAT_SECONDS = 20.0
DIAL_SECONDS = 20.0


class Ended(Exception):
    """The session was ended from outside (SIGTERM), as by a BYE: no failure of this peer."""


class Chunk(NamedTuple):
    """A request (`method`) or a response (`status`), as far as this peer looks at one."""

    tid: str
    method: str | None
    status: int | None
    to_path: str
    from_path: str
    has_body: bool


@dataclass
class Outcome:
    """What the peer saw of the call. Chat only: neither bind SENDs nor their answers count."""

    bound: bool = False
    failure: str | None = None
    requests_seen: int = 0
    messages_received: int = 0
    messages_answered: int = 0
    refusals: list[int] = field(default_factory=list)


class Peer:
    """One endpoint on a connected socket."""

    def __init__(self, connection: socket.socket, options: argparse.Namespace) -> None:
        self._connection = connection
        self._stream = connection.makefile("rb")
        self._own = options.own
        self._other = options.other
        self._strict = options.strict
        self._waits_for_answer = options.manner == "rfc"
        self._outcome = Outcome()

    def call(self, messages: int, bind_seconds: float) -> Outcome:
        try:
            self._bind(time.monotonic() + bind_seconds)
            self._chat(messages, time.monotonic() + CHAT_SECONDS)
        except TimeoutError:
            # The names the first seed's logs gave them.
            kind = "MSRPTransportTimeout" if self._outcome.bound else "MSRPBindSessionTimeout"
            self._outcome.failure = kind
        except Ended:
            pass
        except (EOFError, OSError) as error:
            self._outcome.failure = f"{type(error).__name__}: {error}"
        return self._outcome

    def _bind(self, deadline: float) -> None:
        bind = self._send(body=None)
        while not self._outcome.bound:
            chunk = self._read(deadline)
            if chunk.method is None:
                self._outcome.bound = chunk.tid == bind and chunk.status == 200
            elif self._waits_for_answer:
                self._answer(chunk)
            else:
                self._outcome.bound = True

    def _chat(self, messages: int, deadline: float) -> None:
        waiting = {self._send(f"message {number}") for number in range(messages)}
        while waiting or self._outcome.messages_received < messages:
            chunk = self._read(deadline)
            if chunk.method is not None:
                self._answer(chunk)
            elif chunk.tid in waiting:
                waiting.discard(chunk.tid)
                self._outcome.messages_answered += chunk.status == 200
        self._leave(deadline)

    def _leave(self, deadline: float) -> None:
        """Closes without losing the other's last bytes: FIN, then its FIN."""
        self._connection.shutdown(socket.SHUT_WR)
        self._connection.settimeout(max(deadline - time.monotonic(), 0.001))
        while self._stream.read(4096):
            pass

    def _send(self, body: str | None) -> str:
        tid, message_id = secrets.token_hex(8), secrets.token_hex(10)
        size = len(body) if body else 0
        lines = [
            f"MSRP {tid} SEND",
            f"To-Path: {self._other}",
            f"From-Path: {self._own}",
            f"Byte-Range: 1-{size}/{size}",
            f"Message-ID: {message_id}",
        ]
        if body:
            lines += ["Content-Type: text/plain", "", body]
        self._write([*lines, f"-------{tid}$"])
        return tid

    def _answer(self, request: Chunk) -> None:
        mine = request.to_path == self._own
        if not self._strict:
            mine = _session_id(request.to_path) == _session_id(self._own)
        status = "200 OK" if mine else "481 Invalid To-Path"
        if not mine:
            self._outcome.refusals.append(481)
        elif request.has_body:
            self._outcome.messages_received += 1
        self._write([
            f"MSRP {request.tid} {status}",
            f"To-Path: {request.from_path.split()[0]}",
            f"From-Path: {self._own}",
            f"-------{request.tid}$",
        ])  # fmt: skip

    def _write(self, lines: list[str]) -> None:
        self._connection.sendall("".join(f"{line}\r\n" for line in lines).encode())

    def _read(self, deadline: float) -> Chunk:
        tid, kind = self._line(deadline).split(" ", 3)[1:3]
        lines: list[str] = []
        while not (line := self._line(deadline)).startswith(f"-------{tid}"):
            lines.append(line)
        head = lines[: lines.index("")] if "" in lines else lines
        headers = dict(line.split(": ", 1) for line in head)
        is_response = kind.isdecimal()
        self._outcome.requests_seen += not is_response
        return Chunk(
            tid=tid,
            method=None if is_response else kind,
            status=int(kind) if is_response else None,
            to_path=headers["To-Path"],
            from_path=headers["From-Path"],
            has_body="" in lines,
        )

    def _line(self, deadline: float) -> str:
        self._connection.settimeout(max(deadline - time.monotonic(), 0.001))
        line = self._stream.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError("the connection ended")
        return line[:-2].decode()


def _session_id(uri: str) -> str:
    return uri.rpartition("/")[2].partition(";")[0]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--local", required=True, help="address to dial from")
    parser.add_argument("--own", required=True, help="this end's URI, as its a=path says")
    parser.add_argument("--other", required=True, help="the URI to dial and to write as To-Path")
    parser.add_argument("--manner", choices=("rfc", "blink2011"), default="rfc")
    parser.add_argument("--strict", action="store_true", help="compare whole paths")
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--bind-seconds", type=float, required=True)
    return parser.parse_args()


def end(signum: int, frame: FrameType | None) -> None:
    raise Ended


def main() -> None:
    wanted = options()
    signal.signal(signal.SIGTERM, end)
    host, _, port = wanted.other.partition("://")[2].partition("/")[0].rpartition(":")
    with socket.socket() as connection:
        connection.bind((wanted.local, 0))
        connection.settimeout(DIAL_SECONDS)
        connection.connect((host, int(port)))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        outcome = Peer(connection, wanted).call(wanted.messages, wanted.bind_seconds)
    print(json.dumps(asdict(outcome)))


if __name__ == "__main__":
    main()
