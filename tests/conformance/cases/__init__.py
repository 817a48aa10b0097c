"""Every check, in order of their sections; one file each."""

from __future__ import annotations

from ..registry import CHECKS
from . import (
    a_framer,
    b_paths,
    c_sdp,
    d_roles,
    e_offer_answer,
    f_connections,
    g_security,
    j_profiles,
)

# Importing a section registers its checks.
__all__ = [
    "CHECKS",
    "a_framer",
    "b_paths",
    "c_sdp",
    "d_roles",
    "e_offer_answer",
    "f_connections",
    "g_security",
    "j_profiles",
]
