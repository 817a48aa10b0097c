"""The configuration is read whole or refused with the place of every mistake."""

from __future__ import annotations

import json
import re
import socket
from dataclasses import replace
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msrprelay import config as configuration
from msrprelay.config import Config, changes, limit_rows, load, load_file, reloaded, warnings
from msrprelay.config.options import known
from msrprelay.config.rules import KERNEL_TAKES
from msrprelay.config.units import seconds, show, size
from msrprelay.dataplane import DataPlane, LegOpen
from msrprelay.errors import ConfigError
from msrprelay.process.settings import engine_config

EXAMPLE = Path(__file__).resolve().parents[2] / "deploy" / "msrprelayd.toml"
LEAST = 'interface = ["192.0.2.1"]\n'


def mistakes(text: str, **overrides: object) -> list[str]:
    """What `load` complains about."""
    named = {key.replace("_", "-"): value for key, value in overrides.items()}
    with pytest.raises(ConfigError) as refused:
        load(text, named, name="m.toml")
    return str(refused.value).splitlines()


def test_the_defaults_are_those_of_the_design() -> None:
    config = load(LEAST)
    assert [str(where) for where in config.listen_ng] == ["127.0.0.1:2224"]
    assert (config.port_min, config.port_max) == (20000, 29999)
    assert config.control == "/run/msrprelayd/ctl.sock"
    assert (config.timers.offer, config.timers.gate, config.timers.join) == (200, 10, 30)
    assert (config.timers.reconnect, config.timers.delete_delay) == (30, 5)
    assert (config.limits.header_line, config.limits.header_block) == (16384, 65536)
    assert (config.limits.sessions_per_call, config.limits.half_open) == (16, 10_000)
    assert (config.limits.reply_cache, config.limits.leg_buffer) == (64 << 20, 512 << 10)


def test_the_shipped_example_is_good() -> None:
    config = load_file(EXAMPLE)
    assert list(warnings(config)) == []


def test_the_shipped_example_names_every_option_with_its_default() -> None:
    """Its commented lines, uncommented, change nothing; no option is missing."""
    text = EXAMPLE.read_text("utf-8")
    spelled_out = re.sub(r"^# (?=[a-z-]+ = |\[msrp-path)", "", text, flags=re.MULTILINE)
    shown = load(spelled_out)
    default = load('interface = ["pub/192.0.2.10"]')
    assert [option.key for option in known() if option.value(shown) != option.value(default)] == [
        "msrp-path"
    ]
    missing = {
        o.key for o in known() if not re.search(rf"^#? ?{o.key.split('.')[-1]} = ", text, re.M)
    }
    assert missing == {"msrp-path"}


def test_the_shipped_example_says_what_each_is_in_the_words_of_the_manual() -> None:
    said: dict[str, str] = {}
    table = ""
    for line in EXAMPLE.read_text().splitlines():
        if header := re.fullmatch(r"\[([a-z]+)\]", line):
            table = header[1]
        elif remark := re.fullmatch(r"# ([a-z-]+) = \S.*?  +# (?:per cent )?(.*)", line):
            said[f"{table}.{remark[1]}"] = remark[2]
    assert said == {option.key: option.option.what for option in known() if option.table}


def test_every_option_can_be_written() -> None:
    config = load(
        """
        interface = ["pub/192.0.2.1!203.0.113.9", "pub/2001:db8::1", "priv/10.0.0.1"]
        port-min = 30000
        port_max = 30100
        listen-ng = ["127.0.0.1:2224", "[::1]:2224"]
        control = ""
        threads = 4
        dial-allow = "10.0.0.0/8"
        dial-deny = ["10.1.0.0/16", "192.0.2.77"]
        event-ring = false
        splice-bodies = true
        log-level = "debug"
        msrp-path = { priv = "sessmatch" }
        limits.sdp = "8 KiB"
        [timers]
        join = "1 min"
        delete_delay = 0
        """
    )
    assert [(i.name, str(i.address), i.advertised) for i in config.interface] == [
        ("pub", "192.0.2.1", "203.0.113.9"),
        ("pub", "2001:db8::1", "2001:db8::1"),
        ("priv", "10.0.0.1", "10.0.0.1"),
    ]
    assert config.interface[1].address == ip_address("2001:db8::1")
    assert (config.port_min, config.port_max, config.threads) == (30000, 30100, 4)
    assert [tuple(where) for where in config.listen_ng] == [("127.0.0.1", 2224), ("::1", 2224)]
    assert config.dial_allow == (ip_network("10.0.0.0/8"),)
    assert config.dial_deny == (ip_network("10.1.0.0/16"), ip_network("192.0.2.77/32"))
    assert (config.control, config.event_ring, config.log_level) == ("", False, "debug")
    assert config.splice_bodies
    assert config.msrp_path == {"priv": "sessmatch"}
    assert (config.limits.sdp, config.timers.join, config.timers.delete_delay) == (8192, 60, 0)


