"""Tables of the manual: names from the code, meanings from here; neither may lack the other."""

from __future__ import annotations

import ast
import inspect
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import msrprelay
from msrprelay import commands, config, events
from msrprelay.config import values
from msrprelay.config.options import Known, known
from msrprelay.config.rules import HEADER_BLOCK, KERNEL_TAKES, MAY_BE_ZERO, UNBOUND_PER_PORT
from msrprelay.config.units import show
from msrprelay.errors import LOAD_LIMITS, RAN_OUT
from msrprelay.metrics.catalogue import CATALOGUE
from msrprelay.rpc import flags, requests
from msrprelay.rpc.dispatcher import JSON_RPC, NG

from .pages import table

PACKAGE = Path(msrprelay.__file__).parent
SLOW_READERS = Path(__file__).parents[1] / "data" / "slow_readers.json"

# Keys of offer and answer.
SDP_KEYS = {
    "sdp": "The SDP, whole, as the SIP message had it.",
    "call-id": "The Call-ID: what a call is known by.",
    "from-tag": "Tag of the party that made the *offer*, also in its `answer`.",
    "to-tag": "Tag of the other party: needed in an `answer`; in an `offer` it says re-offer.",
    "via-branch": "Tells forks apart: each branch has ports of its own; without it they share.",
    "direction": "`[FROM, TO]`: interfaces (by name) towards the sender and the recipient.",
    "from-interface": "The first of them alone.",
    "to-interface": "The second of them alone.",
    "interface": "Both, where nothing else says it.",
    "media-address": "Told to the recipient instead of the interface's address (a NAT's, say): to "
    "the answerer by a section's first offer, to the offerer by its first answer. It stays for as "
    "long as the section does; a `warning` says so where another one is asked for later.",
    "address-family": "`IP4` or `IP6` towards the recipient.",
    "replace": "`origin`, `session-connection`: put the relay's address there too.",
    "msrp-path": "Path policy: `aware`, `cema` or `sessmatch`; fixed by the first offer.",
    "msrp-setup": "The `a=setup` to write into the SDP that comes back.",
    "msrp": "`relay` (default); `pass`, `off`: leave this message's sections alone, keep no state.",
    "msrp-idle": "Seconds a session may be silent; 0 for ever.",
    "msrp-priority": "`emergency`: taken also when the relay is near its limits.",
    "msrp-source": "Whose connections are taken: `any`, the `sdp`'s, or `sip` (received-from).",
    "received-from": "`[IP4, ADDRESS]`, where the SIP message came from.",
    "transport-protocol": "`TCP/MSRP`; values for audio are ignored, TLS gives a warning.",
    "TOS": "DSCP and ECN octet of the call's connections, 0-255; -1 keeps, more is the default.",
    "tos": "The same.",
    "label": "A name of the sending party, shown by `query` and events.",
    "from-label": "The same.",
    "set-label": "The same, and it wins.",
    "metadata": "Any text, shown by `query` and events.",
    "drop-traffic": "`start`: from the answer on neither peer is read; `stop`: both are.",
    "flags": "A list of words; see below.",
}
# Of the other commands.
OTHER_KEYS = {
    "call-id": "Which call.",
    "from-tag": "The party whose offer it is about. A `delete` without tags means the whole call.",
    "to-tag": "The other party's tag, as a further check.",
    "via-branch": "Of a branch: this one only, and none if it has left. Any other, such as a BYE's "
    "own, names none.",
    "flags": "`fatal`: a `delete` that finds nothing is an error.",
    "delete-delay": "Seconds for bytes in flight; 0: at once; -1: as `timers.delete-delay` has it.",
    "delete-pending": "`rollback` or `delete`: what it means while `from-tag` has a re-offer.",
    "msrp-ended": "1: also a call that has ended, as long as it is remembered.",
    "limit": "At most so many; 32.",
    "all": "1: every call.",
    "off": "1: take new calls again.",
}
FLAGS = {
    "fatal": "`delete`: an unknown call is an error.",
    "loop-protect": "Mark our sections, and leave those alone that this relay has marked before.",
    "strict-source": "As `msrp-source` `sdp`, where that says nothing else.",
    "SIP-source-address": "With `strict-source`: as `sip` instead; alone ignored.",
    "debug": "Both SDPs, as received and as sent, are logged.",
    "fast": "`delete`: the reply comes without the call's last `query` reply.",
    "trust-address": "Ignored: the relay never dials by SIP's addresses.",
    "port-latching": "Ignored, as it is always so: the first valid frame binds a leg.",
    "reset": "Ignored.",
    "to-tag": "Ignored: a tag that is there counts.",
    "provisional": "Ignored.",
}


