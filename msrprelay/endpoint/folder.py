"""Files that come from a peer, kept in a folder: the peer does not choose where, or over what."""

from __future__ import annotations

import re
from itertools import count
from pathlib import Path
from typing import BinaryIO

# What a Message-ID may be (RFC 4975 §9), which is a safe name too; any other is not used.
_IDENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+%=-]{3,31}")


class Folder:
    """A folder for files that come."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self, message_id: str) -> KeptFile:
        """A new file for what comes under this Message-ID. Raises OSError.

        Where its name is taken, also by another endpoint, it gets a number; nothing is replaced.
        """
        stem = message_id if _IDENT.fullmatch(message_id) else "file"
        for number in count(1):
            whole = self._path / (f"{stem}.msrp" if number == 1 else f"{stem}-{number}.msrp")
            part = whole.with_name(whole.name + ".part")
            try:
                out = part.open("xb")
            except FileExistsError:
                continue
            # Only who has the part may make the whole: this cannot change until it is done.
            if not whole.exists():
                return KeptFile(out, part, whole)
            out.close()
            part.unlink()
        raise AssertionError("numbers do not end")


class KeptFile:
    """One file as it comes: ``NAME.msrp.part`` until it is whole, ``NAME.msrp`` then."""

    def __init__(self, out: BinaryIO, part: Path, whole: Path) -> None:
        self.out = out
        self._part = part
        self._whole = whole

    def finish(self) -> str:
        """It is whole; gives its name. Raises OSError."""
        self.out.close()
        self._part.rename(self._whole)
        return self._whole.name

    def leave(self) -> None:
        """No more comes, and it is not whole: the part stays. Raises OSError."""
        self.out.close()

    def drop(self) -> None:
        """Its sender has given up: nothing stays. Raises OSError."""
        self.out.close()
        self._part.unlink()