def test_the_command_line_wins() -> None:
    config = load(LEAST + "port-max = 20001\n", {"port-max": 20002, "timers.join": 3})
    assert (config.port_max, config.timers.join) == (20002, 3)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        pytest.param("listn-ng = 1", "listn-ng: unknown key; did you mean listen-ng?", id="slip"),
        pytest.param(
            "delete-delay = 1",
            "delete-delay: unknown key; did you mean timers.delete-delay?",
            id="in-a-table",
        ),
        pytest.param(
            "[timer]\njoin = 1", "timer: unknown key; did you mean timers?", id="slip-in-a-table"
        ),
        pytest.param(
            "timers.offr = 1", "timers.offr: unknown key; did you mean timers.offer?", id="dotted"
        ),
        pytest.param("colour = 1", "colour: unknown key", id="nothing-near"),
        pytest.param("port-min = 0", "port-min: a port from 1 to 65535 expected", id="port"),
        pytest.param("port-min = true", "port-min: a port from 1 to 65535 expected", id="true"),
        pytest.param("threads = -1", "threads: a whole number from 0 up expected", id="negative"),
        pytest.param("threads = 1.5", "threads: a whole number from 0 up expected", id="half"),
        pytest.param("event-ring = 1", "event-ring: true or false expected", id="flag"),
        pytest.param(
            'log-level = "loud"', "log-level: debug, info, warning, error expected", id="level"
        ),
        pytest.param('control = "ctl"', "control: an absolute path expected", id="path"),
        pytest.param(
            f'control = "/{"x" * 200}"', "control: longer than 107 bytes", id="path-too-long"
        ),
        pytest.param(
            'listen-ng = "localhost"',
            "listen-ng: 'localhost': ADDR:PORT expected, such as 127.0.0.1:2224 or [::1]:2224",
            id="no-port",
        ),
        pytest.param(
            'listen-ng = "127.0.0.1:99999"',
            "listen-ng: '127.0.0.1:99999': ADDR:PORT expected, such as 127.0.0.1:2224 or "
            "[::1]:2224",
            id="port-too-high",
        ),
        pytest.param(
            'listen-ng = "0.0.0.0:2224"',
            "listen-ng: '0.0.0.0:2224': name each local address instead",
            id="any-address",
        ),
        pytest.param(
            'listen-ng = ["127.0.0.1:1", "127.0.0.1:1"]',
            "listen-ng: an address is named twice",
            id="twice",
        ),
        pytest.param(
            'dial-deny = "10.0.0.0/33"',
            "dial-deny: '10.0.0.0/33': a CIDR such as 10.0.0.0/8 expected",
            id="cidr",
        ),
        pytest.param(
            'msrp-path = { default = "both" }',
            "msrp-path: default = 'both': aware, cema or sessmatch expected",
            id="policy",
        ),
        pytest.param(
            'msrp-path = "cema"',
            "msrp-path: a table of NAME = aware, cema or sessmatch expected",
            id="policy-of-nobody",
        ),
        pytest.param(
            'msrp-path.priv = "cema"', "msrp-path: no interface is called 'priv'", id="no-such-name"
        ),
        pytest.param(
            'timers.join = "3 moons"',
            "timers.join: unit 'moons': ms, s, min, m, h, d expected",
            id="unit",
        ),
        pytest.param(
            'timers.join = "soon"',
            'timers.join: a duration such as 30, "30 s" or "5 min" expected',
            id="duration",
        ),
        pytest.param("timers.join = inf", "timers.join: ", id="infinite"),
        pytest.param("timers.join = -1", "timers.join: ", id="negative-duration"),
        pytest.param("timers.join = 1_000_000_000", "timers.join: longer than a year", id="ages"),
        pytest.param("timers.gate = 0", "timers.gate: must be above 0", id="zero"),
        pytest.param(
            "limits.unbound-per-port = 0", "limits.unbound-per-port: must be above 0", id="none"
        ),
        pytest.param(
            "timers.keepalive-count = 128",
            "timers.keepalive-count: the kernel takes 1 to 127",
            id="probes",
        ),
        pytest.param(
            "timers.keepalive-idle = 32768",
            "timers.keepalive-idle: the kernel takes 1 to 32767",
            id="idle",
        ),
        pytest.param(
            'timers.keepalive-interval = "400 ms"',
            "timers.keepalive-interval: the kernel takes 1 to 32767",
            id="interval",
        ),
        pytest.param(
            'timers.unacknowledged = "30 d"',
            "timers.unacknowledged: the kernel takes 0 to 2147483",
            id="unacknowledged",
        ),
        pytest.param(
            'limits.leg-buffer = "4 GiB"',
            "limits.leg-buffer: the kernel takes 1 to 4294967295",
            id="buffer",
        ),
        pytest.param(
            "limits.sdp = 0.5", "limits.sdp: not a whole number of bytes", id="half-a-byte"
        ),
        pytest.param(
            "port-min = 40000", "port-min: 40000 is above port-max, 29999", id="empty-range"
        ),
        pytest.param(
            'limits.header-block = "65 KiB"',
            "limits.header-block: is above 64 KiB: an undecided one has no more room",
            id="header-block",
        ),
        pytest.param(
            "limits.unbound-per-port = 101",
            "limits.unbound-per-port: is above 100",
            id="unbound-per-port",
        ),
        pytest.param(
            'limits.header-line = "1 MiB"',
            "limits.header-line: is above limits.header-block",
            id="line-above-block",
        ),
        pytest.param("limits = 3", "limits: a table expected, such as [limits]", id="no-table"),
        pytest.param(
            "port-min = 29999", "port-min: one port is too few for the two legs", id="one-port"
        ),
        pytest.param(
            'listen-ng-tcp = "127.0.0.1:1"\nlisten-http = "127.0.0.1:1"',
            "listen-http: 127.0.0.1:1 is an address of listen-ng-tcp",
            id="one-address-for-two-servers",
        ),
        pytest.param("threads = 100_000", "threads: above 1024", id="threads"),
        pytest.param(
            "limits.half-open = 18446744073709551616",
            "limits.half-open: above 1000000000",
            id="beyond-64-bits",
        ),
        pytest.param(
            "limits.session-bytes = 18446744073709551616",
            "limits.session-bytes: more than 1048576 GiB",
            id="beyond-64-bits-of-bytes",
        ),
    ],
)
def test_a_mistake_is_named_with_its_line(line: str, complaint: str) -> None:
    (told,) = mistakes(f"{LEAST}# a comment\n\n{line}\n")
    number = 5 if "\n" in line and "timer]" not in line else 4
    assert told.startswith(f"m.toml:{number}: {complaint}")


