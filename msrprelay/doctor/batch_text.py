"""The sum of a batch, for the terminal and for programs."""

from __future__ import annotations

import json
from collections import Counter

from ..printable import printable
from . import histogram
from .batch import Batch, Loss

SHOWN_FILES = 10
"""Names of files that were not judged whole, or not at all."""


def as_json(batch: Batch) -> str:
    """One line: counts, outcomes, pattern, loss."""
    pattern, loss = batch.pattern, batch.loss
    return json.dumps(
        {
            "files": batch.files,
            "calls": len(batch.outcomes),
            "ended": dict(Counter(o.ended for o in batch.outcomes)),
            "findings": dict(batch.findings),
            "skipped": [printable(name) for name in batch.skipped],
            "unreadable": [printable(text) for text in batch.unreadable],
            "interrupted_seconds": [round(seconds, 3) for seconds in batch.interrupted],
            "pattern": None
            if pattern is None
            else {
                "timer": pattern.timer,
                "interval": pattern.interval,
                "peaks": [list(peak) for peak in pattern.peaks],
                "first_keepalive": pattern.first_keepalive,
                "sentence": pattern.sentence(),
            },
            "loss": None if loss is None else loss._asdict(),
        }
    )


def as_text(batch: Batch) -> str:
    """Outcomes, findings by rule, the histogram, the pattern and the loss."""
    lines = [
        f"{batch.files} files, {len(batch.outcomes)} SIP dialogs, {batch.faulty} files with errors"
    ]
    for ended, count in Counter(o.ended for o in batch.outcomes).most_common():
        lines.append(f"  {count:>7} {ended}{_median(batch, ended)}")
    if batch.findings:
        lines.append("files with a finding, by rule:")
        ranked = sorted(batch.findings.items(), key=lambda row: (-row[1], row[0]))
        lines += [f"  {count:>7} {rule}" for rule, count in ranked]
    for damage in batch.unreadable[:SHOWN_FILES]:
        lines.append(f"not judged whole: {printable(damage)}")
    if batch.skipped:
        lines.append(_skipped(batch.skipped))
    if batch.interrupted:
        lines += ["", "interrupted calls by duration:", histogram.as_text(batch)]
    if batch.pattern is not None:
        lines.append(batch.pattern.sentence())
    if batch.loss is not None and batch.loss.lost:
        lines.append(_loss(batch.loss))
    return "\n".join(lines)


def _skipped(names: list[str]) -> str:
    shown = [printable(name) for name in names[:SHOWN_FILES]]
    more = ", …" if len(names) > len(shown) else ""
    return f"skipped {len(names)}, by name no captures: {', '.join(shown)}{more}"


def _median(batch: Batch, ended: str) -> str:
    seconds = sorted(
        o.seconds for o in batch.outcomes if o.ended == ended and o.seconds is not None
    )
    return f" (median {seconds[len(seconds) // 2]:.0f} s)" if seconds else ""


def _loss(loss: Loss) -> str:
    hour = 1 - (1 - loss.estimate) ** 112
    return (
        f"Loss of a final: {loss.lost} of {loss.finals} = {loss.estimate:.2%} (95 % interval "
        f"{loss.low:.2%} to {loss.high:.2%}). A call of 60 minutes has about 112 keep-alives of "
        f"32 s and is cut with probability {hour:.0%}."
    )
