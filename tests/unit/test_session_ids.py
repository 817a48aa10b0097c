"""The session-ids of the relay: the secret by which a peer is known (RFC 4975 section 14.1)."""

from __future__ import annotations

import math
import random
import string
from collections import Counter

from msrprelay.net.uri import Uri
from msrprelay.sessions.legs import new_session_id

SAMPLES = 1_000_000


def test_a_million_differ() -> None:
    assert len({new_session_id() for _ in range(SAMPLES)}) == SAMPLES


def test_they_hold_80_bits_at_least() -> None:
    ids = [new_session_id() for _ in range(20_000)]
    assert len({len(each) for each in ids}) == 1
    # Per place, how many characters occur: what can be guessed of the entropy from outside.
    choices = [len(Counter(column)) for column in zip(*ids, strict=True)]
    assert sum(math.log2(count) for count in choices) >= 80


def test_they_do_not_come_from_a_seeded_generator() -> None:
    random.seed(1)
    first = new_session_id()
    random.seed(1)
    assert new_session_id() != first


def test_they_can_stand_in_a_uri() -> None:
    made = new_session_id()
    assert set(made) <= set(string.ascii_letters + string.digits + "-._~+=/")
    assert Uri.parse(f"msrp://192.0.2.1:2855/{made};tcp").session_id == made
