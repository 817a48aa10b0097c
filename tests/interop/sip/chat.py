"""Messages through a call: both ends talk all the time, and every octet is checked on arrival."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import random
from collections.abc import AsyncIterator, Iterator

from msrprelay.endpoint import (
    Answered,
    Connection,
    Endpoint,
    EndpointFault,
    Event,
    Listener,
    Message,
    Reported,
    Send,
    dial,
    fresh_id,
)
from msrprelay.net.roles import Setup, dials
from msrprelay.sdp import MsrpSection, parse

from .programs import HOST

CONTENT_TYPE = "text/plain"
PATIENCE_SECONDS = 30.0
# A lively chat that leaves the processors to the SIP servers.
PACE_SECONDS = 0.004
LONGEST_BODY = 6000
# Never dialled: an end that dials writes some port all the same, as Blink does (RFC 4145 has 9).
UNUSED_PORT = 2855


class Media:
    """What one end says in its SDP, and the connection it makes of what it is told."""

    def __init__(self, setup: Setup | None, audio: int = 0) -> None:
        """``audio``: the RTP port of an audio section in front; 0 for none."""
        self.setup = setup
        self.audio = audio
        self._version = 0
        self._listener: Listener | None = None
        self.renew()

    def renew(self) -> None:
        """Another port and path, as an end that has moved offers them."""
        self.close()
        self._listener = None if self.setup is Setup.ACTIVE else Listener(HOST)
        self.port = self._listener.port if self._listener else UNUSED_PORT
        self.uri = f"msrp://{HOST}:{self.port}/{fresh_id()};tcp"

    def sdp(self) -> bytes:
        """An offer or answer; each is a new version of the description."""
        self._version += 1
        lines = ["v=0", f"o=- 4975 {self._version} IN IP4 {HOST}", "s=-", f"c=IN IP4 {HOST}"]
        lines.append("t=0 0")
        if self.audio:
            lines += [f"m=audio {self.audio} RTP/AVP 0", "a=rtpmap:0 PCMU/8000"]
        lines += [
            f"m=message {self.port} TCP/MSRP *",
            "a=accept-types:text/plain",
            f"a=path:{self.uri}",
        ]
        if self.setup is not None:
            lines.append(f"a=setup:{self.setup}")
        return "".join(f"{line}\r\n" for line in lines).encode()

    async def connect(self, told: MsrpSection, *, active: bool) -> Connection:
        """Dial what we were told, or wait to be dialled; gives a connection that is bound."""
        endpoint = Endpoint(self.uri, told.path, active=active)
        if active:
            assert told.contact is not None
            connection = await dial(endpoint, *told.contact)
        else:
            assert self._listener is not None
            connection = await self._listener.accept(endpoint)
        await connection.bound()
        return connection

    def close(self) -> None:
        if self._listener is not None:
            self._listener.close()


def told(sdp: bytes) -> MsrpSection:
    """The message section of an SDP that came through the relay."""
    section = parse(sdp).sections[0]
    assert section.anchor, f"no live message section: {sdp!r}"
    return section


async def connected(
    a: Media, to_a: MsrpSection, b: Media, to_b: MsrpSection
) -> tuple[Connection, Connection]:
    """Both ends connect as they were told: ``to_a`` is what a has read, ``to_b`` what b has."""
    a_dials, _ = dials(a.setup, to_a.setup)
    _, b_dials = dials(to_b.setup, b.setup)
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await asyncio.gather(
            a.connect(to_a, active=a_dials), b.connect(to_b, active=b_dials)
        )


class Script:
    """The messages of one direction: the same for who sends and who checks."""

    def __init__(self, name: str) -> None:
        self._random = random.Random(name)
        self.number = 0
        self.octets = 0
        self.digest = hashlib.sha256()

    def next(self) -> bytes:
        """Text with line ends and what looks like an end-line, of ever other lengths."""
        self.number += 1
        size = self._random.randrange(1, LONGEST_BODY)
        seedling = f"{self.number} {self._random.random()}\r\n-------{self.number}$\r\n".encode()
        body = (seedling * (size // len(seedling) + 1))[:size]
        self.octets += size
        self.digest.update(body)
        return body


class Voice:
    """One end of the chat: sends its script, checks the other's."""

    def __init__(self, name: str, other: str, connection: Connection) -> None:
        self.name = name
        self.sent = Script(name)
        self.heard = Script(other)
        self.connections: list[Connection] = []
        self._open: set[str] = set()
        self.take_over(connection)

    @property
    def connection(self) -> Connection:
        """The one it talks on."""
        return self.connections[-1]

    def take_over(self, connection: Connection) -> None:
        """Go on where we were, on another connection."""
        assert not self._open, f"{self.name} still waits for {len(self._open)} answers or reports"
        for former in self.connections:
            former.listeners = ()
        self.connections.append(connection)
        connection.listeners = (self._take,)

    async def say(self) -> None:
        """Send the next message and wait for its 200 and its success REPORT."""
        message = Send.message(CONTENT_TYPE, self.sent.next())
        for what in ("answer", "report"):
            self._open.add(f"{what} {message.message_id}")
        await self.connection.send(message)
        await self.connection.until(lambda: not self._open)

    def _take(self, event: Event) -> None:
        match event:
            case Message():
                expected = self.heard.next()
                if event.body != expected:
                    raise EndpointFault(
                        f"{self.name}: message {self.heard.number} is {event.body[:40]!r}, "
                        f"not {expected[:40]!r}"
                    )
            case Answered():
                self._settle(f"answer {event.message_id}", event.status)
            case Reported():
                self._settle(f"report {event.message_id}", event.status)

    def _settle(self, what: str, status: int) -> None:
        if status != 200 or what not in self._open:
            raise EndpointFault(f"{self.name}: {what}: {status}, or not for the first time")
        self._open.remove(what)


