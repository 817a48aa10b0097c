"""Words that several rooms share, as types."""

from __future__ import annotations

from typing import Literal

# Whose leg it is: the offerer's of the first exchange is a.
Side = Literal["a", "b"]
# How paths are treated (docs/glossary.md); fixed for the life of a section.
Policy = Literal["aware", "cema", "sessmatch"]
# Address families as SDP spells them.
Family = Literal["IP4", "IP6"]
