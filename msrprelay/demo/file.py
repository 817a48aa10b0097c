"""The file that the demo sends: random octets, and the digest they must arrive with."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

BLOCK = 1 << 20


class RandomFile(NamedTuple):
    """Where the file is, and its SHA-256 in hexadecimal."""

    path: str
    sha256: str


@asynccontextmanager
async def random_file(size: int) -> AsyncIterator[RandomFile]:
    """A file of ``size`` random octets for as long as the block lasts. Raises OSError."""
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(prefix="msrprelay-demo-") as file:
        for start in range(0, size, BLOCK):
            block = os.urandom(min(BLOCK, size - start))
            digest.update(block)
            file.write(block)
            # A large file takes a while: Ctrl-C must get through meanwhile.
            await asyncio.sleep(0)
        file.flush()
        yield RandomFile(file.name, digest.hexdigest())
