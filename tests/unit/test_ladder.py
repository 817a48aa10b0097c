"""The ladder: clients outside, the relay in the middle, what is not kept is said."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from msrprelay.ladder import draw

ROOT = Path(__file__).parents[2]
EXPECTED = ROOT / "tests" / "data" / "ladder.txt"
RING = ROOT / "native" / "relay" / "src" / "ring.rs"


def leg(side: str, local: int, peer: int) -> dict[str, Any]:
    return {
        "side": side,
        "local-address": "192.0.2.10",
        "local-port": local,
        "peer-address": f"198.51.100.{1 if side == 'a' else 2}" if peer else "",
        "peer-port": peer,
    }


def event(at: int, side: str, what: str, n: int = 0, **more: str) -> dict[str, Any]:
    return {"at": at, "side": side, "what": what, "n": n, **more}


def session(*events: dict[str, Any], reason: str = "", b_port: int = 49838) -> dict[str, Any]:
    legs = [leg("a", 15002, 53502), leg("b", 15000, b_port)]
    return {"legs": legs, "events": list(events), "reason": reason}


def test_a_call_reads_like_a_packet_table() -> None:
    drawn = draw(
        session(
            event(1_000, "a", "accepted", 53502),
            event(2_000, "a", "first-frame"),
            event(2_000, "b", "dialling", 49838),
            event(3_500, "b", "joined"),
            event(4_000, "a", "send"),
            event(4_100, "b", "response", 200),
            event(5_000_000, "b", "fin-sent"),
            event(5_000_001, "", "closed"),
            reason="hangup",
        )
    )
    assert f"{drawn}\n" == EXPECTED.read_text("utf-8")


def test_repeated_events_are_one_step() -> None:
    drawn = draw(session(*(event(at, "a", "send") for at in range(17))))
    assert drawn.count("SEND x17") == 1
    assert drawn.count("(53502)") == 1


@pytest.mark.parametrize(
    ("events", "said"),
    [
        pytest.param([], "never connected (b)", id="nothing"),
        pytest.param(["accepted"], "not bound (b)", id="silent"),
        pytest.param(["accepted", "refused"], "refused (b)", id="refused"),
        pytest.param(["dialling"], "no answer to the dial (b)", id="dialling"),
        pytest.param(["dialling", "dial-failed"], "dial failed (b)", id="dial-failed"),
        pytest.param(["dial-denied"], "not dialled (b)", id="dial-denied"),
        pytest.param(["refused", "dialling", "dial-failed"], "dial failed (b)", id="latest"),
    ],
)
def test_the_header_tells_how_far_an_unbound_peer_came(events: list[str], said: str) -> None:
    other = event(0, "a", "accepted", 53502)
    closed = event(9, "", "closed")
    rows = [other, *(event(at, "b", what, 777) for at, what in enumerate(events)), closed]
    assert said in draw(session(*rows, b_port=0)).splitlines()[0]
    assert "198.51.100.2 (b)" in draw(session(*rows)).splitlines()[0]


def test_refusals_for_other_reasons_are_steps_of_their_own() -> None:
    reasons = ("source", "source", "not-msrp")
    drawn = draw(session(*(event(1, "a", "refused", 7, reason=reason) for reason in reasons)))
    assert (drawn.count("refused x2"), drawn.count("refused: not-msrp")) == (1, 1)


@pytest.mark.parametrize(("count", "gaps"), [(47, 0), (48, 1)])
def test_a_full_ring_says_that_there_may_have_been_more(count: int, gaps: int) -> None:
    events = [event(at, "ab"[at % 2], "response", 200) for at in range(count)]
    assert draw(session(*events)).count("others, if any, were not kept") == gaps


def test_steps_do_not_reach_over_the_gap() -> None:
    drawn = draw(session(*(event(at, "a", "send") for at in range(48))))
    assert drawn.count("SEND x24") == 2


@pytest.mark.parametrize(
    ("events", "b_port", "said"),
    [
        pytest.param([], 0, ["never connected (b)", "no events were kept"], id="none"),
        pytest.param([event(1, "a", "later-word")], 1, ["later-word"], id="unknown-word"),
        pytest.param([event(1, "b", "refused", 777)], 0, ["(777)", "777 > 15000"], id="stranger"),
        pytest.param(
            [event(1, "b", "refused", 777, address="192.0.2.7", reason="wrong-to-path")],
            0,
            ["(777)", "TCP: 192.0.2.7:777 > 15000 refused: wrong-to-path"],
            id="why-refused",
        ),
        pytest.param(
            [
                event(1, "b", "dialling", 9, address="192.0.2.7"),
                event(2, "b", "dial-failed", 9, address="192.0.2.7", reason="ECONNREFUSED"),
                event(3, "b", "dialling", 9, address="2001:db8::7"),
                event(4, "b", "dial-failed", 9, address="2001:db8::7", reason="ETIMEDOUT"),
            ],
            0,
            [
                "(15000)----------------->(9)",
                "TCP: the relay dials 192.0.2.7:9",
                "TCP: no connection to 192.0.2.7:9: ECONNREFUSED",
                "TCP: the relay dials [2001:db8::7]:9",
                "TCP: no connection to [2001:db8::7]:9: ETIMEDOUT",
            ],
            id="why-not-dialled",
        ),
        pytest.param([event(1, "b", "dial-failed")], 0, ["no connection to leg b"], id="useless"),
    ],
)
def test_what_is_unusual_is_drawn_too(
    events: list[dict[str, Any]], b_port: int, said: list[str]
) -> None:
    drawn = draw(session(*events, b_port=b_port))
    assert [text for text in said if text not in drawn] == []


def test_every_event_of_the_engine_has_a_remark() -> None:
    codes = re.findall(
        r'^    [A-Z][A-Za-z]+ = "([a-z-]+)",$', RING.read_text("utf-8"), re.MULTILINE
    )
    assert len(codes) > 20
    rows = {code: draw(session(event(1, "a", code, 200))).splitlines()[-2:] for code in codes}
    assert [code for code, drawn in rows.items() if not any(":" in row for row in drawn)] == []
