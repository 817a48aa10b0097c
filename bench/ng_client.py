"""Calls by ng, as a SIP server makes them: ``python -m bench.ng_client HOST PORT``.

The datagrams are those that Kamailio sent for one call; only cookie and Call-ID change. Driven
by lines: ``run N`` makes and ends N calls, ``ping N`` does so with a ping every few milliseconds
from another socket. Answers with JSON: seconds, and quantiles of a cycle or of a ping.
"""

from __future__ import annotations

import base64
import itertools
import json
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

RECORDING = Path(__file__).parents[1] / "tests" / "data" / "recorded-ng" / "datagrams.jsonl"
CALL = "basic-fb615c"
CYCLE = ["offer", "answer", "delete"]
REPLY_SECONDS = 2.0
PING_PAUSE_SECONDS = 0.005
LARGEST = 65_536


class Client:
    """One socket of a SIP server."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(REPLY_SECONDS)
        self._socket.connect(address)
        self._cookies = itertools.count()

    def ask(self, body: bytes) -> bytes:
        """Send one request and wait for its reply."""
        cookie = b"%x" % next(self._cookies)
        self._socket.send(cookie + b" " + body)
        reply = self._socket.recv(LARGEST)
        assert reply.startswith(cookie + b" "), reply
        return reply


def recorded() -> list[bytes]:
    """Bodies of offer, answer and delete of one recorded call."""
    lines = map(json.loads, RECORDING.read_text().splitlines())
    sent = [line for line in lines if line["call_id"] == CALL and line["dir"] == "rx"]
    assert [line["command"] for line in sent] == CYCLE, sent
    return [base64.b64decode(line["data"]).partition(b" ")[2] for line in sent]


def cycles(client: Client, numbers: itertools.count[int], count: int) -> list[float]:
    """Makes and ends calls one after the other; seconds of each."""
    bodies, taken = recorded(), []
    for number in itertools.islice(numbers, count):
        # As long as the recorded one: bencode counts.
        call_id = f"{number:0{len(CALL)}x}".encode()
        before = time.perf_counter()
        for body in bodies:
            reply = client.ask(body.replace(CALL.encode(), call_id))
            assert b"6:result2:ok" in reply, reply
        taken.append(time.perf_counter() - before)
    return taken


def pings(client: Client, ended: threading.Event) -> list[float]:
    """Pings until the end; seconds of each."""
    taken = []
    while not ended.wait(PING_PAUSE_SECONDS):
        before = time.perf_counter()
        client.ask(b"d7:command4:pinge")
        taken.append(time.perf_counter() - before)
    return taken


def with_pings(address: tuple[str, int], work: Any) -> list[float]:
    """Pings beside ``work``; seconds of each."""
    ended, taken = threading.Event(), list[float]()
    beside = threading.Thread(target=lambda: taken.extend(pings(Client(address), ended)))
    beside.start()
    try:
        work()
    finally:
        ended.set()
        beside.join()
    return taken


def quantiles(taken: list[float]) -> dict[str, float]:
    """The middle, and what one in a hundred exceeds; microseconds."""
    ordered = sorted(taken)
    at = {"p50_us": 0.5, "p99_us": 0.99}
    return {name: ordered[round((len(ordered) - 1) * share)] * 1e6 for name, share in at.items()}


def main() -> None:
    """Serve lines until the input ends."""
    address = sys.argv[1], int(sys.argv[2])
    client, numbers = Client(address), itertools.count()
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        kind, count = line.split()
        before = time.perf_counter()
        if kind == "run":
            taken = cycles(client, numbers, int(count))
        else:
            taken = with_pings(address, lambda n=int(count): cycles(client, numbers, n))
        outcome = {"seconds": time.perf_counter() - before, **quantiles(taken)}
        print(json.dumps(outcome), flush=True)


if __name__ == "__main__":
    main()
