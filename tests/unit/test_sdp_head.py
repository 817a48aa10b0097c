"""The session level changes where it is asked for, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

OURS = b"m=message 7 TCP/MSRP *\r\na=path:msrp://10.0.0.5:7/x;tcp\r\n"
HEAD = b"v=0\r\no=al 12 34 IN IP4 10.0.0.5\r\ns=-\nc=IN IP4 10.0.0.5\r\nt=0 0\r\n"


@pytest.fixture(scope="session")
def sdp(load: Callable[[str], ModuleType]) -> ModuleType:
    return load("sdp")


def rewritten(sdp: ModuleType, body: bytes, **head: tuple[str, str]) -> bytes:
    """The lines before the first m=, after a rewrite of the message section."""
    description: Any = sdp.parse(body)
    index = description.sections[0].index
    setup = type(sdp.parse(HEAD + OURS + b"a=setup:active").sections[0].setup)
    edit = sdp.SectionEdit(
        policy="aware",
        family="IP6",
        host="2001:db8::1",
        port=3,
        session_id="r",
        setup=setup("passive"),
    )
    values = {name: sdp.Connection(*value) for name, value in head.items()}
    result: bytes = description.rewrite({index: edit}, sdp.HeadEdit(**values))
    return result[: result.index(b"m=")]


NEW = ("IP6", "2001:db8::1")


@pytest.mark.parametrize(
    ("body", "head", "old", "new"),
    [
        pytest.param(
            HEAD + OURS,
            {"origin": NEW},
            b"o=al 12 34 IN IP4 10.0.0.5\r\n",
            b"o=al 12 34 IN IP6 2001:db8::1\r\n",
            id="origin",
        ),
        pytest.param(
            HEAD + OURS,
            {"connection": NEW},
            b"c=IN IP4 10.0.0.5\r\n",
            b"c=IN IP6 2001:db8::1\r\n",
            id="connection",
        ),
        pytest.param(
            HEAD + b"m=audio 4 RTP/AVP 0\nc=IN IP4 10.0.0.9\n" + OURS,
            {"connection": NEW},
            b"c=IN IP4 10.0.0.5\r\n",
            b"c=IN IP6 2001:db8::1\r\n",
            id="audio-with-its-own-connection",
        ),
        pytest.param(
            HEAD + b"m=audio 4 RTP/AVP 0\r\n" + OURS,
            {"connection": NEW},
            b"",
            b"",
            id="audio-that-depends-on-it",
        ),
        pytest.param(
            HEAD.replace(b"c=IN IP4 10.0.0.5\r\n", b"") + OURS + b"c=IN IP4 10.0.0.5\r\n",
            {"connection": NEW},
            b"",
            b"",
            id="no-connection-at-the-session",
        ),
        pytest.param(
            HEAD.replace(b"o=al 12 34", b"o=al  12 34") + OURS,
            {"origin": NEW},
            b"",
            b"",
            id="unreadable-origin",
        ),
    ],
)
def test_changes_the_line_that_is_meant(
    sdp: ModuleType, body: bytes, head: dict[str, tuple[str, str]], old: bytes, new: bytes
) -> None:
    before = body[: body.index(b"m=")]
    assert rewritten(sdp, body, **head) == (before.replace(old, new) if old else before)


@pytest.mark.parametrize(
    ("body", "version"),
    [
        pytest.param(HEAD + OURS, 34, id="readable"),
        pytest.param(b"v=0\no=- 1 18446744073709551616 IN IP4 a\n", None, id="beyond-64-bits"),
        pytest.param(b"v=0\no=- 1 -2 IN IP4 a\n", None, id="negative"),
        pytest.param(b"v=0\no=- 1\n", None, id="short"),
        pytest.param(b"v=0\nm=audio 0 x y\no=- 1 2 IN IP4 a\n", None, id="in-a-section"),
        pytest.param(b"", None, id="nothing"),
    ],
)
def test_reads_the_version(sdp: ModuleType, body: bytes, version: int | None) -> None:
    assert sdp.origin_version(body) == version


@given(version=st.integers(0, 10**18))
def test_writes_the_version_and_nothing_else(sdp: ModuleType, version: int) -> None:
    body = HEAD + OURS
    changed = sdp.with_origin_version(body, version)
    assert sdp.origin_version(changed) == version
    assert changed.replace(b"12 %d IN" % version, b"12 34 IN") == body


@given(body=st.lists(st.sampled_from([b"o=", b"m=", b" ", b"1", b"\r", b"\n", b"\xff"])))
def test_any_body_is_taken(sdp: ModuleType, body: list[bytes]) -> None:
    text = b"".join(body)
    assert sdp.origin_version(text) is None or sdp.with_origin_version(text, 5) != b""
