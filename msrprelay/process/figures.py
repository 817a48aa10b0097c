"""What the relay tells of itself: rtpengine's statistics as far as they fit, and refusals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

Counts = Mapping[str, int]

# Why calls end, in the three sorts that rtpengine tells apart besides its named timeouts.
REGULAR = ("deleted", "rolled-back", "hangup")
FORCED = ("terminated", "drained")
# What is given away up to limits.load.
SHARED = ("sessions", "descriptors", "memory")
NAMED = ("final-timeout", "offer-timeout")


def rtpengine_statistics(
    uptime: int,
    calls: int,
    counts: Counts,
    call_seconds: float,
    engine: Counts,
    commands: Mapping[tuple[str, str], int],
) -> dict[str, object]:
    """rtpengine's ``statistics``: calls, what became of them, bytes and chunks, commands.

    ``counts`` are those of the sessions, ``engine`` those of the engine, ``commands`` by (command,
    result). A chunk counts as a packet.
    """
    ended = {name.removeprefix("ended-"): n for name, n in counts.items() if "ended-" in name}
    lost = sum(n for reason, n in ended.items() if reason not in (*REGULAR, *FORCED, *NAMED))
    total = sum(ended.values())
    return {
        "currentstatistics": {
            "sessionsown": calls,
            "sessionsforeign": 0,
            "sessionstotal": calls,
        },
        "totalstatistics": {
            "uptime": str(uptime),
            "managedsessions": counts.get("calls-begun", 0),
            "rejectedsessions": sum(n for name, n in counts.items() if "refused-" in name),
            "timeoutsessions": lost,
            "silenttimeoutsessions": 0,
            "finaltimeoutsessions": ended.get("final-timeout", 0),
            "offertimeoutsessions": ended.get("offer-timeout", 0),
            "regularterminatedsessions": sum(ended.get(reason, 0) for reason in REGULAR),
            "forcedterminatedsessions": sum(ended.get(reason, 0) for reason in FORCED),
            "relayedpackets": engine.get("chunks", 0),
            "relayedpacketerrors": engine.get("closed-malformed", 0),
            "relayedbytes": engine.get("bytes-in", 0),
            "avgcallduration": f"{call_seconds / total if total else 0:.6f}",
            "totalcallsduration": f"{call_seconds:.6f}",
        },
        "controlstatistics": control_statistics(commands),
    }


def control_statistics(commands: Mapping[tuple[str, str], int]) -> dict[str, object]:
    """How often each command came, and how many were refused."""
    by_name: Counter[str] = Counter()
    for (name, _), n in commands.items():
        by_name[name] += n
    told = ("ping", "offer", "answer", "delete", "query", "list")
    figures: dict[str, object] = {f"total{name}count": by_name[name] for name in told}
    figures["totalerrorcount"] = sum(n for (_, result), n in commands.items() if result == "error")
    return figures


def session_refusals(counts: Counts, engine: Counts) -> dict[str, int]:
    """How often each limit or timer about calls and legs refused something, by its key.

    The budget refuses nothing: it counts the buffers that were made smaller.
    """
    return {
        "limits.buffer-budget": engine.get("buffers-shrunk", 0),
        "limits.cpu": counts.get("refused-cpu", 0),
        "limits.free-memory": counts.get("refused-free-memory", 0),
        "limits.load": sum(counts.get(f"refused-{what}", 0) for what in SHARED),
        "limits.load-emergency": sum(counts.get(f"refused-emergency-{what}", 0) for what in SHARED),
        "limits.offers-per-second": counts.get("refused-offers-per-second", 0),
        "limits.sdp": counts.get("refused-sdp_too_large", 0),
        "limits.sdp-sections": counts.get("refused-too_many_sections", 0),
        "limits.sessions": sum(
            counts.get(f"refused-{kind}{what}", 0)
            for kind in ("", "emergency-")
            for what in ("sessions", "descriptors")
        ),
        "limits.sessions-per-call": counts.get("refused-sessions-per-call", 0),
        "limits.unbound-per-port": engine.get("refused-crowded", 0),
        "limits.half-open": engine.get("refused-half-open", 0),
        "limits.session-bytes": engine.get("closed-byte-limit", 0),
        "timers.gate": engine.get("refused-gate-timeout", 0),
        "timers.join": engine.get("closed-join-timeout", 0) + engine.get("closed-leg-missing", 0),
    }
