"""The demo against the real relay: every role pair under every policy, and how it ends early."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from msrprelay.demo.call import Plan, run
from msrprelay.demo.command import ROLES
from msrprelay.demo.daemon import own_relay
from msrprelay.demo.ng import NgClient

pytestmark = pytest.mark.asyncio(loop_scope="module")
DEMO = [sys.executable, "-m", "msrprelay.cli.ctl", "demo"]

# What the relay does on each leg.
LEG_ROLES = {
    "active/active": ["accept", "accept"],
    "active/passive": ["accept", "dial"],
    "passive/active": ["dial", "accept"],
    "actpass/active": ["accept", "accept"],
    "none/none": ["accept", "dial"],
    "passive/passive": ["dial", "dial"],
}


# What the relay refuses at the answer, and a word of its reason.
REFUSED = {
    ("passive/passive", "cema"): "both ends are passive",
    ("passive/passive", "sessmatch"): "both ends are passive",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def relay() -> AsyncIterator[NgClient]:
    # A freed port rests longer than these tests take.
    async with own_relay(ports=200) as client:
        yield client


def no_progress(side: str, what: str, done: int, of: int) -> None:
    """Nobody looks."""


@pytest.mark.parametrize("policy", ["aware", "cema", "sessmatch"])
@pytest.mark.parametrize("roles", ROLES)
async def test_every_octet_and_answer_is_right(relay: NgClient, roles: str, policy: str) -> None:
    outcome = await run(Plan(policy, roles, 60, 300_000), relay, no_progress)
    if reason := REFUSED.get((roles, policy)):
        assert (outcome.ok, reason in str(outcome.json()["reason"])) == (False, True)
        return
    assert outcome.problems == []
    assert [leg["role"] for leg in outcome.legs] == LEG_ROLES[roles]
    assert (outcome.responses, outcome.reports) == (120, 120)


async def test_nothing_at_all_is_a_call_too(relay: NgClient) -> None:
    outcome = await run(Plan("aware", "active/active", 0, 0), relay, no_progress)
    assert (outcome.problems, outcome.file_sha256_match) == ([], True)


async def test_the_call_is_deleted_in_the_end(relay: NgClient) -> None:
    await run(Plan("aware", "active/active", 1, 1), relay, no_progress)
    assert (await relay.ask("list"))["calls"] == []


async def test_the_command_prints_one_json_object() -> None:
    options = ["--json", "--messages", "5", "--file-size", "3KiB"]
    process = await asyncio.create_subprocess_exec(*DEMO, *options, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    told = json.loads(out)
    assert process.returncode == 0
    assert told["ok"] is True
    assert (told["policy"], told["roles"]) == ("aware", "active/active")
    assert (told["messages_each_way"], told["responses"], told["reports"]) == (5, 10, 10)
    assert (told["file_bytes"], told["file_sha256_match"]) == (3072, True)
    assert told["seconds"] > 0
    keys = {"side", "role", "local_port", "bytes_in", "bytes_out", "reason"}
    assert [set(leg) for leg in told["relay"]["legs"]] == [keys, keys]


async def test_a_refused_call_is_failed_with_the_relays_reason() -> None:
    options = ["--json", "--policy", "cema", "--roles", "passive/passive"]
    process = await asyncio.create_subprocess_exec(*DEMO, *options, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    assert process.returncode == 1
    assert "both ends are passive" in json.loads(out)["reason"]


async def test_people_get_a_ladder_and_a_summary() -> None:
    options = ["--messages", "3", "--file-size", "100"]
    process = await asyncio.create_subprocess_exec(*DEMO, *options, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    lines = out.decode().splitlines()
    assert process.returncode == 0
    assert lines[0].split() == ["|127.0.0.1", "(a)", "|127.0.0.1", "(relay)", "|127.0.0.1", "(b)"]
    assert "ok: active/active, aware" in lines


async def test_no_relay_is_told_apart() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.1", 0))
        where = f"127.0.0.1:{deaf.getsockname()[1]}"
        process = await asyncio.create_subprocess_exec(
            *DEMO, "--json", "--ng", where, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
    told = json.loads(out)
    assert (process.returncode, told["ok"]) == (3, False)
    assert "no relay answers" in told["reason"]


@pytest.mark.parametrize(
    "options",
    [["--roles", "active"], ["--file-size", "3x"], ["--ng", "x"], ["--ng", "127.0.0.1:²"]],
    ids=" ".join,
)
async def test_wrong_usage_is_told_apart(options: list[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *DEMO, *options, stderr=asyncio.subprocess.DEVNULL
    )
    assert await process.wait() == 2


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def hear_interrupts() -> None:
    """A shell that runs these tests in the background makes its children deaf to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_all_that_was_started(number: signal.Signals) -> None:
    master, slave = pty.openpty()
    with os.fdopen(master, "rb", buffering=0) as screen:
        demo = subprocess.Popen(
            [*DEMO, "--messages", "100000"],
            stdout=slave,
            stderr=slave,
            preexec_fn=hear_interrupts,
        )
        os.close(slave)
        seen = b""
        while b"a > b" not in seen:
            seen += await asyncio.to_thread(screen.read, 4096)
        started = children(demo.pid)
        demo.send_signal(number)
        assert await asyncio.to_thread(demo.wait, 30) == 1
    assert len(started) == 3
    assert [pid for pid in started if Path(f"/proc/{pid}").exists()] == []
