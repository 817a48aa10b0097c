"""Section D: who dials whom. The relay is a peer of each side of its own."""

from __future__ import annotations

from ...peers import sdp
from ...peers.msrp import bind, message
from ...peers.wire import Failure, await_closed
from ..call import Call
from ..registry import EITHER, Policy, add, check
from ..relay import Relay
from .a_framer import goes_on

# case, offered, answered, what the relay tells a, who waits to be dialled
MATRIX: list[tuple[int, str | None, str | None, str, str]] = [
    (119, "active", "active", "passive", ""),
    (120, None, "active", "passive", ""),
    (121, "holdconn", "active", "passive", ""),
    (122, "actpass", "active", "passive", ""),
    (123, "passive", "active", "active", "a"),
    (124, "active", "active", "passive", ""),
    (125, "active", "passive", "passive", "b"),
    (126, "active", None, "passive", "b"),
    (127, "active", "holdconn", "passive", "b"),
    (128, "active", "actpass", "passive", "b"),
]


def told(call: Call, to_a: str, to_b: str = "actpass") -> None:
    """The a=setup that each was told."""
    found = call.a.where.setup, call.b.where.setup
    if found != (to_a, to_b):
        raise Failure(f"a was told {found[0]}, b {found[1]}; not {to_a} and {to_b}")


def row(case: int, offered: str | None, answered: str | None, to_a: str, listens: str) -> None:
    """One cell: what is told, who is dialled, and that a message passes both ways."""

    def play(relay: Relay, policy: Policy) -> None:
        with relay.call(policy, offered, answered, listens=listens) as call:
            call.agree()
            told(call, to_a)
            goes_on(*call.connect())

    add(case, f"{offered or 'none'} and {answered or 'none'}", play, control=True)


for cell in MATRIX:
    row(*cell)


@check(122, control=True)
def an_actpass_offerer_can_be_dialled_on_demand(relay: Relay, policy: Policy) -> None:
    """msrp-setup=active in the answer: then the relay dials it."""
    with relay.call(policy, "actpass", "active", listens="a") as call:
        call.offer()
        call.answer(**{"msrp-setup": "active"})
        told(call, "active")
        goes_on(*call.connect())


@check(128, control=True)
def where_the_relay_dials_it_keeps_listening(relay: Relay, policy: Policy) -> None:
    """b was offered actpass and said actpass; then it dials in before it could be dialled."""
    with relay.call(policy, "active", "actpass", listens="b") as call:
        call.agree()
        dials_in_instead(call)


def dials_in_instead(call: Call) -> None:
    """The party that would be dialled binds on the relay's port first: nobody dials it."""
    waiting, other = (call.a, call.b) if call.a.listener else (call.b, call.a)
    assert waiting.listener is not None
    for party in (waiting, other):
        party.dial()
        party.send(bind())
        # Bound once its port is closed.
        await_closed(party.where.address, party.patience)
    for party in (waiting, other):
        party.wire.answer(party.wire.frame())
    for party in (waiting, other):
        party.wire.frame()
    goes_on(call.a, call.b)
    if waiting.listener.is_dialled():
        raise Failure("dialled although it had bound")


def forced(case: int, offer: str, answered: str | None, listens: str) -> None:
    """msrp-setup in the offer tells b something else than actpass."""

    def play(relay: Relay, policy: Policy) -> None:
        with relay.call(policy, "active", answered, listens=listens) as call:
            call.offer(**{"msrp-setup": offer})
            call.answer()
            told(call, "passive", offer)
            goes_on(*call.connect())

    add(case, f"offered {offer}, answered {answered or 'none'}", play, control=True)


forced(129, "passive", "active", "")
forced(129, "passive", None, "b")
forced(129, "passive", "passive", "b")
forced(130, "active", "passive", "b")
forced(130, "active", None, "b")
forced(130, "active", "active", "")


@check(131, control=True)
def active_in_answer_to_no_setup_means_dialling_in(relay: Relay, policy: Policy) -> None:
    """Neither the offerer nor the stack behind the answer follows RFC 6135."""
    with relay.call(policy, None, "active", listens="") as call:
        call.agree()
        goes_on(*call.connect())


@check(132, policies=EITHER, control=True)
def the_first_to_dial_is_held_until_the_second_comes(relay: Relay, policy: Policy) -> None:
    """a's bind and a message wait, unanswered, and then arrive in order."""
    with relay.call(policy) as call:
        call.agree()
        a, b = call.a, call.b
        a.dial()
        early = bind() + message(b"early") + message(b"and more")
        a.send(early)
        b.dial()
        late = bind()
        b.send(late)
        b.expect(early)
        a.expect(late)


@check(133, control=True)
def where_the_relay_wrote_active_its_port_is_real(relay: Relay, policy: Policy) -> None:
    """A passive offerer that dials all the same is taken."""
    with relay.call(policy, "passive", "active") as call:
        call.agree()
        if call.a.where.port in (0, 9):
            raise Failure(f"a was told port {call.a.where.port}")
        dials_in_instead(call)


NOWHERE = {
    "port 9": "msrp://127.0.0.1:9/x;tcp",
    "port 0": "msrp://127.0.0.1:0/x;tcp",
    "0.0.0.0": "msrp://0.0.0.0:2855/x;tcp",
    "unspecified IPv6": "msrp://[::]:2855/x;tcp",
    "an invalid name": "msrp://host.invalid:2855/x;tcp",
    "multicast": "msrp://224.0.0.1:2855/x;tcp",
}


def never_dialled(name: str, path: str) -> None:
    """The answer is taken, and the answerer can still dial in itself."""

    def play(relay: Relay, policy: Policy) -> None:
        with relay.call(policy, "active", "passive", listens="") as call:
            call.offer()
            port = int(path.rpartition("/")[0].rpartition(":")[2]) or 9
            host = path.removeprefix("msrp://").rpartition(":")[0].strip("[]")
            section = sdp.section(path, setup="passive", host=host, port=port)
            call.b.path = (path,)
            call.answer(sdp.body(section))
            goes_on(*call.connect())

    add(134, f"never dials {name}", play, control=True)


for reason, target in NOWHERE.items():
    never_dialled(reason, target)


@check(135, control=True)
def a_refused_dial_leaves_the_other_leg_and_the_port(relay: Relay, policy: Policy) -> None:
    """b does not listen where it said; a waits, b dials in, all is well."""
    with relay.call(policy, "active", "passive") as call:
        assert call.b.listener is not None
        call.offer()
        section = call.b.section()
        call.b.listener.close()
        call.b.listener = None
        call.answer(sdp.body(section))
        goes_on(*call.connect())


def ignored(value: str) -> None:
    """a=connection has no influence and is kept."""

    def play(relay: Relay, policy: Policy) -> None:
        with relay.call(policy, "active", "passive") as call:
            call.a.extra = call.b.extra = f"a=connection:{value}\n"
            call.agree()
            told(call, "passive")
            for party in (call.a, call.b):
                if f"a=connection:{value}\r\n" not in party.where.text:
                    raise Failure("a=connection was changed")
            goes_on(*call.connect())

    add(136, f"a=connection:{value}", play, control=True)


ignored("new")
ignored("existing")
