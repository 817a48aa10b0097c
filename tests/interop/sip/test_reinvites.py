"""Re-INVITEs while messages flow: accepted, refused, by careful scripts and by stock ones."""

from __future__ import annotations

import pytest

from .call import Call, establish
from .chat import silence
from .document import Seen, tell
from .site import Relay, Site, assert_all_octets, conclude, connected

ROUNDS = 40
# A re-INVITE each 32 s, the time compressed as these timers are: 1:100.
COMPRESSED = {"offer": 2.0, "join": 0.3, "reconnect": 0.3, "grace": 0.1, "own-bind": 0.5}


async def test_a_session_refresh_changes_nothing(site: Site) -> None:
    call = await connected(site, "stateful.cfg", "refresh")
    async with call.conversation() as talk:
        await talk.more(20)
        ports = said_by_the_relay(call)
        await call.renegotiate(call.a, call.b)
        assert said_by_the_relay(call) == ports
        await talk.more(20)
        tell("refresh", await conclude(site, call, talk))


@pytest.mark.parametrize("name", ["caller-moves", "callee-moves"])
async def test_who_has_another_path_dials_anew_and_the_other_stays(site: Site, name: str) -> None:
    call = await connected(site, "stateful.cfg", name)
    mover, other = (call.a, call.b) if name == "caller-moves" else (call.b, call.a)
    async with call.conversation() as talk:
        await talk.more(20)
        ports = said_by_the_relay(call)
        await call.move(talk, mover, other)
        assert said_by_the_relay(call) == ports
        await talk.more(20)
        tell(name, await conclude(site, call, talk))


async def test_a_reinvite_brings_a_broken_session_back(site: Site) -> None:
    """RFC 4975 section 5.4: who has lost the connection offers again, and both dial again."""
    call = await connected(site, "stateful.cfg", "reconnect")
    async with call.conversation() as talk:
        await talk.more(20)
        ports = said_by_the_relay(call)
        async with silence(talk):
            talk.a.connection.abort()
            await talk.b.connection.until(lambda: talk.b.connection.closed)
            await call.renegotiate(call.a, call.b)
            assert said_by_the_relay(call) == ports
            talk.move(*await call.connections())
        await talk.more(20)
        tell("reconnect", await conclude(site, call, talk))


@pytest.mark.parametrize(
    ("name", "script"), [("refused", "stateful.cfg"), ("refused-minimal", "minimal.cfg")]
)
async def test_a_refused_reinvite_leaves_the_stream_alone(
    site: Site, name: str, script: str
) -> None:
    call = await connected(site, script, name)
    async with call.conversation() as talk:
        await refuse_another_path(call)
        # Nothing was sent: what is pending stays so until its timer, and harms nobody.
        assert commands(site.relays[0], name)[-1] == "offer"
        await talk.more(20)
        tell(name, await conclude(site, call, talk))


async def test_a_plain_delete_after_a_refusal_lets_the_phones_end_the_call(site: Site) -> None:
    """It may be the failure route's or the BYE's. Either way the connections say what is true."""
    relay = await site.relay()
    await site.careless()
    call = await establish(*await site.phones(), "refused-plain")
    async with call.conversation() as talk:
        await refuse_another_path(call)
        await talk.more(20)
        await talk.pause()
        await call.hang_up()
        assert await relay.held() == (1, 2)
        talk.begin()
        await talk.more(20)
        await talk.pause()
        await assert_all_octets(relay, call.call_id, talk)
        await talk.hang_up()
        await relay.idle()
        octets = f"{talk.summary()}; the call ends as they close"
        tell("refused-plain", Seen(site.story(call.call_id), octets))


async def test_the_delete_of_a_stock_failure_route_is_a_rollback(site: Site) -> None:
    """The one it sends at the BYE is the same to the byte, and is the end."""
    relay = await site.relay()
    await site.debian()
    alice, bob = await site.phones(behind_nat=True)
    await bob.register()
    call = await establish(alice, bob, "refused-debian", target=bob.address)
    async with call.conversation() as talk:
        await refuse_another_path(call)
        assert commands(relay, call.call_id)[-1] == "delete"
        # More than fits into the delay after a delete that was meant.
        await talk.more(150)
        seen = await conclude(site, call, talk)
    deletes = [each for each in relay.middle.of(call.call_id) if each.command == "delete"]
    assert len(deletes) == 2
    assert deletes[0].fields == deletes[1].fields
    tell("refused-debian", seen)


async def test_a_keep_alive_each_32_seconds_loses_nothing(site: Site) -> None:
    relay = await site.relay(
        settings=[f"timers.{key}={value}" for key, value in COMPRESSED.items()]
    )
    await site.shipped("stateful.cfg")
    call = await establish(*await site.phones(), "keep-alive")
    async with call.conversation() as talk:
        ports = said_by_the_relay(call)
        for turn in range(1, ROUNDS + 1):
            offerer, answerer = (call.a, call.b) if turn % 2 else (call.b, call.a)
            if turn % 4:
                await call.renegotiate(offerer, answerer)
            else:
                await call.refused(offerer, answerer)
            assert said_by_the_relay(call) == ports
            # At this pace 0.32 s or more have passed.
            await talk.more(50)
        seen = await conclude(site, call, talk)
    offers, answers = (commands(relay, call.call_id).count(each) for each in ("offer", "answer"))
    refused = ROUNDS // 4
    assert (offers, answers) == (1 + ROUNDS, 1 + ROUNDS - refused)
    assert all(each.result == "ok" for each in relay.middle.of(call.call_id))
    asked = f"{offers} × `offer` → ok; {answers} × `answer` → ok; `delete` → ok"
    tell("keep-alive", seen._replace(asked=asked))


async def refuse_another_path(call: Call) -> None:
    """The caller offers another path, and the callee refuses it: the old ones stay in force."""
    uri, port = call.a.media.uri, call.a.media.port
    call.a.media.renew()
    await call.refused(call.a, call.b)
    call.a.media.uri, call.a.media.port = uri, port


def said_by_the_relay(call: Call) -> list[tuple[str, ...]]:
    """The URIs both ends were given."""
    return [call.a.told.path, call.b.told.path]


def commands(relay: Relay, call_id: str) -> list[str]:
    return [each.command for each in relay.middle.of(call_id)]
