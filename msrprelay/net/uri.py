# cython: annotation_typing=False
"""MSRP URIs: parse, compare (RFC 4975 section 6.1), write. Pure.

The same file runs compiled (Cython, with the types of ``uri.pxd``) and as it is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from ..errors import UriError

# One call names each of its hosts many times, and peers come again.
REMEMBERED_HOSTS = 1024
ZERO = 0x30


class Uri:
    """An MSRP URI (RFC 4975 section 9). Equality and hash follow section 6.1.

    ``host`` is without the brackets of an IPv6 literal; ``port`` and ``session_id`` are ``None``
    when absent, which never equals a present one. ``transport`` keeps its spelling.
    """

    __slots__ = ("_compared", "host", "port", "scheme", "session_id", "transport")

    scheme: str
    host: str
    port: int | None
    session_id: str | None
    transport: str

    def __init__(
        self,
        scheme: str,
        host: str,
        port: int | None,
        session_id: str | None,
        transport: str = "tcp",
    ) -> None:
        self.scheme = scheme if scheme in ("msrp", "msrps") else scheme.lower()
        self.host = host
        self.port = port
        self.session_id = session_id
        self.transport = transport
        self._compared: tuple[object, ...] | None = None

    @property
    def _key(self) -> tuple[object, ...]:
        """What is compared; most URIs never are."""
        if self._compared is None:
            transport = self.transport.lower()
            host = _host_key(self.host)
            self._compared = (self.scheme, host, self.port, self.session_id, transport)
        return self._compared

    @staticmethod
    def parse(text: str) -> Uri:
        """Read one URI; :class:`UriError` says what it is not.

        Lenient where other stacks are: any visible character but ``;`` may stand in a session-id.
        """
        return parse_uri(text)

    @property
    def tls(self) -> bool:
        """Whether the scheme is ``msrps``."""
        return self.scheme == "msrps"

    def __eq__(self, other: object) -> bool:
        return self._key == other._key if isinstance(other, Uri) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key)

    def __str__(self) -> str:
        session = "" if self.session_id is None else f"/{self.session_id}"
        return f"{self.scheme}://{host_port(self.host, self.port)}{session};{self.transport}"

    def __repr__(self) -> str:
        return f"Uri({str(self)!r})"


def parse_uri(text: str) -> Uri:
    """What :meth:`Uri.parse` reads."""
    usual = _usual(text)
    return _any(text) if usual is None else usual


def _usual(text: str) -> Uri | None:
    """The URI, if it is spelt like nearly all: ``msrp://name:port/session-id;tcp``.

    The expression would read the same, for five times the work.
    """
    begin = 7 if text.startswith("msrp://") else 8 if text.startswith("msrps://") else 0
    end = text.find(";")
    colon = text.find(":", begin)
    slash = text.find("/", begin)
    if not (0 < begin < colon < slash < end - 1 == len(text) - 5) or not text.endswith(";tcp"):
        return None
    port = _port(text, colon + 1, slash)
    if port < 0 or not _is_name(text, begin, colon) or not _is_visible(text, slash + 1, end):
        return None
    scheme = "msrp" if begin == 7 else "msrps"
    return Uri(scheme, text[begin:colon], port, text[slash + 1 : end])


def _is_name(text: str, begin: int, end: int) -> bool:
    for at in range(begin, end):
        char = text[at]
        if not ("a" <= char <= "z" or "0" <= char <= "9" or "A" <= char <= "Z" or char in "-."):
            return False
    return True


def _port(text: str, begin: int, end: int) -> int:
    """The port that is ``text[begin:end]``; -1 if it is none."""
    number = 0
    for at in range(begin, end):
        char = text[at]
        if not "0" <= char <= "9" or number > 65535:
            return -1
        number = number * 10 + (ord(char) - ZERO)
    return number if 0 < end - begin <= 5 and number <= 65535 else -1


def _is_visible(text: str, begin: int, end: int) -> bool:
    while begin < end and "!" <= text[begin] <= "~":
        begin += 1
    return begin == end


def _any(text: str) -> Uri:
    """The URI, however it is spelt."""
    found = _URI.fullmatch(text)
    if found is None:
        raise UriError("not an MSRP URI")
    scheme, _, literal, name, port, session_id, transport = found.groups()
    if literal is not None and not isinstance(address(literal), IPv6Address):
        raise UriError("not an IPv6 address")
    number = None if port is None else int(port)
    if number is not None and number > 65535:
        raise UriError("port above 65535")
    return Uri(scheme, literal or name, number, session_id, transport)


def host_port(host: str, port: int | None) -> str:
    """``host:port`` as a URI spells it: an IPv6 address in brackets."""
    return bracketed(host) if port is None else f"{bracketed(host)}:{port}"


def bracketed(host: str) -> str:
    """A host as a URI spells it."""
    return f"[{host}]" if ":" in host else host


def host_port_span(text: str) -> tuple[int, int]:
    """Where ``host[:port]`` stands in a URI; :class:`UriError` if it is none."""
    found = _URI.fullmatch(text)
    if found is None:
        raise UriError("not an MSRP URI")
    return found.span("host_port")


@lru_cache(REMEMBERED_HOSTS)
def address(host: str) -> IPv4Address | IPv6Address | None:
    """The address a host spells, or ``None`` for a name. A zone (``%eth0``) is no address."""
    try:
        return None if "%" in host else ip_address(host)
    except ValueError:
        return None


def same_host(one: str, other: str) -> bool:
    """Host equality of RFC 4975 section 6.1: addresses by value, names without case; no DNS."""
    return one == other or _host_key(one) == _host_key(other)


def _host_key(host: str) -> str | IPv4Address | IPv6Address:
    plain = _ESCAPE.sub(_unescape, host) if "%" in host else host
    return address(plain) or plain.lower()


def _unescape(escape: re.Match[str]) -> str:
    """RFC 3986 section 6.2.2.2: only unreserved characters are the same when escaped."""
    char = chr(int(escape[1], 16))
    return char if _UNRESERVED.fullmatch(char) else escape[0]


_ESCAPE = re.compile("%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile("[A-Za-z0-9._~-]")
_URI = re.compile(
    r"(?P<scheme>msrps?)://(?:[^@/;\s]*@)?"
    r"(?P<host_port>(?:\[(?P<literal>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9._~%!$&'()*+,=-]+))"
    r"(?::(?P<port>[0-9]{1,5}))?)"
    r"(?:/(?P<session_id>[!-:<-~]+))?"
    r";(?P<transport>[A-Za-z0-9]+)"
    r"(?:;[!-:<-~]*)*",
    re.IGNORECASE | re.ASCII,
)
