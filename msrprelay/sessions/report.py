"""A call as ``query`` and ``delete`` tell it: rtpengine's layout, our detail under ``msrp``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..offer_answer import Side, other
from .branch import Branch
from .call import Call
from .legs import SIDES
from .section import Section

Report = Mapping[str, Any]
# A section with its branch (None: it has left the call) and the engine's report.
Entry = tuple[Branch | None, Section, Report]


def describe(call: Call) -> dict[str, object]:
    """Everything about a call. Kamailio's statistics need ``totals`` as it is spelled here."""
    sections = [
        (branch, section) for branch in call.branches.values() for section in _all(branch)
    ] + [(None, section) for section in call.past]
    reports = [(branch, section, section.session.report()) for branch, section in sections]
    legs = [leg for *_, report in reports for leg in report["legs"]]
    reply: dict[str, object] = {
        "created": int(call.created),
        "created_us": int(call.created * 1_000_000) % 1_000_000,
        "tags": _tags(call, reports),
        "totals": {
            "RTP": {
                "bytes": sum(leg["bytes-in"] for leg in legs),
                "packets": sum(leg["chunks"] for leg in legs),
                "errors": sum(leg["reason"] in ("reset", "malformed") for leg in legs),
            },
            "RTCP": {"bytes": 0, "packets": 0, "errors": 0},
        },
        "SSRC": {},
        "msrp": {"sessions": [_detail(call, *entry) for entry in reports]},
    }
    if call.ended is not None:
        reply["ended"] = call.ended
    return reply


def _all(branch: Branch) -> list[Section]:
    return [section for _, section in sorted(branch.sections.items())]


def _detail(
    call: Call, branch: Branch | None, section: Section, report: Report
) -> dict[str, object]:
    names = [name for name, each in call.branches.items() if each is branch]
    return {
        "section": section.index,
        "branch": (names[0] if names else None) or "",
        "policy": section.policy,
        "state": report["state"],
        "reason": report["reason"],
        "sentence": report["sentence"],
        "legs": report["legs"],
        "events": [
            {"at": at, "side": side, "what": what, "n": n}
            for at, side, what, n in section.session.events()
        ],
    }


def _tags(
    call: Call, reports: Sequence[tuple[Branch | None, Section, Report]]
) -> dict[str, object]:
    tags: dict[str, object] = {}
    for branch in call.branches.values():
        mine = [(section, report) for owner, section, report in reports if owner is branch]
        shown = branch.negotiation.tags()
        for tag, side in shown.items():
            partner = [name for name, at in shown.items() if at != side]
            entry: dict[str, object] = {
                "tag": tag,
                "created": int(call.created),
                "medias": [_media(section, report, side) for section, report in mine],
            }
            if partner:
                entry["in dialogue with"] = partner[-1]
            if tag in call.labels:
                entry["label"] = call.labels[tag]
            tags[tag] = entry
    return tags


def _media(section: Section, report: Report, side: Side) -> dict[str, object]:
    leg = report["legs"][SIDES.index(side)]
    family = "IPv4" if section.legs[side].interface.family == "IP4" else "IPv6"
    stream: dict[str, object] = {
        "local port": leg["local-port"],
        "local address": leg["local-address"],
        "family": family,
        "advertised endpoint": {
            "family": family,
            "address": section.legs[other(side)].host,
            "port": section.legs[other(side)].port,
        },
        "stats": {
            "bytes": leg["bytes-in"],
            "packets": leg["chunks"],
            "errors": int(leg["reason"] in ("reset", "malformed")),
        },
        "flags": [],
    }
    if leg["peer-address"]:
        stream["endpoint"] = {
            "family": family,
            "address": leg["peer-address"],
            "port": leg["peer-port"],
        }
    return {
        "index": section.index + 1,
        "type": "message",
        "protocol": "TCP/MSRP",
        "flags": [],
        "streams": [stream],
    }
