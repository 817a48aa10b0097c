"""Chat on a terminal: lines in become messages, messages and files that come are shown."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from ..printable import printable
from .chunks import Send
from .connection import Connection
from .faults import TransferFailed
from .folder import Folder, KeptFile
from .protocol import Answered, Event, FilePiece, Message, Reported
from .transfer import FileReceipt, send_file


@dataclass(frozen=True, slots=True)
class _Coming:
    """A file that is coming; ``kept`` is None where files are only hashed."""

    receipt: FileReceipt
    kept: KeptFile | None


class Terminal:
    """What one endpoint shows and keeps; ``folder`` takes files that come, None drops them."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = None if folder is None else Folder(folder)
        self._coming: dict[str, _Coming] = {}
        self._undelivered: set[str] = set()

    def show(self, event: Event) -> None:
        """Show one event; take the pieces of files. Raises EndpointFault."""
        match event:
            case Message():
                _show_text(event.body.decode("utf-8", "replace"))
            case FilePiece():
                try:
                    self._take_piece(event)
                except OSError as error:
                    raise TransferFailed(f"a file cannot be kept: {error}") from None
            case Answered() if event.status != 200:
                self._undelivered.discard(event.message_id)
                _note(f"refused: {event.status} {event.comment}")
            case Reported():
                self._undelivered.discard(event.message_id)
                if event.status != 200:
                    _note(f"not delivered: {event.status}")

    def close(self) -> None:
        """The session is over: what has come of a file that is not whole stays as a part."""
        for message_id, coming in self._coming.items():
            if coming.kept is not None:
                coming.kept.leave()
            _note(f"file {message_id}: broken off after {coming.receipt.size} octets")
        self._coming.clear()

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
        coming = self._coming.get(piece.message_id) or self._begun(piece.message_id)
        receipt, kept = coming.receipt, coming.kept
        receipt.take(piece)
        if receipt.aborted:
            del self._coming[piece.message_id]
            if kept is not None:
                kept.drop()
            _note(f"file {piece.message_id}: given up by its sender after {receipt.size} octets")
        elif receipt.complete:
            del self._coming[piece.message_id]
            name = piece.message_id if kept is None else kept.finish()
            _note(f"file {name}: {receipt.size} octets, sha256 {receipt.sha256}")

    def _begun(self, message_id: str) -> _Coming:
        kept = None if self._folder is None else self._folder.begin(message_id)
        coming = _Coming(FileReceipt(None if kept is None else kept.out), kept)
        self._coming[message_id] = coming
        return coming


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
