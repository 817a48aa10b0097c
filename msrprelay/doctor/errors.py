"""What a capture or a description can be refused with."""

from __future__ import annotations

# What `doctor` needs beyond the rest; msrprelay is installed from its source.
INSTALL = "pip install '.[doctor]' where msrprelay's source is"


class CaptureError(Exception):
    """A file that is no capture, or cannot be opened; the message names it and says why."""
