"""Many slow readers, and the budget for what they make the relay hold.

`BUDGET_READERS=2000` in the environment makes it the full size; its figures go into the manual with
`WRITE_DOCS=1`, then `make docs`. Figures are printed: run pytest with -s to see them.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import time
from pathlib import Path

import pytest

from ..conformance.call import Party
from ..conformance.cases.a_framer import goes_on
from ..docs.pages import WRITING
from ..peers.msrp import message, request
from ..peers.wire import carry
from .conftest import Start
from .process import held_by_kernel, resident

KIB, MIB = 1 << 10, 1 << 20
READERS = int(os.environ.get("BUDGET_READERS", "100"))
# Less than half of what as many would have without it.
BUDGET = READERS * 512 * KIB
# What a sender was offered before the budget presses cannot be taken back. Loopback, whose segments
# have 64 KiB, opens a whole window within the relay's first turn: how many get one is a matter of
# speed.
FIRST = BUDGET // 4
QUIET_MILLISECONDS = 1000
HEAD, _, TAIL = request(b"SEND", b"Byte-Range: 1-*/*", body=b"").rpartition(b"\r\n-------")
FAST = 64 * MIB
FIGURES = Path(__file__).parents[1] / "data" / "slow_readers.json"


@pytest.mark.parametrize("policy", ["aware", "sessmatch"])
def test_slow_readers_stay_within_the_budget_and_lose_nothing(start: Start, policy: str) -> None:
    """Every session has a sender that fills all there is, and a reader that reads nothing."""
    daemon, relay = start({"limits.buffer-budget": BUDGET}, ports=2 * READERS + 16)
    with contextlib.ExitStack() as held:
        calls = [held.enter_context(relay.call(policy)) for _ in range(READERS)]
        for call in calls:
            call.a.make = call.b.make = small_socket
        joined = [call.join() for call in calls]
        fast, _ = held.enter_context(relay.call(policy)).join()
        alone = seconds_of(fast)
        before = resident(daemon.pid)
        sent = flood([a for a, _ in joined])
        grown, kernel = resident(daemon.pid) - before, held_by_kernel(daemon.pid)
        counted = daemon.ask("statistics")["engine"]
        beside = seconds_of(fast)
        figures = {
            "readers": READERS, "budget": BUDGET, "relay": grown, "kernel": kernel,
            "counted": counted["stalled-bytes"], "alone": FAST / alone, "beside": FAST / beside,
        }  # fmt: skip
        print(f"\n{policy}: {figures}")
        assert counted["buffers-shrunk"] >= READERS
        assert grown + kernel < BUDGET + FIRST
        # They read after all, and every octet is there.
        for (a, b), octets in zip(joined, sent, strict=True):
            expected = b.read(HEAD) + bytes(octets) + b"\r\n-------" + TAIL
            carry(a.wire, b"\r\n-------" + TAIL, b.wire, expected)
            goes_on(a, b)
    if os.environ.get(WRITING):
        note(policy, figures)


def small_socket() -> socket.socket:
    """A socket whose own buffers are not what is measured."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32 * KIB)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * KIB)
    return made


def flood(senders: list[Party]) -> list[int]:
    """Begin a message each and go on until nobody is read any more; octets of each body."""
    sent = dict.fromkeys((party.wire.sock.fileno() for party in senders), 0)
    waiting, socks = select.poll(), {}
    for party in senders:
        party.send(HEAD)
        sock = party.wire.sock
        sock.setblocking(False)
        socks[sock.fileno()] = sock
        waiting.register(sock, select.POLLOUT)
    block = bytes(64 * KIB)
    while ready := waiting.poll(QUIET_MILLISECONDS):
        for number, _ in ready:
            with contextlib.suppress(BlockingIOError):
                sent[number] += socks[number].send(block)
    return list(sent.values())


def seconds_of(sender: Party) -> float:
    """How long a file takes."""
    assert sender.other is not None
    file = message(bytes(FAST))
    written, arrives = sender.written(file), sender.other.read(file)
    began = time.monotonic()
    carry(sender.wire, written, sender.other.wire, arrives)
    return time.monotonic() - began


def note(policy: str, figures: dict[str, float]) -> None:
    """Keep the figures for the manual."""
    known = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    known[policy] = {name: round(value) for name, value in figures.items()}
    FIGURES.write_text(json.dumps(known, indent=2, sort_keys=True) + "\n")
