"""Calls by ng, as a SIP server makes them: ``python -m bench.ng_client HOST PORT``.

The datagrams are those that Kamailio sent for one call; only cookie and Call-ID change. Driven
by lines: ``run N W`` makes and ends N calls, W of them at a time, ``ping N W`` does so with a ping
every few milliseconds from another socket. Answers with JSON: seconds, and quantiles of a cycle or
of a ping.
"""

from __future__ import annotations

import base64
import itertools
import json
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

RECORDING = Path(__file__).parents[1] / "tests" / "data" / "recorded-ng" / "datagrams.jsonl"
CALL = "basic-fb615c"
CYCLE = ["offer", "answer", "delete"]
REPLY_SECONDS = 2.0
PING_PAUSE_SECONDS = 0.005
LARGEST = 65_536
MOST_WORKERS = 64


class Worker:
    """One process of a SIP server: a socket of its own, and one request at a time."""

    def __init__(self, address: tuple[str, int], name: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.settimeout(REPLY_SECONDS)
        self.socket.connect(address)
        # No two workers may use the same ones: rtpengine knows a request by its cookie alone.
        self._cookies = (f"{name}_{number}".encode() for number in itertools.count())
        self._cookie = b""

    def send(self, body: bytes) -> None:
        """Send one request."""
        self._cookie = next(self._cookies)
        self.socket.send(self._cookie + b" " + body)

    def reply(self) -> bytes:
        """Wait for its reply."""
        reply = self.socket.recv(LARGEST)
        assert reply.startswith(self._cookie + b" "), reply
        return reply


class Calls:
    """Calls that workers make and end side by side, each one after the other."""

    def __init__(self, workers: list[Worker], numbers: Iterator[int]) -> None:
        self._workers = workers
        self._numbers = numbers
        self._bodies = recorded()

    def make(self, count: int) -> list[float]:
        """Make and end so many; seconds of each."""
        taken: list[float] = []
        numbers = itertools.islice(self._numbers, count)
        with selectors.DefaultSelector() as replies:
            for worker in self._workers:
                steps = self._steps(worker, numbers, taken)
                if next(steps, None):
                    replies.register(worker.socket, selectors.EVENT_READ, steps)
            while replies.get_map():
                ready = replies.select(REPLY_SECONDS)
                assert ready, "no reply"
                for key, _ in ready:
                    if not next(key.data, None):
                        replies.unregister(key.fileobj)
        return taken

    def _steps(self, worker: Worker, numbers: Iterator[int], taken: list[float]) -> Iterator[bool]:
        """What a worker does between one reply and the next."""
        for number in numbers:
            # As long as the recorded one: bencode counts.
            call_id = f"{number:0{len(CALL)}x}".encode()
            before = time.perf_counter()
            for body in self._bodies:
                worker.send(body.replace(CALL.encode(), call_id))
                yield True
                reply = worker.reply()
                assert b"6:result2:ok" in reply, reply
            taken.append(time.perf_counter() - before)


def recorded() -> list[bytes]:
    """Bodies of offer, answer and delete of one recorded call."""
    lines = map(json.loads, RECORDING.read_text().splitlines())
    sent = [line for line in lines if line["call_id"] == CALL and line["dir"] == "rx"]
    assert [line["command"] for line in sent] == CYCLE, sent
    return [base64.b64decode(line["data"]).partition(b" ")[2] for line in sent]


def pings(worker: Worker, ended: threading.Event) -> list[float]:
    """Pings until the end; seconds of each."""
    taken = []
    while not ended.wait(PING_PAUSE_SECONDS):
        before = time.perf_counter()
        worker.send(b"d7:command4:pinge")
        worker.reply()
        taken.append(time.perf_counter() - before)
    return taken


def with_pings(pinger: Worker, work: Callable[[], object]) -> list[float]:
    """Pings beside ``work``; seconds of each."""
    ended, taken = threading.Event(), list[float]()
    beside = threading.Thread(target=lambda: taken.extend(pings(pinger, ended)))
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
    pinger = Worker(address, "p")
    numbers = itertools.count()
    workers = [Worker(address, f"{number:x}") for number in range(MOST_WORKERS)]
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        kind, *amounts = line.split()
        count, side_by_side = map(int, amounts)
        make = partial(Calls(workers[:side_by_side], numbers).make, count)
        before = time.perf_counter()
        taken = make() if kind == "run" else with_pings(pinger, make)
        outcome = {"seconds": time.perf_counter() - before, **quantiles(taken)}
        print(json.dumps(outcome), flush=True)


if __name__ == "__main__":
    main()
