# cython: annotation_typing=False
"""The session level of the SDP that each side of a branch is told, where it is asked for."""

from __future__ import annotations

from ..commands import SdpRequest
from ..sdp.description import Description
from ..sdp.edit import SectionEdit
from ..sdp.head import HeadEdit, origin_version, with_origin_version
from ..sdp.msrp_section import Connection
from ..words import Side
from .legs import Leg


class SessionLevel:
    """What each side has been told last.

    RFC 3264 section 8: o= stays what it was but for its version, which grows with every change,
    also where the change is the relay's own, and where no section is left that it relays.
    """

    def __init__(self) -> None:
        # The last version and body, without its version.
        self.versions: dict[Side, tuple[int, bytes]] = {}
        # The relay's address: family and host.
        self.addresses: dict[Side, tuple[str, str]] = {}

    def know(self, recipient: Side, leg: Leg) -> None:
        """``leg`` was opened for ``recipient``, whatever comes of its section."""
        self.addresses.setdefault(recipient, (leg.family, leg.host))

    def rewrite(
        self,
        request: SdpRequest,
        description: Description,
        recipient: Side,
        edits: dict[int, SectionEdit],
    ) -> bytes:
        """The body for ``recipient``, its sections edited, and above them what is asked for."""
        if not request.replace:
            return description.rewrite(edits)
        for edit in edits.values():
            # The first one speaks for all.
            self.addresses[recipient] = edit.family, edit.host
            break
        address = self.addresses.get(recipient)
        if address is None:
            return description.rewrite(edits)
        body = description.rewrite(edits, head(request, Connection(*address)))
        forced = "force-increment-sdp-ver" in request.replace
        if forced or "sdp-version" in request.replace:
            return self._stamped(recipient, body, forced)
        return body

    def _stamped(self, recipient: Side, body: bytes, forced: bool) -> bytes:
        """``body`` with a version above the last one if it differs; ``forced``: in any case."""
        theirs = origin_version(body)
        if theirs is None:
            return body
        bare = with_origin_version(body, 0)
        sent, content = self.versions.get(recipient, (theirs if forced else theirs - 1, b""))
        grown = forced or bare != content
        version = max(theirs, sent + 1) if grown else max(theirs, sent)
        self.versions[recipient] = (version, bare)
        return with_origin_version(body, version)


def head(request: SdpRequest, ours: Connection) -> HeadEdit | None:
    """What ``replace`` asks of the session level: our address."""
    origin = ours if "origin" in request.replace else None
    connection = ours if "session-connection" in request.replace else None
    return HeadEdit(origin, connection) if origin or connection else None
