"""What goes to a real relay and what comes back, as the manual shows it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from msrprelay.rpc import bencode

from ..interop.sip.programs import HOST, TCP_RANGE, Ready, free_range, free_udp_port, program

WIDTH = 96
ALICE, BOB = "msrp://192.0.2.1:9/9wnzpxbr2k;tcp", "msrp://198.51.100.7:2855/yo3d8k1qxm;tcp"
# The addresses of the relay's own machine, in the manual.
PUBLIC = "203.0.113.10"


def sdp(path: str, setup: str, *, version: int = 1) -> str:
    """What alice or bob says of the chat."""
    host, port = path.split("/")[2].split(":")
    return (
        f"v=0\r\no=- 4975 {version} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=message {port} TCP/MSRP *\r\na=accept-types:text/plain\r\na=path:{path}\r\n"
        f"a=setup:{setup}\r\n"
    )


class Operator:
    """Speaks JSON-RPC line by line, and keeps what was said."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._numbers = itertools.count(1)

    async def say(self, method: str, **params: object) -> tuple[str, dict[str, Any]]:
        """One exchange as Markdown, and the answer."""
        named = {key.replace("_", "-"): value for key, value in params.items()}
        request = {"jsonrpc": "2.0", "id": next(self._numbers), "method": method, "params": named}
        self._writer.write(json.dumps(request).encode() + b"\n")
        answer = await self.hear()
        return fenced("→ " + pretty(request), "← " + pretty(answer)), answer

    async def hear(self) -> dict[str, Any]:
        """The next line."""
        answer: dict[str, Any] = json.loads(await self._reader.readline())
        return answer


@contextlib.asynccontextmanager
async def daemon(folder: Path) -> AsyncIterator[tuple[Operator, int]]:
    """A relay that says it is at PUBLIC; an operator at its socket, and its ng port."""
    ng, first, control = free_udp_port(), free_range(TCP_RANGE, 16), folder / "ctl.sock"
    command = [
        sys.executable, "-m", "msrprelay.cli.daemon", "--config=/dev/null", "--log-level=warning",
        f"--interface=pub/{HOST}!{PUBLIC}", f"--listen-ng={HOST}:{ng}", f"--control={control}",
        f"--port-min={first}", f"--port-max={first + 15}", "--set", "timers.drain=0.1",
        # The keeper's pid would be another one each time.
        "--no-keeper",
    ]  # fmt: skip
    with program("msrprelayd", command, folder) as running:
        await Ready(ng, b"ready d7:command4:pinge").wait(running)
        reader, writer = await asyncio.open_unix_connection(control)
        try:
            yield Operator(reader, writer), ng
        finally:
            writer.close()
            await writer.wait_closed()


async def ask(ng: int, cookie: str, body: bytes) -> str:
    """One datagram each way, as Markdown; bencode as it is, its line ends as line ends."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect((HOST, ng))
        datagram = cookie.encode() + b" " + body
        await loop.sock_sendall(sock, datagram)
        async with asyncio.timeout(10):
            reply = await loop.sock_recv(sock, 65536)
    return fenced("→ " + datagram.decode(), "← " + reply.decode())


def bencoded(**fields: object) -> bytes:
    """A request in bencode."""
    return bencode.encode({key.replace("_", "-"): value for key, value in fields.items()})


async def b2bua(folder: Path) -> dict[str, str]:
    """The call of docs/your-own-b2bua.md."""
    call = {"call_id": "843d2a@pc.example.com", "from_tag": "a8f1"}
    shown: dict[str, str] = {}
    async with daemon(folder) as (operator, _):

        async def step(name: str, method: str, **params: object) -> None:
            shown[name], answer = await operator.say(method, **params)
            if name in ("offer", "answer"):
                shown[f"{name}-sdp"] = fenced(answer["result"]["sdp"].strip())
            elif name == "delete":
                # The rest is as query has it, in a moment of its own.
                whole, short = pretty(answer["result"], 2), '{…, "result": "ok"}'
                assert answer["result"]["result"] == "ok"
                shown[name] = shown[name].replace(whole, short)

        await step("offer", "offer", **call, sdp=sdp(ALICE, "active"))
        await step("answer", "answer", **call, to_tag="77bc", sdp=sdp(BOB, "passive"))
        changed = sdp(ALICE, "active", version=2)
        await step("re-offer", "offer", **call, to_tag="77bc", sdp=changed)
        await step("rollback", "rollback", **call)
        await step("delete", "delete", call_id=call["call_id"])
        await step("again", "delete", call_id=call["call_id"])
        await step("refusal", "query", call_id=call["call_id"])
    return shown


async def protocol(folder: Path) -> dict[str, str]:
    """The exchanges of docs/control-protocol.md."""
    call = {"call_id": "c1", "from_tag": "alice"}
    offer, answer = sdp(ALICE, "active").encode(), sdp(BOB, "passive").encode()
    async with daemon(folder) as (operator, ng):
        shown = {
            "ng-ping": await ask(ng, "3145_1", bencoded(command="ping")),
            "ng-offer": await ask(ng, "3145_2", bencoded(**call, sdp=offer, command="offer")),
            "ng-error": await ask(ng, "3145_3", bencoded(call_id="c0", command="query")),
            "ng-json": await ask(ng, "3145_4", b'{"command": "list"}'),
            "ng-delete": await ask(ng, "3145_5", bencoded(call_id="c0", command="delete")),
        }
        await ask(ng, "3145_6", bencoded(**call, to_tag="bob", sdp=answer, command="answer"))
        shown["query"], _ = await operator.say("query", call_id="c1")
        shown["statistics"], _ = await operator.say("statistics")
        shown["limits"] = await first_limits(operator)
        shown["subscribe"], _ = await operator.say("subscribe", events=["offered", "call-ended"])
        events = []
        for method, params in (
            ("offer", {"call_id": "c2", "from_tag": "alice", "sdp": offer.decode()}),
            ("terminate", {"call_id": "c2"}),
        ):
            await operator.say(method, **params)
            events.append("← " + pretty(await operator.hear()))
        shown["events"] = fenced(*events)
    return shown


async def first_limits(operator: Operator) -> str:
    """The beginning of what ``limits`` tells."""
    _, answer = await operator.say("limits")
    rows = [pretty(row, 2) for row in answer["result"]["limits"][:3]]
    return fenced("\n".join(rows), "…")


def fenced(*parts: str) -> str:
    """A code block."""
    text = "\n".join(parts).replace("\r\n", "\n")
    return f"```text\n{text}\n```"


def pretty(value: object, indent: int = 0) -> str:
    """JSON in as few lines as fit the page."""
    flat = json.dumps(value, ensure_ascii=False)
    if indent + len(flat) <= WIDTH or not isinstance(value, dict | list) or not value:
        return flat
    pad = " " * (indent + 2)
    if isinstance(value, dict):
        items = [f"{json.dumps(k)}: {pretty(v, indent + 2)}" for k, v in value.items()]
        return "{\n" + ",\n".join(pad + item for item in items) + f"\n{' ' * indent}}}"
    items = [pretty(each, indent + 2) for each in value]
    return "[\n" + ",\n".join(pad + item for item in items) + f"\n{' ' * indent}]"
