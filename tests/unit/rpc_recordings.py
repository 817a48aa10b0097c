"""The recorded ng traffic of real SIP servers (tests/data/recorded-ng)."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).resolve().parents[1] / "data" / "recorded-ng" / "datagrams.jsonl"


@dataclass(frozen=True)
class Recorded:
    """One datagram; see the README beside the file."""

    run: str
    n: int
    t: float
    dir: str
    to: str
    source: str
    cookie: str
    command: str
    call_id: str
    event: str
    data: bytes

    @property
    def id(self) -> str:
        return f"{self.run}-{self.n:04}-{self.command}"

    @property
    def body(self) -> bytes:
        """Without the cookie, which requests on a unix socket do not have."""
        return self.data if self.to == "unix" else self.data.partition(b" ")[2]


def recorded(direction: str) -> list[Recorded]:
    rows = (json.loads(line) for line in FILE.read_text("ascii").splitlines())
    rows = (row for row in rows if row["dir"] == direction)
    return [Recorded(**{**row, "data": base64.b64decode(row["data"])}) for row in rows]


REQUESTS = recorded("rx")


def request(run: str, n: int) -> Recorded:
    """One recorded request by its number."""
    return next(one for one in REQUESTS if (one.run, one.n) == (run, n))
