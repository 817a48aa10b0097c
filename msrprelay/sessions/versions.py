"""The sess-version of o= where the SIP side wants the relay to keep it growing."""

from __future__ import annotations

from ..offer_answer import Side
from ..sdp import origin_version, with_origin_version


class Versions:
    """What each side of a branch has been sent: RFC 3264 section 8 wants a higher version with
    every change, also where the change is the relay's own."""

    def __init__(self) -> None:
        # The last version and body, without its version.
        self.sent: dict[Side, tuple[int, bytes]] = {}

    def stamp(self, recipient: Side, body: bytes, *, forced: bool) -> bytes:
        """``body`` with a version above the last one if it differs; ``forced``: in any case."""
        theirs = origin_version(body)
        if theirs is None:
            return body
        bare = with_origin_version(body, 0)
        sent, content = self.sent.get(recipient, (theirs if forced else theirs - 1, b""))
        grown = forced or bare != content
        version = max(theirs, sent + 1) if grown else max(theirs, sent)
        self.sent[recipient] = (version, bare)
        return with_origin_version(body, version)
