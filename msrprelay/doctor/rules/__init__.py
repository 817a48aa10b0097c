"""The rules, a family a module: each a small pure function over what was seen.

Importing this package fills the table in :mod:`msrprelay.doctor.finding`, in the order of
severity that :mod:`msrprelay.doctor.ranking` breaks ties by.
"""

from __future__ import annotations

from ..finding import TABLE, Rule

from . import (  # isort: skip
    clock,
    splice,
    flow,
    opening,
    closing,
    answers,
    binding,
    chunks,
    paths,
    reinvite,
    changes,
    setup,
    addresses,
)

__all__ = [
    "RULES",
    "addresses",
    "answers",
    "binding",
    "changes",
    "chunks",
    "clock",
    "closing",
    "flow",
    "opening",
    "paths",
    "reinvite",
    "setup",
    "splice",
]

RULES: dict[str, Rule] = {rule.id: rule for rule in TABLE}