def test_the_most_that_the_kernel_takes_is_taken() -> None:
    """With each of these at its most the engine can listen, and watch over a leg."""
    config = load(
        LEAST + "".join(f"{key} = {most}\n" for key, (_, most) in sorted(KERNEL_TAKES.items()))
    )
    plane = DataPlane(engine_config(config))
    a, b = (
        LegOpen("127.0.0.1", 0, b"msrp://127.0.0.1:1/%b;tcp" % side, []) for side in (b"a", b"b")
    )
    try:
        plane.open("aware", a, b)
    finally:
        plane.stop()
    most = {key: most for key, (_, most) in KERNEL_TAKES.items()}
    with socket.socket() as leg:
        leg.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, most["timers.keepalive-count"])
        leg.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, most["timers.keepalive-idle"])
        leg.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, most["timers.keepalive-interval"])
        milliseconds = 1000 * most["timers.unacknowledged"]
        leg.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


def test_nothing_is_said_to_be_meant_where_nothing_is_near() -> None:
    assert mistakes(f"{LEAST}timers.quux = 5") == ["m.toml:2: timers.quux: unknown key"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            'interface = ["a/192.0.2.1", "b/10.0.0.1"]\nport-min = 29999', id="a-port-on-each-side"
        ),
        pytest.param(f"{LEAST}port-min = 29998", id="two-ports"),
        pytest.param(
            f'{LEAST}listen-ng = "127.0.0.1:1"\nlisten-http = "127.0.0.1:1"', id="udp-beside-tcp"
        ),
        pytest.param(
            f'{LEAST}listen-ng-tcp = "127.0.0.1:0"\nlisten-http = "127.0.0.1:0"', id="any-port"
        ),
        pytest.param(
            f"{LEAST}[timers]\nunacknowledged = 0\nkeepalive-count = 5", id="probes-are-counted"
        ),
    ],
)
def test_what_can_work_is_not_refused(text: str) -> None:
    load(text)


