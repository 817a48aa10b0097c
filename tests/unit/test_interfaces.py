"""What ``--interface`` may say, and which one a call gets."""

from __future__ import annotations

import pytest

from msrprelay.errors import CommandError, ConfigError
from msrprelay.net.interfaces import Interface, Interfaces, advertisable
from msrprelay.words import Family

PUB = Interface.parse("pub/192.0.2.10!chat.example.net")
PUB6 = Interface.parse("pub/[2001:db8::10]")
PRIV = Interface.parse("priv/10.0.0.1")


@pytest.mark.parametrize(
    ("text", "name", "address", "advertised"),
    [
        pytest.param("192.0.2.10", "default", "192.0.2.10", "192.0.2.10", id="bare"),
        pytest.param("pub/192.0.2.10", "pub", "192.0.2.10", "192.0.2.10", id="named"),
        pytest.param("pub/10.0.0.1!192.0.2.1", "pub", "10.0.0.1", "192.0.2.1", id="behind-nat"),
        pytest.param("pub/10.0.0.1!a.example", "pub", "10.0.0.1", "a.example", id="name"),
        pytest.param("6/[2001:DB8::1]", "6", "2001:db8::1", "2001:db8::1", id="ipv6-brackets"),
        pytest.param("6/2001:db8::1", "6", "2001:db8::1", "2001:db8::1", id="ipv6"),
        pytest.param(
            "pub/10.0.0.1![2001:DB8::2]", "pub", "10.0.0.1", "2001:db8::2", id="nat-in-brackets"
        ),
    ],
)
def test_an_interface_is_read(text: str, name: str, address: str, advertised: str) -> None:
    interface = Interface.parse(text)
    assert (interface.name, str(interface.address), interface.advertised) == (
        name,
        address,
        advertised,
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("/192.0.2.1", "name before '/'", id="no-name"),
        pytest.param("pub/nowhere", "not an IP address", id="no-address"),
        pytest.param("pub/192.0.2.1!", "nothing after '!'", id="no-advertised"),
        pytest.param("0.0.0.0", "peers cannot dial", id="unspecified"),
        pytest.param("fe80::1%eth0", "peers cannot dial", id="zone"),
        pytest.param("pub/255.255.255.255", "peers cannot dial", id="broadcast"),
        pytest.param("pub/10.0.0.1!0.0.0.0", "peers cannot dial", id="advertised-unspecified"),
        pytest.param("pub/10.0.0.1!x\r\na=y", "neither", id="advertised-line-end"),
    ],
)
def test_a_wrong_interface_is_refused_by_name(text: str, complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Interface.parse(text)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("192.0.2.7", "192.0.2.7", id="ipv4"),
        pytest.param("2001:DB8:0::7", "2001:db8::7", id="ipv6"),
        pytest.param("[2001:db8::7]", "2001:db8::7", id="brackets"),
        pytest.param("Chat.example.net", "Chat.example.net", id="name"),
        pytest.param("chat-1.example.", "chat-1.example.", id="name-with-its-root"),
        pytest.param("localhost", "localhost", id="one-label"),
        pytest.param("1.2.3.4.example", "1.2.3.4.example", id="labels-of-digits"),
        *(
            pytest.param(text, None, id=text.encode("unicode_escape").decode() or "empty")
            for text in (
                "", "foo bar", "a/b", "1.2.3.4!5", "0.0.0.0", "::", "[::]", "239.1.2.3", "ff02::1",
                "fe80::1%eth0", "x\r\na=y", "x\n", "192.0.2.300", "192.0.2", "7", "a..b", "-a.b",
                "a-.b", "[192.0.2.1", "::1]", "[a.example]", "[[::1]]", "a_b.example", "é.example",
            )
        ),
        pytest.param("a" * 64 + ".example", None, id="label-over-63-octets"),
        pytest.param(".".join(["a" * 60] * 5), None, id="name-over-253-octets"),
    ],
)  # fmt: skip
def test_what_peers_are_told_to_dial_is_an_address_or_a_name(text: str, told: str | None) -> None:
    if told is not None:
        assert advertisable(text) == told
    else:
        with pytest.raises(ValueError, match=r"neither an address nor a host name|cannot dial"):
            advertisable(text)


@pytest.mark.parametrize(
    ("name", "family", "chosen"),
    [
        pytest.param(None, None, PUB, id="default-is-the-first"),
        pytest.param("priv", None, PRIV, id="by-name"),
        pytest.param(None, "IP6", PUB6, id="by-family"),
        pytest.param("pub", "IP6", PUB6, id="by-both"),
    ],
)
def test_the_fitting_interface_is_chosen(
    name: str | None, family: Family | None, chosen: Interface
) -> None:
    assert Interfaces([PUB, PUB6, PRIV]).choose(name, family) is chosen


@pytest.mark.parametrize(
    ("name", "family", "told"),
    [
        ("nope", None, "direction, from-interface or to-interface is 'nope'"),
        (
            "priv",
            "IP6",
            "direction, from-interface or to-interface is 'priv', address-family is IP6",
        ),
        (None, "IP6", "address-family is IP6"),
    ],
    ids=["name", "both", "family"],
)
def test_an_unknown_interface_is_an_error(
    name: str | None, family: Family | None, told: str
) -> None:
    with pytest.raises(CommandError) as refused:
        Interfaces([PUB, PRIV]).choose(name, family)
    assert refused.value.reason == f"Unknown interface: {told}"


def test_no_interface_at_all_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one"):
        Interfaces([])
