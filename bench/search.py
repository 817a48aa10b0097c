"""The end-line search alone: the framer on bodies in memory, without sockets."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from .place import Place

__all__ = ["PROGRAM", "Search"]

PROGRAM = Path(__file__).parent / "target" / "release" / "framing"


class Search:
    """What frames the cases of ``framing/``."""

    def __init__(self, place: Place) -> None:
        self._place = place

    def slowest(self, cases: list[str], passes: int) -> float:
        """CPU seconds per byte in the worst of the cases, each gone through so often."""
        return max(self._seconds_per_byte(case, passes) for case in cases)

    def _seconds_per_byte(self, case: str, passes: int) -> float:
        argv = self._place.systems.command([str(PROGRAM), case, str(passes)])
        done = json.loads(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)
        seconds: float = done["seconds"] / (done["bytes"] * passes)
        return seconds

    def stop(self) -> None:
        """Nothing runs between measurements."""
