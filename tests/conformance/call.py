"""A call through the relay under test: two parties with an SDP and connections each."""

from __future__ import annotations

import contextlib
import secrets
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..peers import msrp, sdp
from ..peers.ng import Ng, Reply
from ..peers.wire import Failure, Listener, Wire, carry


@dataclass
class Party:
    """One peer of a call: what it says of itself, what it was told, its connection."""

    side: str
    host: str
    policy: str
    setup: str | None
    path: tuple[str, ...]
    listener: Listener | None
    patience: float
    told: sdp.Told | None = None
    other: Party | None = field(default=None, repr=False)
    extra: str = ""
    # Makes the socket it dials with, where that is not the place of this process.
    make: Callable[[], socket.socket] | None = None
    wires: list[Wire] = field(default_factory=list)

    @property
    def wire(self) -> Wire:
        """Its newest connection."""
        if not self.wires:
            raise Failure(f"{self.side} has no connection")
        return self.wires[-1]

    @property
    def port(self) -> int:
        """The port of its m= line: 9 for a party that only dials (RFC 6135)."""
        return self.listener.port if self.listener else 9

    @property
    def where(self) -> sdp.Told:
        """What the relay told it."""
        if self.told is None:
            raise Failure(f"{self.side} was told nothing yet")
        return self.told

    def section(self) -> str:
        """Its m= section."""
        return sdp.section(
            " ".join(self.path), setup=self.setup, host=self.host, port=self.port, extra=self.extra
        )

    def dial(self, *, receive_buffer: int | None = None, retry: bool = False) -> Wire:
        """Connect to where c= and m= say."""
        wire = Wire.dial(
            self.where.address, self.patience, make=self.make, receive_buffer=receive_buffer,
            retry=retry,
        )  # fmt: skip
        self.wires.append(wire)
        return wire

    def accept(self) -> Wire:
        """Take the relay's dial."""
        if self.listener is None:
            raise Failure(f"{self.side} does not listen")
        wire = self.listener.accept()
        self.wires.append(wire)
        return wire

    def written(self, template: bytes) -> bytes:
        """The octets of a template as this party writes them."""
        return msrp.fill(template, self.where.path, self.path)

    def read(self, template: bytes) -> bytes:
        """The octets of the other party's template as this one must get them."""
        if self.policy != "aware":
            if self.other is None:
                raise Failure("a call of one party")
            return self.other.written(template)
        return msrp.fill(template, self.path, self.where.path)

    def send(self, *templates: bytes) -> None:
        """Write templates in one go."""
        self.wire.send(self.written(b"".join(templates)))

    def expect(self, *templates: bytes) -> None:
        """The next octets are the other party's templates."""
        self.wire.expect(self.read(b"".join(templates)))

    def deliver(self, template: bytes, arrives: bytes | None = None) -> None:
        """Send a template of any size; it (or `arrives`) must reach the other party."""
        if self.other is None:
            raise Failure("a call of one party")
        expected = self.other.read(template if arrives is None else arrives)
        carry(self.wire, self.written(template), self.other.wire, expected)

    def close(self) -> None:
        """Leave without ceremony."""
        for wire in self.wires:
            wire.close()
        if self.listener is not None:
            self.listener.close()


@dataclass
class Call:
    """Two parties; `a` offers. Without control both are told everything at once."""

    a: Party
    b: Party
    ng: Ng | None
    call_id: str
    flags: Mapping[str, object]
    retry: bool = False

    def __post_init__(self) -> None:
        self.a.other, self.b.other = self.b, self.a

    @property
    def control(self) -> Ng:
        """The relay's control port."""
        if self.ng is None:
            raise Failure("this relay has no control port")
        return self.ng

    @property
    def tags(self) -> dict[str, object]:
        """Call-id and from-tag, as every command has them."""
        return {"call-id": self.call_id, "from-tag": "tag-a"}

    def offer(self, text: str | None = None, /, **more: object) -> Reply:
        """a's offer to the relay; `b` is told."""
        return self._describe("offer", self.a, self.b, text, more)

    def answer(self, text: str | None = None, /, **more: object) -> Reply:
        """b's answer to the relay; `a` is told."""
        return self._describe("answer", self.b, self.a, text, {"to-tag": "tag-b", **more})

    def offer_back(self, text: str | None = None, /, **more: object) -> Reply:
        """b's own offer in the dialog; `a` is told."""
        tags = {"from-tag": "tag-b", "to-tag": "tag-a"}
        return self._describe("offer", self.b, self.a, text, {**tags, **more})

    def answer_back(self, text: str | None = None, /, **more: object) -> Reply:
        """a's answer to :meth:`offer_back`; `b` is told."""
        tags = {"from-tag": "tag-b", "to-tag": "tag-a"}
        return self._describe("answer", self.a, self.b, text, {**tags, **more})

    def reoffer(self, text: str | None = None, /, **more: object) -> Reply:
        """a's offer in the dialog; `b` is told."""
        return self.offer(text, **{"to-tag": "tag-b", **more})

    def agree(self, **more: object) -> None:
        """Offer and answer; a relay without control has nothing to be told."""
        if self.ng is not None:
            self.offer(**more)
            self.answer(**more)

    def _describe(
        self, command: str, said: Party, told: Party, text: str | None, more: Mapping[str, object]
    ) -> Reply:
        said_body = sdp.body(said.section()) if text is None else text
        body = said_body.encode("utf-8", "surrogateescape")
        fields = {**self.tags, **self.flags, **more, "sdp": body}
        reply = self.control.ask(command, fields)
        sections = sdp.message_sections(str(reply["sdp"]))
        told.told = sections[0] if sections else None
        return reply

    def delete(self, **more: object) -> Reply:
        """End the call; without a linger unless `more` says one."""
        return self.control.ask("delete", {**self.tags, "delete-delay": "0", **more})

    def query(self) -> Reply:
        """All that the relay says of the call, ended or not."""
        return self.control.ask("query", {"call-id": self.call_id, "msrp-ended": 1})

    def join(self) -> tuple[Party, Party]:
        """Both legs connected, bound, and each bind answered: the streams are clean."""
        self.agree()
        return self.connect()

    def connect(self) -> tuple[Party, Party]:
        """As :meth:`join`, after the answer."""
        dialling = [party for party in (self.a, self.b) if party.listener is None]
        for party in dialling:
            party.dial(retry=self.retry)
            party.send(msrp.bind())
        for party in (self.a, self.b):
            if party.listener is not None:
                party.accept()
        asked = [self.a, self.b] if len(dialling) != 1 else [_other(dialling[0])]
        for party in asked:
            party.wire.answer(party.wire.frame())
        for party in dialling:
            status = party.wire.frame().status
            if status != 200:
                raise Failure(f"the bind of {party.side} was answered {status}")
        return self.a, self.b

    def close(self) -> None:
        """End the call and every connection of it."""
        self.a.close()
        self.b.close()
        if self.ng is not None:
            with contextlib.suppress(Failure):
                self.delete()


def uri(host: str, port: int) -> str:
    """A fresh URI of a peer, with 96 bits of randomness."""
    literal = f"[{host}]" if ":" in host else host
    return f"msrp://{literal}:{port}/{secrets.token_hex(12)};tcp"


def _other(party: Party) -> Party:
    if party.other is None:
        raise Failure("a call of one party")
    return party.other
