"""An SDP offer, or an offer and its answer, judged without a packet or a relay."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Literal

from ..errors import SdpError
from ..net.roles import Setup, answer_setup, dials, relay_role_answerer, relay_role_offerer
from ..printable import printable
from ..sdp import Description, MsrpSection, SectionEdit, parse
from ..words import Policy
from .rules.addresses import common_type, path_agrees

Speaker = Literal["offer", "answer", "both"]
"""Whose description is meant."""

POLICIES: tuple[Policy, ...] = ("aware", "cema", "sessmatch")
RELAY_HOST, OFFER_PORT, ANSWER_PORT = "192.0.2.10", 30002, 30000
"""The relay of the examples (RFC 5737); ports as it would lease them."""

SESSION_ID = "relay0session0id0000"
LONGEST = 1_000


@dataclass(frozen=True)
class Problem:
    """Why it would fail, and what helps. ``severity`` is ``error`` or ``note``."""

    severity: str
    side: Speaker
    rule: str
    text: str
    remedy: str


@dataclass(frozen=True)
class Lint:
    """Everything said about an offer and its answer."""

    meaning: list[str]
    problems: list[Problem]
    rewrites: dict[str, list[str]] = field(default_factory=dict)

    @property
    def faulty(self) -> bool:
        """Whether anything would keep the chat from working, the relay standing between."""
        return any(problem.severity == "error" for problem in self.problems)


def lint(offer: bytes, answer: bytes | None) -> Lint:
    """Judge; raises SdpError for what is no SDP at all."""
    offered = parse(offer)
    answered = None if answer is None else parse(answer)
    problems = list(_of_description(offered, "offer"))
    meaning = list(_meaning(offered, "offer"))
    if answered is not None:
        problems += _of_description(answered, "answer")
        problems += _of_pair(offered, answered)
        meaning += _meaning(answered, "answer")
    meaning += _who_dials(offered, answered)
    return Lint(meaning, problems, _rewrites(offered, answered))


REFUSALS = {
    "not_sdp": "this is no session description: it does not begin with v= (RFC 8866)",
    "sdp_too_large": "the session description is larger than the relay reads",
    "too_many_sections": "more m= lines than the relay reads",
}


def refusal(error: SdpError) -> str:
    """Why there is nothing to judge, in words."""
    return f"line {error.line}: {REFUSALS.get(error.rule, error.rule.replace('_', ' '))}"


def _relayed(section: MsrpSection) -> bool:
    """Whether the relay stands in for it; all others it returns as they are, with a warning."""
    return section.anchor and not section.tls


def _meaning(description: Description, speaker: Speaker) -> Iterator[str]:
    if not description.sections:
        yield f"{speaker}: no MSRP section; the relay returns it unchanged"
    for section in description.sections:
        name = f"{speaker}, m= line {section.index + 1}"
        if not section.port:
            yield f"{name}: refused (port 0)"
            continue
        where = "no c=" if section.connection is None else f"{section.connection.host}"
        tls = "TLS" if section.tls else "plain TCP"
        yield f"{name}: MSRP over {tls}, c=/m= {where}:{section.port}"
        yield f"{name}: path {' '.join(section.path) or 'missing'}"
        yield f"{name}: setup {section.setup or 'absent (the offerer dials)'}"
        types = section.accept_types
        yield f"{name}: takes {' '.join(types) if types else 'no types'}"
        if section.cema:
            yield f"{name}: CEMA (RFC 6714): dials c=/m=, compares them with its path"


def _who_dials(offered: Description, answered: Description | None) -> Iterator[str]:
    others = {s.index: s for s in answered.sections if s.port} if answered is not None else {}
    for section in offered.sections:
        other = others.get(section.index)
        if not section.port:
            continue
        if _relayed(section):
            yield from _with_relay(section, other)
        else:
            yield f"with the relay: m= line {section.index + 1} passes unchanged"
        if other is not None:
            yield f"without a relay: {_direct(section.setup, other.setup)}"


def _with_relay(section: MsrpSection, other: MsrpSection | None) -> Iterator[str]:
    role = relay_role_offerer(section.setup)
    yield (
        f"with the relay: the offerer is told {answer_setup(section.setup)}, "
        f"the relay {'dials it' if role.value == 'dial' else 'accepts its connection'}"
    )
    if other is not None:
        answerer = relay_role_answerer(other.setup)
        yield (
            "with the relay: the answerer is offered actpass and "
            f"{'is dialled' if answerer.value == 'dial' else 'dials'}"
        )


def _direct(offered: Setup | None, answered: Setup | None) -> str:
    one, other = dials(offered, answered)
    if one and other:
        return "both dial, nobody listens"
    return "the offerer dials" if one else "the answerer dials" if other else "nobody dials"


SENTENCES = {
    "bad_port": ("error", "the port in the m= line is no port"),
    "missing_path": ("error", "no a=path: nobody can be addressed (RFC 4975 section 8)"),
    "bad_path_uri": ("error", "a=path is no MSRP URI"),
    "path_too_long": ("error", "a=path has more than 32 URIs or 4 KiB"),
    "several_path_lines": ("note", "several a=path lines; the relay reads them as one"),
    "path_without_port": ("error", "a path URI in SDP must have a port (RFC 4975 section 8.2)"),
    "transport_not_tcp": ("note", "the path's transport is not tcp: nobody can dial it"),
    "no_connection_line": ("error", "no c= line (RFC 8866 section 5.7)"),
    "fmt_not_star": ("note", "the format in the m= line is not *"),
    "missing_accept_types": ("error", "no a=accept-types (RFC 4975 section 8.6)"),
}
"""The parser's codes in words. Disagreements of path, c= and m= are told by S07 and S10."""


