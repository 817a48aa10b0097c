"""The checks, each a short function that plays one case of `data/*.toml` against a relay."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from .relay import Relay

Policy = Literal["aware", "cema", "sessmatch"]
Play = Callable[[Relay, Policy], None]
F = TypeVar("F", bound=Play)

AWARE: tuple[Policy, ...] = ("aware",)
OPAQUE: tuple[Policy, ...] = ("cema", "sessmatch")
# Where the policy of a call makes no difference, one of the opaque ones stands for both.
EITHER: tuple[Policy, ...] = ("aware", "sessmatch")


class NotApplicable(Exception):
    """The case cannot be played against this relay; says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """One case under one policy. `control`: needs SDP and commands; `timer`: waits for that one."""

    case: int
    policy: Policy
    name: str
    play: Play
    control: bool
    timer: str | None

    @property
    def id(self) -> str:
        """The name in tables and of the test."""
        return f"{self.case:03}-{self.policy}-{self.name}"


CHECKS: list[Check] = []


def check(
    case: int,
    *,
    policies: tuple[Policy, ...] = AWARE,
    control: bool = False,
    timer: str | None = None,
) -> Callable[[F], F]:
    """Register a function as a check of `case`, once for each of `policies`."""

    def register(play: F) -> F:
        add(case, play.__name__, play, policies=policies, control=control, timer=timer)
        return play

    return register


def add(
    case: int,
    name: str,
    play: Play,
    *,
    policies: tuple[Policy, ...] = AWARE,
    control: bool = False,
    timer: str | None = None,
) -> None:
    """As :func:`check`, for rows of tables; `name` may be a sentence."""
    slug = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    CHECKS.extend(Check(case, policy, slug, play, control, timer) for policy in policies)
