"""What parts of the relay are told of the configuration."""

from __future__ import annotations

import os
from ipaddress import ip_address

import pytest

from msrprelay.config import Config, load
from msrprelay.config.options import known
from msrprelay.dataplane import Engine
from msrprelay.errors import ConfigError
from msrprelay.process.settings import buffer_budget, engine_config, rules
from msrprelay.rpc.dispatcher import Dispatcher
from msrprelay.rpc.ng import NgResponder
from msrprelay.rpc.reply_cache import ReplyCache

from .rpc_fakes import FakeCommands

PAGE = os.sysconf("SC_PAGE_SIZE")
MEMORY = os.sysconf("SC_PHYS_PAGES") * PAGE


def built_with(key: str, value: int) -> Config | None:
    """The configuration with this value, or None if it is refused by its name."""
    try:
        return load('interface = ["192.0.2.1"]\nthreads = 1\n', {key: value})
    except ConfigError as refused:
        told = str(refused)
    assert told.startswith(f"--set {key}: "), told
    return None


LIMITS = [option.key for option in known() if option.table == "limits"]


@pytest.mark.parametrize("key", LIMITS)
def test_what_the_parts_cannot_hold_is_refused(key: str) -> None:
    """A number is refused with its option, or all that is built with it takes it."""
    for value in (2**31, 2**32, 2**63, 2**64, 2**80):
        config = built_with(key, value)
        if config is None:
            continue
        engine = Engine(engine_config(config))
        engine.stop()
        ReplyCache(capacity=config.limits.reply_cache)
        commands = Dispatcher(FakeCommands())
        NgResponder(commands, ReplyCache(), longest=config.limits.ng_datagram)


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


LISTENING = """
interface = ["pub/192.0.2.1!203.0.113.1"]
listen-ng = ["10.0.0.1:2224", "[2001:db8::1]:2224"]
listen-ng-tcp = ["10.0.0.2:2224"]
listen-http = ["10.0.0.3:8080"]
"""


@pytest.mark.parametrize(
    ("address", "denied"),
    [
        pytest.param("192.0.2.1", True, id="interface"),
        pytest.param("10.0.0.1", True, id="listen-ng"),
        pytest.param("2001:db8::1", True, id="listen-ng-ipv6"),
        pytest.param("10.0.0.2", True, id="listen-ng-tcp"),
        pytest.param("10.0.0.3", True, id="listen-http"),
        pytest.param("10.0.0.4", False, id="another-host"),
    ],
)
def test_the_relay_does_not_dial_where_it_listens(address: str, denied: bool) -> None:
    for more, expected in (("", denied), (f'dial-allow = ["{address}"]\n', False)):
        dialling = rules(load(more + LISTENING)).dialling
        assert (dialling.denial(ip_address(address), 2224) is not None) is expected
