"""Whom the relay dials and whom it never does."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from msrprelay.net.dial import DialPolicy, resolve

OWN = ip_address("192.0.2.10")
PLAIN = DialPolicy.of([], [], [OWN])
LAB = DialPolicy.of(["127.0.0.0/8", "192.0.2.10/32"], ["203.0.113.0/24"], [OWN])


@pytest.mark.parametrize(
    ("policy", "address", "port", "denied"),
    [
        pytest.param(PLAIN, "198.51.100.7", 7654, None, id="a-peer"),
        pytest.param(PLAIN, "10.0.0.5", 7654, None, id="a-private-peer"),
        pytest.param(PLAIN, "198.51.100.7", 9, "port 9", id="discard-port"),
        pytest.param(PLAIN, "198.51.100.7", 0, "port 0", id="port-0"),
        pytest.param(PLAIN, "0.0.0.0", 7654, "not one peer", id="unspecified"),
        pytest.param(PLAIN, "::", 7654, "not one peer", id="unspecified-6"),
        pytest.param(PLAIN, "239.1.2.3", 7654, "not one peer", id="multicast"),
        pytest.param(PLAIN, "127.0.0.1", 7654, "dial-allow", id="loopback"),
        pytest.param(PLAIN, "::1", 7654, "dial-allow", id="loopback-6"),
        pytest.param(PLAIN, "169.254.1.1", 7654, "dial-allow", id="link-local"),
        pytest.param(PLAIN, "fe80::1", 7654, "dial-allow", id="link-local-6"),
        pytest.param(PLAIN, "192.0.2.10", 7654, "dial-allow", id="ourselves"),
        pytest.param(LAB, "127.0.0.1", 7654, None, id="loopback-allowed-by-name"),
        pytest.param(LAB, "192.0.2.10", 7654, None, id="ourselves-allowed-by-name"),
        pytest.param(LAB, "127.0.0.1", 9, "port 9", id="allowed-but-port-9"),
        pytest.param(LAB, "203.0.113.9", 7654, "dial-deny", id="denied-by-name"),
    ],
)
def test_who_may_be_dialled(
    policy: DialPolicy, address: str, port: int, denied: str | None
) -> None:
    reason = policy.denial(ip_address(address), port)
    assert (reason is None) if denied is None else (reason is not None and denied in reason)


def test_deny_wins_over_allow() -> None:
    both = DialPolicy.of(["10.0.0.0/8"], ["10.1.0.0/16"], [])
    assert both.denial(ip_address("10.0.0.1"), 7654) is None
    assert both.denial(ip_address("10.1.0.1"), 7654) is not None


def test_an_ipv4_address_mapped_into_ipv6_is_judged_as_the_ipv4_one() -> None:
    assert PLAIN.denial(ip_address("::ffff:127.0.0.1"), 7654) is not None
    assert PLAIN.denial(ip_address("::ffff:192.0.2.10"), 7654) is not None


async def test_localhost_resolves_and_invalid_never_does() -> None:
    assert ip_address("127.0.0.1") in await resolve("localhost", 2855)
    assert await resolve("alice.invalid", 2855) == []


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("alice..example", id="empty-label"),
        pytest.param("a" * 64 + ".example", id="label-over-63-octets"),
        pytest.param("..", id="nothing-but-dots"),
        pytest.param("fe80::1%lo", id="zone"),
    ],
)
async def test_what_dns_cannot_be_asked_about_has_no_address(host: str) -> None:
    assert await resolve(host, 2855) == []
