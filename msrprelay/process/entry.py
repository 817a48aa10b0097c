"""The relay process under a keeper: goes on with what was left, and imports the rest after that.

Run by its path with ``-S`` (see ``keeping.link.keeper_command``): looking for installed packages
takes longer than the engine needs to go on.
"""

from __future__ import annotations

import json
import os
import sys
from types import SimpleNamespace

# Behind the standard library: what stands beside the package must not take its place.
sys.path.append(os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..")))

from msrprelay._native import Relay, __version__
from msrprelay.keeping.link import Link, remembered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from msrprelay.config import Config


def main(arguments: list[str]) -> int:
    """Serve until it is over; gives the exit status."""
    origin = json.loads(arguments[0])
    number = next(each for each in arguments if each.startswith("--keeper="))
    link = Link(int(number.partition("=")[2]), origin)
    begin = take_over if "--successor" in arguments else start
    return begin(link, lambda: read(origin))


def read(origin: dict[str, object]) -> Config:
    """The configuration from where the daemon was told that it is. Raises ConfigError."""
    from pathlib import Path

    from msrprelay.config import load_file

    path, overrides = origin["path"], origin["overrides"]
    assert isinstance(overrides, dict)
    return load_file(None if path is None else Path(str(path)), overrides)


def start(link: Link, reread: Callable[[], Config]) -> int:
    """Be the first, or go on like the one that has died: with the configuration that it had."""
    link.take()
    engine, left = None, None
    # One that has died before it served has not remembered any.
    if "config" in link.inherited:
        left = json.loads(remembered(link.inherited["config"]))
        if left["version"] == __version__:
            engine = adopt(link, SimpleNamespace(**left["engine"]))
    import_packages()
    from msrprelay.config import from_plain

    return serve(reread() if left is None else from_plain(left["config"]), reread, link, engine)


def take_over(link: Link, reread: Callable[[], Config]) -> int:
    """Be the successor of one that works, with the configuration as it is now."""
    import_packages()
    from msrprelay.errors import ConfigError
    from msrprelay.process.optional import load

    try:
        config = reread()
        load(config)
    except ConfigError as error:
        link.refuse(f"configuration refused: {error}")
        return 1
    except ImportError as error:
        link.refuse(f"cannot be loaded: {error}")
        return 1
    link.prepared()
    link.take()
    return serve(config, reread, link, None)


def import_packages() -> None:
    """Import everything: nothing is imported when the relay serves."""
    import site
    from importlib import import_module

    site.main()
    import_module("msrprelay.process.run")


def adopt(link: Link, config: Any) -> Relay | None:
    """The engine, going on with what is held for it; None if that is nothing, or not readable."""
    if not link.engine:
        return None
    try:
        return Relay.adopt(config, link.fileno(), link.engine, link.crashed)
    except ValueError as error:
        from msrprelay.keeping.lines import log

        log("error", "what is held cannot be read, sessions end", reason=str(error))
        link.drop_engine()
        return None


def serve(config: Config, reread: Callable[[], Config], link: Link, engine: Relay | None) -> int:
    """Serve, with the engine that has begun or another one."""
    from msrprelay.log import configure
    from msrprelay.process.run import run
    from msrprelay.process.settings import engine_config

    configure(config.log_level)
    return run(config, reread, link, engine or adopt(link, engine_config(config)))


if __name__ == "__main__":
    try:
        status = main(sys.argv[1:])
    except Exception:
        sys.excepthook(*sys.exc_info())
        # At once: an engine that goes out of scope ends its sessions, and they are for another
        # process. What has failed may be gone by then (an installation under way, say).
        os._exit(1)
    sys.exit(status)
