"""``HOST:PORT`` on a command line."""

from __future__ import annotations

import click


class Address(click.ParamType[tuple[str, int]]):
    """A host, an IPv6 address in brackets, and a port from ``lowest`` on."""

    name = "host:port"

    def __init__(self, lowest: int = 0) -> None:
        self._lowest = lowest

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """The two of them; fails with what was expected."""
        host, _, digits = str(value).rpartition(":")
        number = digits.isascii() and digits.isdigit()
        if not host or not number or not self._lowest <= int(digits[:6]) <= 65535:
            self.fail(f"{value!r}: HOST:PORT expected", param, ctx)
        return host.strip("[]"), int(digits)
