"""Readers of option values: what TOML or the command line gave, as the type the daemon uses.

Each raises ValueError with what it expected; the caller adds key and line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit

from ..net.interfaces import Interface
from ..words import Policy

Network = IPv4Network | IPv6Network
T = TypeVar("T")
LEVELS = ("debug", "info", "warning", "error")
POLICIES = ("aware", "cema", "sessmatch")
# sun_path of unix(7), with its end.
LONGEST_PATH = 107
# Above these a number is a slip of the pen.
HIGHEST_COUNT = 1_000_000_000
MOST_THREADS = 1024


class HostPort(NamedTuple):
    """An address and port to listen on."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def count(value: object) -> int:
    """A whole number, not negative."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("a whole number from 0 up expected")
    if value > HIGHEST_COUNT:
        raise ValueError(f"above {HIGHEST_COUNT}")
    return value


def threads(value: object) -> int:
    """A number of threads, each of which has a stack and an epoll of its own."""
    if count(value) > MOST_THREADS:
        raise ValueError(f"above {MOST_THREADS}")
    return count(value)


def port(value: object) -> int:
    """A port number."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535:
        raise ValueError("a port from 1 to 65535 expected")
    return value


def flag(value: object) -> bool:
    """true or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false expected")
    return value


def text(value: object) -> str:
    """A string."""
    if not isinstance(value, str):
        raise ValueError("a string expected")
    return value


def path(value: object) -> str:
    """An absolute path, or nothing."""
    read = text(value)
    if read and not read.startswith("/"):
        raise ValueError("an absolute path expected")
    if len(read.encode()) > LONGEST_PATH:
        raise ValueError(f"longer than {LONGEST_PATH} bytes")
    return read


def level(value: object) -> str:
    """The name of a log level."""
    if not isinstance(value, str) or value not in LEVELS:
        raise ValueError(f"{', '.join(LEVELS)} expected")
    return value


def pending(value: object) -> Literal["rollback", "delete"]:
    """What a delete means while a re-offer is pending."""
    if value == "rollback":
        return "rollback"
    if value == "delete":
        return "delete"
    raise ValueError("rollback or delete expected")


def url(value: object) -> str:
    """An HTTP URL, or nothing."""
    read = text(value)
    if read and not is_http(read):
        raise ValueError(f"{value!r}: a URL such as http://127.0.0.1:5060/RPC expected")
    return read


def is_http(read: str) -> bool:
    """Whether it is an HTTP URL that can be asked."""
    try:
        parts = urlsplit(read)
        # Only looked at does a port that is none raise.
        reachable = bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and reachable and not re.search(r"[\s\x00-\x1f]", read)


def each(value: object, read: Callable[[object], T]) -> tuple[T, ...]:
    """A list of values, or one alone."""
    items = value if isinstance(value, (list, tuple)) else [value]
    return tuple(read(item) for item in items)


def host_port(value: object) -> HostPort:
    """``ADDR:PORT``, an IPv6 address in brackets."""
    host, colon, digits = text(value).rpartition(":")
    bare = host.removeprefix("[").removesuffix("]")
    try:
        address = ip_address(bare)
    except ValueError:
        colon = ""
    if not colon or not (digits.isascii() and digits.isdigit()) or int(digits[:6]) > 65535:
        raise ValueError(f"{value!r}: ADDR:PORT expected, such as 127.0.0.1:2224 or [::1]:2224")
    if address.is_unspecified:
        # A reply must leave from the address that was asked: clients' sockets are connected.
        raise ValueError(f"{value!r}: name each local address instead")
    return HostPort(str(address), int(digits))


def host_ports(value: object) -> tuple[HostPort, ...]:
    """Addresses to listen on."""
    return each(value, host_port)


def network(value: object) -> Network:
    """A CIDR, or an address alone."""
    try:
        return ip_network(text(value), strict=False)
    except ValueError:
        raise ValueError(f"{value!r}: a CIDR such as 10.0.0.0/8 expected") from None


def networks(value: object) -> tuple[Network, ...]:
    """CIDRs."""
    return each(value, network)


def interfaces(value: object) -> tuple[Interface, ...]:
    """``NAME/ADDR[!ADVERTISED]`` each."""
    return each(value, lambda item: Interface.parse(text(item)))


def policies(value: object) -> Mapping[str, Policy]:
    """A table of path policies by interface name."""
    expected = f"{', '.join(POLICIES[:-1])} or {POLICIES[-1]} expected"
    if not isinstance(value, dict):
        raise ValueError(f"a table of NAME = {expected}")
    wrong = [f"{name} = {item!r}" for name, item in value.items() if item not in POLICIES]
    if wrong:
        raise ValueError(f"{'; '.join(wrong)}: {expected}")
    return value
