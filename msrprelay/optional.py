"""The parts that only some configurations have: ng over HTTP with the metrics, and web hooks.

aiohttp takes a third of a second and 15 MB: it is loaded where it is used, at the start.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from .config import Config
from .events import Feed
from .metrics.snapshot import Snapshot
from .rpc.ng import NgResponder
from .rpc.sockets import Sockets

if TYPE_CHECKING:
    from .metrics.exposition import Exposition
    from .rpc.http import HttpServer
    from .rpc.webhook import Webhook


def http_server(
    responder: NgResponder, config: Config, snapshot: Callable[[], Snapshot], sockets: Sockets
) -> HttpServer | None:
    """The HTTP socket, if there is to be one."""
    if not config.listen_http:
        return None
    exposition: type[Exposition]
    exposition = importlib.import_module("msrprelay.metrics.exposition").Exposition
    http: type[HttpServer] = importlib.import_module("msrprelay.rpc.http").HttpServer
    return http(
        responder,
        longest=config.limits.ng_message,
        most_connections=config.limits.ng_connections,
        metrics=exposition(snapshot).write,
        sockets=sockets,
    )


def webhooks(feed: Feed, config: Config) -> list[Webhook]:
    """The web servers that hear of events, if there are any."""
    if not (config.events.webhook or config.events.kamailio):
        return []
    module = importlib.import_module("msrprelay.rpc.webhook")
    hooks: list[Webhook] = module.webhooks(config.events, feed, most=config.limits.event_queue)
    return hooks
