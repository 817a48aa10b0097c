"""What Prometheus scrapes: the numbers of ``statistics``, read by Prometheus' own parsers."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from itertools import count, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families as plain

from msrprelay.metrics.catalogue import CATALOGUE
from msrprelay.metrics.exposition import Exposition
from msrprelay.metrics.snapshot import Snapshot

from ..chaos.relay import wait_until
from ..conformance.cases.a_framer import goes_on
from ..conformance.relay import NgRelay
from ..peers.daemon import HOST, Daemon, free_range
from ..peers.ng import Refused
from ..survival.daemon import KeptDaemon
from ..survival.kept import end

# A sample's name, and its labels in the order of their names.
Series = tuple[str, tuple[tuple[str, str], ...]]
# Of `statistics`: what is counted only once it has happened.
HAPPENED = {
    "processes": ["restarts", "upgrades", "failed-upgrades"],
    "sessions": ["calls-begun", "ended-deleted", "refused-cpu", "refused-not_sdp"],
    "engine": ["refused-half-open", "closed-hangup"],
    "commands": ["offer-load limit", "unrecognized-error"],
    "ng": ["no-cookie"],
    "jsonrpc": ["-32600"],
}
# What is told as a sum, as the time of the start, or (a pid) not at all.
TOLD_OTHERWISE = [
    ("uptime",),
    ("processes", "relay"),
    ("sessions", "sessions"),
    ("sessions", "ports", 0, "ports"),
    ("engine", "closed"),
]
COUNTERS = {entry.sample for entry in CATALOGUE if entry.kind == "counter"}


class Page(NamedTuple):
    """An answer over HTTP."""

    status: int
    kind: str
    body: str


def get(port: int, *, accept: str = "*/*", method: str = "GET") -> Page:
    """Ask for the metrics."""
    request = urllib.request.Request(
        f"http://{HOST}:{port}/metrics", headers={"Accept": accept}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as page:
            return Page(page.status, page.headers["Content-Type"], page.read().decode())
    except urllib.error.HTTPError as refused:
        with refused:
            return Page(refused.code, "", "")


def scrape(port: int) -> dict[Series, float]:
    """Every series, once."""
    found = [
        ((sample.name, tuple(sorted(sample.labels.items()))), sample.value)
        for family in plain(get(port).body)
        for sample in family.samples
    ]
    assert len(found) == len(dict(found))
    return dict(found)


def both(daemon: Daemon, port: int) -> tuple[dict[Series, float], dict[str, Any]]:
    """Metrics and statistics of one moment: the engine has counted all that has happened."""
    engine, statistics = None, daemon.ask("statistics")
    while engine != statistics["engine"]:
        engine, told, statistics = statistics["engine"], scrape(port), daemon.ask("statistics")
    return told, statistics


def by_label(series: dict[Series, float], name: str) -> dict[str, float]:
    """The values of a metric with one label, by that."""
    return {labels[0][1]: n for (each, labels), n in series.items() if each == name}


def one(series: dict[Series, float], name: str, **labels: str) -> float:
    """One value."""
    return series[name, tuple(sorted(labels.items()))]


def prefixed(figures: dict[str, Any], prefix: str) -> dict[str, float]:
    """The figures whose names begin so, by the rest."""
    return {key.removeprefix(prefix): n for key, n in figures.items() if key.startswith(prefix)}


@pytest.fixture
def http() -> int:
    return free_range(1)


@pytest.fixture
def daemon(http: int) -> Iterator[Daemon]:
    with Daemon(options=[f"--listen-http={HOST}:{http}"]) as daemon:
        yield daemon


def test_the_metrics_are_the_statistics(daemon: Daemon, http: int) -> None:
    with NgRelay(daemon.ng_address).call("aware") as call:
        a, b = call.join()
        goes_on(a, b)
        with pytest.raises(Refused):
            daemon.ask("query", {"call-id": "nobody's"})
        told, statistics = both(daemon, http)
    sessions, engine = statistics["sessions"], statistics["engine"]
    assert one(told, "msrprelay_calls") == sessions["calls"] == 1
    assert one(told, "msrprelay_calls_started_total") == sessions["calls-begun"]
    assert by_label(told, "msrprelay_sessions") == {"joined": 1, "waiting": 0}
    assert one(told, "msrprelay_sessions_max") == sessions["sessions-max"]
    assert one(told, "msrprelay_received_bytes_total") == engine["bytes-in"] > 0
    assert one(told, "msrprelay_sent_bytes_total") == engine["bytes-out"] > 0
    assert one(told, "msrprelay_chunks_total") == engine["chunks"] > 0
    assert one(told, "msrprelay_connections_accepted_total") == engine["accepted"]
    assert by_label(told, "msrprelay_connections_refused_total") == prefixed(engine, "refused-")
    (ports,) = sessions["ports"]
    where = {"interface": ports["interface"], "address": ports["address"]}
    assert {
        state: one(told, "msrprelay_ports", state=state, **where)
        for state in ("in_use", "quarantined", "free")
    } == {
        "in_use": ports["in-use"],
        "quarantined": ports["quarantined"],
        "free": ports["ports"] - ports["in-use"] - ports["quarantined"],
    }
    assert {
        f"{dict(labels)['command']}-{dict(labels)['outcome']}": n
        for (name, labels), n in told.items()
        if name == "msrprelay_commands_total"
    } == statistics["commands"]
    assert one(told, "msrprelay_commands_total", command="query", outcome="error") == 1
    assert one(told, "msrprelay_reply_cache_bytes") > 0
    assert 0 < one(told, "msrprelay_load_ratio", resource="memory") < 1
    assert one(told, "process_resident_memory_bytes") > 1 << 20


def test_every_number_of_the_statistics_is_a_metric(daemon: Daemon) -> None:
    """Each is made another one, which must be found again: a new figure needs a metric."""
    statistics = daemon.ask("statistics")
    for part, names in HAPPENED.items():
        statistics[part].update(dict.fromkeys(names, 0))
    statistics["webhooks"] = {"webhook": {"posted": 0}}
    rtpengine = statistics.pop("statistics")
    numbers = dict(renumbered(statistics))
    snapshot = Snapshot("1", 0, {**statistics, "statistics": rtpengine}, {}, {})
    text, _ = Exposition(lambda: snapshot).write("")
    seen = {sample.value for family in plain(text.decode()) for sample in family.samples}
    missing = [where for n, where in numbers.items() if n not in seen]
    assert sorted(missing, key=str) == sorted(TOLD_OTHERWISE, key=str)


def renumbered(tree: Any) -> Iterator[tuple[int, tuple[str | int, ...]]]:
    """Give every number in it another value; where each of these is."""
    numbers = count(1_000_003, 1_000_003)

    def walk(
        node: Any, where: tuple[str | int, ...]
    ) -> Iterator[tuple[int, tuple[str | int, ...]]]:
        for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
            if isinstance(value, dict | list):
                yield from walk(value, (*where, key))
            elif isinstance(value, int):
                node[key] = next(numbers)
                yield node[key], (*where, key)

    return walk(tree, ())


def test_counters_never_go_backwards_over_a_call(daemon: Daemon, http: int) -> None:
    """And no series of one goes away."""
    scrapes = [scrape(http)]
    with NgRelay(daemon.ng_address).call("aware") as call:
        scrapes.append(scrape(http))
        a, b = call.join()
        scrapes.append(scrape(http))
        goes_on(a, b)
        scrapes.append(scrape(http))
        call.reoffer()
        call.answer()
        goes_on(a, b)
        scrapes.append(scrape(http))
    wait_until("closed", lambda: daemon.statistic("engine", "closed") == 1)
    scrapes.append(scrape(http))
    for before, after in pairwise(scrapes):
        fallen = {
            series: (n, after.get(series))
            for series, n in before.items()
            if series[0] in COUNTERS and after.get(series, -1) < n
        }
        assert fallen == {}
    assert sum(by_label(scrapes[-1], "msrprelay_sessions_closed_total").values()) == 1
    assert sum(by_label(scrapes[-1], "msrprelay_calls_ended_total").values()) == 1
    assert one(scrapes[-1], "msrprelay_calls") == 0


def test_every_metric_is_in_the_catalogue_with_its_type_and_meaning(
    daemon: Daemon, http: int
) -> None:
    told = {family.name: (family.type, family.documentation) for family in plain(get(http).body)}
    assert told == {entry.name: (entry.kind, entry.what) for entry in CATALOGUE}


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("*/*", "text/plain; version=0.0.4"),
        ("text/plain;version=0.0.4;q=0.2", "text/plain; version=0.0.4"),
        ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", "application/openmetrics"),
        ("application/openmetrics-text;version=é", "text/plain; version=0.0.4"),
        ("image/png", "text/plain; version=0.0.4"),
    ],
    ids=["anything", "plain", "openmetrics", "garbled", "something-else"],
)
def test_the_format_is_as_asked(daemon: Daemon, http: int, accept: str, kind: str) -> None:
    page = get(http, accept=accept.encode().decode("latin-1"))
    assert page.kind.startswith(kind)
    families = (open_metrics if "openmetrics" in kind else plain)(page.body)
    assert {family.name for family in families} == {entry.name for entry in CATALOGUE}


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("POST", 405), ("PUT", 405), ("DELETE", 405)]
)
def test_nothing_but_get_and_head(daemon: Daemon, http: int, method: str, status: int) -> None:
    page = get(http, method=method)
    assert (page.status, page.body) == (status, "")


def test_strangers_cannot_make_it_grow(daemon: Daemon, http: int) -> None:
    before = len(scrape(http))
    for number in range(200):
        with pytest.raises(Refused):
            daemon.ask(f"strange-{number}", {"call-id": f"call-{number}"})
    after = scrape(http)
    assert len(after) == before + 1
    assert one(after, "msrprelay_commands_total", command="unrecognized", outcome="error") == 200
    assert len(get(http).body) < 1 << 14


def test_a_successor_counts_anew_and_says_that_it_is_one(tmp_path: Path, http: int) -> None:
    with KeptDaemon(tmp_path, f"--listen-http={HOST}:{http}") as daemon:
        before = scrape(http)
        assert one(before, "msrprelay_process_restarts_total") == 0
        with NgRelay(daemon.ng_address).call("aware") as call:
            a, b = call.join()
            assert one(scrape(http), "msrprelay_calls_started_total") == 1
            end(daemon.relay)
            goes_on(a, b)
            after = scrape(http)
        assert one(after, "msrprelay_process_restarts_total") == 1
        assert one(after, "msrprelay_calls") == 1
        assert one(after, "msrprelay_calls_started_total") == 0
        assert one(after, "msrprelay_sessions_resumed_total") == 1
        assert one(after, "process_start_time_seconds") > one(before, "process_start_time_seconds")
