"""Reports: the seed's questions, and text from packets that stays text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest

from msrprelay.doctor.analysis import Analysis, analyse
from msrprelay.doctor.ladder import build_ladder, draw_svg, draw_text
from msrprelay.doctor.plots import time_sequence
from msrprelay.doctor.questions import answers
from msrprelay.doctor.report import html, markdown, write_report
from msrprelay.doctor.text import as_text

from .test_captures import CAPTURES, HEALTHY
from .wire import Call, Talk, Wire, diagnoses, ok, send

EVIL = "<script>alert(1)</script>&\"'\x1b[31m`*|\u202e"


def seed() -> Analysis:
    return analyse(CAPTURES / "blink_acm_seed.pcapng")


def evil() -> Analysis:
    """A call whose every text is hostile."""
    wire = Wire()
    call = Call(wire, call_id=f"id{EVIL}")
    sdp = (
        b"v=0\r\no=- 1 1 IN IP4 1\r\ns=-\r\nc=IN IP4 192.0.2.20\r\nt=0 0\r\n"
        b"m=message 7654 TCP/MSRP *\r\na=accept-types:" + EVIL.encode() + b"\r\n"
        b"a=path:msrp://192.0.2.20:7654/bbbb2222;tcp\r\na=setup:active\r\n"
    )
    call.message(
        f"INVITE sip:{EVIL.replace(' ', '')} SIP/2.0", 1, "INVITE", body=sdp,
        extra=f"User-Agent: {EVIL}\r\n", to_tag="",
    )  # fmt: skip
    call.reply(f"200 {EVIL}", body=sdp.replace(b"accept-types:", b"accept-types:a"))
    talk = Talk(wire).open()
    talk.send(0, send("t-01", to=f"msrp://{EVIL}:1/{EVIL};tcp"))
    talk.send(1, ok("t-01", f"481 {EVIL}"))
    talk.send(0, b"GARBAGE" + EVIL.encode() + b"\r\n")
    found = diagnoses(wire)
    return Analysis(f"{EVIL}.pcap", found, packets=len(wire.frames), damage=EVIL)


class TestQuestions:
    def said(self, number: int) -> str:
        (diagnosis,) = seed().diagnoses
        found = answers(diagnosis)
        assert len(found) == 5
        return " ".join(found[number])

    @pytest.mark.parametrize(
        ("number", "words"),
        [
            (
                0,
                ["745f0cb1fb640e52", "Ack=1", "971262787", "856688003", "114,574,784", "packet 20"],
            ),
            (0, ["5 of 5 segments, 2 with data", "TSecr=971262787 in packet 33"]),
            (1, ["6ed1199a610a6a7d", "packet 26 Ack=226", "packet 30", "packet 27"]),
            (
                2,
                [
                    "never saw SEND 745f0cb1fb640e52",
                    "did receive SEND 6ed1199a610a6a7d",
                    "225 byte",
                ],
            ),
            (3, ["Yes.", "10.201.1.152:53502", "10.201.1.99:49838", "says passive"]),
            (4, ["No.", "packet 14", "TSER=0", "MSRPBindSessionTimeout"]),
        ],
    )
    def test_the_seeds_five_questions(self, number: int, words: list[str]) -> None:
        said = self.said(number)
        assert [word for word in words if word not in said] == []

    @pytest.mark.parametrize("name", HEALTHY)
    def test_nobody_asks_about_a_healthy_call(self, name: str) -> None:
        for diagnosis in analyse(CAPTURES / name).diagnoses:
            assert answers(diagnosis) == []

    def test_both_reports_carry_them(self) -> None:
        for text in (html([seed()]), markdown([seed()])):
            assert "114,574,784" in text
            assert "Is the callee 10.201.1.99 misbehaving?" in text


class TestEscaping:
    def test_html_has_only_its_own_tags(self) -> None:
        class Tags(HTMLParser):
            def __init__(self) -> None:
                super().__init__()
                self.seen: set[str] = set()

            def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
                self.seen.add(tag)
                assert not [name for name, _ in attrs if name.startswith("on")]

        tags = Tags()
        page = html([evil()])
        tags.feed(page)
        assert "script" not in tags.seen
        assert "alert(1)" in page
        assert "\x1b" not in page
        assert "\u202e" not in page
        assert "default-src 'none'" in page

    def test_svg_is_well_formed(self) -> None:
        for diagnosis in evil().diagnoses:
            ladder = draw_svg(build_ladder(diagnosis.case)).markup(lone=True)
            root = ElementTree.fromstring(ladder)
            assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
            for link in diagnosis.case.links:
                ElementTree.fromstring(time_sequence(link, diagnosis.case).markup(lone=True))

    def test_terminal_gets_no_control_character(self) -> None:
        text = click.unstyle(as_text(evil(), ladder=True))
        assert re.findall(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", text) == []
        assert "\\x1b" in text

    def test_markdown_outside_drawings_has_no_tag(self) -> None:
        text = re.sub(r"<svg.*?</svg>", "", markdown([evil()]), flags=re.DOTALL)
        text = re.sub(r"(`{3,})text\n.*?\n\1", "", text, flags=re.DOTALL)
        assert re.findall(r"(?<!\\)<", text) == []


class TestDrawings:
    def test_the_ladder_has_the_seeds_columns_and_rows(self) -> None:
        (diagnosis,) = seed().diagnoses
        ladder = build_ladder(diagnosis.case)
        hosts = [column.host for column in ladder.columns]
        assert hosts == ["10.201.1.152", "10.204.1.28", "10.207.1.100", "10.201.1.99"]
        assert [row.number for row in ladder.rows] == list(range(1, 35))
        text = draw_text(ladder)
        assert "|53502-------------------------------->15002|" in text
        assert "|15000<----------49838|" in text
        assert "SEND 745f0cb1fb640e52  <- dropped: PAWS" in text
        assert "[SYN, ACK] Seq=0 Ack=1 TSV=971262787 TSER=0" in text

    def test_a_relay_on_one_machine_stands_between_its_parties(self) -> None:
        wire = Wire()
        here = "127.0.0.1"
        a = Talk(wire, (here, 1001), (here, 2001)).open()
        b = Talk(wire, (here, 1002), (here, 2002)).open()
        a.send(0, send("tid-1"))
        b.send(1, send("tid-1"))
        (diagnosis,) = diagnoses(wire)
        hosts = [column.host for column in build_ladder(diagnosis.case).columns]
        assert hosts == [f"{here}:1001", f"relay {here}", f"{here}:1002"]

    def test_long_host_names_are_whole_in_the_text(self) -> None:
        wire = Wire()
        net = "2001:db8:1234:5678:9abc:def0:1"
        one, other = f"{net}:2", f"{net}:3"
        Call(wire, one, other).invite(b"")
        (diagnosis,) = diagnoses(wire)
        heads, roles, row = draw_text(build_ladder(diagnosis.case)).splitlines()
        assert heads.split() == [one, other]
        assert heads.index(one) == roles.index("caller") == row.index("|5060-")
        assert heads.index(other) == roles.index("callee") == row.rindex("|")

    def test_a_long_call_keeps_its_beginning_and_its_end(self) -> None:
        wire = Wire()
        Call(wire).up()
        talk = Talk(wire).open()
        for number in range(300):
            talk.send(0, send(f"tid-{number}", b"hello"))
            talk.send(1, ok(f"tid-{number}"))
        last = len(wire.frames)
        (diagnosis,) = diagnoses(wire)
        ladder = build_ladder(diagnosis.case)
        assert len(ladder.rows) == 150
        assert ladder.rows[0].number == 1
        assert ladder.rows[-1].number == last
        assert f"{ladder.left_out} more packets" in draw_text(ladder)
        assert len(ladder.rows) + ladder.left_out == last

    def test_the_plot_marks_what_was_dropped(self) -> None:
        (diagnosis,) = seed().diagnoses
        markup = [time_sequence(link, diagnosis.case).markup() for link in diagnosis.case.links]
        assert [text.count('class="f-bad"') > 0 for text in markup] == [False, True]
        assert "dropped by the receiver" in markup[1]

    def test_reports_are_written_by_their_name(self, tmp_path: Path) -> None:
        for name, start in (("a.html", "<!doctype html>"), ("a.md", "# blink")):
            write_report(tmp_path / name, [seed()])
            assert (tmp_path / name).read_text("utf-8").startswith(start)
