"""Events that wait for a web server, kept in the journal for the process after this one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple, Protocol

import msgspec

from ..journal import Entry, Journal
from ..log import Log

log = Log()

# The first octet of their keys in the journal.
POST = b"w"


class Post(NamedTuple):
    """An event as it is posted, and its name; numbers of one hook rise."""

    number: int
    kind: str
    body: bytes


class Hook(Protocol):
    """Who goes on with posts."""

    def restore(self, posts: Iterable[Post]) -> None:
        """Take what another process had still to post."""


class KeptPosts:
    """The posts of one hook in the journal, where there is one."""

    def __init__(self, hook: str, journal: Journal | None = None) -> None:
        """``hook`` is its key under ``[events]``."""
        self._hook = hook
        self._journal = journal

    def put(self, post: Post) -> None:
        """It waits."""
        if self._journal is not None:
            value = msgspec.msgpack.encode((self._hook, *post))
            self._journal.put(self._key(post), value)

    def drop(self, post: Post) -> None:
        """It has been posted, or given up."""
        if self._journal is not None:
            self._journal.drop(self._key(post))

    def flush(self) -> None:
        """Write that; not within a command, which would be half written."""
        if self._journal is not None:
            self._journal.flush()

    def _key(self, post: Post) -> bytes:
        return POST + self._hook.encode() + post.number.to_bytes(8, "big")


def restore(
    entries: Mapping[bytes, Entry], hooks: Mapping[str, Hook], journal: Journal | None
) -> None:
    """Give each hook what the process before had still to post, in its order.

    What is for a hook that there is no more is given up, and logged.
    """
    found: dict[str, list[Post]] = {}
    for key, (value, _) in entries.items():
        if key.startswith(POST) and value is not None:
            with suppress(msgspec.ValidationError):
                name, *fields = msgspec.msgpack.decode(value, type=tuple[str, int, str, bytes])
                found.setdefault(name, []).append(Post._make(fields))
    for name, posts in found.items():
        if name in hooks:
            hooks[name].restore(sorted(posts))
        else:
            given_up(posts, KeptPosts(name, journal), name)


def given_up(posts: Iterable[Post], kept: KeptPosts, where: str) -> int:
    """Log what nobody will deliver, and keep it no longer; gives how many there were."""
    kinds: Counter[str] = Counter()
    for post in posts:
        kept.drop(post)
        kinds[post.kind] += 1
    if kinds:
        log.warning("events not delivered", hook=where, count=kinds.total(), kinds=dict(kinds))
    return kinds.total()
