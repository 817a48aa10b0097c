"""The parts that only some configurations have: ng over HTTP with the metrics, and web hooks.

aiohttp takes a third of a second and 15 MB: it is loaded where it is used, at the start.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..config import Config
from ..events import Feed
from ..journal import Journal
from ..metrics.snapshot import Snapshot
from ..rpc.ng import NgResponder
from ..rpc.sockets import Sockets

if TYPE_CHECKING:
    from ..metrics.exposition import Exposition
    from ..rpc.http import HttpServer
    from ..rpc.webhook import Webhook

HTTP = ("msrprelay.metrics.exposition", "msrprelay.rpc.http")
WEBHOOK = "msrprelay.rpc.webhook"


def load(config: Config) -> None:
    """Import what this configuration needs. Raises ImportError."""
    for module in HTTP if config.listen_http else ():
        importlib.import_module(module)
    if config.events.webhook or config.events.kamailio:
        importlib.import_module(WEBHOOK)


def http_server(
    responder: NgResponder, config: Config, snapshot: Callable[[], Snapshot], sockets: Sockets
) -> HttpServer | None:
    """The HTTP socket, if there is to be one."""
    if not config.listen_http:
        return None
    metrics, http = map(importlib.import_module, HTTP)
    exposition: type[Exposition] = metrics.Exposition
    server: type[HttpServer] = http.HttpServer
    return server(
        responder,
        longest=config.limits.ng_message,
        most_connections=config.limits.ng_connections,
        metrics=exposition(snapshot).write,
        sockets=sockets,
    )


def webhooks(feed: Feed, config: Config, journal: Journal | None) -> dict[str, Webhook]:
    """The web servers that hear of events, if there are any, by their key under ``[events]``."""
    if not (config.events.webhook or config.events.kamailio):
        return {}
    module = importlib.import_module(WEBHOOK)
    most = config.limits.event_queue
    hooks: dict[str, Webhook] = module.webhooks(config.events, feed, most=most, journal=journal)
    return hooks
