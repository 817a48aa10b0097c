"""No ports, no descriptors: new calls are turned away, those that are there go on."""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from dataclasses import replace

from ..hostile.process import descriptors
from ..peers.wire import Address
from .leases import cycle
from .relay import ChaosRelay
from .signalling import Failed
from .storm import Plan, Scene, scene
from .verdict import Verdict

LEASES = 1_000_000
ROUNDS = 10
STRANGERS = 50
ROUND_SECONDS = 0.5
LOAD_WORDS = ("Parallel session limit reached", "Load limit exceeded", "Ran out of ports")
# Calls that come while nothing is left, of each round.
CALLERS = 10


def leases(plan: Plan) -> Verdict:
    """A million leases from a pool that is mostly empty, on a clock of their own."""
    outcome = cycle(LEASES, plan.seed)
    return Verdict("leases", {"leases": outcome.leases, "exhaustions": outcome.exhaustions})


def ports(plan: Plan) -> Verdict:
    """A relay with ports for the calls that last, and hardly more."""
    plan = replace(plan, churn=False)
    with scene(plan, ChaosRelay(keeper=plan.keeper, ports=2 * plan.sessions + 2)) as on:
        turned_away = sum(_turned_away(on) for _ in range(5 * plan.sessions))
        on.recovered(time.monotonic(), [], "want of ports")
        verdict = on.verdict("ports")
    verdict.figures["turned_away"] = turned_away
    # One fits; so does another one when its ports have rested.
    verdict.require(turned_away=4 * plan.sessions)
    return verdict


def files(plan: Plan) -> Verdict:
    """A relay that has no descriptor left, again and again, while strangers knock."""
    plan = replace(plan, churn=False, lossy=False)
    turned_away = 0
    with scene(plan, ChaosRelay(keeper=plan.keeper)) as on:
        for _ in range(ROUNDS):
            turned_away += _round(on)
            on.recovered(time.monotonic(), [], "want of descriptors")
            assert on.crowd.call_briefly(), "no call although there are descriptors again"
        verdict = on.verdict("files")
    verdict.figures.update(rounds=ROUNDS, turned_away=turned_away)
    verdict.require(turned_away=ROUNDS)
    return verdict


def _round(on: Scene) -> int:
    """Take all descriptors away for a while; how many calls were turned away."""
    pid = on.relay.relay_pid()
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    waiting = on.crowd.offered()
    full = max(descriptors(pid)) + 1
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (full, hard))
    try:
        with contextlib.ExitStack() as strangers:
            for _ in range(STRANGERS):
                strangers.enter_context(_knock(waiting))
            turned_away = sum(_turned_away(on) for _ in range(CALLERS))
            on.recovered(time.monotonic(), [], "the last descriptor")
            time.sleep(ROUND_SECONDS)
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    return turned_away


def _knock(address: Address) -> socket.socket:
    """A stranger's connection: it waits in the listener's queue, or behind its gate."""
    stranger = socket.socket()
    stranger.setblocking(False)
    stranger.connect_ex(address)
    return stranger


def _turned_away(on: Scene) -> bool:
    """Whether a new call is refused, in words at which SIP servers try the next relay."""
    try:
        on.crowd.offer_only()
    except Failed as why:
        if any(words in str(why) for words in LOAD_WORDS):
            return True
        on.crowd.failed.append(str(why))
    return False
