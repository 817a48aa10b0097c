"""Chance in blocks."""

from __future__ import annotations

import os

import pytest

from msrprelay import chance


def test_no_octet_is_given_out_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = iter([bytes(range(256)) * 16, bytes(chance.BLOCK)])
    monkeypatch.setattr(os, "urandom", lambda count: next(blocks))
    chance.forget()
    given = [chance.octets(12) for _ in range(chance.BLOCK // 12)]
    assert b"".join(given) == (bytes(range(256)) * 16)[: len(given) * 12]
    assert chance.octets(12) == bytes(12)


def test_every_number_below_the_limit_comes_up() -> None:
    assert {chance.below(5) for _ in range(1000)} == {0, 1, 2, 3, 4}


def test_a_child_draws_for_itself() -> None:
    chance.octets(1)
    reader, writer = os.pipe()
    if not (child := os.fork()):
        os.write(writer, chance.octets(16))
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 16) != chance.octets(16)
    os.close(reader)
    os.close(writer)
