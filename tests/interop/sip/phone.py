"""A SIP phone under a test's command: requests, dialogs, and no initiative of its own.

It repeats nothing by itself (the loopback loses nothing) except answers to repeated requests. What
a network loses is said by ``deaf``.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import cast

from .message import Message, parameter, uri
from .programs import HOST

PATIENCE_SECONDS = 30.0
SDP = "application/sdp"
PRIVATE_HOST, PRIVATE_PORT = "10.201.1.152", 5060


class Phone(asyncio.DatagramProtocol):
    """One phone on its own UDP port, with Kamailio as its outbound proxy.

    A phone ``behind_nat`` writes a private address into Via and Contact, as stock scripts expect
    of those whose media they relay.
    """

    def __init__(self, name: str, proxy: int, behind_nat: bool) -> None:
        self.name = name
        self.deaf: Callable[[Message], bool] = lambda message: False
        self.unheard: list[Message] = []
        self.requests: asyncio.Queue[Message] = asyncio.Queue()
        self._proxy = proxy
        self._behind_nat = behind_nat
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: dict[tuple[str, str], asyncio.Queue[Message]] = {}
        self._answers: dict[tuple[str, str], Message | None] = {}

    @property
    def port(self) -> int:
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    @property
    def host_port(self) -> str:
        if self._behind_nat:
            return f"{PRIVATE_HOST}:{PRIVATE_PORT + self.port % 1000}"
        return f"{HOST}:{self.port}"

    @property
    def contact(self) -> str:
        return f"<sip:{self.name}@{self.host_port}>"

    @property
    def address(self) -> str:
        """The address of record at the proxy."""
        return f"sip:{self.name}@{HOST}:{self._proxy}"

    @property
    def direct(self) -> str:
        """Where this phone can be called without having registered."""
        return f"sip:{self.name}@{HOST}:{self.port}"

    def tag(self, call_id: str) -> str:
        """This phone's tag in a call."""
        return f"{self.name}-{self.port}-{call_id}"

    def send(self, message: Message) -> None:
        assert self._transport is not None
        self._transport.sendto(message.encode(), (HOST, self._proxy))

    def start(self, request: Message) -> Transaction:
        """Send a request; its responses come to the transaction."""
        transaction = Transaction(self, request)
        self._waiting[request.branch, request.method] = transaction.responses
        self.send(request)
        return transaction

    async def register(self) -> None:
        """Be known to the proxy by name."""
        dialog = Dialog(self, secrets.token_hex(8), self.address, f"sip:{HOST}:{self._proxy}")
        answer = await self.start(dialog.request("REGISTER")).final()
        assert answer.status == 200, answer.start

    async def next(self, method: str) -> Message:
        """The next request, which must be of this kind."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            request = await self.requests.get()
        assert request.method == method, f"{self.name} waits for {method}: {request.start}"
        return request

    def respond(
        self, request: Message, status: int, reason: str, body: bytes = b"", kind: str = SDP
    ) -> None:
        """Answer a request; its repetitions get the same answer. ``kind`` is the body's type."""
        copied = [(name, value) for name, value in request.headers if name in COPIED]
        headers = [
            (name, self._tagged(request) if name == "To" else value) for name, value in copied
        ]
        headers.append(("Contact", self.contact))
        if body:
            headers.append(("Content-Type", kind))
        answer = Message(f"SIP/2.0 {status} {reason}", headers, body)
        self._answers[request.branch, request.method] = answer
        self.send(answer)

    def dialog(self, invite: Message) -> Dialog:
        """The dialog of an INVITE that this phone answers with 2xx."""
        dialog = Dialog(self, invite.call_id, uri(invite.one("From")), uri(invite.one("Contact")))
        dialog.tag = parameter(self._tagged(invite), "tag")
        dialog.remote_tag = parameter(invite.one("From"), "tag")
        dialog.route = invite.all("Record-Route")
        return dialog

    def _tagged(self, request: Message) -> str:
        to = request.one("To")
        return to if parameter(to, "tag") else f"{to};tag={self.tag(request.call_id)}"

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: object) -> None:
        if b"SIP/2.0" not in data:
            # A NAT keep-alive.
            return
        message = Message.read(data)
        if self.deaf(message):
            self.unheard.append(message)
            return
        key = (message.branch, message.method)
        if message.status:
            if key in self._waiting:
                self._waiting[key].put_nowait(message)
        elif key not in self._answers or message.method == "ACK":
            self._answers[key] = None
            self.requests.put_nowait(message)
        elif (answer := self._answers[key]) is not None:
            self.send(answer)