def test_a_wrong_interface_is_named() -> None:
    (told,) = mistakes('\ninterface = ["pub/0.0.0.0"]')
    assert told.startswith("m.toml:2: interface: ")
    (told,) = mistakes("")
    assert told.startswith("m.toml: interface: at least one is needed")


def test_an_interface_that_would_never_be_used_is_refused() -> None:
    (told,) = mistakes('interface = ["pub/192.0.2.1", "pub/::1", "lan/10.0.0.1", "pub/192.0.2.2"]')
    why = "pub/192.0.2.2 would never be used: 'pub' has an IP4 address already"
    assert told == f"m.toml:1: interface: {why}; give it another name"
    assert mistakes('interface = ["192.0.2.1", "192.0.2.1!203.0.113.9"]') != []


def test_all_mistakes_are_told_at_once() -> None:
    told = mistakes("port-min = 0\nthread = 1\n", log_level="loud")
    assert [line.split(":")[:2] for line in told] == [
        ["m.toml", "1"],
        ["m.toml", "2"],
        ["--log-level", " debug, info, warning, error expected"],
    ]


def test_a_mistake_of_the_command_line_is_named_as_an_option() -> None:
    assert mistakes(LEAST, port_min=0)[0].startswith("--port-min: ")
    with pytest.raises(ConfigError, match=r"^--set timers.jion: unknown key; .* timers.join\?$"):
        load(LEAST, {"timers.jion": 3})


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:99999/x",
        "http://127.0.0.1:abc/x",
        "http://127.0.0.1:0/x",
        "http://h ost/x",
        "http://host/a\\tb",
        "http://[::1/x",
        "http:///x",
        "ftp://host/x",
        "host/x",
    ],
)
def test_a_hook_that_cannot_be_asked_is_refused(url: str) -> None:
    (told,) = mistakes(f'{LEAST}events.webhook = "{url}"\n')
    assert told.startswith("m.toml:2: events.webhook: ")
    assert told.endswith("a URL such as http://127.0.0.1:5060/RPC expected")


