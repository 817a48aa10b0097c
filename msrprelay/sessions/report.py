# cython: annotation_typing=False
"""A call as ``query`` and ``delete`` tell it: rtpengine's layout, our detail under ``msrp``."""

from __future__ import annotations

from ..dataplane import Filled, Layout
from ..offer_answer import other
from ..words import Side
from .branch import Branch
from .call import Call
from .closed import Relayed, Report
from .legs import SIDES
from .section import Section

# A section with its branch (None: it has left the call) and the engine's report.
Entry = tuple[Branch | None, Section, Report]
ANY_TAGS = (None, None)
NO_TOTALS = {"bytes": 0, "packets": 0, "errors": 0}
TAG = Layout(
    {
        "tag": ...,
        "created": ...,
        "medias": ...,
        "in dialogue with": ...,
        "label": ...,
    }
)
MEDIA = Layout(
    {
        "index": ...,
        "type": "message",
        "protocol": "TCP/MSRP",
        "flags": [],
        "streams": [
            {
                "local port": ...,
                "local address": ...,
                "family": ...,
                "advertised endpoint": {"family": ..., "address": ..., "port": ...},
                "stats": {"bytes": ..., "packets": ..., "errors": ...},
                "flags": [],
                "endpoint": ...,
            }
        ],
    }
)
ENDPOINT = Layout({"family": ..., "address": ..., "port": ...})
DETAIL = Layout(
    {
        "section": ...,
        "branch": ...,
        "policy": ...,
        "state": ...,
        "paused": ...,
        "reason": ...,
        "sentence": ...,
        "legs": ...,
        "events": ...,
    }
)


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


def _detail(call: Call, branch: Branch | None, section: Section, report: Report) -> Filled:
    names = [name for name, each in call.branches.items() if each is branch]
    return DETAIL(
        section.index,
        (names[0] if names else None) or "",
        section.policy,
        report["state"],
        section.paused,
        report["reason"],
        report["sentence"],
        report["legs"],
        section.session.events(),
    )


def _tags(call: Call, branches: list[Branch], entries: list[Entry]) -> dict[str, object]:
    """Each party with what it has in all branches: forks share the caller."""
    medias: dict[str, list[Filled]] = {}
    partners: dict[str, str] = {}
    for branch in branches:
        mine = [(section, report) for owner, section, report in entries if owner is branch]
        shown = branch.negotiation().tags()
        for tag, side in shown.items():
            told = medias.setdefault(tag, [])
            for section, report in mine:
                told.append(_media(section, report, side))
            for name, at in shown.items():
                if at != side:
                    partners[tag] = name
    created = int(call.created)
    return {
        tag: TAG(tag, created, told, partners.get(tag), call.labels.get(tag))
        for tag, told in medias.items()
    }


def _media(section: Section, report: Report, side: Side) -> Filled:
    leg, partner = section.legs[side], section.legs[other(side)]
    told = report["legs"][SIDES.index(side)]
    family = "IPv4" if leg.interface.family == "IP4" else "IPv6"
    peer = told["peer-address"]
    return MEDIA(
        section.index + 1,
        leg.port,
        leg.interface.host,
        family,
        family,
        partner.host,
        partner.port,
        told["bytes-in"],
        told["chunks"],
        int(told["reason"] in ("reset", "malformed")),
        ENDPOINT(family, peer, told["peer-port"]) if peer else None,
    )