def command_table() -> str:
    """What can be asked, by which protocol."""
    said = {
        name: inspect.getdoc(getattr(commands.Commands, name)) or "" for name in sorted(JSON_RPC)
    }
    said["subscribe"] = "Events as notifications from now on; see below."
    rows = [
        (f"`{name}`", "ng, JSON-RPC" if name in NG else "JSON-RPC", rest(text))
        for name, text in sorted(said.items())
    ]
    return table(("command", "over", "reply"), rows)


def sdp_key_table() -> str:
    """Keys of offer and answer."""
    assert set(SDP_KEYS) == {*requests.STRINGS, *requests.READERS, "interface"}
    return table(("key", "meaning"), [(f"`{key}`", text) for key, text in SDP_KEYS.items()])


def other_key_table() -> str:
    """Keys of the commands without an SDP, and which have them."""
    users = keys_of_parsers()
    assert set(OTHER_KEYS) == set(users)
    return table(
        ("key", "of", "meaning"),
        [(f"`{key}`", listed(users[key]), text) for key, text in OTHER_KEYS.items()],
    )


def keys_of_parsers() -> dict[str, list[str]]:
    """Key → commands, from the functions that read them."""
    users: dict[str, list[str]] = {}
    # Compiled, the module has no source of its own.
    source = (PACKAGE / "rpc" / "requests.py").read_text("utf-8")
    for function in ast.parse(source).body:
        if isinstance(function, ast.FunctionDef) and function.name.startswith("parse_"):
            for key in literals(function):
                users.setdefault(key, []).append(function.name.removeprefix("parse_"))
    return users


def literals(function: ast.FunctionDef) -> Iterator[str]:
    """The keys that a parser names: the string arguments of what it calls."""
    for call in ast.walk(function):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name | ast.Attribute):
            name = call.func.id if isinstance(call.func, ast.Name) else call.func.attr
            if name in ("needed", "text", "whole", "whole_or_unsaid", "one_of", "get"):
                yield from (
                    each.value
                    for each in call.args
                    if isinstance(each, ast.Constant) and isinstance(each.value, str)
                )


def flag_table() -> str:
    """The flags that are known; others are ignored and logged."""
    assert set(FLAGS) == flags.KNOWN
    assert {flag for flag in FLAGS if not FLAGS[flag].startswith("Ignored")} == flags_obeyed()
    return table(("flag", "meaning"), [(f"`{flag}`", text) for flag, text in FLAGS.items()])


def flags_obeyed() -> set[str]:
    """The flags that the sessions ask for."""
    sources = (PACKAGE / "sessions").glob("*.py")
    return {
        flag
        for source in sources
        for flag in re.findall(r'"([\w-]+)" (?:not )?in request\.flags', source.read_text("utf-8"))
    }


def load_words() -> str:
    """The words at which SIP servers try another relay."""
    words = sorted({*LOAD_LIMITS, RAN_OUT})
    return "\n".join(f"* `{word}`" for word in words)


def event_table() -> str:
    """Events, with the remark that stands beside each in the code."""
    source = inspect.getsource(events)
    remarks = dict(re.findall(r'(?m)^        "([a-z-]+)",(?:  # (.*))?$', source))
    assert set(remarks) == events.NAMES
    return table(
        ("event", "when"),
        [(f"`{name}`", rest(remarks[name]) or SELF_EVIDENT[name]) for name in sorted(remarks)],
    )


SELF_EVIDENT = {
    "call-ended": "The call is over for the SIP side, for `reason`.",
    "dial-failed": "No address of a waiting peer takes the connection; `reason` is the last one's: "
    "`ECONNREFUSED at 192.0.2.7:2855`.",
    "leg-lost": "A connection of a joined session has ended.",
    "re-offered": "An offer within the dialog waits for its answer.",
    "rolled-back": "A pending offer is gone.",
    "session-closed": "The last connection of a session is closed, for `reason`.",
}


def option_table(*, limits: bool) -> str:
    """Options, or the limits and timers among them, with their defaults and what they may be."""
    rows = []
    for each in known():
        if (each.table in ("timers", "limits")) is limits:
            value = shown(each.value(config.Config()), each.option.unit)
            what, by = each.option.what, each.changed_by
            rows.append((f"`{each.key}`", value, range_of(each), what, by))
    return table(("key", "default", "range", "what", "changed by"), rows)


