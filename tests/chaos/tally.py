"""What has arrived of one direction: right octets once, and every kind of wrong ones."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Tally:
    """Octets. What was missed and comes later is right in the end, but `reordered`."""

    right: int = 0
    duplicated: int = 0
    reordered: int = 0
    # Nobody has written these.
    strange: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether nothing but the right octets came, each once and in order."""
        return not (self.duplicated or self.reordered or self.strange)


def common(one: bytes, other: bytes) -> int:
    """How many octets the two have in common from their beginning on."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
