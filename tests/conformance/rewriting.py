"""What a relay must make of an SDP, line by line, given only the values it chose itself.

Written from the rules (c=, m= and a=path agree, a=setup is told, all else octet for octet), not
from our own editor.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..peers.sdp import Told, message_sections
from ..peers.wire import Failure

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r|$)")
_LIVE = re.compile(r"m=message +(\d+) +TCP/MSRP ")
_AUTHORITY = re.compile(r"(?<=://)(\[[^]]*\]|[^:/]+):\d+")
_ICE = ("a=candidate:", "a=remote-candidates:", "a=ice-", "a=end-of-candidates")


def check(sent: str, got: str, policy: str, setup: str = "actpass") -> list[Told]:
    """Raise Failure at the first line that is not as the rules say; the relay's sections."""
    wanted = expected(sent, message_sections(got), policy, setup)
    for number, (is_line, should) in enumerate(zip(lines(got), wanted, strict=False), 1):
        if is_line != should:
            raise Failure(f"line {number} is {is_line!r}, not {should!r}")
    if len(lines(got)) != len(wanted):
        raise Failure(f"{len(lines(got))} lines, not {len(wanted)}")
    return message_sections(got)


def lines(text: str) -> list[str]:
    """The lines with their ends."""
    return [line for line in _LINE.findall(text) if line]


def expected(sent: str, told: Sequence[Told], policy: str, setup: str) -> list[str]:
    """The lines that must come back."""
    result: list[str] = []
    chosen = iter(told)
    for part in re.split(r"(?m)^(?=m=)", sent):
        values = next(chosen, None) if part.startswith("m=message ") else None
        live = _LIVE.match(part)
        anchored = live and live[1] != "0" and live[1].isdigit() and int(live[1]) < 65536
        if values is not None and anchored and "a=path:msrp" in part:
            result += _section(lines(part), values, policy, setup)
        else:
            result += lines(part)
    return result


def _section(old: list[str], told: Told, policy: str, setup: str) -> list[str]:
    end = old[0][len(old[0].rstrip("\r\n")) :]
    unfinished = old[-1] == old[-1].rstrip("\r\n")
    kept = [
        line.rstrip("\r\n") + (line[len(line.rstrip("\r\n")) :] or end)
        for line in old
        if not line.startswith(_ICE) and not (policy == "aware" and line.startswith("a=msrp-cema"))
    ]
    kept[0] = re.sub(r"(?<=m=message )( *)\d+", rf"\g<1>{told.port}", kept[0], count=1)
    family = "IP6" if ":" in told.host else "IP4"
    behind_title = 2 if len(kept) > 1 and kept[1].startswith("i=") else 1
    _put(kept, "c=", f"c=IN {family} {told.host}", behind_title, end)
    if policy == "aware":
        _agree(told)
        _put(kept, "a=path:", f"a=path:{told.path[0]}", len(kept), end)
    elif policy == "sessmatch":
        at = next(at for at, line in enumerate(kept) if line.startswith("a=path:"))
        host = f"[{told.host}]" if ":" in told.host else told.host
        kept[at] = _AUTHORITY.sub(f"{host}:{told.port}", kept[at], count=1)
    after = max(at for at, line in enumerate(kept) if line.startswith("a=path:")) + 1
    _put(kept, "a=setup:", f"a=setup:{setup}", after, end)
    if unfinished:
        kept[-1] = kept[-1].rstrip("\r\n")
    return kept


def _agree(told: Told) -> None:
    if told.address != told.path_address:
        raise Failure(f"c= and m= say {told.address}, a=path says {told.path_address}")
    if len(told.path) != 1:
        raise Failure(f"a=path has {len(told.path)} URIs")


def _put(kept: list[str], start: str, text: str, at: int, end: str) -> None:
    places = [place for place, line in enumerate(kept) if line.startswith(start)]
    if places:
        old = kept[places[0]]
        kept[places[0]] = text + old[len(old.rstrip("\r\n")) :]
        for place in reversed(places[1:]):
            del kept[place]
    else:
        kept.insert(at, text + end)