def _of_description(description: Description, speaker: Speaker) -> Iterator[Problem]:
    for section in description.sections:
        if not section.port and "bad_port" not in section.problems:
            continue
        for code in section.problems:
            if code in SENTENCES:
                severity, text = SENTENCES[code]
                yield Problem(severity, speaker, code, text, "Correct the SDP.")
        if section.anchor and section.tls:
            yield Problem(
                "note",
                speaker,
                "not_relayed",
                f"{section.proto} is not relayed: the relay leaves m= line {section.index + 1} "
                "untouched and warns",
                "Offer TCP/MSRP where the relay is to carry the chat; else the endpoints must "
                "reach each other.",
            )
        yield from _addresses(section, speaker)
        yield from _setup(section, speaker)


def _addresses(section: MsrpSection, speaker: Speaker) -> Iterator[Problem]:
    uri = section.uri
    if uri is None:
        return
    if uri.tls != section.tls:
        yield Problem(
            "error",
            speaker,
            "S10",
            f"TLS mismatch: the m= line says {section.proto}, the path {uri.scheme}://",
            "TCP/MSRP goes with msrp, TCP/TLS/MSRP with msrps.",
        )
    if section.port != 9 and not path_agrees(section):
        where = section.connection.host if section.connection else "?"
        severity = "note" if section.cema else "error"
        yield Problem(
            severity,
            speaker,
            "S07",
            f"c=/m= say {where}:{section.port}, the path says {uri.host}:{uri.port}",
            "Somebody anchored the media in c=/m= only: rewrite a=path too, or use CEMA on both "
            "sides (RFC 6714 section 4.3: a peer without CEMA must refuse this).",
        )


def _setup(section: MsrpSection, speaker: Speaker) -> Iterator[Problem]:
    if section.setup is Setup.PASSIVE and speaker == "offer":
        yield Problem(
            "note",
            speaker,
            "passive_offer",
            "an offer must not say passive (RFC 6135 section 4.2.2)",
            "Offer actpass, or active behind a NAT. The relay dials this side.",
        )
    if section.setup is Setup.ACTIVE and section.port != 9:
        yield Problem(
            "note",
            speaker,
            "S06e",
            f"active, with port {section.port} instead of 9",
            "Nothing to do.",
        )


def _of_pair(offered: Description, answered: Description) -> Iterator[Problem]:
    mine = {section.index: section for section in offered.sections}
    for section in answered.sections:
        other = mine.get(section.index)
        if other is None:
            yield Problem(
                "error",
                "both",
                "no_counterpart",
                f"m= line {section.index + 1} of the answer is no MSRP section in the offer",
                "Answer the i-th m= line with the i-th (RFC 3264 section 6).",
            )
        elif section.port and other.port:
            yield from _of_sections(other, section)


