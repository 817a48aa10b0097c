"""The relay's addresses: where it listens, and what it tells the peers to dial.

An interface is written in rtpengine's manner, ``NAME/ADDRESS[!ADVERTISED]``: sockets are bound to
ADDRESS, the SDP names ADVERTISED (an address or a host name), which differs behind a NAT.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Self

from ..errors import CommandError, ConfigError
from ..printable import printable
from ..words import Family
from .uri import REMEMBERED_HOSTS

LONGEST_NAME = 253
# Everybody on a link (RFC 919 section 7).
BROADCAST = IPv4Address("255.255.255.255")
_LABEL = "[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
# The last label is no number (RFC 1123 section 2.1): 192.0.2.300 is a slip, not a name.
_NAME = re.compile(rf"({_LABEL}\.)*(?![0-9]+\.?$){_LABEL}\.?")


@lru_cache(REMEMBERED_HOSTS)
def advertisable(text: str) -> str:
    """Where peers are told to dial, as an SDP has it: a host name, or an address without brackets.

    It goes there as it is. Raises ValueError for what is neither, or can be nobody's address.
    """
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        address = ip_address(bare)
    except ValueError:
        if bare is text and len(text) <= LONGEST_NAME and _NAME.fullmatch(text):
            return text
        raise ValueError(f"{text!r} is neither an address nor a host name") from None
    # A zone is one host's own name of a link.
    if address.is_unspecified or address.is_multicast or address == BROADCAST or "%" in bare:
        raise ValueError(f"peers cannot dial {text}")
    return str(address)


@dataclass(frozen=True, slots=True)
class Interface:
    """One local address of one network side."""

    name: str
    address: IPv4Address | IPv6Address
    advertised: str
    # Worked out once: every lease and listener asks, and an address is slow to answer.
    # The same as :meth:`parse` reads it, always in full; the address as text; the SDP address type
    # of its sockets.
    text: str = field(init=False, repr=False, compare=False)
    host: str = field(init=False, repr=False, compare=False)
    family: Family = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        worked_out = {
            "text": f"{self.name}/{self.address}!{self.advertised}",
            "host": str(self.address),
            "family": "IP4" if self.address.version == 4 else "IP6",
        }
        for name, value in worked_out.items():
            object.__setattr__(self, name, value)

    def __str__(self) -> str:
        """As :meth:`parse` reads it."""
        return self.text

    def __hash__(self) -> int:
        return hash(self.text)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``NAME/ADDRESS[!ADVERTISED]``; NAME defaults to ``default``.

        Raises ConfigError naming the part that is wrong.
        """
        name, slash, rest = text.rpartition("/")
        if slash and not name:
            raise ConfigError(f"interface {text!r}: the name before '/' is empty")
        address, bang, advertised = rest.partition("!")
        try:
            parsed = ip_address(address.strip("[]"))
        except ValueError:
            raise ConfigError(f"interface {text!r}: {address!r} is not an IP address") from None
        if parsed.is_unspecified:
            raise ConfigError(f"interface {text!r}: peers cannot dial {address}; name one address")
        if bang and not advertised:
            raise ConfigError(f"interface {text!r}: nothing after '!'")
        try:
            told = advertisable(advertised or str(parsed))
        except ValueError as error:
            raise ConfigError(f"interface {text!r}: {error}") from None
        return cls(name or "default", parsed, told)


class Interfaces:
    """All interfaces, the first one being the default."""

    def __init__(self, interfaces: Iterable[Interface]) -> None:
        self._all = tuple(interfaces)
        if not self._all:
            raise ConfigError("interface: at least one is needed, e.g. --interface=192.0.2.10")

    def __iter__(self) -> Iterator[Interface]:
        return iter(self._all)

    def choose(self, name: str | None, family: Family | None) -> Interface:
        """The interface called ``name`` (default: the first), of ``family`` if one is asked for.

        Raises CommandError ``Unknown interface: ...`` where rtpengine would silently take another.
        """
        for each in self._all:
            if (name is None or each.name == name) and (family is None or each.family == family):
                return each
        keys = {
            "direction, from-interface or to-interface": name and repr(printable(name, 64)),
            "address-family": family,
        }
        asked = ", ".join(f"{key} is {value}" for key, value in keys.items() if value)
        raise CommandError(f"Unknown interface: {asked}")
