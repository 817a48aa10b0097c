"""MSRP URIs: RFC 4975 section 6.1 equality, and the text round trip."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

PAIRS = json.loads((Path(__file__).parents[1] / "data/uri_pairs.json").read_text("utf-8"))


@pytest.fixture(scope="session")
def uri(load: Callable[[str], ModuleType]) -> ModuleType:
    return load("net.uri")


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair["why"])
def test_equality_follows_rfc4975(uri: ModuleType, pair: dict[str, str]) -> None:
    one, other = uri.Uri.parse(pair["a"]), uri.Uri.parse(pair["b"])
    assert (one == other, other == one) == (pair["equal"], pair["equal"])
    assert (hash(one) == hash(other)) or not pair["equal"]


@pytest.mark.parametrize(
    ("text", "host", "port", "session_id", "tls"),
    [
        pytest.param("msrp://h.example:7/a;tcp", "h.example", 7, "a", False, id="plain"),
        pytest.param("MSRPS://h:7/a/b+c=;TCP;x", "h", 7, "a/b+c=", True, id="msrps-params"),
        pytest.param("msrp://bob@[2001:db8::1]:7/a;tcp", "2001:db8::1", 7, "a", False, id="ipv6"),
        pytest.param("msrp://h;tcp", "h", None, None, False, id="bare-domain"),
        pytest.param("msrps://d.invalid:2855/9;ws", "d.invalid", 2855, "9", True, id="ws"),
    ],
)
def test_reads_the_parts(
    uri: ModuleType, text: str, host: str, port: int | None, session_id: str | None, tls: bool
) -> None:
    found = uri.Uri.parse(text)
    assert (found.host, found.port, found.session_id, found.tls) == (host, port, session_id, tls)
    assert uri.Uri.parse(str(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("sip:bob@example.net", id="sip"),
        pytest.param("msrp://h:7/a", id="no-transport"),
        pytest.param("msrp://:7/a;tcp", id="no-host"),
        pytest.param("msrp://h:65536/a;tcp", id="port-too-large"),
        pytest.param("msrp://h:x/a;tcp", id="port-no-number"),
        pytest.param("msrp://h:7/;tcp", id="empty-session-id"),
        pytest.param("msrp://h:7/a b;tcp", id="blank"),
        pytest.param("msrp://h:7/a\0;tcp", id="nul"),
        pytest.param("msrp://h:7/\u00e9;tcp", id="non-ascii"),
        pytest.param("msrp://[::g]:7/a;tcp", id="no-ipv6-characters"),
        pytest.param("msrp://[1:2]:7/a;tcp", id="no-ipv6-address"),
        pytest.param("msrp://h:7/a;tcp\n", id="line-end"),
        pytest.param("msrp://h:\u0667/a;tcp", id="non-ascii-digit"),
    ],
)
def test_refuses_what_is_no_msrp_uri(uri: ModuleType, text: str) -> None:
    with pytest.raises(ValueError, match=r"not an|port above") as refusal:
        uri.Uri.parse(text)
    assert type(refusal.value).__name__ == "UriError"


@given(text=st.text() | st.from_regex(r"msrps?://[^;]*;tcp", fullmatch=True))
def test_any_text_is_a_uri_or_a_uri_error(uri: ModuleType, text: str) -> None:
    try:
        found, refusal = uri.Uri.parse(text), None
    except ValueError as error:
        found, refusal = None, error
    assert refusal is None or type(refusal).__name__ == "UriError"
    assert found is None or uri.Uri.parse(str(found)) == found


# One odd thing at a time, or several, in a URI that is spelt like nearly all.
NEARLY_USUAL = st.builds(
    "{}://{}:{}/{};tcp".format,
    st.sampled_from(["msrp", "msrps", "MSRP", "msrpx", ""]),
    st.sampled_from(["h", "H-1.example", "10.0.0.5", "[::1]", "a_b", "u@h", "u:p@h", "-", ""]),
    st.sampled_from(["7", "0", "65535", "65536", "99999", "00007", "000007", "\u0667", "7:7", ""]),
    st.sampled_from(["x", "a/b:c@d=", "~!", "a b", "a;b", "\x7f", "\u00e9", "x\n", ""]),
)


@given(text=NEARLY_USUAL)
def test_a_parameter_changes_nothing(uri: ModuleType, text: str) -> None:
    """With one, a URI takes the long way through the expression; the short one reads the same."""
    both = []
    for spelt in (text, text + ";"):
        try:
            both.append(str(uri.Uri.parse(spelt)))
        except ValueError as refusal:
            both.append(str(refusal))
    assert both[0] == both[1]
