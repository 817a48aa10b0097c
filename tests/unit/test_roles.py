"""Who dials: every cell of the role matrix (RFC 4145, RFC 6135, RFC 4975 section 5.4)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from msrprelay.net.roles import (
    Role,
    Setup,
    answer_setup,
    dials,
    relay_role_answerer,
    relay_role_offerer,
)

MATRIX = json.loads((Path(__file__).parents[1] / "data/setup_matrix.json").read_text("utf-8"))
RELAY = MATRIX["relay"]


def setup(word: str) -> Setup | None:
    return None if word == "absent" else Setup(word)


def role(text: str) -> Role:
    """The table's word. We listen wherever we dial, so "listen, dial after grace" is dialled."""
    return Role.DIAL if "dial" in text else Role.ACCEPT


@pytest.mark.parametrize(("cell", "expected"), MATRIX["direct"].items(), ids=MATRIX["direct"])
def test_who_dials_without_a_relay(cell: str, expected: dict[str, bool]) -> None:
    offered, answered = map(setup, cell.split("/"))
    assert dials(offered, answered) == (expected["offerer_dials"], expected["answerer_dials"])


def test_the_matrix_is_whole() -> None:
    assert len(MATRIX["direct"]) == 25


@pytest.mark.parametrize(
    ("offered", "expected"), RELAY["answer_to_offerer"].items(), ids=RELAY["answer_to_offerer"]
)
def test_the_offerers_leg(offered: str, expected: dict[str, str]) -> None:
    assert answer_setup(setup(offered)) == expected["write"]
    assert relay_role_offerer(setup(offered)) is role(expected["relay_role_on_this_leg"])


@pytest.mark.parametrize(
    ("offered", "forced", "expected"),
    [
        pytest.param("actpass", Setup.ACTIVE, Role.DIAL, id="actpass-waits-for-us"),
        pytest.param("active", Setup.ACTIVE, Role.ACCEPT, id="active-dials-all-the-same"),
        pytest.param("absent", Setup.ACTIVE, Role.ACCEPT, id="absent-dials-by-rfc4975"),
        pytest.param("passive", Setup.ACTIVE, Role.DIAL, id="passive-waits"),
    ],
)
def test_the_offerers_leg_when_the_answer_is_forced(
    offered: str, forced: Setup, expected: Role
) -> None:
    assert relay_role_offerer(setup(offered), forced) is expected


@pytest.mark.parametrize("we_offered", ["actpass", "passive", "active"])
def test_the_answerers_leg(we_offered: str) -> None:
    table = RELAY[f"callee_answer_when_relay_offered_{we_offered}"]
    assert len(table) == 5
    for answered, expected in table.items():
        assert relay_role_answerer(setup(answered)) is role(expected), answered
