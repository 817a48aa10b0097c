"""Events that wait for a web server when the relay process is killed or upgraded."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from ..conformance.relay import NgRelay
from .daemon import KeptDaemon
from .kept import PATIENCE_SECONDS, end


class Site(HTTPServer):
    """A web server that takes nothing until it is open; ``asked`` and ``told`` are its queues."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.asked: queue.Queue[Any] = queue.Queue()
        self.told: queue.Queue[Any] = queue.Queue()
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Site

    def do_POST(self) -> None:
        posted = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        takes = self.server.open.is_set()
        self.send_response(200 if takes else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()
        (self.server.told if takes else self.server.asked).put(posted)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as site:
        thread = threading.Thread(target=site.serve_forever)
        thread.start()
        yield site
        site.shutdown()
        thread.join()


@pytest.mark.parametrize("how", ["killed", "upgraded"])
def test_the_next_process_posts_what_the_last_one_could_not(
    tmp_path: Path, site: Site, how: str
) -> None:
    url = f"events.webhook=http://127.0.0.1:{site.server_port}/"
    options = ("--set", url, "--set", "events.retry=600")
    with (
        KeptDaemon(tmp_path, *options) as daemon,
        NgRelay(daemon.ng_address).call("aware") as call,
    ):
        call.offer()
        assert site.asked.get(timeout=PATIENCE_SECONDS)["event"] == "offered"
        site.open.set()
        if how == "killed":
            end(daemon.relay)
        else:
            assert daemon.ctl("upgrade").returncode == 0
        told = site.told.get(timeout=PATIENCE_SECONDS)
        assert (told["event"], told["call-id"]) == ("offered", call.call_id)
