# cython: annotation_typing=False
"""What of the calls is written into the journal, and under which keys."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from ..journal import Journal
from ..offer_answer.saved import octets
from .saved import SavedLeaving, SavedPorts

if TYPE_CHECKING:
    from .call import Call
    from .legs import Leg

# The first octet of a key tells what is under it.
CALL, PORTS = b"c", b"p"
# There while new calls are refused.
DRAINING = b"d"

_encode = msgspec.msgpack.Encoder().encode


class Ledger:
    """Writes calls and ports into a journal, where there is one."""

    def __init__(self, journal: Journal | None = None) -> None:
        self._journal = journal

    def call(self, call: Call) -> None:
        """Something about a call has changed."""
        if self._journal is not None:
            self._journal.put(CALL + octets(call.call_id), _encode(call.saved()))

    def ended(self, call: Call) -> None:
        """A call is over; its sections have their ports until the engine has closed them."""
        if self._journal is None:
            return
        self._journal.drop(CALL + octets(call.call_id))
        for section in call.leaving:
            ports = _ports(section.legs.values())
            left = SavedLeaving(octets(call.call_id), call.over or "", section.saved())
            self._journal.put(_key(ports), _encode(SavedPorts(ports, left)))

    def draining(self, refusing: bool) -> None:
        """New calls are refused from now on, or taken again."""
        if self._journal is not None and refusing:
            self._journal.put(DRAINING, b"")
        elif self._journal is not None:
            self._journal.drop(DRAINING)

    def rest(self, legs: Iterable[Leg], until: float) -> None:
        """Nobody has these ports; ``until`` they must not be leased.

        Seconds of the monotonic clock.
        """
        if self._journal is not None:
            ports = _ports(legs)
            self._journal.put(_key(ports), _encode(SavedPorts(ports)), until)


def _ports(legs: Iterable[Leg]) -> list[tuple[str, int]]:
    return [(leg.interface.text, leg.port) for leg in legs]


def _key(ports: list[tuple[str, int]]) -> bytes:
    """Ports that are freed together were leased together: one of them names all."""
    interface, port = ports[0]
    return b"%s%d %s" % (PORTS, port, octets(interface))