def _of_sections(offer: MsrpSection, answer: MsrpSection) -> Iterator[Problem]:
    one, other = dials(offer.setup, answer.setup)
    if one == other:
        # This is what the relay is for; where it stands aside nothing can come of it.
        helped = _relayed(offer) and _relayed(answer)
        yield Problem(
            "note" if helped else "error",
            "both",
            "S06a" if one else "S06b",
            f"role conflict without the relay: {_direct(offer.setup, answer.setup)}",
            f"The relay {'accepts' if one else 'dials'} both: nothing to do where it carries the "
            "chat."
            if helped
            else "Let one side be active and the other one passive.",
        )
    elif answer.setup is Setup.ACTPASS:
        yield Problem(
            "error", "answer", "S06c", "an answer must not say actpass", "RFC 4145 section 4.1."
        )
    if offer.tls != answer.tls:
        yield Problem(
            "error",
            "both",
            "S10",
            f"TLS mismatch: {offer.proto} offered, {answer.proto} answered",
            "An answer has the proto of the offer; TLS on one side needs a relay that ends it.",
        )
    types = (offer.accept_types or (), answer.accept_types or ())
    if all(types) and not common_type(*types):
        yield Problem(
            "error",
            "both",
            "S09",
            "no common media type: every SEND will get 415",
            "Let a=accept-types overlap.",
        )
    differs = answer.uri is not None and not path_agrees(answer)
    if offer.cema and not answer.cema and answer.port != 9 and differs:
        yield Problem(
            "error",
            "answer",
            "S07b",
            "CEMA was offered, not answered, and c=/m= differ from the path: the offerer must "
            "fall back (RFC 6714 section 4.2)",
            "Use the aware policy for this call.",
        )


def _rewrites(offered: Description, answered: Description | None) -> dict[str, list[str]]:
    """Policy → the diff of what the relay would write; its example address stands in for it."""
    found: dict[str, list[str]] = {}
    for policy in POLICIES:
        why = _refused(policy, offered)
        if why is not None:
            found[policy] = [why]
            continue
        lines = _diff(offered, policy, Setup.ACTPASS, OFFER_PORT, "offer to the answerer")
        if answered is not None:
            offers = [section for section in offered.sections if _relayed(section)]
            setup = answer_setup(offers[0].setup) if offers else Setup.PASSIVE
            lines += _diff(answered, policy, setup, ANSWER_PORT, "answer to the offerer")
        found[policy] = lines
    return found


def _refused(policy: Policy, offered: Description) -> str | None:
    relayed = [section for section in offered.sections if _relayed(section)]
    if not relayed:
        return "no MSRP section that is relayed: returned unchanged"
    if policy == "cema" and not all(section.cema for section in relayed):
        return "not possible: the offer carries no a=msrp-cema"
    return None


def _diff(
    description: Description, policy: Policy, setup: Setup, port: int, name: str
) -> list[str]:
    edits = {
        section.index: SectionEdit(
            policy=policy,
            family="IP4",
            host=RELAY_HOST,
            port=port + 2 * i,
            session_id=SESSION_ID if policy == "aware" else "",
            setup=setup,
        )
        for i, section in enumerate(s for s in description.sections if _relayed(s))
    }
    if not edits:
        return [f"{name}: unchanged"]
    before, after = (
        body.decode("utf-8", "replace").splitlines()
        for body in (description.body, description.rewrite(edits))
    )
    return list(difflib.unified_diff(before, after, name, f"{name}, {policy}", "", "", 1, ""))


def as_json(result: Lint) -> str:
    """One line: meaning, problems, rewrites, healthy."""
    return json.dumps({**asdict(result), "healthy": not result.faulty})


def as_text(result: Lint) -> str:
    """The result for a terminal."""
    lines = [printable(line, LONGEST) for line in result.meaning]
    lines.append("")
    for problem in result.problems:
        text = printable(problem.text, LONGEST)
        rule = f"{problem.rule} " if problem.rule[:1] == "S" else ""  # the others are mere codes
        lines.append(f"{problem.severity:<6} {rule}({problem.side}): {text}")
        lines.append(f"       {problem.remedy}")
    if not result.problems:
        lines.append("nothing wrong")
    for policy, diff in result.rewrites.items():
        lines += ["", f"what the relay would write, policy {policy}:"]
        lines += [f"  {printable(line, LONGEST)}" for line in diff]
    return "\n".join(lines) + "\n"
