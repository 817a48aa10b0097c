"""What tests look at in the replies to offers, answers and deletes."""

from __future__ import annotations

from typing import Any

import pytest

from msrprelay.commands import Reply
from msrprelay.errors import CommandError
from msrprelay.sdp import MsrpSection, parse

from .session_fakes import (
    Lab,
    sdp,
    send,
)

AUDIO = b"v=0\r\no=- 1 1 IN IP4 1.1.1.1\r\ns=-\r\nt=0 0\r\nm=audio 4 RTP/AVP 0\r\n"
CEMA = "a=msrp-cema\r\n"
PASSIVE_BOB = sdp("203.0.113.9", 9000, session_id="bobid", setup="passive")


def section(reply: Reply, index: int = 0) -> MsrpSection:
    body = reply["sdp"]
    assert isinstance(body, bytes)
    return parse(body).sections[index]


def refusal(lab: Lab, *requests: Any) -> str:
    """The reason with which the last of these requests is refused."""
    for request in requests[:-1]:
        send(lab, request)
    with pytest.raises(CommandError) as refused:
        send(lab, requests[-1])
    return refused.value.reason


def head(reply: Reply) -> list[bytes]:
    body = reply["sdp"]
    assert isinstance(body, bytes)
    return [line for line in body.split(b"m=")[0].splitlines() if line[:1] in b"oc"]
