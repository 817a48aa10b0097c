"""Plain tables for terminals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..printable import printable


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns under their heads; numbers to the right, strangers' text made printable.

    Neither the first column is cut, which is what one may ask for, nor the last, which has room.
    """
    lines = [[whole(row[0]), *map(cell, row[1:-1]), whole(row[-1])] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    numeric = [
        bool(lines) and all(line[index][:1].isdigit() for line in lines)
        for index in range(len(head))
    ]
    return "\n".join(
        "  ".join(
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in [list(head), *lines]
    )


def cell(item: object, longest: int = 64) -> str:
    """One cell; a dash for nothing."""
    text = printable(str(item), longest) if item is not None else ""
    return text or "-"


def whole(item: object) -> str:
    """As :func:`cell`, for what is of use only uncut: a Call-ID may be one of a kilobyte."""
    return cell(item, 4096)


def amount(octets: int) -> str:
    """Bytes for a person: three digits and a unit."""
    value = float(octets)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
