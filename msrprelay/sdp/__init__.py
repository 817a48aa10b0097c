"""Session descriptions, octet for octet: read the MSRP sections, point them at the relay. Pure."""

from __future__ import annotations

from ..errors import SdpError
from .description import MAX_SECTIONS, MAX_SIZE, Description, parse
from .edit import SectionEdit
from .head import HeadEdit, origin_version, with_origin_version
from .msrp_section import Connection, MsrpSection

__all__ = [
    "MAX_SECTIONS",
    "MAX_SIZE",
    "Connection",
    "Description",
    "HeadEdit",
    "MsrpSection",
    "SdpError",
    "SectionEdit",
    "origin_version",
    "parse",
    "with_origin_version",
]
