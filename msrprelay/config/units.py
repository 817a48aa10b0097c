"""Durations and sizes as people write them."""

from __future__ import annotations

import re

SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
BYTES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
# Above this a timer is a slip of the pen: "off" is written 0.
LONGEST = 366 * 86400.0
# The same of a size: a pebibyte, which the engine's integers hold with room for sums.
LARGEST = 1 << 50
_AMOUNT = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)\s*")


def seconds(value: object) -> float:
    """A duration: seconds as a number, or ``"200 s"``, ``"5 min"``, ``"1h"``. Raises ValueError."""
    amount = _amount(value, SECONDS, 'a duration such as 30, "30 s" or "5 min"')
    if amount > LONGEST:
        raise ValueError("longer than a year")
    return amount


def size(value: object) -> int:
    """A size: bytes as a number, or ``"64 KiB"``, ``"1 MiB"``. Raises ValueError."""
    amount = _amount(value, BYTES, 'a size such as 65536, "64 KiB" or "1 MiB"')
    if amount != int(amount):
        raise ValueError("not a whole number of bytes")
    if amount > LARGEST:
        raise ValueError("more than 1048576 GiB")
    return int(amount)


def _amount(value: object, units: dict[str, float] | dict[str, int], expected: str) -> float:
    match = _AMOUNT.fullmatch(str(value))
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) or match is None:
        raise ValueError(f"{expected} expected")
    number, unit = match.groups()
    if unit and unit not in units:
        raise ValueError(f"unit {unit!r}: {', '.join(units)} expected")
    return float(number) * (units[unit] if unit else 1)


def show(value: float, unit: str) -> str:
    """``value`` for a person: ``show(65536, "bytes")`` is ``64 KiB``."""
    if unit.startswith("bytes"):
        return show_bytes(int(value)) + unit.removeprefix("bytes")
    # Six digits are enough of a duration, not of a number of things.
    number = f"{int(value)}" if value == int(value) else f"{value:g}"
    return f"{number} {unit}".rstrip()


def show_bytes(value: int) -> str:
    """A size in the largest unit that divides it."""
    for unit in ("GiB", "MiB", "KiB"):
        if value and value % BYTES[unit] == 0:
            return f"{value // BYTES[unit]} {unit}"
    return f"{value} B"
