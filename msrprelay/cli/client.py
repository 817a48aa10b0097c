"""A JSON-RPC client for the daemon's unix socket: one connection, requests in order."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

import msgspec

# The daemon answers in milliseconds; this is for one that hangs.
TIMEOUT_SECONDS = 10.0
CHUNK = 1 << 16


class NotReached(Exception):
    """No daemon answers at the socket."""


class Refused(Exception):
    """The daemon answered with an error object."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Client:
    """Calls methods; raises NotReached and Refused."""

    def __init__(self, path: str) -> None:
        """``path`` is the daemon's socket; the first call connects."""
        self._path = path
        self._socket: socket.socket | None = None
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; another call makes a new one."""
        if self._socket is not None:
            self._socket.close()
            self._socket, self._rest = None, b""

    def call(self, method: str, params: Mapping[str, object] | None = None) -> dict[str, Any]:
        """The result of one call."""
        return result_of(self._exchange(request(method, params or {}, 1)))

    def calls(
        self, method: str, each: Iterable[Mapping[str, object]]
    ) -> list[dict[str, Any] | Refused]:
        """The results of a batch, in order; a refusal stands in its place.

        Raises Refused if the daemon takes no such batch.
        """
        batch = [request(method, params, number) for number, params in enumerate(each)]
        if not batch:
            return []
        found = self._exchange(batch)
        if isinstance(found, dict):
            # One error object for all of them: the batch as a whole was refused.
            raise Refused(found["error"]["code"], found["error"]["message"])
        answers = {answer["id"]: answer for answer in found}
        return [outcome(answers[number]) for number in range(len(batch))]

    def events(self, params: Mapping[str, object]) -> Iterator[dict[str, Any]]:
        """Every notification from now on, as the daemon gives it.

        Raises NotReached when the connection ends: what happens from then on is not heard.
        """
        self.call("subscribe", params)
        assert self._socket is not None
        # Nothing may happen for as long as it likes.
        self._socket.settimeout(None)
        while True:
            try:
                line = self._line(self._socket)
            except OSError as error:
                raise self._lost(error) from None
            yield msgspec.json.decode(line)

    def _exchange(self, document: object) -> Any:
        try:
            if self._socket is None:
                self._socket = connected(self._path)
            self._socket.sendall(msgspec.json.encode(document) + b"\n")
            return msgspec.json.decode(self._line(self._socket))
        except OSError as error:
            raise self._lost(error) from None

    def _lost(self, error: OSError) -> NotReached:
        self.close()
        return NotReached(f"{self._path}: {error.strerror or error}")

    def _line(self, sock: socket.socket) -> bytes:
        pieces, self._rest = [self._rest], b""
        while b"\n" not in pieces[-1]:
            piece = sock.recv(CHUNK)
            if not piece:
                raise ConnectionError("the daemon closed the connection")
            pieces.append(piece)
        line, _, self._rest = b"".join(pieces).partition(b"\n")
        return line


def connected(path: str) -> socket.socket:
    """A socket connected to ``path``; raises OSError."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(TIMEOUT_SECONDS)
    try:
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    return sock


def request(method: str, params: Mapping[str, object], number: int) -> dict[str, object]:
    """A request object."""
    said = {key: writable(value) for key, value in params.items()}
    return {"jsonrpc": "2.0", "method": method, "params": said, "id": number}


def writable(value: object) -> object:
    r"""A word of the command line that is no UTF-8 with the daemon's escapes (``\xNN``) in it."""
    if not isinstance(value, str):
        return value
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def result_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    """The result in a response object; raises Refused."""
    if "error" in answer:
        raise Refused(answer["error"]["code"], answer["error"]["message"])
    result = answer["result"]
    assert isinstance(result, dict)
    return result


def outcome(answer: Mapping[str, Any]) -> dict[str, Any] | Refused:
    """The result in a response object, or the refusal."""
    try:
        return result_of(answer)
    except Refused as refused:
        return refused
