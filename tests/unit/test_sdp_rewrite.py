"""Rewriting changes what it must and not an octet more, whatever the body looks like."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

HEAD = b"v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n"
# Lines of a message section that a rewrite may replace, insert or drop.
OURS = re.compile(
    rb"m=|c=|a=\s*(path|setup|fingerprint|msrp-cema|candidate|remote-candidates|end-of-candidates"
    rb"|ice-[^:]*)\s*(:|$)",
    re.IGNORECASE,
)


@pytest.fixture(scope="session")
def sdp(load: Callable[[str], ModuleType]) -> ModuleType:
    return load("sdp")


def edit(sdp: ModuleType, policy: str, port: int = 30000, **changes: Any) -> Any:
    """An edit as the relay would make it; ``setup`` by its word."""
    setups = type(sdp.parse(HEAD + b"m=message 0 TCP/MSRP *\r\na=setup:active").sections[0].setup)
    values = {"family": "IP4", "host": "192.0.2.10", "session_id": "rLy0", "setup": "actpass"}
    values |= changes
    values["setup"] = setups(values["setup"])
    return sdp.SectionEdit(policy=policy, port=port, **values)


def section(*lines: bytes, end: bytes = b"\r\n") -> bytes:
    return b"".join(line + end for line in (b"m=message 7654 TCP/MSRP *", *lines))


SESSMATCH = [
    pytest.param(
        [b"a=path:msrp://10.0.0.5:2855/95a8;tcp"],
        [b"a=path:msrp://192.0.2.10:30000/95a8;tcp"],
        id="one-uri",
    ),
    pytest.param(
        [b"a=path:msrp://r1:1/x;tcp  msrp://10.0.0.5:2855/95a8;tcp "],
        [b"a=path:msrp://192.0.2.10:30000/x;tcp  msrp://10.0.0.5:2855/95a8;tcp "],
        id="later-uris-and-blanks-stay",
    ),
    pytest.param(
        [b"a=path:", b"a=path: msrp://r1:1/x;tcp", b"a=path:msrp://10.0.0.5:2855/95a8;tcp"],
        [
            b"a=path:",
            b"a=path: msrp://192.0.2.10:30000/x;tcp",
            b"a=path:msrp://10.0.0.5:2855/95a8;tcp",
        ],
        id="first-of-several-lines",
    ),
    pytest.param(
        [b"a=path:MSRP://bob@[2001:db8::7]:2855/a/b+c=;TCP;x=1"],
        [b"a=path:MSRP://bob@192.0.2.10:30000/a/b+c=;TCP;x=1"],
        id="userinfo-case-and-parameters-stay",
    ),
    pytest.param(
        [b"a=path:msrp://b\xc3\xb6b\xff@h.example:2855/95a8;tcp"],
        [b"a=path:msrp://b\xc3\xb6b\xff@192.0.2.10:30000/95a8;tcp"],
        id="userinfo-of-any-octets",
    ),
    pytest.param(
        [b"a=path:msrp://host.example.net/95a8;tcp"],
        [b"a=path:msrp://192.0.2.10:30000/95a8;tcp"],
        id="port-inserted",
    ),
    pytest.param(
        [b"a=path:msrp://h:1/x;tcp", b"a=msrp-cema"],
        [b"a=path:msrp://192.0.2.10:30000/x;tcp", b"a=msrp-cema"],
        id="cema-kept",
    ),
]


@pytest.mark.parametrize(("path", "expected"), SESSMATCH)
def test_sessmatch_moves_only_the_first_uris_host_and_port(
    sdp: ModuleType, path: list[bytes], expected: list[bytes]
) -> None:
    body = HEAD + section(*path, b"a=setup:active")
    rewritten = HEAD + section(b"c=IN IP4 192.0.2.10", *expected, b"a=setup:actpass")
    rewritten = rewritten.replace(b"m=message 7654", b"m=message 30000")
    assert sdp.parse(body).rewrite({0: edit(sdp, "sessmatch")}) == rewritten


LINES = [
    pytest.param(
        "aware",
        [b"i=chat", b"b=AS:64", b"a=path:msrp://h:1/x;tcp"],
        [b"i=chat", b"c=IN IP4 192.0.2.10", b"b=AS:64", b"PATH", b"a=setup:actpass"],
        id="c-goes-after-i-and-before-b",
    ),
    pytest.param(
        "aware",
        [b"c=IN IP4 1.2.3.4", b"c=IN IP6 ::1", b"a=setup:active", b"a=path:msrp://h:1/x;tcp"],
        [b"c=IN IP4 192.0.2.10", b"a=setup:actpass", b"PATH"],
        id="no-foreign-c-line-is-left",
    ),
    pytest.param(
        "aware",
        [b"a=SETUP:ACTIVE", b"a=setup:passive", b"a=path:msrp://h:1/x;tcp", b"a=Msrp-Cema"],
        [b"c=IN IP4 192.0.2.10", b"a=setup:actpass", b"PATH"],
        id="one-setup-in-lower-case-and-no-cema",
    ),
    pytest.param(
        "cema",
        [b"a=path:msrp://h:1/x;tcp", b"a=ice-ufrag:x", b"a=msrp-cema", b"a=candidate:1"],
        [
            b"c=IN IP4 192.0.2.10",
            b"a=path:msrp://h:1/x;tcp",
            b"a=setup:actpass",
            b"a=msrp-cema",
        ],
        id="cema-keeps-path-and-drops-ice",
    ),
    pytest.param(
        "aware",
        [b"c=IN IP4 1.2.3.4", b"a=path:msrp://h:1/x;tcp", b"a=c=", b"a=c=:x", b"a=i="],
        [b"c=IN IP4 192.0.2.10", b"PATH", b"a=setup:actpass", b"a=c=", b"a=c=:x", b"a=i="],
        id="an-attribute-spelt-like-a-type-stays",
    ),
]


@pytest.mark.parametrize("end", [b"\r\n", b"\n"], ids=["crlf", "lf"])
@pytest.mark.parametrize(("policy", "lines", "expected"), LINES)
def test_lines_stand_where_they_belong(
    sdp: ModuleType, policy: str, lines: list[bytes], expected: list[bytes], end: bytes
) -> None:
    path = b"a=path:msrp://192.0.2.10:30000/rLy0;tcp"
    wanted = section(*(path if line == b"PATH" else line for line in expected), end=end)
    rewritten = sdp.parse(HEAD + section(*lines, end=end)).rewrite({0: edit(sdp, policy)})
    assert rewritten == HEAD + wanted.replace(b"7654", b"30000")


UNENDED = [
    pytest.param(b"a=setup:active", b"a=setup:actpass", id="replaced"),
    pytest.param(b"a=sendrecv", b"a=setup:actpass\r\na=sendrecv", id="untouched"),
    pytest.param(b"a=ice-lite", b"a=setup:actpass\r\n", id="dropped"),
    pytest.param(b"a=setup:x\r\na=setup:y", b"a=setup:actpass\r\n", id="second-one-dropped"),
    pytest.param(b"a=sendrecv\r", b"a=setup:actpass\r\na=sendrecv\r", id="cut-behind-its-cr"),
    pytest.param(b"a=setup:active\r", b"a=setup:actpass\r", id="cut-behind-its-cr-and-replaced"),
]


@pytest.mark.parametrize(("last", "expected"), UNENDED)
def test_a_last_line_without_an_end_stays_so_if_it_stays(
    sdp: ModuleType, last: bytes, expected: bytes
) -> None:
    body = HEAD + section(b"c=IN IP4 10.0.0.5", b"a=path:msrp://h:1/x;tcp") + last
    rewritten = sdp.parse(body).rewrite({0: edit(sdp, "cema")})
    assert rewritten.partition(b"x;tcp\r\n")[2] == expected


def test_setup_stands_behind_the_path_wherever_fingerprints_stood(sdp: ModuleType) -> None:
    theirs = b"a=fingerprint:SHA-1 00"
    lines = [theirs, theirs, b"a=path:msrp://h:1/x;tcp", b"a=sendrecv", theirs]
    change = edit(sdp, "cema", fingerprint=b"SHA-256 FF")
    rewritten = sdp.parse(HEAD + section(*lines)).rewrite({0: change})
    expected = [b"c=IN IP4 192.0.2.10", b"a=fingerprint:SHA-256 FF", lines[2]]
    expected += [b"a=setup:actpass", b"a=sendrecv"]
    assert rewritten == HEAD + section(*expected).replace(b"7654", b"30000")


def test_the_port_token_alone_changes_in_the_m_line(sdp: ModuleType) -> None:
    body = HEAD + b"m=message\t message  TCP/MSRP *\r\na=path:msrp://h:1/x;tcp\r\n"
    assert not sdp.parse(body).sections[0].anchor
    body = body.replace(b"\t message ", b"\t 007 ")
    rewritten = sdp.parse(body).rewrite({0: edit(sdp, "aware")})
    assert b"\r\nm=message\t 30000  TCP/MSRP *\r\n" in rewritten


def test_ipv6_has_brackets_in_the_path_only(sdp: ModuleType) -> None:
    change = edit(sdp, "aware", family="IP6", host="2001:db8::10")
    rewritten = sdp.parse(HEAD + section(b"a=path:msrp://h:1/x;tcp")).rewrite({0: change})
    assert b"c=IN IP6 2001:db8::10\r\n" in rewritten
    assert b"a=path:msrp://[2001:db8::10]:30000/rLy0;tcp\r\n" in rewritten
    assert change.uri(False) == "msrp://[2001:db8::10]:30000/rLy0;tcp"


def test_a_section_that_is_not_ours_cannot_be_edited(sdp: ModuleType) -> None:
    rejected = sdp.parse(HEAD + b"m=message 0 TCP/MSRP *\r\na=path:msrp://h:1/x;tcp\r\n")
    for index in (0, 1):
        with pytest.raises(ValueError, match="cannot be anchored"):
            rejected.rewrite({index: edit(sdp, "aware")})


def test_aware_needs_a_session_id(sdp: ModuleType) -> None:
    live = sdp.parse(HEAD + section(b"a=path:msrp://h:1/x;tcp"))
    with pytest.raises(ValueError, match="session-id"):
        live.rewrite({0: edit(sdp, "aware", session_id="")})


@given(body=st.binary() | st.builds(lambda tail: b"v=0\n" + tail, st.binary()))
def test_any_octets_are_read_or_refused_with_rule_and_line(sdp: ModuleType, body: bytes) -> None:
    try:
        description, refusal = sdp.parse(body), None
    except sdp.SdpError as error:
        description, refusal = None, error
    if refusal is None:
        assert description.rewrite({}) == body
    else:
        assert refusal.rule in {"not_sdp", "sdp_too_large", "too_many_sections"}
        assert 1 <= refusal.line <= body.count(b"\n") + 1


URIS = st.sampled_from(
    [
        b"msrp://10.0.0.5:2855/95a8;tcp",
        b"msrps://[2001:db8::7]:9/z;tcp;x",
        b"msrp://bob@h.example/s;ws",
        b"msrp://h.invalid:7/a/b=;TCP",
        b"http://h/",
    ]
)
PATHS = st.lists(URIS, max_size=3).flatmap(
    lambda uris: st.sampled_from([b" ", b"  ", b" \t"]).map(lambda blank: blank.join(uris))
)
LINE = st.one_of(
    st.builds(
        lambda media, port, proto: b"m=%b %b %b *" % (media, port, proto),
        st.sampled_from([b"message", b"audio"]),
        st.sampled_from([b"7654", b"9", b"0", b"70000"]),
        st.sampled_from([b"TCP/MSRP", b"TCP/TLS/MSRP", b"RTP/AVP"]),
    ),
    st.builds(b"a=path:%b".__mod__, PATHS),
    st.sampled_from(
        [
            b"i=x",
            b"c=IN IP4 10.0.0.5",
            b"c=IN IP6 ::",
            b"c=",
            b"a=setup:active",
            b"a=setup:HoldConn",
            b"a=setup",
            b"a=msrp-cema",
            b"a=fingerprint:SHA-1 00",
            b"a=candidate:1 1 TCP",
            b"a=accept-types:*",
            b"",
        ]
    ),
    st.binary(max_size=12).map(lambda raw: raw.replace(b"\n", b"")),
)
ENDS = st.sampled_from([b"\r\n", b"\n"])
BODIES = st.builds(
    lambda lines, cut: (b"v=0\r\n" + b"".join(a + b for a, b in lines))[: -1 if cut else None],
    st.lists(st.tuples(LINE, ENDS), max_size=25),
    st.booleans(),
)


def untouched(sdp: ModuleType, body: bytes) -> list[bytes]:
    """All lines but those of live message sections that a rewrite may change; ends included."""
    lines = re.findall(rb"[^\n]*\n|[^\n]+\Z", body)
    live = [section for section in sdp.parse(body).sections if section.anchor]
    inside = {n for section in live for n in range(section.line - 1, section.stop - 1)}
    return [line for n, line in enumerate(lines) if n not in inside or not OURS.match(line.strip())]


@given(
    body=BODIES,
    policy=st.sampled_from(["aware", "cema", "sessmatch"]),
    port=st.integers(1, 65535),
    fingerprint=st.sampled_from([None, b"SHA-256 FF"]),
)
def test_a_rewrite_agrees_with_itself_and_keeps_the_rest(
    sdp: ModuleType, body: bytes, policy: str, port: int, fingerprint: bytes | None
) -> None:
    before = sdp.parse(body)
    edits = {
        section.index: edit(sdp, policy, port, fingerprint=fingerprint)
        for section in before.sections
        if section.anchor
    }
    rewritten = before.rewrite(edits)
    after = sdp.parse(rewritten)
    assert [s.index for s in after.sections] == [s.index for s in before.sections]
    for old, new in zip(before.sections, after.sections, strict=True):
        if old.index not in edits:
            assert (old.port, old.path, old.attributes) == (new.port, new.path, new.attributes)
            continue
        assert (new.port, new.connection, new.setup.value) == (
            port,
            sdp.Connection("IP4", "192.0.2.10"),
            "actpass",
        )
        assert new.fingerprints == ((fingerprint,) if fingerprint else old.fingerprints)
        if policy == "cema":
            assert new.path == old.path
            continue
        assert (new.uri.host, new.uri.port) == ("192.0.2.10", port)
        assert "path_host_differs_from_c_line" not in new.problems
        assert "path_port_differs_from_m_line" not in new.problems
        if policy == "sessmatch":
            assert (new.uri.session_id, new.path[1:]) == (old.uri.session_id, old.path[1:])
        else:
            assert new.path == (edits[old.index].uri(old.tls),)
            assert not new.cema
    kept, lines = untouched(sdp, rewritten), untouched(sdp, body)
    if not body.endswith(b"\n"):
        # The last line gets an end when a line is inserted behind it.
        kept[-1:] = [line.rstrip(b"\r\n") for line in kept[-1:]]
        lines[-1:] = [line.rstrip(b"\r\n") for line in lines[-1:]]
    assert kept == lines
    assert after.rewrite(edits) == rewritten