class Chat:
    """Both ends of a call talking, from :meth:`begin` to :meth:`pause`."""

    def __init__(self, a: Connection, b: Connection) -> None:
        self.a = Voice("a", "b", a)
        self.b = Voice("b", "a", b)
        self.asked = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._pausing = False
        self._progress = asyncio.Condition()

    @property
    def messages(self) -> int:
        """How many have arrived and been reported in the direction that has had fewer."""
        return min(self.a.heard.number, self.b.heard.number)

    @property
    def connections(self) -> list[Connection]:
        """All there have been."""
        return self.a.connections + self.b.connections

    def begin(self) -> None:
        self._pausing = False
        self._tasks = [asyncio.create_task(self._talk(voice)) for voice in (self.a, self.b)]

    async def more(self, count: int) -> None:
        """Until ``count`` more messages have arrived each way. Raises what went wrong in either."""
        self.asked += count
        wanted = self.messages + count
        async with asyncio.timeout(PATIENCE_SECONDS):
            waiting = asyncio.create_task(self._until(wanted))
            try:
                await asyncio.wait({waiting, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
                for task in self._tasks:
                    if task.done():
                        task.result()
                await waiting
            finally:
                waiting.cancel()

    async def pause(self) -> None:
        """Both ends fall silent, every message arrived, answered and reported."""
        self._pausing = True
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*self._tasks)
        self._tasks = []
        for sender, receiver in ((self.a, self.b), (self.b, self.a)):
            assert receiver.heard.number == sender.sent.number
            assert receiver.heard.octets == sender.sent.octets
            assert receiver.heard.digest.digest() == sender.sent.digest.digest()

    def summary(self) -> str:
        """What became of the messages, once all of them have arrived: for the document."""
        assert not self._tasks
        fresh = len(self.connections) - 2
        kept = f"{fresh} new" if fresh else "kept"
        return f"{self.asked} and more each way, equal octet for octet; connections {kept}"

    def move(self, a: Connection, b: Connection) -> None:
        """Go on over other connections; only between pause and begin."""
        for voice, connection in ((self.a, a), (self.b, b)):
            if connection is not voice.connection:
                voice.take_over(connection)

    async def hang_up(self) -> None:
        """Both ends close their connections, as phones do at a BYE."""
        for voice in (self.a, self.b):
            if not voice.connection.closed:
                await voice.connection.close()

    def abandon(self) -> None:
        """End the tasks and connections of a test that failed."""
        for task in self._tasks:
            task.cancel()
        for connection in self.connections:
            connection.abort()

    async def _talk(self, voice: Voice) -> None:
        while not self._pausing:
            await voice.say()
            async with self._progress:
                self._progress.notify_all()
            await asyncio.sleep(PACE_SECONDS)

    async def _until(self, wanted: int) -> None:
        async with self._progress:
            await self._progress.wait_for(lambda: self.messages >= wanted)


@contextlib.contextmanager
def chat(a: Connection, b: Connection) -> Iterator[Chat]:
    """A chat that has begun; whatever is left of it ends with the block."""
    talking = Chat(a, b)
    talking.begin()
    try:
        yield talking
    finally:
        talking.abandon()


@contextlib.asynccontextmanager
async def silence(talking: Chat) -> AsyncIterator[None]:
    """A pause in the chat for the block."""
    await talking.pause()
    yield
    talking.begin()
