"""The last figures of every phase, for the manual."""

from __future__ import annotations

import datetime
import json
import os
import platform
from pathlib import Path
from typing import Any

from .verdict import Verdict

FIGURES = Path(__file__).with_name("figures.json")


def keep(verdict: Verdict) -> None:
    """Write what it has shown; a phase that was not played keeps what it has."""
    known = kept()
    known[verdict.phase] = {
        **verdict.figures,
        "failed": verdict.problems,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "machine": f"{os.cpu_count()} cores, Linux {platform.release().partition('-')[0]}",
    }
    FIGURES.write_text(json.dumps(known, indent=1) + "\n")


def kept() -> dict[str, dict[str, Any]]:
    """Figures by phase."""
    return dict(json.loads(FIGURES.read_text())) if FIGURES.exists() else {}
