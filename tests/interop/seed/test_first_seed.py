"""The first seed: both endpoints dial, and their clocks must never meet in one TCP connection.

The seed's SBC made one connection of two clients' headers and left the timestamps alone. Each
client remembered its own clock from the mirrored SYN-ACK; whichever had the higher one then
rejected everything it was sent (RFC 7323 section 5.3, rule R1) and said MSRPBindSessionTimeout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ..namespaces import Lab
from .call import Call, dialled, timestamp
from .laboratory import Network, Side, address_pairs
from .middles import Middle, MsrpRelay, SocketRelay, Splicer
from .splicer import MODULUS

# With an honest coin, one run in 2^23 sees only one order of the clocks in so many pairs.
PAIRS = 24
MESSAGES = 20
PATIENT_BIND_SECONDS = 20.0
# The deaf client waits this out in full; the kernel repeats a lost segment after 0.2, 0.6, 1.4 s.
DEAF_BIND_SECONDS = 2.0


@pytest.fixture
def network(lab: Lab, tmp_path: Path) -> Network:
    return Network.build(lab, tmp_path)


def both_orders(
    network: Network, middle: Middle, *, manner: str, bind_seconds: float
) -> Iterator[tuple[Side, Call]]:
    """Calls with ever other addresses, until each of the two clients had the higher clock once.

    A call whose order has been seen is cut short.
    """
    wanted: set[Side] = {0, 1}
    arguments = ["--manner", manner, "--messages", str(MESSAGES)]
    arguments += ["--bind-seconds", str(bind_seconds), *(["--strict"] if middle.strict else [])]
    for clients in address_pairs(PAIRS):
        with (
            middle.call(clients) as targets,
            dialled(network, clients, targets, arguments) as call,
        ):
            higher = call.higher_clock()
            if higher in wanted:
                yield higher, call
                wanted.discard(higher)
        if not wanted:
            return
    pytest.fail(
        f"{PAIRS} pairs of addresses, and client {min(wanted) + 1} never had the higher clock"
    )


@pytest.mark.parametrize("manner", ["rfc", "blink2011"])
@pytest.mark.parametrize("kind", [SocketRelay, MsrpRelay], ids=["plain-relay", "msrprelay"])
def test_every_message_is_answered_whoever_has_the_higher_clock(
    network: Network, kind: Callable[[Network], Middle], manner: str
) -> None:
    middle = kind(network)
    drops = network.paws_drops()
    for _, call in both_orders(network, middle, manner=manner, bind_seconds=PATIENT_BIND_SECONDS):
        for outcome in (call.outcome(0), call.outcome(1)):
            assert outcome["failure"] is None
            assert outcome["bound"]
            assert outcome["messages_answered"] == outcome["messages_received"] == MESSAGES
            assert outcome["refusals"] == []
    assert network.paws_drops() == drops


@pytest.mark.usefixtures("tun_allowed")
def test_spliced_headers_deafen_the_client_with_the_higher_clock(network: Network) -> None:
    for higher, call in spliced(network, manner="rfc"):
        assert_deaf(call, higher)
        heard = call.outcome(1 - higher)
        # It got the other's bind and answered; the 200 was rejected with all the rest.
        assert heard["requests_seen"] == 1
        assert heard["refusals"] == []
        assert heard["failure"] == "MSRPBindSessionTimeout"


@pytest.mark.usefixtures("tun_allowed")
def test_two_blinks_of_2011_fail_exactly_as_the_seed_tells(network: Network) -> None:
    """The two logs of the mail: one client CONNECTED and silent, the other out of patience."""
    for higher, call in spliced(network, manner="blink2011"):
        assert_deaf(call, higher)
        call.hang_up(1 - higher)
        connected = call.outcome(1 - higher)
        assert connected["failure"] is None
        assert connected["bound"]
        assert connected["requests_seen"] == 1
        assert connected["messages_answered"] == 0


def spliced(network: Network, manner: str) -> Iterator[tuple[Side, Call]]:
    """Calls through the splicer in both orders; after each, who rejected segments for their age."""
    for higher, call in both_orders(
        network, Splicer(network), manner=manner, bind_seconds=DEAF_BIND_SECONDS
    ):
        yield higher, call
        drops = call.paws_drops()
        # The other's SEND and its repetitions at the least.
        assert drops[higher] >= 2
        assert drops[1 - higher] == 0


def assert_deaf(call: Call, side: Side) -> None:
    """Nothing reached the application, and every segment the client sent says the same.

    `Ack=1` and a TSecr that stays the SYN-ACK's, as in the seed's frames 923 and 1027.
    """
    outcome = call.outcome(side)
    assert outcome["failure"] == "MSRPBindSessionTimeout"
    assert outcome["requests_seen"] == 0
    witness = call.witnesses[side]
    syn, sent = witness.syn(), witness.after_syn()
    assert {(segment.ack - syn.seq) % MODULUS for segment in sent} == {1}
    assert {segment.timestamps and segment.timestamps[1] for segment in sent} == {timestamp(syn)}
