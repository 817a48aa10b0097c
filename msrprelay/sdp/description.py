"""A whole session description: its MSRP sections, and its rewriting octet for octet."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

from msgspec import Struct

from ..errors import SdpError
from .edit import SectionEdit, edit_section
from .head import HeadEdit, edit_head
from .section import MsrpSection, parse_common, parse_media, parse_section

# Limits of one description: its size in octets and its m= lines.
MAX_SIZE = 65536
MAX_SECTIONS = 64


class Description(Struct, frozen=True):
    """An SDP body (RFC 8866) and its MSRP sections, in order."""

    body: bytes
    sections: tuple[MsrpSection, ...]

    def section(self, index: int) -> MsrpSection | None:
        """The MSRP section that is the ``index``-th m= line."""
        return next((section for section in self.sections if section.index == index), None)

    def rewrite(self, edits: Mapping[int, SectionEdit], head: HeadEdit | None = None) -> bytes:
        """The body with the sections of these m= indices pointed at the relay.

        ``head`` says what of the session level changes too. Every other line comes back octet for
        octet; no edits give ``body`` itself. ``ValueError`` if an index names no section that can
        be anchored.
        """
        if not edits:
            return self.body
        wanted = [section for section in self.sections if section.index in edits]
        if len(wanted) != len(edits) or not all(section.anchor for section in wanted):
            raise ValueError("an edit names a section that cannot be anchored")
        body, at = self.body, 0
        parts = []
        if head is not None:
            starts = _starts(body)
            bounds = [*starts, len(body)]
            foreign = [span for index, span in enumerate(pairwise(bounds)) if index not in edits]
            at = starts[0]
            parts.append(edit_head(body, at, foreign, head))
        for section in wanted:
            rewritten = edit_section(body, section, edits[section.index])
            parts += (body[at : section.begin], rewritten)
            at = section.end
        parts.append(body[at:])
        return b"".join(parts)


def parse(body: bytes, max_size: int = MAX_SIZE, max_sections: int = MAX_SECTIONS) -> Description:
    """Read an SDP body; :class:`SdpError` names the rule and the line.

    Rules: ``not_sdp``, ``sdp_too_large`` (octets), ``too_many_sections`` (m= lines). Everything
    else that is wrong is a problem of its section, so that the others can still be relayed.
    """
    if len(body) > max_size:
        raise SdpError("sdp_too_large", body.count(b"\n", 0, max_size) + 1)
    if not body.startswith(b"v="):
        raise SdpError("not_sdp", 1)
    starts = _starts(body)
    if len(starts) > max_sections:
        raise SdpError("too_many_sections", body.count(b"\n", 0, starts[max_sections]) + 1)
    return Description(body, _sections(body, starts))


def _starts(body: bytes) -> list[int]:
    """Where the m= lines begin."""
    starts = []
    at = body.find(b"\nm=") + 1
    while at:
        starts.append(at)
        at = body.find(b"\nm=", at) + 1
    return starts


def _sections(body: bytes, starts: list[int]) -> tuple[MsrpSection, ...]:
    common, found = None, []
    for index, (begin, end) in enumerate(pairwise([*starts, len(body)])):
        media = parse_media(body[begin:end].partition(b"\n")[0])
        if media.msrp:
            if common is None:
                common = parse_common(body, starts[0])
            found.append(parse_section(index, body, begin, end, media, common))
    return tuple(found)
