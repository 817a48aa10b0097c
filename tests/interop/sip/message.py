"""SIP messages as the phones of these tests read and write them (RFC 3261 section 7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self


@dataclass(frozen=True)
class Message:
    """A request or response; header names as written, values without folding."""

    start: str
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    @classmethod
    def read(cls, datagram: bytes) -> Self:
        head, _, body = datagram.partition(b"\r\n\r\n")
        start, *lines = head.decode().split("\r\n")
        pairs = [line.partition(":")[::2] for line in lines]
        return cls(start, [(name.strip(), value.strip()) for name, value in pairs], body)

    def encode(self) -> bytes:
        length = ("Content-Length", str(len(self.body)))
        lines = [self.start, *(f"{name}: {value}" for name, value in [*self.headers, length])]
        return "\r\n".join([*lines, "", ""]).encode() + self.body

    @property
    def method(self) -> str:
        """Of a request its own, of a response that of its request."""
        return self.one("CSeq").split()[1]

    @property
    def status(self) -> int:
        """0 for a request."""
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def branch(self) -> str:
        """The branch of the topmost Via: what names the transaction."""
        return parameter(self.one("Via"), "branch")

    @property
    def call_id(self) -> str:
        return self.one("Call-ID")

    def all(self, name: str) -> list[str]:
        return [value for given, value in self.headers if given.lower() == name.lower()]

    def one(self, name: str) -> str:
        return next(iter(self.all(name)), "")


MULTIPART = "multipart/mixed;boundary=edge"


def multipart(*parts: tuple[str, bytes]) -> bytes:
    """A body of several, each with its type (RFC 2046 section 5.1); its own is ``MULTIPART``."""
    said = [b"Content-Type: %s\r\n\r\n%s\r\n" % (kind.encode(), body) for kind, body in parts]
    return b"".join(b"--edge\r\n" + part for part in said) + b"--edge--\r\n"


def parts_of(body: bytes) -> list[tuple[str, bytes]]:
    """What :func:`multipart` was given, or what has become of it on the way."""
    said = [part.partition(b"\r\n\r\n") for part in body.split(b"--edge\r\n")[1:]]
    kinds = [head.decode().removeprefix("Content-Type: ") for head, _, _ in said]
    bodies = [part.removesuffix(b"--edge--\r\n").removesuffix(b"\r\n") for _, _, part in said]
    return list(zip(kinds, bodies, strict=True))


def parameter(value: str, name: str) -> str:
    """A parameter of a header value, "" if it has none."""
    outside = value.rpartition(">")[2] if ">" in value else value
    words = (word.partition("=") for word in outside.split(";")[1:])
    return next((given for key, _, given in words if key.strip() == name), "")


def uri(value: str) -> str:
    """The URI of a name-addr."""
    return value.partition("<")[2].partition(">")[0] if "<" in value else value.split(";")[0]
