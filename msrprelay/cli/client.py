"""A JSON-RPC client for the daemon's unix socket: one connection, requests in order."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
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


class Error(msgspec.Struct):
    """An error object."""

    code: int
    message: str


class Answer(msgspec.Struct):
    """A response object: it has a result or an error."""

    id: int | None = None
    result: dict[str, Any] | None = None
    error: Error | None = None

    def __post_init__(self) -> None:
        if (self.result is None) == (self.error is None):
            raise ValueError("a result or an error expected")


class Client:
    """Calls methods; raises NotReached and Refused."""

    def __init__(self, path: str, patience: float = TIMEOUT_SECONDS) -> None:
        """``path`` is the daemon's socket; the first call connects.

        ``patience``: seconds that the daemon may be silent when it is asked.
        """
        self._path = path
        self._patience = patience
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
        return result_of(self._exchange(request(method, params or {}, 1), Answer))

    def calls(
        self, method: str, each: Iterable[Mapping[str, object]]
    ) -> list[dict[str, Any] | Refused]:
        """The results of a batch, in order; a refusal stands in its place.

        Raises Refused if the daemon takes no such batch.
        """
        batch = [request(method, params, number) for number, params in enumerate(each)]
        if not batch:
            return []
        found = self._exchange(batch, Answer | list[Answer])
        if isinstance(found, Answer):
            # One error object for all of them: the batch as a whole was refused.
            assert found.error is not None
            raise Refused(found.error.code, found.error.message)
        answers = {answer.id: answer for answer in found}
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
            with self._losses_told():
                told = msgspec.json.decode(self._line(self._socket), type=dict[str, Any])
            yield told

    def _exchange(self, document: object, expected: Any) -> Any:
        with self._losses_told():
            if self._socket is None:
                self._socket = connected(self._path, self._patience)
            self._socket.sendall(msgspec.json.encode(document) + b"\n")
            return msgspec.json.decode(self._line(self._socket), type=expected)

    @contextmanager
    def _losses_told(self) -> Iterator[None]:
        """Raise NotReached where the connection fails, or somebody else is at its other end."""
        try:
            yield
        except OSError as error:
            self.close()
            raise NotReached(f"{self._path}: {error.strerror or error}") from None
        except msgspec.DecodeError as error:
            self.close()
            raise NotReached(f"{self._path}: no answer in JSON-RPC: {error}") from None

    def _line(self, sock: socket.socket) -> bytes:
        pieces, self._rest = [self._rest], b""
        while b"\n" not in pieces[-1]:
            piece = sock.recv(CHUNK)
            if not piece:
                raise ConnectionError("the daemon closed the connection")
            pieces.append(piece)
        line, _, self._rest = b"".join(pieces).partition(b"\n")
        return line


def connected(path: str, patience: float) -> socket.socket:
    """A socket connected to ``path``, whose calls take ``patience`` seconds; raises OSError."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(patience)
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


def result_of(answer: Answer) -> dict[str, Any]:
    """The result in a response object; raises Refused."""
    if answer.error is not None:
        raise Refused(answer.error.code, answer.error.message)
    assert answer.result is not None
    return answer.result


def outcome(answer: Answer) -> dict[str, Any] | Refused:
    """The result in a response object, or the refusal."""
    try:
        return result_of(answer)
    except Refused as refused:
        return refused
