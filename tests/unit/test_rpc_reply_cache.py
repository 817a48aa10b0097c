"""The reply cache on a virtual clock."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from msrprelay._native import xxh3
from msrprelay.commands import Origin
from msrprelay.journal import Entry
from msrprelay.rpc.reply_cache import OVERHEAD, REPLY, Key, ReplyCache, key_of

ORIGIN = Origin("udp", "127.0.0.1", 5000)
BODY = b"d4:pinge"


def key(origin: Origin = ORIGIN, *, cookie: bytes = b"1_2_3", body: bytes = BODY) -> Key:
    return key_of(origin, cookie, body)


def from_port(port: int) -> Key:
    return key(ORIGIN._replace(port=port))


KEY = key()


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
        pytest.param(key(ORIGIN._replace(transport="tcp")), id="transport"),
        pytest.param(key(ORIGIN._replace(address="127.0.0.2")), id="address"),
        pytest.param(from_port(5001), id="port"),
        pytest.param(key(cookie=b"1_2_4"), id="cookie"),
        pytest.param(key(body=b"d4:pinG"), id="body"),
    ],
)
def test_any_difference_is_another_request(other: Key) -> None:
    cache = ReplyCache()
    cache.store(KEY, b"pong", 0.0)
    assert cache.find(other, 0.0) is None


def test_the_sums_are_the_same_in_every_process() -> None:
    assert xxh3(b"body") == 9579940282309272058


def test_old_replies_go_when_new_ones_come() -> None:
    cache = ReplyCache()
    for second in range(100):
        cache.store(from_port(second), b"pong", float(second))
    assert len(cache) == 60
    assert cache.dropped_early == 0


def test_the_oldest_go_early_when_the_bytes_run_out() -> None:
    each = len(b"1_2_3") + 1000 + OVERHEAD
    cache = ReplyCache(capacity=3 * each)
    for port in range(5):
        cache.store(from_port(port), bytes(1000), 0.0)
    found = [port for port in range(5) if cache.find(from_port(port), 0.0)]
    assert found == [2, 3, 4]
    assert (cache.size, cache.dropped_early) == (3 * each, 2)


def test_a_reply_above_the_capacity_is_not_kept() -> None:
    cache = ReplyCache(capacity=1000)
    cache.store(KEY, b"pong", 0.0)
    cache.store(from_port(1), bytes(1000), 0.0)
    assert cache.find(KEY, 0.0) == b"pong"
    assert len(cache) == 1


def test_a_cookie_with_another_body_is_noticed_while_its_reply_is_kept() -> None:
    cache = ReplyCache()
    other = key(body=b"another")
    assert not cache.reused(KEY)
    cache.store(KEY, b"pong", 0.0)
    assert (cache.reused(KEY), cache.reused(other)) == (False, True)
    cache.store(from_port(1), b"pong", 60.0)
    assert not cache.reused(other)


def test_storing_again_replaces() -> None:
    cache = ReplyCache()
    cache.store(KEY, b"pong", 0.0)
    cache.store(KEY, b"ping", 30.0)
    assert cache.find(KEY, 80.0) == b"ping"
    assert cache.size == len(b"1_2_3") + 4 + OVERHEAD


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
        cache.store(from_port(port), reply, now)
        kept[port] = (reply, now)
        assert cache.size <= 6000
        for other, (given_, at) in kept.items():
            found = cache.find(from_port(other), now)
            assert found in (None, given_)
            assert found is None or now < at + 30.0
    cache.store(from_port(99), b"", now + 30.0)
    assert cache.size == len(b"1_2_3") + OVERHEAD


def test_keys_of_another_build_are_not_read() -> None:
    cache = ReplyCache()
    theirs = msgspec.msgpack.encode(("udp", "127.0.0.1", 5000, b"1_2_3", b"a sum"))
    ours = msgspec.msgpack.encode(KEY)
    said = Entry(b"pong", 60.0)
    cache.restore({REPLY + theirs: said, REPLY + ours: said}, 0.0)
    assert (len(cache), cache.find(KEY, 0.0)) == (1, b"pong")
