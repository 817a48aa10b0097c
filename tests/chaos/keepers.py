"""Kills of the keeper, which a relay process survives, and of both, which calls survive."""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace

from .relay import ChaosRelay, kill
from .storm import Plan, scene
from .verdict import Verdict

KEEPERS = 20
# A keeper that dies within a second of the one before is not replaced at once.
KEEPER_SECONDS = 1.2


def keepers(plan: Plan) -> Verdict:
    """Each new keeper is put to the test: the relay process is killed as well, after it."""
    plan = replace(plan, churn=False)
    with scene(plan, ChaosRelay(keeper=plan.keeper)) as on:
        for _ in range(KEEPERS):
            at = on.relay.replace_keeper()
            on.recovered(at, on.faults.keepers, "a kill of the keeper")
            on.recovered(on.relay.kill_relay(), on.faults.kills, "a kill")
            time.sleep(KEEPER_SECONDS)
        verdict = on.verdict("keepers")
    verdict.require(kills=KEEPERS, keepers=KEEPERS)
    return verdict


def both(plan: Plan) -> Verdict:
    """A cold start: connections are gone, but calls are known, on the same ports."""
    plan = replace(plan, churn=False)
    with (
        tempfile.TemporaryDirectory(prefix="msrprelay-chaos-") as state,
        scene(plan, ChaosRelay(keeper=True, options=(f"--state-dir={state}",))) as on,
    ):
        pids = on.relay.keeper_pid(), on.relay.relay_pid()
        for pid in pids:
            kill(pid)
        on.relay.begin_again()
        known = on.crowd.reoffer_all()
        verdict = Verdict("both", {"calls": plan.sessions, "known": known})
    verdict.require(known=plan.sessions)
    return verdict
