"""What SIP messages say about MSRP: session descriptions, and offers with their answers."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property

from ..errors import SdpError
from ..net.uri import Uri
from ..sdp import Description, MsrpSection, parse
from .hosts import Endpoint
from .sip_message import SipMessage

ORIGIN = re.compile(rb"^o=(\S+) (\S+) (\S+) \S+ \S+ (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Media:
    """The session description in one SIP message; ``only`` names an m= line if it stands alone."""

    message: SipMessage
    description: Description
    only: int | None = None

    @property
    def number(self) -> int:
        """The packet it came in."""
        return self.message.number

    @cached_property
    def sections(self) -> list[MsrpSection]:
        """Its live MSRP sections."""
        live = [section for section in self.description.sections if section.port]
        return [section for section in live if self.only in (None, section.index)]

    @property
    def section(self) -> MsrpSection | None:
        """The first live MSRP section; None if there is none."""
        return self.sections[0] if self.sections else None

    def part(self, index: int) -> Media:
        """What it says in one of its m= lines."""
        return replace(self, only=index)

    @cached_property
    def origin(self) -> tuple[str, str] | None:
        """(user and session id, session version) of its ``o=`` line (RFC 8866 section 5.2)."""
        found = ORIGIN.search(self.description.body)
        if found is None:
            return None
        user, session, version = (part.decode("utf-8", "replace") for part in found.groups()[:3])
        return f"{user} {session}", version

    @cached_property
    def address(self) -> Endpoint | None:
        """Host and port of c= and m=, in its first section."""
        return None if self.section is None else _address(self.section)

    @property
    def uri(self) -> Uri | None:
        """The first URI of a=path, in its first section."""
        return None if self.section is None else self.section.uri

    @property
    def uris(self) -> list[Uri]:
        """The first URI of a=path in each section."""
        return [section.uri for section in self.sections if section.uri is not None]

    @property
    def addresses(self) -> set[Endpoint]:
        """Every address a peer might dial for this description."""
        found = {_address(section) for section in self.sections}
        found |= {Endpoint(uri.host, uri.port) for uri in self.uris if uri.port is not None}
        return {end for end in found if end is not None and end.port not in (0, 9)}

    @property
    def session_ids(self) -> set[str]:
        """The session-ids of all its path URIs."""
        paths = (uri for section in self.sections for uri in section.path)
        return {_session_id(uri) for uri in paths} - {""}


@dataclass(frozen=True)
class Exchange:
    """An offer and, once it has come, its answer (RFC 3264)."""

    offer: Media
    answer: Media | None

    @property
    def parts(self) -> list[Exchange]:
        """One exchange per MSRP section: m= lines go together by position (RFC 3264 section 6)."""
        offer, answer = self.offer, self.answer
        both = [media for media in (offer, answer) if media is not None]
        if all(len(media.sections) < 2 for media in both):
            return [self]
        indexes = sorted({section.index for media in both for section in media.sections})
        return [Exchange(offer.part(i), answer and answer.part(i)) for i in indexes]


def read_media(message: SipMessage) -> Media | None:
    """The description in ``message``; None if it has none that can be read."""
    if not message.sdp:
        return None
    try:
        return Media(message, parse(message.sdp))
    except SdpError:
        return None


def _address(section: MsrpSection) -> Endpoint | None:
    where = section.connection
    return None if where is None else Endpoint(where.host, section.port)


def _session_id(uri: str) -> str:
    return uri.rpartition("/")[2].partition(";")[0]
