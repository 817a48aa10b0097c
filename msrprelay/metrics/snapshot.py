"""All that the metrics are made of, taken at one moment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

STATM = Path("/proc/self/statm")


def resident() -> int:
    """Bytes of memory that this process has; 0 if that cannot be read."""
    try:
        return int(STATM.read_text("ascii").split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return 0


@dataclass(frozen=True, slots=True)
class Snapshot:
    """``statistics`` as the command has it, and what it leaves out.

    ``started``: seconds of the epoch, when the counters were 0. ``refusals``: how often each limit
    or timer refused something, by its key. ``load``: which share of what is taken, 0 to 1.
    """

    version: str
    started: float
    statistics: Mapping[str, Any]
    refusals: Mapping[str, int]
    load: Mapping[str, float]
    # Of this process, since its start.
    cpu_seconds: float = field(default_factory=lambda: sum(os.times()[:2]))
    resident_bytes: int = field(default_factory=resident)
