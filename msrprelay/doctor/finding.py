"""A finding: which rule, how bad, where in the capture, what it means, what helps."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

SHOWN_PACKETS = 40
"""Packet numbers listed per finding."""


class Severity(StrEnum):
    """``error`` = the call cannot work like this; ``note`` = odd but harmless by itself."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Level(StrEnum):
    """What a rule looks at."""

    LINK = "one TCP connection"
    PAIR = "both legs of a middlebox"
    DIALOG = "one SIP call"
    EXCHANGE = "one offer and its answer"
    CASE = "everything that belongs to a call"


class Hit(NamedTuple):
    """One place where a rule fired. ``severity`` only where it differs from the rule's own."""

    packets: list[int]
    verdict: str
    severity: Severity | None = None


class Rule(NamedTuple):
    """A row of the table: ``check`` takes (the thing, its case) and gives hits."""

    id: str
    level: Level
    severity: Severity
    title: str
    remedy: str
    check: Callable[[Any, Any], Iterator[Hit]]


@dataclass(frozen=True)
class Finding:
    """A hit as reported. ``follows`` names the rule whose fault explains this one."""

    rule: str
    severity: Severity
    packets: tuple[int, ...]
    verdict: str
    remedy: str
    title: str
    follows: str | None = None


TABLE: list[Rule] = []
"""Every rule, in the order of definition."""

Check = Callable[[Any, Any], Iterator[Hit]]


def rule(
    id: str, level: Level, title: str, remedy: str, severity: Severity = Severity.ERROR
) -> Callable[[Check], Check]:
    """Enter a function into the table."""

    def enter(check: Check) -> Check:
        TABLE.append(Rule(id, level, severity, title, remedy, check))
        return check

    return enter


def finding(rule: Rule, hit: Hit) -> Finding:
    """The hit as a finding of ``rule``."""
    packets = tuple(dict.fromkeys(sorted(hit.packets)))[:SHOWN_PACKETS]
    severity = hit.severity or rule.severity
    return Finding(rule.id, severity, packets, hit.verdict, rule.remedy, rule.title)
