"""The few lines of SDP that a test peer writes, and reads back."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit


def body(*sections: str, session_lines: str = "") -> str:
    """A session description around these m= sections; every line ends in CRLF."""
    session = f"v=0\no=- 7 7 IN IP4 192.0.2.1\ns=-\n{session_lines}t=0 0\n"
    return (session + "".join(sections)).replace("\n", "\r\n")


def section(
    path: str,
    *,
    setup: str | None,
    host: str,
    port: int,
    proto: str = "TCP/MSRP",
    extra: str = "",
) -> str:
    """One m=message section; `extra` are more lines, each with its LF."""
    said = f"a=setup:{setup}\n" if setup else ""
    family = "IP6" if ":" in host else "IP4"
    return (
        f"m=message {port} {proto} *\nc=IN {family} {host}\n"
        f"a=accept-types:*\na=path:{path}\n{said}{extra}"
    )


@dataclass(frozen=True)
class Told:
    """What one m=message section says to its reader."""

    text: str
    port: int
    host: str
    path: tuple[str, ...]
    setup: str | None

    @property
    def address(self) -> tuple[str, int]:
        """Where c= and m= say to dial."""
        return self.host, self.port

    @property
    def path_address(self) -> tuple[str, int]:
        """Where the first URI of a=path says to dial."""
        parts = urlsplit(self.path[0].partition(";")[0])
        return parts.hostname or "", parts.port or 0

    @property
    def session_id(self) -> str:
        """The session-id of the first URI."""
        return urlsplit(self.path[0].partition(";")[0]).path[1:]


def message_sections(sdp: str) -> list[Told]:
    """Every m=message section, in order."""
    parts = re.split(r"(?m)^(?=m=)", sdp)
    session = parts[0]
    return [_told(part, session) for part in parts[1:] if part.startswith("m=message ")]


def _told(text: str, session: str) -> Told:
    connection = re.search(r"(?m)^c=IN IP[46] (\S+)", text) or re.search(
        r"(?m)^c=IN IP[46] (\S+)", session
    )
    paths = re.findall(r"(?m)^a=path: *(.*?)\r?$", text)
    setup = re.search(r"(?m)^a=setup:(\S+)", text)
    port = re.match(r"m=message +(\d+)", text)
    return Told(
        text,
        int(port[1]) if port else 0,
        connection[1] if connection else "",
        tuple(" ".join(paths).split()),
        setup[1] if setup else None,
    )
