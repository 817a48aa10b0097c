"""The keeper's messages and inventory: nothing that is said to it can kill it."""

from __future__ import annotations

import os
import select
import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msrprelay.keeping import wire
from msrprelay.keeping.holding import Inventory, Process
from msrprelay.keeping.keeper import Keeper, words
from msrprelay.keeping.wire import HEAD, HELD, HOLD, LABEL, MOST, pack, receive, send, unpack

A, B = b"a" * LABEL, b"b" * LABEL


def opened() -> int:
    """How many descriptors this process has."""
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        yield one, other


@given(op=st.integers(0, 255), labels=st.lists(st.binary(min_size=LABEL, max_size=LABEL)))
def test_a_message_is_read_as_it_was_written(op: int, labels: list[bytes]) -> None:
    assert unpack(pack(op, labels, b"rest")) == (op, labels, b"rest")


@given(st.binary(max_size=200))
def test_any_bytes_can_be_read(message: bytes) -> None:
    op, labels, payload = unpack(message)
    if op:
        assert pack(op, labels, payload) == message


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"", id="empty"),
        pytest.param(HEAD.pack(HOLD, 2, 0), id="another version"),
        pytest.param(HEAD.pack(HOLD, 1, 2) + A, id="a label is missing"),
        pytest.param(HEAD.pack(HOLD, 1, 1) + A[:-1], id="half a label"),
    ],
)
def test_what_is_no_message(message: bytes) -> None:
    assert unpack(message)[0] == 0


class Described:
    """A keeper with this process as its relay process, which it must not kill."""

    def __init__(self) -> None:
        ours, self.link = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.keeper = Keeper(["/nowhere"], 10.0, {})
        self.process = Process(os.getpid(), os.pidfd_open(os.getpid()), ours)
        self.keeper.relay = self.process
        self.keeper.observe(self.process)

    def hear(self) -> None:
        self.keeper.linked(self.process, select.EPOLLIN)

    def close(self) -> None:
        self.keeper.inventory.clear()
        self.keeper.epoll.close()
        os.close(self.process.pidfd)
        self.process.link.close()
        self.link.close()


# Anything but what would start or end a process.
SAID = st.one_of(
    st.binary(max_size=100),
    st.builds(
        lambda op, count, rest: struct.pack("<BBH", op, 1, count) + rest,
        st.sampled_from([0, HOLD, wire.DROP, wire.READY, wire.REFUSED, HELD, 200]),
        st.integers(0, 4) | st.integers(0, 65535),
        st.binary(max_size=100) | st.sampled_from([A, A + B, A + A]),
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(said=st.lists(st.tuples(SAID, st.integers(0, 3)), max_size=8))
def test_whatever_is_said_no_descriptor_is_lost_or_leaks(said: list[tuple[bytes, int]]) -> None:
    described = Described()
    before = opened()
    for message, count in said:
        if unpack(message)[0] not in (wire.UPGRADE, wire.BYE):
            send(described.link, message, [0] * count)
    described.hear()
    assert opened() - before == len(described.keeper.inventory)
    described.keeper.inventory.clear()
    assert opened() == before
    described.close()


def test_what_is_held_is_a_duplicate_that_no_child_inherits(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    send(pair[0], pack(HOLD, [A]), [pair[0].fileno()])
    message, [duplicate] = receive(pair[1])
    assert (unpack(message)[:2], os.get_inheritable(duplicate)) == ((HOLD, [A]), False)
    assert os.fstat(duplicate).st_ino == os.fstat(pair[0].fileno()).st_ino
    os.close(duplicate)


def test_a_label_that_is_there_gets_the_new_descriptor() -> None:
    inventory, before = Inventory(), opened()
    old, new = os.dup(0), os.dup(1)
    inventory.hold([A], [old])
    inventory.hold([A], [new])
    assert inventory.batch([A]) == (pack(HELD, [A]), [new])
    assert opened() == before + 1
    inventory.drop([A, A, B])
    assert opened() == before


def test_labels_and_descriptors_need_not_be_as_many() -> None:
    inventory, before = Inventory(), opened()
    inventory.hold([A, B], [os.dup(0)])
    assert inventory.batch([A, B])[0] == pack(HELD, [A])
    inventory.hold([B], [os.dup(0), os.dup(0)])
    assert (len(inventory), opened()) == (2, before + 2)
    inventory.clear()
    assert opened() == before


def test_batches_are_as_large_as_a_message_may_be() -> None:
    inventory = Inventory()
    labels = [b"%016d" % number for number in range(MOST + 1)]
    inventory.hold(labels, [os.dup(0) for _ in labels])
    assert inventory.batches() == [labels[:MOST], labels[MOST:]]
    inventory.clear()


@pytest.mark.parametrize(
    ("code", "said"),
    [(0, "ended with status 0"), (-9, "killed by signal 9"), (None, "ended")],
)
def test_an_end_in_words(code: int | None, said: str) -> None:
    assert words(code) == said
