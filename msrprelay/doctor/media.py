"""What SIP messages say about MSRP: session descriptions, and offers with their answers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from ..errors import SdpError
from ..net.uri import Uri
from ..sdp import Description, MsrpSection, parse
from .sip_message import SipMessage
from .tcp import Endpoint

ORIGIN = re.compile(rb"^o=(\S+) (\S+) (\S+) \S+ \S+ (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Media:
    """The session description in one SIP message."""

    message: SipMessage
    description: Description

    @property
    def number(self) -> int:
        """The packet it came in."""
        return self.message.number

    @property
    def section(self) -> MsrpSection | None:
        """The first live MSRP section; None if there is none."""
        return next((section for section in self.description.sections if section.port), None)

    @cached_property
    def origin(self) -> tuple[str, str] | None:
        """(user and session id, session version) of its ``o=`` line (RFC 8866 section 5.2)."""
        found = ORIGIN.search(self.description.body)
        if found is None:
            return None
        user, session, version = (part.decode("utf-8", "replace") for part in found.groups()[:3])
        return f"{user} {session}", version

    @property
    def address(self) -> Endpoint | None:
        """Host and port of c= and m=."""
        section = self.section
        if section is None or section.connection is None:
            return None
        return Endpoint(section.connection.host, section.port)

    @property
    def uri(self) -> Uri | None:
        """The first URI of a=path."""
        return None if self.section is None else self.section.uri

    @property
    def addresses(self) -> set[Endpoint]:
        """Every address a peer might dial for this description."""
        found = {self.address} if self.address else set()
        if self.uri is not None and self.uri.port is not None:
            found.add(Endpoint(self.uri.host, self.uri.port))
        return {end for end in found if end.port not in (0, 9)}

    @property
    def session_ids(self) -> set[str]:
        """The session-ids of all its path URIs."""
        section = self.section
        return set() if section is None else {_session_id(uri) for uri in section.path} - {""}


@dataclass(frozen=True)
class Exchange:
    """An offer and, once it has come, its answer (RFC 3264)."""

    offer: Media
    answer: Media | None


def read_media(message: SipMessage) -> Media | None:
    """The description in ``message``; None if it has none that can be read."""
    if not message.sdp:
        return None
    try:
        return Media(message, parse(message.sdp))
    except SdpError:
        return None


def _session_id(uri: str) -> str:
    return uri.rpartition("/")[2].partition(";")[0]
