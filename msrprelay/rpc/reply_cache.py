# cython: annotation_typing=False
"""The replies given lately: a repeated datagram gets the same bytes, its command runs once.

SIP servers repeat a request whose reply was lost with the same cookie from the same socket.
Cookies alone are no key: several servers may count in step (rtpengine#1867: lost calls).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from contextlib import suppress

import msgspec

from .._native import xxh3
from ..commands import Origin
from ..journal import Entry as Record
from ..journal import Journal

# The first octet of its keys in the journal.
REPLY = b"r"
# What an entry costs besides its bytes (objects, hash tables).
OVERHEAD = 500


# Who asked what: transport, address and port of the SIP server, its cookie, and the body's sum.
Key = tuple[str, str, int, bytes, int]
# The bytes sent, and until when they are kept.
Entry = tuple[bytes, float]
# The key but for the sum.
Sender = tuple[str, str, int, bytes]


class ReplyCache:
    """Replies by key for ``lifetime`` seconds, the oldest dropped early beyond ``capacity`` bytes.

    ``now`` is in seconds of any clock that does not go back, the same in every call.
    """

    def __init__(
        self,
        *,
        lifetime: float = 60.0,
        capacity: int = 64 << 20,
        journal: Journal | None = None,
    ) -> None:
        """``journal`` keeps the replies for a process after this one."""
        self._journal = journal
        self.lifetime = lifetime
        self.capacity = capacity
        self.size = 0
        self.hits = 0
        # Entries that had to go before their time: the capacity is too small for the traffic.
        self.dropped_early = 0
        self._entries: dict[Key, Entry] = {}
        # Their keys, the oldest first.
        self._order: deque[Key] = deque()
        # The body that each cookie came with last, to notice cookies that are used twice.
        self._bodies: dict[Sender, int] = {}

    def find(self, key: Key, now: float) -> bytes | None:
        """The reply given to ``key``, if it is still kept."""
        entry = self._entries.get(key)
        if entry is None or entry[1] <= now:
            return None
        self.hits += 1
        return entry[0]

    def store(self, key: Key, reply: bytes, now: float) -> None:
        """Keep ``reply`` beside one to another body under the same cookie, if there is one.

        Nothing is kept that alone is above the capacity.
        """
        self._expire(now)
        entry = (reply, now + self.lifetime)
        if self._keep(key, entry) and self._journal is not None:
            self._journal.put(name(key), reply, entry[1])

    def restore(self, records: Mapping[bytes, Record], shift: float) -> None:
        """Keep what another process wrote into its journal, ``shift`` added to every time.

        Keys of a build that made them otherwise are left: their senders are answered anew.
        """
        found: list[tuple[Key, Entry]] = []
        for name_, (value, until) in records.items():
            if name_.startswith(REPLY) and value is not None:
                with suppress(msgspec.ValidationError):
                    key = msgspec.msgpack.decode(name_[len(REPLY) :], type=Key)
                    found.append((key, (value, until + shift)))
        for key, entry in sorted(found, key=lambda each: each[1][1]):
            self._keep(key, entry)

    def reused(self, key: Key) -> bool:
        """Whether the cookie came lately with another body: its sender counts in step with one."""
        return self._bodies.get(key[:4], key[4]) != key[4]

    def __len__(self) -> int:
        return len(self._entries)

    def _keep(self, key: Key, entry: Entry) -> bool:
        if key in self._entries:
            # Who stores has not found it, so this is rare enough for a walk.
            self._order.remove(key)
            self._drop(key)
        cost = weight(key, entry[0])
        if cost > self.capacity:
            return False
        while self.size + cost > self.capacity:
            self._drop(self._order.popleft())
            self.dropped_early += 1
        self._entries[key] = entry
        self._order.append(key)
        self._bodies[key[:4]] = key[4]
        self.size += cost
        return True

    def _expire(self, now: float) -> None:
        while self._order and self._entries[self._order[0]][1] <= now:
            self._drop(self._order.popleft())

    def _drop(self, key: Key) -> None:
        self.size -= weight(key, self._entries.pop(key)[0])
        if self._bodies.get(key[:4]) == key[4]:
            del self._bodies[key[:4]]
        if self._journal is not None:
            self._journal.forget(name(key))


def key_of(origin: Origin, cookie: bytes, body: bytes) -> Key:
    """The key of a message.

    The sum is the same in every process: a successor knows its predecessor's replies. It tells
    apart what chance brings under one cookie. Who could forge a body to the same sum could as well
    send what it likes from the SIP server's socket.
    """
    return *origin, cookie, xxh3(body)


def name(key: Key) -> bytes:
    """The entry's key in the journal."""
    return REPLY + msgspec.msgpack.encode(key)


def weight(key: Key, reply: bytes) -> int:
    """What an entry costs, in bytes."""
    return len(key[3]) + len(reply) + OVERHEAD
