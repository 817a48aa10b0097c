"""The table is whole, current, and names tests that exist."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from .cases import CHECKS
from .catalogue import cases, musts
from .document import DOCUMENT, ROOT, checks_of, document, result

CASES = cases()
OF_CASES = {test for case in CASES for test in case.tests}
NAMED = sorted(OF_CASES | {test for must in musts() for test in must.tests})
# `fn` behind #[test], also inside proptest's macro; attributes may stand between.
RUST_TEST = re.compile(r"#\[test\]\s*(?:#\[[^\]]*\]\s*)*fn (\w+)")


def test_all_236_cases_are_there_in_order() -> None:
    assert [case.number for case in CASES] == list(range(1, 237))


def test_the_committed_document_is_current() -> None:
    assert DOCUMENT.read_text("utf-8") == document(), "run python -m tests.conformance.document"


@pytest.mark.parametrize("test", NAMED)
def test_a_named_test_exists(test: str) -> None:
    path, _, name = test.partition("::")
    assert name in names(ROOT / path)


@cache
def names(path: Path) -> set[str]:
    """The tests of a file, those of a class as `Class::test`."""
    text = path.read_text("utf-8")
    if path.suffix == ".rs":
        return set(RUST_TEST.findall(text))
    return set(functions(ast.parse(text).body))


def functions(body: list[ast.stmt], prefix: str = "") -> Iterator[str]:
    """Functions, and methods of classes."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield prefix + node.name
        elif isinstance(node, ast.ClassDef):
            yield from functions(node.body, f"{node.name}::")


def test_every_case_has_a_test_or_a_reason() -> None:
    assert [case.number for case in CASES if result(case, checks_of(case)) == "not tested"] == []


def test_ids_are_unique_and_their_cases_exist() -> None:
    ids = [check.id for check in CHECKS]
    assert sorted(set(ids)) == sorted(ids)
    assert {check.case for check in CHECKS} <= {case.number for case in CASES}


def test_pending_checks_exist() -> None:
    for case in CASES:
        assert set(case.pending_checks) <= {check.name for check in checks_of(case)}
