"""The relay that the checks are played against in CI: ours, once patient and once hasty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..peers.daemon import HOST, Daemon
from .relay import NgRelay

HASTY = {"gate": 0.4, "join": 1.0, "grace": 0.5, "chunk_stall": 0.4}
# A freed port would rest for a minute; here it is taken again at once.
NO_REST = {"timers.port-quarantine": 0.0}
PORTS = 400
OPTIONS = ("--dial-allow=127.0.0.0/8", "--dial-allow=::1/128", "--log-level=info")
INTERFACES = (f"four/{HOST}", "six/::1")


@pytest.fixture(scope="session")
def patient() -> Iterator[NgRelay]:
    """With the timers of the design: none of them runs out here."""
    with Daemon(NO_REST, ports=PORTS, options=OPTIONS, interfaces=INTERFACES) as daemon:
        yield NgRelay(daemon.ng_address)


@pytest.fixture(scope="session")
def hasty() -> Iterator[NgRelay]:
    """With timers that run out while one looks."""
    settings = {f"timers.{name.replace('_', '-')}": value for name, value in HASTY.items()}
    with Daemon(settings | NO_REST, ports=PORTS, options=OPTIONS, interfaces=INTERFACES) as daemon:
        yield NgRelay(daemon.ng_address, timers=HASTY)
