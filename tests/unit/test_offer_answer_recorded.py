"""Calls as stock Kamailio drove them (offer, answer and delete in the recorded order)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

CALLS = json.loads((Path(__file__).parents[1] / "data/sdp_calls.json").read_text("utf-8"))
# What each command of the call is, in order. "a: 0 new" = side a, section 0 is new.
EXPECTED = {
    "basic": ["offered a: 0 new", "committed a: 0 new", "ended deleted"],
    "delflags": ["offered a: 0 new", "committed a: 0 new", "ended deleted"],
    # Re-INVITEs with a new port: by the caller, then by the callee; then its BYE.
    "reinv": [
        "offered a: 0 new",
        "committed a: 0 new",
        "offered a: 0 changed by a",
        "committed a: 0 changed by a",
        "offered b: 0 changed by b",
        "committed b: 0 changed by b",
        "ended deleted",
    ],
    "reinvstock": [
        "offered a: 0 new",
        "committed a: 0 new",
        "offered a: 0 changed by a",
        "committed a: 0 changed by a",
        "offered b: 0 changed by b",
        "committed b: 0 changed by b",
        "ended deleted",
    ],
    # Nobody tells of the 488: the BYE's delete looks like it, and condemns the call.
    "reinv488": [
        "offered a: 0 new",
        "committed a: 0 new",
        "offered a: 0 changed by a",
        "rolled back a, condemned",
    ],
    # The failure route deletes at the 488; the chat lives until the BYE deletes again.
    "reinv488stock": [
        "offered a: 0 new",
        "committed a: 0 new",
        "offered a: 0 changed by a",
        "rolled back a, condemned",
        "ended deleted",
    ],
    "i488stock": ["offered a: 0 new", "ended deleted"],
    "cancel": ["offered a: 0 new", "ended deleted"],
    # The offer is in the 200, the answer in the ACK: the callee is side a.
    "lateoffer": ["offered a: 0 new", "committed a: 0 new", "ended deleted"],
    # 183 and 200 with the same SDP.
    "early": ["offered a: 0 new", "committed a: 0 new", "repeat 2", "ended deleted"],
    "update": [
        "offered a: 0 new",
        "committed a: 0 new",
        "offered a: 0 changed by a",
        "committed a: 0 changed by a",
        "ended deleted",
    ],
    # Two branches without via-branch share the pair; one of them answers with 183 and 200.
    "fork": [
        "offered a: 0 new",
        "repeat 1",
        "committed a: 0 new",
        "repeat 3",
        "ended deleted",
    ],
    # One INVITE handled by three workers at once.
    "slow200-racy": [
        "offered a: 0 new",
        "repeat 1",
        "repeat 1",
        "committed a: 0 new",
        "ended deleted",
    ],
    # Every reply lost until the third transmission.
    "drop2": [
        "offered a: 0 new",
        "repeat 1",
        "repeat 1",
        "committed a: 0 new",
        "repeat 4",
        "repeat 4",
        "ended deleted",
        "refused Call-ID not found or tags didn't match",
        "refused Call-ID not found or tags didn't match",
    ],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_recorded_call(load: Callable[[str], ModuleType], name: str) -> None:
    parse, negotiation = load("sdp").parse, load("offer_answer").Negotiation()
    words = []
    for number, event in enumerate(CALLS[name], 1):
        decision = decide(parse, negotiation, event)
        if type(decision).__name__ in ("Offered", "Committed"):
            negotiation.apply(decision, b"%d" % number)
        words.append(in_words(decision, negotiation.condemned))
    assert words == EXPECTED[name]


def test_every_recorded_call_is_expected() -> None:
    assert EXPECTED.keys() == CALLS.keys()


def decide(parse: Callable[[bytes], Any], negotiation: Any, event: dict[str, Any]) -> Any:
    if event["command"] == "delete":
        return negotiation.delete(event["from"], event.get("to"))
    command = getattr(negotiation, event["command"])
    description = parse(event["sdp"].encode())
    return command(event["at"], description, event["from"], event.get("to"))


def in_words(decision: Any, condemned: bool) -> str:
    match type(decision).__name__:
        case "Repeat":
            return f"repeat {decision.reply.decode()}"
        case "RolledBack":
            return f"rolled back {decision.side}" + condemned * ", condemned"
        case "Ended" | "Refused" as name:
            return f"{name.lower()} {decision.reason}"
    sections = ", ".join(map(section_in_words, decision.sections))
    if type(decision).__name__ == "Offered":
        return f"offered {decision.side}: {sections}"
    return f"committed {decision.offerer}{decision.again * ' again'}: {sections}"


def section_in_words(section: Any) -> str:
    by = " by " + "".join(sorted(section.moved)) if section.change.value == "changed" else ""
    return f"{section.index} {section.change.value}{by}"
