"""The metrics as text: Prometheus' own format, or OpenMetrics where it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import choose_encoder

from .catalogue import CATALOGUE, Entry
from .snapshot import Snapshot


class Exposition:
    """Writes what ``take`` gives. Nothing is counted here, and nothing kept between two scrapes."""

    def __init__(self, take: Callable[[], Snapshot]) -> None:
        self._take = take
        # Of its own: the library's has the process and the interpreter in it, at a price.
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def write(self, accept: str) -> tuple[bytes, str]:
        """The text, and its media type; ``accept`` as in the header of that name."""
        encode, kind = negotiated(accept)
        return encode(self._registry), kind

    def collect(self) -> Iterator[Metric]:
        """For the library: all metrics as of now."""
        snapshot = self._take()
        for entry in CATALOGUE:
            yield family(entry, snapshot)

    def describe(self) -> list[Metric]:
        """For the library: nothing, so that it does not collect when this is registered."""
        return []


def family(entry: Entry, snapshot: Snapshot) -> Metric:
    """One metric with its values."""
    kind = CounterMetricFamily if entry.kind == "counter" else GaugeMetricFamily
    made = kind(entry.name, entry.what, labels=entry.labels)
    for labels, value in entry.read(snapshot):
        made.add_metric(labels, value)
    return made


def negotiated(accept: str) -> tuple[Callable[[CollectorRegistry], bytes], str]:
    """What the library chooses; of a header that it cannot read, what it chooses without one."""
    if accept.isascii() and accept.isprintable():
        try:
            return choose_encoder(accept)
        except (TypeError, ValueError):
            pass
    return choose_encoder("")