@pytest.mark.parametrize("url", ["", "http://[::1]:5060/RPC", "https://u:p@hooks.example/a?b=c"])
def test_a_hook_that_can_be_asked_is_taken(url: str) -> None:
    assert load(f'{LEAST}events.webhook = "{url}"\n').events.webhook == url


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(
            "port-min = 21000\nport_min = 22000\n",
            "m.toml:2: port-min: port-min and port_min are the same key: which one is meant?",
            id="top-level",
        ),
        pytest.param(
            "[timers]\nown_bind = 3\nown-bind = 3\n",
            "m.toml:3: timers.own-bind: timers.own_bind and timers.own-bind are the same key: "
            "which one is meant?",
            id="in-a-table",
        ),
    ],
)
def test_a_key_in_both_spellings_is_refused(text: str, told: str) -> None:
    assert mistakes(LEAST + text) == [told]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("a = \n", "m.toml: Invalid value (at line 1, column 5)", id="value"),
        pytest.param(
            "\n\n[x", "m.toml: Expected ']' at the end of a table declaration", id="table"
        ),
        pytest.param("a = 1\na = 2\n", "m.toml: Cannot overwrite a value (at line 2", id="twice"),
        pytest.param("a = " + "[" * 20_000, "m.toml: ", id="nested-without-end"),
    ],
)
def test_what_is_no_toml_is_refused_with_the_line(text: str, told: str) -> None:
    assert mistakes(text)[0].startswith(told)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["absent", "no-utf-8"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "m.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"^{re.escape(str(path))}: "):
        load_file(path)


def test_a_file_that_is_not_there_is_named_once() -> None:
    with pytest.raises(ConfigError) as refused:
        load_file(Path("/nonexistent"))
    assert str(refused.value) == "/nonexistent: No such file or directory"


def test_lines_are_right_behind_strings_of_several_lines() -> None:
    text = (
        'control = """\nport-min = 3\n[timers]\n"""\n"port-min" = 0\n[ "limits" ] # here\n sdp= -1'
    )
    assert [told.split(" ")[0] for told in mistakes(text)] == [
        "m.toml:1:",
        "m.toml:5:",
        "m.toml:7:",
    ]


def test_a_reload_applies_what_it_can_and_names_the_rest() -> None:
    old = load(LEAST)
    new = load('interface = "10.0.0.1"\nlog-level = "debug"\ntimers.gate = 1\ntimers.offer = 2\n')
    assert changes(old, new) == (["log-level", "timers.offer"], ["interface", "timers.gate"], [])
    now = reloaded(old, new)
    assert (now.log_level, now.timers.offer) == ("debug", 2)
    assert (now.interface, now.timers.gate) == (old.interface, 10)
    assert changes(new, new) == ([], [], [])
    kept = load('interface = "10.0.0.1"\nkeeper = false\ntimers.upgrade = 5\n')
    assert changes(load('interface = "10.0.0.1"'), kept).restart == ["keeper", "timers.upgrade"]


def test_limits_are_listed_with_what_they_refused() -> None:
    rows = {
        row["key"]: row
        for row in limit_rows(load(LEAST), {"limits.sessions": 7}, {"limits.sdp": 2})
    }
    assert rows["timers.join"] == {
        "key": "timers.join",
        "value": 30,
        "unit": "s",
        "what": "an answered session waits for a leg that is not bound",
        "refusals": 0,
    }
    assert rows["limits.sessions"]["value"] == 7
    assert rows["limits.sdp"]["refusals"] == 2
    fields = {*Config().timers.__slots__, *Config().limits.__slots__, *Config().events.__slots__}
    fields -= {"webhook", "kamailio"}
    assert {str(key).split(".")[1].replace("-", "_") for key in rows} == fields


def test_what_should_be_meant_is_warned_of() -> None:
    config = load(LEAST + 'listen-ng = "192.0.2.1:2224"\nport-max = 40000\n')
    assert [warning.split(":")[0] for warning in warnings(config)] == [
        "listen-ng 192.0.2.1",
        "port-max",
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (30, 30),
        (0.25, 0.25),
        ("30", 30),
        ("200 s", 200),
        ("5min", 300),
        ("1.5 h", 5400),
        ("20ms", 0.02),
    ],
)
def test_durations(value: object, expected: float) -> None:
    assert seconds(value) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("value", "expected"), [(1, 1), ("64 KiB", 65536), ("1.5MiB", 1572864), ("7 B", 7)]
)
def test_sizes(value: object, expected: int) -> None:
    assert size(value) == expected


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (30.0, "s", "30 s"),
        (65536, "bytes", "64 KiB"),
        (7, "bytes/s", "7 B/s"),
        (3, "", "3"),
        (1234567.0, "", "1234567"),
        (0.25, "s", "0.25 s"),
    ],
)
def test_values_are_shown_with_their_unit(value: float, unit: str, shown: str) -> None:
    assert show(value, unit) == shown


names = st.sampled_from([*(option.key for option in known()), "timers", "limits", "x", "a.b"])
TOML = (
    '1 -1 0 true 1.5 nan inf "" "x" [] [[1]] {} {a=1} "1s" "127.0.0.1:1" ["10.0.0.1"] 1979-05-27 '
    "99999999999999999999"
)
toml_values = st.sampled_from([*TOML.split(), '"""\n"""'])


@given(
    lines=st.lists(st.tuples(names, toml_values) | st.tuples(st.text(max_size=9), st.just("1"))),
    cut=st.integers(0, 200),
)
def test_any_text_is_read_or_refused(lines: list[tuple[str, str]], cut: int) -> None:
    text = LEAST + "\n".join(f"{key} = {value}" for key, value in lines)
    for whole in (text, text[:cut]):
        try:
            load(whole, name="m.toml")
        except ConfigError as refused:
            told = str(refused)
        else:
            continue
        assert all(line.startswith("m.toml:") for line in told.splitlines())


def test_a_configuration_in_plain_values_is_read_again_as_it_was() -> None:
    config = load(
        """
        interface = ["pub/192.0.2.10!relay.example.com", "priv/2001:db8::1"]
        listen-ng-tcp = ["[::1]:2223"]
        dial-allow = ["10.0.0.0/8", "2001:db8::/32"]
        [msrp-path]
        pub = "cema"
        [timers]
        join = "1.5 s"
        [events]
        webhook = "http://127.0.0.1/"
        """
    )
    plain = json.loads(json.dumps(configuration.plain(config)))
    assert configuration.from_plain(plain) == config
    # By another version: what is not known is left out, what is new has its default.
    assert configuration.from_plain({**plain, "of-old": 1, "timers.join": "nonsense"}) == replace(
        config, timers=replace(config.timers, join=30.0)
    )
