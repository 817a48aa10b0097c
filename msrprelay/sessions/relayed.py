"""What a section has relayed in sessions that are over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

Report = Mapping[str, Any]


class Relayed(Struct):
    """Figures of both ways together."""

    octets: int = 0
    chunks: int = 0
    errors: int = 0

    def add(self, report: Report) -> None:
        """Take those of one more session."""
        for leg in report["legs"]:
            self.octets += leg["bytes-in"]
            self.chunks += leg["chunks"]
            self.errors += leg["reason"] in ("reset", "malformed")
