"""What a message section means: where it may be dialled, what is wrong with it, which limits."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

HEAD = b"v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nt=0 0\r\n"


@pytest.fixture(scope="session")
def sdp(load: Callable[[str], ModuleType]) -> ModuleType:
    return load("sdp")


def only(sdp: ModuleType, *lines: str, port: int | str = 7654, head: bytes = HEAD) -> Any:
    """The one section of a description with these lines in it."""
    text = "\r\n".join((f"m=message {port} TCP/MSRP *", *lines, ""))
    (section,) = sdp.parse(head + text.encode("utf-8", "surrogateescape")).sections
    return section


DIAL = [
    pytest.param(["a=path:msrp://10.0.0.5:2855/x;tcp"], ("10.0.0.5", 2855), id="first-uri"),
    pytest.param(
        ["a=path:msrp://h.example/x;tcp"], ("h.example", 7654), id="m-port-if-uri-has-none"
    ),
    pytest.param(["a=path:msrp://[2001:db8::7]:1/x;tcp"], ("2001:db8::7", 1), id="ipv6"),
    pytest.param(
        ["c=IN IP4 203.0.113.9/127", "a=path:msrp://10.0.0.5:1/x;tcp", "a=msrp-cema"],
        ("203.0.113.9", 7654),
        id="cema-dials-c-and-m",
    ),
    pytest.param(
        ["a=path:msrp://10.0.0.5:1/x;tcp", "a=msrp-cema"], ("10.0.0.5", 1), id="cema-without-c"
    ),
    pytest.param(
        ["c=IN IP4 10.0.0.5", "a=path:msrp://ue.invalid:1/x;ws", "a=msrp-cema"],
        ("10.0.0.5", 7654),
        id="cema-path-is-no-address",
    ),
    pytest.param(["a=path:msrp://h:1/x;tcp", "a=setup:passive"], ("h", 1), id="passive"),
    pytest.param(["a=path:msrp://h:1/x;tcp", "a=setup:holdconn"], ("h", 1), id="holdconn"),
    pytest.param(["a=path:msrp://h:1/x;tcp", "a=setup:Active"], None, id="active-dials-itself"),
    pytest.param(["a=path:msrp://h:9/x;tcp"], None, id="port-9"),
    pytest.param(["a=path:msrp://h:0/x;tcp"], None, id="port-0"),
    pytest.param(["a=path:msrp://0.0.0.0:1/x;tcp"], None, id="unspecified"),
    pytest.param(["a=path:msrp://[::]:1/x;tcp"], None, id="unspecified-ipv6"),
    pytest.param(["a=path:msrp://[::ffff:0.0.0.0]:1/x;tcp"], None, id="unspecified-mapped"),
    pytest.param(["a=path:msrp://0:1/x;tcp"], None, id="unspecified-by-inet-aton"),
    pytest.param(["a=path:msrp://0x0.0:1/x;tcp"], None, id="number-by-inet-aton"),
    pytest.param(["a=path:msrp://239.1.2.3:1/x;tcp"], None, id="multicast"),
    pytest.param(["a=path:msrp://[ff02::1]:1/x;tcp"], None, id="multicast-ipv6"),
    pytest.param(["a=path:msrp://[::ffff:239.1.2.3]:1/x;tcp"], None, id="multicast-mapped"),
    pytest.param(["a=path:msrp://df7x.invalid:1/x;tcp"], None, id="invalid"),
    pytest.param(["a=path:msrp://df7x.INVALID.:1/x;tcp"], None, id="invalid-any-case-and-dot"),
    pytest.param(["a=path:msrp://invalid:1/x;tcp"], None, id="invalid-itself"),
    pytest.param(["a=path:msrp://invalid.example:1/x;tcp"], ("invalid.example", 1), id="no-tld"),
    pytest.param(["a=path:msrp://h:1/x;ws"], None, id="no-tcp"),
    pytest.param(
        ["c=IN IP4 0.0.0.0", "a=path:msrp://h:1/x;tcp", "a=msrp-cema"], None, id="cema-on-hold"
    ),
    pytest.param(
        ["c=IN IP6 fe80::1%eth0", "a=path:msrp://h:1/x;tcp", "a=msrp-cema"], None, id="zone"
    ),
]


@pytest.mark.parametrize(("lines", "expected"), DIAL)
def test_where_it_may_be_dialled(
    sdp: ModuleType, lines: list[str], expected: tuple[str, int] | None
) -> None:
    assert only(sdp, *lines).dial_target == expected


def test_cema_never_dials_the_discard_port_of_the_m_line(sdp: ModuleType) -> None:
    lines = ["c=IN IP4 10.0.0.5", "a=path:msrp://10.0.0.5:7/x;tcp", "a=msrp-cema"]
    assert only(sdp, *lines, port=9).dial_target is None


def uris(many: int, octets: int = 20) -> str:
    """A path of so many URIs of so many octets each."""
    return " ".join([f"msrp://h:7654/{'x' * (octets - 18)};tcp"] * many)


PROBLEMS = [
    pytest.param(["a=path:sip:bob@h"], "bad_path_uri", False, id="no-msrp-uri"),
    pytest.param(["a=path:msrp://h:1/x;tcp nonsense"], "bad_path_uri", False, id="one-bad-uri"),
    pytest.param(["a=path:msrp://h:1/x\udcff;tcp"], "bad_path_uri", False, id="octet-no-ascii"),
    pytest.param([], "missing_path", False, id="no-path"),
    pytest.param(["a=path:"], "missing_path", False, id="empty-path"),
    pytest.param([f"a=path:{uris(33)}"], "path_too_long", False, id="one-uri-too-many"),
    pytest.param(
        [f"a=path:{uris(17)}", f"a=path:{uris(16)}"], "path_too_long", False, id="too-many-in-two"
    ),
    pytest.param([f"a=path:{uris(1, 4097)}"], "path_too_long", False, id="4097-octets"),
    pytest.param([f"a=path:{uris(2, 2048)}"], "path_too_long", False, id="two-of-2048"),
    pytest.param(["a=path:msrp://h/x;tcp"], "path_without_port", True, id="no-port"),
    pytest.param(["a=path:msrp://h:7654/x;dc"], "transport_not_tcp", True, id="no-tcp"),
]


@pytest.mark.parametrize("path", [uris(32), uris(1, 4096)], ids=["uris", "octets"])
def test_a_path_may_have_so_much(sdp: ModuleType, path: str) -> None:
    section = only(sdp, "c=IN IP4 h", "a=accept-types:*", f"a=path:{path}")
    assert section.anchor


@pytest.mark.parametrize(("lines", "problem", "anchor"), PROBLEMS)
def test_what_is_wrong_is_named(
    sdp: ModuleType, lines: list[str], problem: str, anchor: bool
) -> None:
    section = only(sdp, "c=IN IP4 h", "a=accept-types:*", *lines)
    assert (section.problems, section.anchor) == ((problem,), anchor)


@pytest.mark.parametrize(
    ("port", "problems", "anchor"),
    [
        pytest.param("65535", (), True, id="largest"),
        pytest.param("65536", ("bad_port",), False, id="too-large"),
        pytest.param("-1", ("bad_port",), False, id="negative"),
        pytest.param("9" * 5000, ("bad_port",), False, id="very-long"),
        pytest.param("\u0667", ("bad_port",), False, id="non-ascii-digit"),
        pytest.param("0", (), False, id="zero"),
    ],
)
def test_a_port_is_a_port(
    sdp: ModuleType, port: str, problems: tuple[str, ...], anchor: bool
) -> None:
    section = only(sdp, "c=IN IP4 h", "a=accept-types:*", "a=path:msrp://h/x;tcp", port=port)
    named = tuple(code for code in section.problems if code != "path_without_port")
    assert (named, section.anchor) == (problems, anchor)


def test_a_section_overrides_the_session(sdp: ModuleType) -> None:
    head = HEAD + b"c=IN IP4 10.0.0.1\na=setup:actpass\r\na=fingerprint:SHA-1 00\r\n"
    path = "a=path:msrp://h:1/x;tcp"
    inherits = only(sdp, path, head=head)
    assert inherits.connection == sdp.Connection("IP4", "10.0.0.1")
    assert (inherits.setup.value, inherits.fingerprints) == ("actpass", (b"SHA-1 00",))
    own = only(sdp, "c=IN IP6 ::1", path, "a=setup:ACTIVE", "a=fingerprint:SHA-256 FF", head=head)
    assert own.connection == sdp.Connection("IP6", "::1")
    assert (own.setup.value, own.fingerprints) == ("active", (b"SHA-256 FF",))


CONNECTIONS = [
    pytest.param("c=IN IP4 10.0.0.5", ("IP4", "10.0.0.5"), id="usual"),
    pytest.param("c=IN IP6 2001:db8::5", ("IP6", "2001:db8::5"), id="usual-ipv6"),
    pytest.param("c=IN IP4 224.2.1.1/127/3", ("IP4", "224.2.1.1"), id="multicast"),
    pytest.param("c=IN IP4 10.0.0.5 ", ("IP4", "10.0.0.5"), id="blank-behind"),
    pytest.param("c=IN IP4 h\udcff", ("IP4", "h\udcff"), id="octet-no-utf8"),
    pytest.param("c= in\tip4  10.0.0.5", ("IP4", "10.0.0.5"), id="any-case-and-blanks"),
    pytest.param("c=IN IP4  10.0.0.5", ("IP4", "10.0.0.5"), id="two-blanks"),
    pytest.param("c=IN IP4 ", None, id="no-host"),
    pytest.param("c=IN IP4 /127", None, id="no-host-but-a-ttl"),
    pytest.param("c=IN IP4 \v10.0.0.5", None, id="no-blank-of-sdp"),
    pytest.param("c=IN IP5 10.0.0.5", None, id="no-family"),
    pytest.param("c=x\r\nc=IN IP4 10.0.0.5", ("IP4", "10.0.0.5"), id="first-readable"),
]


@pytest.mark.parametrize(("line", "connection"), CONNECTIONS)
def test_the_connection_is_the_first_that_is_readable(
    sdp: ModuleType, line: str, connection: tuple[str, str] | None
) -> None:
    said = only(sdp, line).connection
    assert (said and (said.family, said.host)) == connection


MEDIA = [
    pytest.param("m=Message 7 tcp/msrp *", True, id="any-case"),
    pytest.param("m=\tmessage\f7  TCP/TLS/MSRP *", True, id="any-blanks"),
    pytest.param("m=message 7 TCP/MSRP", True, id="no-format"),
    pytest.param("m=message 7", False, id="no-transport"),
    pytest.param("m=", False, id="nothing"),
    pytest.param("m=message 7 TCP/MSRPX *", False, id="another-transport"),
    pytest.param("m=messages 7 TCP/MSRP *", False, id="another-media"),
]


@pytest.mark.parametrize(("line", "taken"), MEDIA)
def test_which_sections_are_of_message(sdp: ModuleType, line: str, taken: bool) -> None:
    assert bool(sdp.parse(HEAD + line.encode()).sections) is taken


@pytest.mark.parametrize("end", ["", "\r\n", "\r\n\r\n"], ids=["unended", "ended", "blank-line"])
def test_a_section_knows_its_lines_and_octets(sdp: ModuleType, end: str) -> None:
    text = "m=audio 7 RTP/AVP 0\r\na=x\r\nm=message 7 TCP/MSRP *\r\na=Path : x \r\na=y" + end
    body = HEAD + text.encode()
    (section,) = sdp.parse(body).sections
    assert (section.index, section.line) == (1, 7)
    assert section.stop == 7 + len(body[section.begin :].splitlines())
    assert body[section.begin : section.end] == body[body.index(b"m=message") :]
    assert section.attributes == ((b"path", b"x"), (b"y", b""))


SAME = ["c=IN IP4 10.0.0.5", "a=path:msrp://10.0.0.5:7654/x;tcp", "a=setup:active"]
CEMA = [*SAME, "a=msrp-cema"]
ENDPOINTS = [
    pytest.param(SAME, [*SAME[:2], "a=setup:actpass", "a=sendonly"], True, id="setup-differs"),
    pytest.param(SAME, ["c=IN IP4 10.0.0.6", *SAME[1:]], True, id="c-line-of-no-account"),
    pytest.param(SAME, [SAME[0], "a=path:msrp://10.0.0.5:7654/y;tcp"], False, id="new-session-id"),
    pytest.param(SAME, [SAME[0], "a=path:msrp://10.0.0.5:7655/x;tcp"], False, id="new-port"),
    pytest.param(CEMA, ["c=IN IP4 10.0.0.6", *CEMA[1:]], False, id="cema-address-moved"),
    pytest.param(CEMA, ["c=IN IP4 0.0.0.0", *CEMA[1:]], True, id="cema-on-hold"),
]


@pytest.mark.parametrize(("before", "after", "same"), ENDPOINTS)
def test_what_needs_a_new_connection(
    sdp: ModuleType, before: list[str], after: list[str], same: bool
) -> None:
    assert only(sdp, *after).same_endpoint(only(sdp, *before)) is same


@pytest.mark.parametrize("end", [b"\r\n", b"\n"], ids=["crlf", "lf"])
def test_the_65th_section_is_refused_by_its_line(sdp: ModuleType, end: bytes) -> None:
    line = b"m=audio 7 RTP/AVP 0" + end + b"a=x" + end
    assert sdp.parse(b"v=0" + end + 64 * line).sections == ()
    with pytest.raises(sdp.SdpError, match="line 130: too many sections"):
        sdp.parse(b"v=0" + end + 65 * line)


def test_more_than_64_kib_is_refused_by_the_line_that_passes_it(sdp: ModuleType) -> None:
    full = b"v=0\n" + b"a=x\n" * 16383
    assert len(full) == 65536
    assert sdp.parse(full).body == full
    with pytest.raises(sdp.SdpError, match="line 16385: sdp too large"):
        sdp.parse(full + b"a")


@pytest.mark.parametrize("body", [b"", b"\n", b"\xff", b"o=x\nv=0\n", b'{"v": 0}'])
def test_what_is_no_sdp_is_refused(sdp: ModuleType, body: bytes) -> None:
    with pytest.raises(sdp.SdpError, match="line 1: not sdp"):
        sdp.parse(body)