def range_of(each: Known) -> str:
    """What a number may be; the page has the bounds of those that have none of their own."""
    unit = each.option.unit
    if each.option.read in OF_A_KIND:
        return OF_A_KIND[each.option.read]
    if not unit:
        return ""
    least, most = KERNEL_TAKES.get(each.key, (0 if each.key in MAY_BE_ZERO else 1, None))
    most = 100 if unit == "%" else BOUNDS.get(each.key, most)
    if most is None:
        return "0 or more" if least == 0 else "above 0"
    return f"{least} to {shown(most, unit)}"


OF_A_KIND = {values.port: "1 to 65535", values.threads: f"0 to {values.MOST_THREADS}"}
BOUNDS = {
    "limits.header-line": HEADER_BLOCK,
    "limits.header-block": HEADER_BLOCK,
    "limits.unbound-per-port": UNBOUND_PER_PORT,
}


def metric_table() -> str:
    """Every metric, under the name that queries use."""
    rows = [
        (f"`{each.sample}`", each.kind, ", ".join(f"`{label}`" for label in each.labels), each.what)
        for each in CATALOGUE
    ]
    return table(("metric", "type", "labels", "what"), rows)


def slow_reader_table() -> str:
    """What tests/hostile/test_budget.py has measured in its full run."""
    measured = json.loads(SLOW_READERS.read_text())
    mib = 1 << 20
    rows = [
        (
            policy, f"{each['readers']:,}", f"{each['budget'] / mib:.0f} MiB",
            f"{each['kernel'] / mib:.0f} MiB", f"{each['relay'] / mib:.0f} MiB",
            f"{(each['kernel'] + each['relay']) / each['readers'] / 1024:.0f} KiB",
            f"{each['alone'] / mib:.0f} and {each['beside'] / mib:.0f} MiB/s",
        )
        for policy, each in sorted(measured.items())
    ]  # fmt: skip
    return table(
        ("policy", "slow readers", "budget", "in sockets and pipes", "in the relay", "each",
         "a fast session before and beside them"), rows,
    )  # fmt: skip


def shown(value: object, unit: str) -> str:
    """A default as the file would have it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | tuple):
        return ", ".join(map(str, value)) or "–"
    if isinstance(value, int | float):
        return show(value, "" if unit == "count" else unit)
    return str(value) or "–"


def log_table(meanings: Mapping[str, str]) -> str:
    """Log lines with their level; ``meanings`` must have each of them, and no other."""
    lines = dict(log_lines())
    assert set(meanings) == set(lines)
    rows = [(f"`{name}`", lines[name], meanings[name]) for name in sorted(lines)]
    return table(("line", "level", "what it tells"), rows)


def log_lines() -> Iterator[tuple[str, str]]:
    """Every line the daemon can log with a fixed name, and its level."""
    for path in PACKAGE.rglob("*.py"):
        if path.parts[-2] not in OTHER_PROGRAMS:
            tree = ast.parse(path.read_text())
            writers = dict(aliases(tree))
            for call in ast.walk(tree):
                if isinstance(call, ast.Call) and call.args:
                    line, level = call.args[0], level_of(call.func, writers)
                    if called(call) == "log" and isinstance(line, ast.Constant):
                        # The keeper's own: the level comes first.
                        level, line = str(line.value), call.args[1]
                    if level and isinstance(line, ast.Constant):
                        yield str(line.value), level


def called(call: ast.Call) -> str:
    """The name of a function that is called by its name alone."""
    return call.func.id if isinstance(call.func, ast.Name) else ""


def level_of(function: ast.expr, writers: Mapping[str, str]) -> str | None:
    """At which level a call logs, if it does."""
    if isinstance(function, ast.Name):
        return writers.get(function.id)
    if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Name):
        return None
    level = "error" if function.attr == "exception" else function.attr
    return level if function.value.id == "log" else None


def aliases(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Names such as ``write = log.warning if bad else log.info``, with their levels."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            levels = [
                level_of(each, {}) for each in ast.walk(node.value) if isinstance(each, ast.expr)
            ]
            told = sorted(level for level in levels if level)
            if told:
                yield node.targets[0].id, ", ".join(told)


OTHER_PROGRAMS = ("cli", "demo", "doctor", "endpoint")


def rest(text: str) -> str:
    """A sentence that begins like one."""
    text = " ".join(text.split()).replace("``", "`")
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") or not text else ".")


def listed(names: list[str]) -> str:
    """Names in a cell."""
    return ", ".join(f"`{name}`" for name in names)
