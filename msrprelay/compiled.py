"""The hot modules, compiled: one shared library, ``_compiled``, has all of them.

A library each made calls dearer: each reached Python through a table and in pages of its own. See
docs/decisions/0019-one-library.md.

Without the library (a checkout that was not built) their source is what runs.
"""

from __future__ import annotations

import sys
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec, PathFinder
from os.path import dirname, exists, join

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

PACKAGE = "msrprelay"
LIBRARY = "_compiled"
# What a request goes through, by room. No two may have the same last name: by that a library is
# asked for a module.
HOT_MODULES = {
    "": ("chance", "commands", "dataplane", "strain"),
    "loop": ("scheduler", "timers"),
    "net": ("interfaces", "ports", "roles", "uri"),
    "offer_answer": ("changes", "decisions", "negotiation", "saved"),
    "process": ("state",),
    "rpc": ("bencode", "dispatcher", "encoding", "flags", "ng", "reply_cache", "requests"),
    "sdp": ("description", "edit", "head", "lines", "msrp_section", "reading"),
    "sessions": (
        *("admission", "branch", "call", "calls", "closed", "ledger", "legs", "plan"),
        *("report", "rewritten", "section", "session_level", "table", "terms"),
    ),
}


def names() -> list[str]:
    """Their dotted names."""
    return [
        ".".join(filter(None, (PACKAGE, room, name)))
        for room, several in HOT_MODULES.items()
        for name in several
    ]


class CompiledFinder:
    """Finds the hot modules in the library."""

    def __init__(self, library: str) -> None:
        self._library = library
        self._names = frozenset(names())

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """None for what is not in it."""
        if fullname not in self._names:
            return None
        loader = ExtensionFileLoader(fullname, self._library)
        spec = ModuleSpec(fullname, loader, origin=self._library)
        spec.has_location = True
        return spec


def install() -> None:
    """Have the hot modules found in the library, if it is there, before their source."""
    for suffix in EXTENSION_SUFFIXES:
        library = join(dirname(__file__), LIBRARY + suffix)
        if exists(library):
            finder = CompiledFinder(library)
            sys.meta_path.insert(sys.meta_path.index(PathFinder), finder)
            return
