"""The daemon's configuration: one TOML file, options of the command line over it."""

from .options import Config, EventPosts, Limits, Timers
from .reading import changes, from_plain, limit_rows, load, load_file, plain, reloaded
from .rules import warnings
from .values import HostPort

__all__ = [
    "Config",
    "EventPosts",
    "HostPort",
    "Limits",
    "Timers",
    "changes",
    "from_plain",
    "limit_rows",
    "load",
    "load_file",
    "plain",
    "reloaded",
    "warnings",
]
