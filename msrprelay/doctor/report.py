"""The report of one or more files: HTML (one file, no scripts, no links out) or Markdown.

Every text that may come from a packet passes through :func:`_html` or :func:`_markdown`.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from ..printable import printable
from .analysis import Analysis, Diagnosis
from .canvas import style
from .finding import Finding, Severity
from .ladder import build_ladder, draw_svg, draw_text
from .plots import time_sequence
from .questions import Answer, answers
from .text import LONGEST, summary, title

MAX_CASES = 40
"""Calls shown in full; the faulty ones first."""

CSS = """
:root{color-scheme:light dark;--paper:#fff;--ink:#1f2328;--muted:#6b7280;--rule:#e2e5ea;
--card:#f7f8fa;--bad:#c8102e;--note:#2563eb;--good:#047857}
@media (prefers-color-scheme:dark){:root{--paper:#14171c;--ink:#e6e8eb;--muted:#9aa3af;
--rule:#2a2f37;--card:#1b1f26;--bad:#ff6b7d;--note:#7aa2ff;--good:#34d399}}
*{box-sizing:border-box}body{margin:0 auto;max-width:1400px;padding:28px 24px 60px;
background:var(--paper);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
h1{font-size:24px;margin:0 0 4px}h2{font-size:19px;margin:40px 0 10px}
h3{font-size:15px;margin:26px 0 8px;color:var(--muted);font-weight:600}
p{margin:4px 0}.muted{color:var(--muted)}code,.tag{font-family:ui-monospace,"DejaVu Sans Mono",
monospace;font-size:13px}
.finding{border-left:4px solid var(--rule);background:var(--card);padding:12px 16px;margin:10px 0;
border-radius:0 6px 6px 0;overflow-wrap:anywhere}
.finding.error{border-color:var(--bad)}.finding.warning{border-color:#b45309}
.finding.note{border-color:var(--note)}
.finding.follows{margin-left:28px;padding:8px 14px}.finding h4{margin:0 0 4px;font-size:15px}
.finding.error .tag{color:var(--bad)}.finding.note .tag{color:var(--note)}
.remedy{margin-top:8px}.state{font-weight:600}.state.bad{color:var(--bad)}
.state.good{color:var(--good)}
.scroll{overflow-x:auto;border:1px solid var(--rule);border-radius:6px;margin:6px 0;padding:6px}
details{margin:12px 0}summary{cursor:pointer;color:var(--muted)}
dl{margin:0}dt{font-weight:600;margin-top:14px}dd{margin:2px 0 0 0;overflow-wrap:anywhere}
.proof{color:var(--muted);font-size:14px}svg{display:block}
"""


def write_report(path: Path, analyses: list[Analysis]) -> None:
    """Write ``path``: Markdown if it ends in ``.md``, else HTML."""
    text = markdown(analyses) if path.suffix.lower() == ".md" else html(analyses)
    path.write_text(text, encoding="utf-8")


def html(analyses: list[Analysis]) -> str:
    """One page for all files."""
    body = "".join(_html_file(analysis) for analysis in analyses)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">"
        f"<title>msrprelay doctor</title><style>{CSS}{style()}</style></head>"
        f"<body>{body}</body></html>\n"
    )


def _html(text: str) -> str:
    return escape(printable(text, LONGEST), quote=True)


def _html_file(analysis: Analysis) -> str:
    state = f'<span class="state {"good" if analysis.healthy else "bad"}">{_state(analysis)}</span>'
    parts = [
        f"<h1>{_html(Path(analysis.file).name)}</h1>",
        f'<p class="muted">{_html(summary(analysis))}</p><p>{state}</p>',
    ]
    if analysis.doubt is not None:
        parts.append(f'<p class="state bad">{_html(analysis.doubt)}</p>')
    parts += [_html_case(diagnosis) for diagnosis in _shown(analysis)]
    return "".join(parts)


def _state(analysis: Analysis) -> str:
    if analysis.healthy:
        return "healthy"
    return "faulty" if analysis.faulty else "not judged whole"


def _shown(analysis: Analysis) -> list[Diagnosis]:
    return sorted(analysis.diagnoses, key=lambda diagnosis: diagnosis.healthy)[:MAX_CASES]


def _html_case(diagnosis: Diagnosis) -> str:
    case = diagnosis.case
    marked = frozenset(
        number
        for found in diagnosis.findings
        if found.severity is Severity.ERROR
        for number in found.packets
    )
    causes, others = split(diagnosis.findings)
    parts = [f"<h2>{_html(title(diagnosis))}</h2>"]
    parts += [_html_finding(found) for found in causes]
    if not causes:
        parts.append('<p class="muted">Nothing is wrong with this call.</p>')
    if others:
        inner = "".join(_html_finding(found) for found in others)
        parts.append(f"<details><summary>{_counted(others)}</summary>{inner}</details>")
    if replies := answers(diagnosis):
        parts.append("<h3>Questions</h3><dl>" + "".join(map(_html_answer, replies)) + "</dl>")
    if case.dialogs or case.links:
        ladder = draw_svg(build_ladder(case), marked).markup()
        parts.append(f'<h3>Ladder</h3><div class="scroll">{ladder}</div>')
    for link in case.links:
        plot = time_sequence(link, case).markup()
        parts.append(
            f'<h3>Time and sequence: {_html(str(link.tcp))}</h3><div class="scroll">{plot}</div>'
        )
    return "".join(parts)


def split(findings: list[Finding]) -> tuple[list[Finding], list[Finding]]:
    """(causes, what follows from them and notes)."""
    causes = [f for f in findings if f.follows is None and f.severity is not Severity.NOTE]
    return causes, [f for f in findings if f not in causes]


def _counted(findings: list[Finding]) -> str:
    """What a closed list holds."""
    follows = sum(f.follows is not None for f in findings)
    notes = len(findings) - follows
    parts = [f"{follows} more that follow from it"] if follows else []
    parts += [f"{notes} note{'s' * (notes != 1)}"] if notes else []
    return ", ".join(parts)


def _html_finding(found: Finding) -> str:
    follows = f" follows from {found.follows}" if found.follows else ""
    where = _where(found)
    remedy = (
        ""
        if found.follows or found.severity is Severity.NOTE
        else f'<p class="remedy"><b>Remedy.</b> {_html(found.remedy)}</p>'
    )
    return (
        f'<div class="finding {found.severity.value}{" follows" * bool(found.follows)}">'
        f'<h4><span class="tag">{found.severity.value} {_html(found.rule)}</span> '
        f'{_html(found.title)}<span class="muted">{_html(follows)}</span></h4>'
        f"<p>{_html(found.verdict)}</p>"
        f'<p class="muted">{_html(where)}</p>{remedy}</div>'
    )


def _where(found: Finding) -> str:
    many = "s" * (len(found.packets) != 1)
    return f"packet{many} {', '.join(map(str, found.packets))}" if found.packets else ""


def _html_answer(answer: Answer) -> str:
    return (
        f"<dt>{_html(answer.question)}</dt><dd>{_html(answer.answer)}</dd>"
        f'<dd class="proof">{_html(answer.proof)}</dd>'
    )


SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~&])")


def _markdown(text: str) -> str:
    return SPECIAL.sub(r"\\\1", printable(text, LONGEST))


def markdown(analyses: list[Analysis]) -> str:
    """One document for all files."""
    return "\n".join(_markdown_file(analysis) for analysis in analyses)


def _markdown_file(analysis: Analysis) -> str:
    lines = [
        f"# {_markdown(Path(analysis.file).name)}",
        "",
        _markdown(summary(analysis)),
        "",
        f"**{_state(analysis)}**",
        "",
    ]
    if analysis.doubt is not None:
        lines += [f"**{_markdown(analysis.doubt)}**", ""]
    for diagnosis in _shown(analysis):
        lines += _markdown_case(diagnosis)
    return "\n".join(lines)


def _markdown_case(diagnosis: Diagnosis) -> list[str]:
    case = diagnosis.case
    lines = [f"## {_markdown(title(diagnosis))}", ""]
    for found in diagnosis.findings:
        lines += markdown_finding(found)
    if replies := answers(diagnosis):
        lines += ["### Questions", ""]
        for answer in replies:
            lines += [
                f"**{_markdown(answer.question)}** {_markdown(answer.answer)}",
                "",
                f"*{_markdown(answer.proof)}*",
                "",
            ]
    if case.dialogs or case.links:
        lines += ["### Ladder", "", *_fenced(draw_text(build_ladder(case))), ""]
    for link in case.links:
        lines += [f"### Time and sequence: {_markdown(str(link.tcp))}", ""]
        lines += [time_sequence(link, case).markup(lone=True), ""]
    return lines


def markdown_finding(found: Finding) -> list[str]:
    """One finding as a list item."""
    follows = f" (follows from {found.follows})" if found.follows else ""
    where = f" ({_where(found)})" if found.packets else ""
    remedy = "" if found.follows or found.severity is Severity.NOTE else f" *{found.remedy}*"
    return [
        f"- **{found.severity.value} {found.rule}** {_markdown(found.title)}{follows}: "
        f"{_markdown(found.verdict)}{where}{remedy}",
        "",
    ]


def _fenced(text: str) -> list[str]:
    """A code block whose fence is longer than any run of backticks inside."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return [fence + "text", text.rstrip("\n"), fence]
