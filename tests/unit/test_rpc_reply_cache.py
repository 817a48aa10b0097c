"""The reply cache on a virtual clock."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msrprelay.rpc.reply_cache import OVERHEAD, Key, ReplyCache, digest

KEY = Key("udp", "127.0.0.1", 5000, b"1_2_3", digest(b"d4:pinge"))


@pytest.mark.parametrize(
    ("after", "reply"),
    [
        pytest.param(0.0, b"pong", id="at-once"),
        pytest.param(59.999, b"pong", id="just-before-a-minute"),
        pytest.param(60.0, None, id="after-a-minute"),
    ],
)
def test_a_reply_is_kept_for_a_minute(after: float, reply: bytes | None) -> None:
    cache = ReplyCache()
    cache.store(KEY, b"pong", 1000.0)
    assert cache.find(KEY, 1000.0 + after) == reply


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(KEY._replace(transport="tcp"), id="transport"),
        pytest.param(KEY._replace(address="127.0.0.2"), id="address"),
        pytest.param(KEY._replace(port=5001), id="port"),
        pytest.param(KEY._replace(cookie=b"1_2_4"), id="cookie"),
        pytest.param(KEY._replace(digest=digest(b"d4:pinG")), id="body"),
    ],
)
def test_any_difference_is_another_request(other: Key) -> None:
    cache = ReplyCache()
    cache.store(KEY, b"pong", 0.0)
    assert cache.find(other, 0.0) is None


def test_the_sums_are_the_same_in_every_process() -> None:
    assert digest(b"body").hex() == "b20ba8dbaf011a04"


def test_old_replies_go_when_new_ones_come() -> None:
    cache = ReplyCache()
    for second in range(100):
        cache.store(KEY._replace(port=second), b"pong", float(second))
    assert len(cache) == 60
    assert cache.dropped_early == 0


def test_the_oldest_go_early_when_the_bytes_run_out() -> None:
    each = len(KEY.cookie) + 1000 + OVERHEAD
    cache = ReplyCache(capacity=3 * each)
    for port in range(5):
        cache.store(KEY._replace(port=port), bytes(1000), 0.0)
    found = [port for port in range(5) if cache.find(KEY._replace(port=port), 0.0)]
    assert found == [2, 3, 4]
    assert (cache.size, cache.dropped_early) == (3 * each, 2)


def test_a_reply_above_the_capacity_is_not_kept() -> None:
    cache = ReplyCache(capacity=1000)
    cache.store(KEY, b"pong", 0.0)
    cache.store(KEY._replace(port=1), bytes(1000), 0.0)
    assert cache.find(KEY, 0.0) == b"pong"
    assert len(cache) == 1


def test_a_cookie_with_another_body_is_noticed_while_its_reply_is_kept() -> None:
    cache = ReplyCache()
    other = KEY._replace(digest=digest(b"another"))
    assert not cache.reused(KEY)
    cache.store(KEY, b"pong", 0.0)
    assert (cache.reused(KEY), cache.reused(other)) == (False, True)
    cache.store(KEY._replace(port=1), b"pong", 60.0)
    assert not cache.reused(other)


def test_storing_again_replaces() -> None:
    cache = ReplyCache()
    cache.store(KEY, b"pong", 0.0)
    cache.store(KEY, b"ping", 30.0)
    assert cache.find(KEY, 80.0) == b"ping"
    assert cache.size == len(KEY.cookie) + 4 + OVERHEAD


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 9), st.binary(max_size=900), st.floats(0, 20)), max_size=60
    )
)
def test_the_bytes_are_bounded_and_counted_whatever_comes(
    steps: list[tuple[int, bytes, float]],
) -> None:
    cache = ReplyCache(lifetime=30.0, capacity=6000)
    kept: dict[int, tuple[bytes, float]] = {}
    now = 0.0
    for port, reply, wait in steps:
        now += wait
        cache.store(KEY._replace(port=port), reply, now)
        kept[port] = (reply, now)
        assert cache.size <= 6000
        for other, (given_, at) in kept.items():
            found = cache.find(KEY._replace(port=other), now)
            assert found in (None, given_)
            assert found is None or now < at + 30.0
    cache.store(KEY._replace(port=99), b"", now + 30.0)
    assert cache.size == len(KEY.cookie) + OVERHEAD
