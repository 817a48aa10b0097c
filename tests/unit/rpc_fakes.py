"""Commands for tests of the protocols: they remember what they were asked, and obey a script."""

from __future__ import annotations

from collections.abc import Callable

from msrprelay.commands import (
    Answer,
    Delete,
    Drain,
    List,
    Offer,
    Query,
    Reply,
    Rollback,
    Terminate,
)
from msrprelay.config import limit_rows, load
from msrprelay.errors import CommandError

CONFIG = load("", {"interface": ["127.0.0.1"]})


class FakeCommands:
    """Knows the calls that were offered; ``fail`` is raised instead of an answer, if it is set."""

    def __init__(self) -> None:
        self.asked: list[object] = []
        self.calls: list[str] = []
        self.fail: Callable[[], Exception] | None = None

    def _note(self, request: object) -> None:
        self.asked.append(request)
        if self.fail is not None:
            raise self.fail()

    def offer(self, request: Offer) -> Reply:
        self._note(request)
        if request.call_id not in self.calls:
            self.calls.append(request.call_id)
        return {"sdp": request.sdp.replace(b"10.201", b"10.202")}

    def answer(self, request: Answer) -> Reply:
        self._note(request)
        if request.call_id not in self.calls:
            raise CommandError("Unknown call-id")
        return {"sdp": request.sdp}

    def delete(self, request: Delete) -> Reply:
        self._note(request)
        if request.call_id not in self.calls:
            return {"warning": "Call-ID not found or tags didn't match"}
        self.calls.remove(request.call_id)
        return {}

    def rollback(self, request: Rollback) -> Reply:
        self._note(request)
        return {}

    def query(self, request: Query) -> Reply:
        self._note(request)
        if request.call_id not in self.calls:
            raise CommandError("Unknown call-id")
        return {"created": 1_700_000_000, "tags": {"A1": {}}, "msrp": msrp()}

    def list(self, request: List) -> Reply:
        self._note(request)
        return {"calls": self.calls[: request.limit]}

    def ping(self) -> Reply:
        self._note("ping")
        return {"result": "pong"}

    def statistics(self) -> Reply:
        self._note("statistics")
        return {
            "sessions": {"calls": len(self.calls), "joined": 2, "ended": {"deleted": 1}},
            "ports": [{"leased": 4}],
            "offers": 3,
        }

    def terminate(self, request: Terminate) -> Reply:
        self._note(request)
        ended = [call for call in self.calls if request.call_id in (None, call)]
        if not ended:
            raise CommandError("Unknown call-id")
        self.calls = [call for call in self.calls if call not in ended]
        return {"terminated": len(ended)}

    def drain(self, request: Drain) -> Reply:
        self._note(request)
        return {"draining": int(not request.off), "calls": len(self.calls)}

    def upgrade(self) -> Reply:
        return {"relay": 1}

    def limits(self) -> Reply:
        self._note("limits")
        rows = limit_rows(CONFIG, {"limits.sessions": 500}, {"limits.sessions": 3})
        return {"limits": list(rows)}


def msrp() -> dict[str, object]:
    leg = {
        "role": "accept",
        "state": "joined",
        "local-address": "192.0.2.10",
        "peer-address": "198.51.100.7",
        "peer-port": 51000,
        "chunks": 4,
        "reason": "",
    }
    session = {
        "section": 0,
        "branch": "",
        "policy": "aware",
        "state": "joined",
        "reason": "",
        "sentence": "",
        "legs": [
            {"side": "a", "local-port": 20001, "bytes-in": 1536, "bytes-out": 70, **leg},
            {"side": "b", "local-port": 20002, "bytes-in": 70, "bytes-out": 1536, **leg},
        ],
        "events": [
            {"at": 1500, "side": "a", "what": "accepted", "text": "", "n": 51000},
            {"at": 2500, "side": "", "what": "joined", "text": "", "n": 0},
        ],
    }
    return {"sessions": [session]}
