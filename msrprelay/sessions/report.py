# cython: annotation_typing=False
"""A call as ``query`` and ``delete`` tell it: rtpengine's layout, our detail under ``msrp``."""

from __future__ import annotations

from ..offer_answer import Side, other
from .branch import Branch
from .call import Call
from .closed import Relayed, Report
from .legs import SIDES
from .section import Section

# A section with its branch (None: it has left the call) and the engine's report.
Entry = tuple[Branch | None, Section, Report]
ANY_TAGS = (None, None)
NO_TOTALS = {"bytes": 0, "packets": 0, "errors": 0}


def describe(call: Call, asked: tuple[str | None, str | None] = ANY_TAGS) -> dict[str, object]:
    """Everything about a call, or about the branches that know the tags ``asked`` for.

    Kamailio's statistics need ``totals`` as it is spelled here.
    """
    branches = [branch for branch in call.branches.values() if _knows(branch, asked)]
    entries: list[Entry] = [
        (branch, section, section.session.report())
        for branch in branches
        for _, section in sorted(branch.sections.items())
    ]
    entries += [(None, section, section.session.report()) for section in call.past]
    reply: dict[str, object] = {
        "created": int(call.created),
        "created_us": int(call.created * 1_000_000) % 1_000_000,
        "last signal": int(call.signalled),
        "tags": _tags(call, branches, entries),
        "totals": {"RTP": _totals(entries), "RTCP": NO_TOTALS},
        "SSRC": {},
        "msrp": {
            "sessions": [
                _detail(call, branch, section, report) for branch, section, report in entries
            ]
        },
    }
    if call.metadata is not None:
        reply["metadata"] = call.metadata
    if call.over is not None:
        reply["ended"] = call.over
    return reply


def _knows(branch: Branch, asked: tuple[str | None, str | None]) -> bool:
    shown = branch.negotiation().tags()
    return all(tag is None or tag in shown for tag in asked)


def _totals(entries: list[Entry]) -> dict[str, object]:
    total = Relayed()
    for _, section, report in entries:
        total.add(report)
        total.octets += section.earlier.octets
        total.chunks += section.earlier.chunks
        total.errors += section.earlier.errors
    return {"bytes": total.octets, "packets": total.chunks, "errors": total.errors}


def _detail(
    call: Call, branch: Branch | None, section: Section, report: Report
) -> dict[str, object]:
    names = [name for name, each in call.branches.items() if each is branch]
    return {
        "section": section.index,
        "branch": (names[0] if names else None) or "",
        "policy": section.policy,
        "state": report["state"],
        "paused": section.paused,
        "reason": report["reason"],
        "sentence": report["sentence"],
        "legs": report["legs"],
        "events": section.session.events(),
    }


def _tags(call: Call, branches: list[Branch], entries: list[Entry]) -> dict[str, object]:
    tags: dict[str, object] = {}
    for branch in branches:
        mine = [(section, report) for owner, section, report in entries if owner is branch]
        shown = branch.negotiation().tags()
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
    leg, partner = section.legs[side], section.legs[other(side)]
    told = report["legs"][SIDES.index(side)]
    family = "IPv4" if leg.interface.family == "IP4" else "IPv6"
    stream: dict[str, object] = {
        "local port": leg.port,
        "local address": leg.interface.host,
        "family": family,
        "advertised endpoint": {
            "family": family,
            "address": partner.host,
            "port": partner.port,
        },
        "stats": {
            "bytes": told["bytes-in"],
            "packets": told["chunks"],
            "errors": int(told["reason"] in ("reset", "malformed")),
        },
        "flags": [],
    }
    if told["peer-address"]:
        stream["endpoint"] = {
            "family": family,
            "address": told["peer-address"],
            "port": told["peer-port"],
        }
    return {
        "index": section.index + 1,
        "type": "message",
        "protocol": "TCP/MSRP",
        "flags": [],
        "streams": [stream],
    }
