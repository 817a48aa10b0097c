"""Kills and upgrades of a relay under load, at random instants, each after a recovery."""

from __future__ import annotations

import contextlib
import random
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from .crowd import Crowd
from .relay import ChaosRelay
from .signalling import Control, LossyNetwork
from .verdict import Span, Verdict

MOVED_SECONDS = 20.0
FINISH_SECONDS = 30.0
# Between a recovery and the next fault.
CALM_SECONDS = 0.1
# Of the kills, those into a recovery; they are not counted.
EARLY_SHARE = 0.1
EARLY_SECONDS = 0.4


@dataclass(frozen=True)
class Plan:
    """What a run is to show; `seconds` bounds the faults, and is how long a run without lasts."""

    seed: int
    sessions: int
    kills: int
    upgrades: int
    seconds: float
    keeper: bool = True
    lossy: bool = True
    churn: bool = True


class Storm:
    """One run."""

    def __init__(self, plan: Plan, relay: ChaosRelay, crowd: Crowd) -> None:
        self._plan = plan
        self._relay = relay
        self._crowd = crowd
        self._random = random.Random(plan.seed)
        self._ends = time.monotonic() + plan.seconds
        self.kills: list[Span] = []
        self.upgrades: list[Span] = []

    def rage(self) -> None:
        """All kills and upgrades, unless there is nothing left to kill or the time is over."""
        if not self._plan.kills and not self._plan.upgrades:
            time.sleep(self._plan.seconds)
        faults = [self._kill] * self._plan.kills + [self._upgrade] * self._plan.upgrades
        self._random.shuffle(faults)
        for fault in faults:
            if not self._goes_on:
                return
            time.sleep(self._random.uniform(0, CALM_SECONDS))
            fault()

    @property
    def _goes_on(self) -> bool:
        return self._crowd.link.endless > 0 and time.monotonic() < self._ends

    def _kill(self) -> None:
        at = self._relay.kill_relay()
        self._relay.revive()
        if self._random.random() < EARLY_SHARE:
            time.sleep(self._random.uniform(0, EARLY_SECONDS))
            self._crowd.counts["kills in a recovery"] += 1
            self._relay.kill_relay()
            self._relay.revive()
        self._recovered(at, self.kills, "a kill")

    def _upgrade(self) -> None:
        try:
            at = self._relay.upgrade()
        except (OSError, RuntimeError) as why:
            self._crowd.failed.append(str(why))
            return
        self._recovered(at, self.upgrades, "an upgrade")

    def _recovered(self, at: float, counted: list[Span], what: str) -> None:
        link = self._crowd.link
        if not link.await_moved(MOVED_SECONDS):
            link.lose_waiting(f"nothing moved in {MOVED_SECONDS:g} s after {what}")
        if link.endless:
            counted.append((at, time.monotonic()))
            if sys.stderr.isatty():
                print(f"\r{len(self.kills)} kills, {len(self.upgrades)} upgrades, "
                      f"{link.endless} sessions\033[K", end="", file=sys.stderr)  # fmt: skip


def run(plan: Plan, log: Callable[[str], object]) -> Verdict:
    """A relay, its calls, and what befalls them."""
    verdict = Verdict(plan.seed, plan.keeper, {"kills": plan.kills, "upgrades": plan.upgrades})
    with contextlib.ExitStack() as stack:
        relay = stack.enter_context(ChaosRelay(keeper=plan.keeper))
        address = relay.ng
        if plan.lossy:
            address = stack.enter_context(LossyNetwork(relay.ng, plan.seed)).address
        control = Control(address)
        crowd = stack.enter_context(Crowd(control, plan.seed))
        crowd.gather(plan.sessions)
        if plan.churn:
            crowd.stir()
        storm = Storm(plan, relay, crowd)
        storm.rage()
        crowd.leave(FINISH_SECONDS)
        verdict.kills, verdict.upgrades = storm.kills, storm.upgrades
        crowd.counts["repeated commands"] = control.repeated
        verdict.settle(crowd.over, crowd.failed, crowd.counts)
        for line in relay.log:
            log(line)
    return verdict