COPIED = ("Via", "Record-Route", "From", "To", "Call-ID", "CSeq")


@dataclass
class Transaction:
    """A request under way."""

    phone: Phone
    request: Message
    responses: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)

    async def response(self) -> Message:
        """The next response; a final one that is no 2xx is acknowledged (RFC 3261 17.1.1)."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            response = await self.responses.get()
        if response.status >= 300 and self.request.method == "INVITE":
            self.phone.send(self._within("ACK", response.one("To")))
        return response

    async def provisional(self, status: int) -> Message:
        """Wait for a certain provisional response."""
        while (response := await self.response()).status != status:
            assert response.status < 200, response.start
        return response

    async def final(self) -> Message:
        """The first final response."""
        while (response := await self.response()).status < 200:
            pass
        return response

    def repeat(self) -> None:
        """Send the same request once more."""
        self.phone.send(self.request)

    def cancel(self) -> Transaction:
        """CANCEL what has not been answered (RFC 3261 section 9.1)."""
        return self.phone.start(self._within("CANCEL", self.request.one("To")))

    def _within(self, method: str, to: str) -> Message:
        """A request of the same transaction: same Via, From, Call-ID and number."""
        request = self.request
        target = request.start.split()[1]
        number = request.one("CSeq").split()[0]
        headers = [
            ("Via", request.one("Via")),
            *(("Route", route) for route in request.all("Route")),
            ("From", request.one("From")),
            ("To", to),
            ("Call-ID", request.call_id),
            ("CSeq", f"{number} {method}"),
            ("Max-Forwards", "70"),
        ]
        return Message(f"{method} {target} SIP/2.0", headers)


class Dialog:
    """One end of a dialog, also before it is one: numbers, tags and routes of its requests."""

    def __init__(self, phone: Phone, call_id: str, remote: str, target: str) -> None:
        self.phone = phone
        self.call_id = call_id
        self.remote = remote
        self.target = target
        self.tag = phone.tag(call_id)
        self.remote_tag = ""
        self.route: list[str] = []
        self._numbers = itertools.count(1)
        self._number = 0

    def request(self, method: str, body: bytes = b"", kind: str = SDP) -> Message:
        """The next request of the dialog."""
        self._number = next(self._numbers)
        return self._request(method, self._number, body, kind)

    def established(self, answer: Message) -> None:
        """The 2xx to our INVITE: take tag, target and routes from it."""
        self.remote_tag = parameter(answer.one("To"), "tag")
        self.target = uri(answer.one("Contact"))
        self.route = answer.all("Record-Route")[::-1]

    def acknowledge(self, sdp: bytes = b"") -> None:
        """ACK the 2xx to our last INVITE."""
        self.phone.send(self._request("ACK", self._number, sdp))

    def _request(self, method: str, number: int, body: bytes, kind: str = SDP) -> Message:
        phone, tag = self.phone, f";tag={self.remote_tag}" if self.remote_tag else ""
        via = f"SIP/2.0/UDP {phone.host_port};rport;branch=z9hG4bK{secrets.token_hex(8)}"
        headers = [
            ("Via", via),
            *(("Route", route) for route in self.route),
            ("From", f"<{phone.address}>;tag={self.tag}"),
            ("To", f"<{self.remote}>{tag}"),
            ("Call-ID", self.call_id),
            ("CSeq", f"{number} {method}"),
            ("Contact", phone.contact),
            ("Max-Forwards", "70"),
        ]
        if body:
            headers.append(("Content-Type", kind))
        return Message(f"{method} {self.target} SIP/2.0", headers, body)


@contextlib.asynccontextmanager
async def phone(name: str, proxy: int, *, behind_nat: bool = False) -> AsyncIterator[Phone]:
    """A phone for the block."""
    loop = asyncio.get_running_loop()
    transport, made = await loop.create_datagram_endpoint(
        lambda: Phone(name, proxy, behind_nat), local_addr=(HOST, 0)
    )
    try:
        yield made
    finally:
        transport.close()
