"""The committed document and the scenarios belong together."""

from __future__ import annotations

import os

import pytest

from .document import FILE, SCENARIOS, WRITING, document, rows_of


@pytest.mark.skipif(WRITING in os.environ, reason="the document is being written")
def test_the_document_has_every_scenario_and_is_what_its_rows_make() -> None:
    """Each scenario's own test compares its row; here: none is missing, and nobody edited."""
    text = FILE.read_text()
    rows = rows_of(text)
    assert list(rows) == list(SCENARIOS)
    assert document(rows) == text
