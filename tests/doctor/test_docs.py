"""docs/doctor.md is what the captures say today, and every rule is in it and in the tests."""

from __future__ import annotations

import re

import pytest

from msrprelay.doctor.rules import RULES

from .write_docs import DOCS, ROOT, documents


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return documents()


def test_the_documents_are_current(made: dict[str, str]) -> None:
    stale = [name for name, text in made.items() if (DOCS / name).read_text("utf-8") != text]
    assert stale == [], "run: python -m tests.doctor.write_docs"


def test_every_picture_is_there(made: dict[str, str]) -> None:
    names = re.findall(r"\]\((img/[^)]+)\)", made["doctor.md"])
    assert len(names) == 3
    assert [name for name in names if not (DOCS / name).exists()] == []


def test_every_rule_has_a_test_of_its_own() -> None:
    text = "".join(path.read_text("utf-8") for path in (ROOT / "tests/doctor").glob("test_*.py"))
    named = {name.upper() for name in re.findall(r"\b([TMS]\d\d[a-e]?)\b", text)}
    named |= {name.upper() for name in re.findall(r"def test_([tms]\d\d[a-e]?)_", text)}
    assert {rule.upper() for rule in RULES} - named == set()


def test_every_detector_is_a_rule() -> None:
    wanted = """
        T01 T02 T02b T03 T04 T05 T05b T06 T07 T08 T08b T09 T09b T10 T11 T11b T12 T13 T14 T15 T16
        T17 M01 M01b M02 M02b M03 M04 M06 M06b M07 M08 M08b M09 M10 M11 M12 M13 M14 M15 S01 S02
        S02b S03 S04 S04b S05 S05b S06a S06b S06c S06d S06e S07 S07b S08 S09 S10 S11 S12
    """
    assert set(wanted.split()) == set(RULES)
