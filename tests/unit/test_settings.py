"""What parts of the relay are told of the configuration."""

from __future__ import annotations

import os

import pytest

from msrprelay.config import load
from msrprelay.settings import buffer_budget

PAGE = os.sysconf("SC_PAGE_SIZE")
MEMORY = os.sysconf("SC_PHYS_PAGES") * PAGE


@pytest.mark.parametrize(
    ("configured", "tcp_mem", "budget"),
    [
        pytest.param("0", "100\t200\t400\n", 100 * PAGE, id="half of the pressure mark"),
        pytest.param("64 MiB", "100\t200\t400\n", 64 << 20, id="as configured"),
        pytest.param("0", "", MEMORY // 16 // 2 // PAGE * PAGE, id="a namespace without tcp_mem"),
    ],
)
def test_the_budget_of_stalled_legs(configured: str, tcp_mem: str, budget: int) -> None:
    config = load(f'interface = ["192.0.2.1"]\nlimits.buffer-budget = "{configured}"\n')
    assert abs(buffer_budget(config, lambda _: tcp_mem) - budget) <= PAGE
