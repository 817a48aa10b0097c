"""Chat on a terminal: lines in become messages, messages and files that come are shown."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from pathlib import Path
from typing import TextIO

from ..printable import printable
from .chunks import Send
from .connection import Connection
from .protocol import Answered, Event, FilePiece, Message, Reported
from .transfer import FileReceipt, send_file


class Terminal:
    """What one endpoint shows and keeps; ``folder`` takes files that come, None drops them."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._receipts: dict[str, FileReceipt] = {}
        self._undelivered: set[str] = set()

    def show(self, event: Event) -> None:
        """Show one event; take the pieces of files."""
        match event:
            case Message():
                _show_text(event.body.decode("utf-8", "replace"))
            case FilePiece():
                self._take_piece(event)
            case Answered() if event.status != 200:
                self._undelivered.discard(event.message_id)
                _note(f"refused: {event.status} {event.comment}")
            case Reported():
                self._undelivered.discard(event.message_id)
                if event.status != 200:
                    _note(f"not delivered: {event.status}")

    async def chat(self, connection: Connection) -> None:
        """Send every line of standard input; returns at its end, all reported as delivered.

        Raises EndpointFault when the session ends first.
        """
        lines: asyncio.Queue[str] = asyncio.Queue()
        _read_lines(sys.stdin, lines)
        while line := await _next_line(connection, lines):
            message = Send.message("text/plain;charset=utf-8", line.rstrip("\n").encode())
            self._undelivered.add(message.message_id)
            await connection.send(message)
        await connection.until(lambda: not self._undelivered)

    def _take_piece(self, piece: FilePiece) -> None:
        receipt = self._receipts.get(piece.message_id)
        if receipt is None:
            out = self._folder / f"{piece.message_id}.msrp" if self._folder else None
            receipt = FileReceipt(out.open("xb") if out else None)
            self._receipts[piece.message_id] = receipt
        receipt.take(piece)
        if receipt.complete:
            receipt.close()
            del self._receipts[piece.message_id]
            _note(f"file {piece.message_id}: {receipt.size} octets, sha256 {receipt.sha256}")


async def send_path(connection: Connection, path: Path) -> None:
    """Send one file and say so. Raises EndpointFault and OSError."""
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        sent = await send_file(connection, file, size)
    _note(f"sent {path.name}: {sent.size} octets in {sent.chunks} chunks, sha256 {sent.sha256}")


async def _next_line(connection: Connection, lines: asyncio.Queue[str]) -> str:
    """The next line with its newline, ``""`` at the end; raises when the session ends first."""
    line = asyncio.ensure_future(lines.get())
    ended = asyncio.ensure_future(connection.until(lambda: False))
    try:
        done, _ = await asyncio.wait({line, ended}, return_when=asyncio.FIRST_COMPLETED)
        if line not in done:
            ended.result()
        return line.result()
    finally:
        line.cancel()
        ended.cancel()


def _read_lines(stream: TextIO, lines: asyncio.Queue[str]) -> None:
    """Feed ``lines`` from a thread that ends with the process: no event loop can wait for every
    kind of standard input, and a read that is blocked cannot be called off."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        while not loop.is_closed():
            line = stream.readline()
            loop.call_soon_threadsafe(lines.put_nowait, line)
            if not line:
                return

    threading.Thread(target=read, daemon=True).start()


def _show_text(text: str) -> None:
    """A message line by line; what could act on the terminal is shown as an escape."""
    for line in text.splitlines() or [""]:
        print(f"< {printable(line, len(line))}", flush=True)


def _note(line: str) -> None:
    print(f"* {printable(line)}", file=sys.stderr, flush=True)
