"""Kills and upgrades of a relay under load, at random instants, each after a recovery."""

from __future__ import annotations

import contextlib
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .crowd import Crowd
from .relay import ChaosRelay
from .signalling import Control, LossyNetwork
from .verdict import Faults, Span, Verdict, judge

MOVED_SECONDS = 20.0
FINISH_SECONDS = 30.0
# Between a recovery and the next fault.
CALM_SECONDS = 0.1
# Of the kills, those followed by one into the recovery; the two count as one.
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


@dataclass
class Scene:
    """A relay with calls, and what happens to it."""

    relay: ChaosRelay
    crowd: Crowd
    faults: Faults

    def recovered(self, at: float, counted: list[Span], what: str) -> None:
        """Wait until octets move in every session; those in which none do are lost."""
        link = self.crowd.link
        if not link.await_moved(MOVED_SECONDS):
            link.lose_waiting(f"nothing moved in {MOVED_SECONDS:g} s after {what}")
        if link.endless:
            counted.append((at, time.monotonic()))
            self.faults.what[at] = what
            progress(f"{len(self.faults.all)} faults, {link.endless} sessions")

    def verdict(self, phase: str) -> Verdict:
        """End the calls, and add up."""
        self.crowd.leave(FINISH_SECONDS)
        progress("")
        crowd = self.crowd
        verdict = judge(phase, crowd.over, crowd.failed, self.faults, crowd.counts)
        verdict.reasons.update(self.relay.complaints())
        return verdict


@contextlib.contextmanager
def scene(plan: Plan, relay: ChaosRelay) -> Iterator[Scene]:
    """The plan's calls through this relay, all joined."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(relay)
        address = relay.ng
        if plan.lossy:
            address = stack.enter_context(LossyNetwork(relay.ng, plan.seed)).address
        crowd = stack.enter_context(Crowd(Control(address), plan.seed))
        crowd.gather(plan.sessions)
        if plan.churn:
            crowd.stir()
        yield Scene(relay, crowd, Faults())


class Storm:
    """All kills and upgrades of a plan."""

    def __init__(self, plan: Plan, on: Scene) -> None:
        self._plan = plan
        self._scene = on
        self._random = random.Random(plan.seed)
        self._ends = time.monotonic() + plan.seconds

    def rage(self) -> None:
        """Go on until nothing is left to do or to kill, or the time is over."""
        if not self._plan.kills and not self._plan.upgrades:
            time.sleep(self._plan.seconds)
        faults = [self._kill] * self._plan.kills + [self._upgrade] * self._plan.upgrades
        self._random.shuffle(faults)
        for fault in faults:
            if not self._scene.crowd.link.endless or time.monotonic() > self._ends:
                return
            time.sleep(self._random.uniform(0, CALM_SECONDS))
            fault()

    def _kill(self) -> None:
        relay, faults = self._scene.relay, self._scene.faults
        at = relay.kill_relay()
        relay.revive()
        counted = faults.kills
        if self._random.random() < EARLY_SHARE:
            time.sleep(self._random.uniform(0, EARLY_SECONDS))
            relay.kill_relay()
            relay.revive()
            counted = faults.doubles
        self._scene.recovered(at, counted, "a kill")
        if self._plan.keeper:
            relay.ask("ping")
            faults.silences.append(time.monotonic() - at)
            relay.await_settled()

    def _upgrade(self) -> None:
        try:
            at = self._scene.relay.upgrade()
        except (OSError, RuntimeError) as why:
            self._scene.crowd.failed.append(str(why))
            return
        self._scene.recovered(at, self._scene.faults.upgrades, "an upgrade")
        self._scene.relay.await_settled()


def storm(plan: Plan) -> Verdict:
    """Kills and upgrades under load."""
    with scene(plan, ChaosRelay(keeper=plan.keeper)) as on:
        Storm(plan, on).rage()
        verdict = on.verdict("storm")
    verdict.require(kills=plan.kills, upgrades=plan.upgrades)
    return verdict


def unkept(plan: Plan) -> Verdict:
    """The same without a keeper: what is lost then."""
    plan = replace(plan, keeper=False, kills=1, upgrades=0)
    with scene(plan, ChaosRelay(keeper=False)) as on:
        Storm(plan, on).rage()
        verdict = on.verdict("unkept")
    verdict.problems.clear()
    verdict.require(sessions_lost=plan.sessions)
    return verdict


def progress(line: str) -> None:
    """What is going on, for somebody who watches."""
    if sys.stderr.isatty():
        print(f"\r{line}\033[K", end="", file=sys.stderr, flush=True)
