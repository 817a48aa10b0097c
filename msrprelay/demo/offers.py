"""The SDP of the demo's endpoints, and what an endpoint reads in the relay's."""

from __future__ import annotations

from typing import NamedTuple

from ..net.roles import Setup
from ..sdp import MsrpSection, parse
from .failure import DemoFailed

ACCEPT_TYPES = "text/plain application/octet-stream"


class Address(NamedTuple):
    """Where an endpoint is: its URI, and the host and port of c= and m=."""

    uri: str
    host: str
    port: int


def describe(address: Address, setup: Setup | None, *, cema: bool) -> bytes:
    """An offer or answer with one message section; no ``a=setup`` for None."""
    lines = [
        "v=0",
        f"o=- 4975 1 IN IP4 {address.host}",
        "s=-",
        f"c=IN IP4 {address.host}",
        "t=0 0",
        f"m=message {address.port} TCP/MSRP *",
        f"a=accept-types:{ACCEPT_TYPES}",
        f"a=path:{address.uri}",
    ]
    if setup is not None:
        lines.append(f"a=setup:{setup}")
    if cema:
        lines.append("a=msrp-cema")
    return ("\r\n".join(lines) + "\r\n").encode()


def section(body: str) -> MsrpSection:
    """The message section of an SDP that came back from the relay. Raises DemoFailed."""
    sections = parse(body.encode("utf-8", "surrogateescape")).sections
    if not sections or not sections[0].anchor or sections[0].contact is None:
        raise DemoFailed("the relay's SDP has no live message section")
    return sections[0]
