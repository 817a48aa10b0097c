"""The metrics as such: their names, their numbers, their format."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as parse

from msrprelay.metrics.catalogue import CATALOGUE, Entry
from msrprelay.metrics.exposition import Exposition, negotiated
from msrprelay.metrics.snapshot import Snapshot
from msrprelay.rpc.dispatcher import JSON_RPC

PORTS = {"interface": "pub", "address": "192.0.2.1", "ports": 10, "in-use": 3, "quarantined": 2}
# As `statistics` begins: nothing has happened. `statistics` itself is rtpengine's part.
QUIET: dict[str, Any] = {
    "processes": {"relay": 7},
    "sessions": {
        "calls": 0, "sessions": 0, "sessions-joined": 0, "sessions-max": 9, "draining": 0,
        "ports": [PORTS],
    },
    "engine": {},
    "commands": {},
    "ng": {},
    "jsonrpc": {},
    "reply-cache": {"bytes": 0, "hits": 0, "dropped-early": 0},
    "log": {"lost": 0},
    "state": {"degraded": 0, "reason": "", "memory-bytes": 0, "disk-bytes": 0},
    "webhooks": {},
    "statistics": {"totalstatistics": {"totalcallsduration": "0.000000"}},
}  # fmt: skip


def told(**parts: Any) -> dict[str, dict[tuple[str, ...], float]]:
    """What is scraped where these parts of the statistics are so: values by labels, by name."""
    snapshot = Snapshot("1.2.3", 1e9, {**QUIET, **parts}, {"limits.sdp": 4}, {"memory": 0.5})
    text, _ = Exposition(lambda: snapshot).write("")
    return {
        family.name: {tuple(each.labels.values()): each.value for each in family.samples}
        for family in parse(text.decode())
    }


@pytest.mark.parametrize("entry", CATALOGUE, ids=lambda entry: entry.name)
def test_names_keep_the_conventions(entry: Entry) -> None:
    assert re.fullmatch(r"(msrprelay|process)(_[a-z]+)+", entry.name)
    assert not entry.name.endswith(("_total", "_count", "_sum", "_bucket", "_created"))
    assert entry.sample.endswith("_total") is (entry.kind == "counter")
    assert not {"call_id", "tag", "peer", "session"} & set(entry.labels)
    assert entry.what.endswith(".")


def test_names_are_given_once() -> None:
    assert len({entry.name for entry in CATALOGUE}) == len(CATALOGUE)


def test_what_has_not_happened_yet_is_0_where_it_has_no_labels() -> None:
    metrics = told()
    assert metrics["msrprelay_panics"] == {(): 0}
    assert metrics["msrprelay_calls_started"] == {(): 0}
    assert metrics["msrprelay_calls_ended"] == {}


def test_without_a_keeper_nothing_is_said_of_restarts() -> None:
    assert told()["msrprelay_process_restarts"] == {}
    assert told(processes={"restarts": 2})["msrprelay_process_restarts"] == {(): 2}


def test_outcomes_may_have_spaces_and_hyphens() -> None:
    assert told(commands={"offer-load limit": 2})["msrprelay_commands"] == {
        ("offer", "load limit"): 2
    }


def test_no_command_has_a_hyphen() -> None:
    assert not any("-" in name for name in JSON_RPC)


def test_hooks_are_told_apart() -> None:
    counts = {"webhook": {"posted": 3}, "kamailio": {"dropped": 1, "failed": 5}}
    assert told(webhooks=counts)["msrprelay_webhook_events"] == {
        ("webhook", "posted"): 3,
        ("kamailio", "dropped"): 1,
        ("kamailio", "failed"): 5,
    }


def test_interfaces_of_one_name_and_address_are_told_together() -> None:
    """They differ by what is advertised. Prometheus takes no series twice."""
    other = {**PORTS, "address": "192.0.2.2", "in-use": 20}
    sessions = {**QUIET["sessions"], "ports": [PORTS, PORTS, other]}
    assert told(sessions=sessions)["msrprelay_ports"] == {
        ("192.0.2.1", "pub", "in_use"): 6,
        ("192.0.2.1", "pub", "quarantined"): 4,
        ("192.0.2.1", "pub", "free"): 10,
        ("192.0.2.2", "pub", "in_use"): 20,
        ("192.0.2.2", "pub", "quarantined"): 2,
        ("192.0.2.2", "pub", "free"): 0,
    }


def test_names_of_interfaces_are_escaped() -> None:
    name = 'a "b" \\ \n{c="d"}'
    sessions = {**QUIET["sessions"], "ports": [{**PORTS, "interface": name}]}
    assert {labels[1] for labels in told(sessions=sessions)["msrprelay_ports"]} == {name}


def test_nothing_is_looked_at_before_it_is_scraped() -> None:
    looks: list[int] = []

    def take() -> Snapshot:
        looks.append(1)
        return Snapshot("1", 0, QUIET, {}, {})

    exposition = Exposition(take)
    assert looks == []
    exposition.write("")
    assert looks == [1]


@given(st.text() | st.from_regex(r"(application/openmetrics-text|text/plain);version=.*"))
def test_any_header_is_answered_in_a_format_there_is(accept: str) -> None:
    _, kind = negotiated(accept)
    assert kind.startswith(("text/plain; version=", "application/openmetrics-text; version="))
    assert kind.isascii()
    assert kind.isprintable()
