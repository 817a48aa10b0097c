"""A command group that imports a subcommand only when it is run: ``ping`` must not wait for it."""

from __future__ import annotations

import importlib
import importlib.util
from typing import NamedTuple

import click


class Place(NamedTuple):
    """Where a subcommand is, and the line about it in the group's help."""

    module: str
    name: str
    help: str

    def exists(self) -> bool:
        """Whether the module can be found; imports nothing but its package."""
        try:
            return importlib.util.find_spec(self.module) is not None
        except ModuleNotFoundError:
            return False


class LazyGroup(click.Group):
    """A group over a table of places; one whose module is not installed is not offered."""

    places: dict[str, Place]

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in the order of the table."""
        return [name for name, place in self.places.items() if place.exists()]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the subcommand; None if there is none of that name."""
        place = self.places.get(cmd_name)
        if place is None or not place.exists():
            return None
        command = getattr(importlib.import_module(place.module), place.name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of subcommands, from the table: importing all for one line each is slow."""
        rows = [(name, self.places[name].help) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
