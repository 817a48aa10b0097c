"""What a capture or a description can be refused with."""

from __future__ import annotations


class CaptureError(Exception):
    """A file that is no capture, or cannot be opened; the message names it and says why."""
