"""The linter: what each side means, why it would fail, what the relay would write."""

from __future__ import annotations

import json

import pytest

from msrprelay.doctor.lint import as_json, as_text, lint, refusal
from msrprelay.errors import SdpError

from .wire import ANSWER, OFFER, PATH_A, PATH_B, A, B, sdp

TLS_PATH = PATH_B.replace("msrp:", "msrps:")


def over_tls(host: str, path: str, setup: str) -> bytes:
    port = int(path.split(":")[2].split("/")[0])
    return sdp(host, port, path.replace("msrp:", "msrps:"), setup, proto="TCP/TLS/MSRP")


def rules(offer: bytes, answer: bytes | None = None) -> set[str]:
    return {p.rule for p in lint(offer, answer).problems if p.severity == "error"}


def test_a_good_pair_has_no_problem() -> None:
    result = lint(OFFER, ANSWER)
    assert not result.faulty
    assert "without a relay: the offerer dials" in result.meaning


RELAYED = "msrp://192.0.2.55:2855/xyz;tcp "


@pytest.mark.parametrize(
    ("path", "found"),
    [
        pytest.param(RELAYED + PATH_A, set(), id="own-uri-last"),
        pytest.param(RELAYED + RELAYED + PATH_A, set(), id="two-relays"),
        pytest.param(RELAYED + PATH_A.replace(A, "192.0.2.66"), {"S07"}, id="neither"),
    ],
)
def test_c_and_m_may_name_the_endpoint_behind_a_relay_of_rfc_4976(
    path: str, found: set[str]
) -> None:
    assert rules(sdp(A, 2855, path, "actpass")) == found
    assert rules(sdp(A, 9, PATH_A.replace("2855", "9"), cema=True), sdp(A, 2855, path, None)) == (
        {"S07", "S07b"} if found else set()
    )


@pytest.mark.parametrize(
    ("offer", "answer", "rule"),
    [
        pytest.param(
            over_tls(A, PATH_A, "active"), over_tls(B, PATH_B, "active"), "S06a", id="tls-active"
        ),
        pytest.param(
            over_tls(A, PATH_A, "passive"),
            over_tls(B, PATH_B, "passive"),
            "S06b",
            id="tls-passive",
        ),
        pytest.param(OFFER, sdp(B, 7654, PATH_B, "actpass"), "S06c", id="actpass-answer"),
        pytest.param(OFFER, sdp(B, 7655, PATH_B, "passive"), "S07", id="port"),
        pytest.param(
            OFFER, sdp(B, 7654, PATH_B, "passive", connection="203.0.113.5"), "S07", id="host"
        ),
        pytest.param(
            sdp(A, 9, PATH_A.replace("2855", "9"), "active", cema=True),
            sdp(B, 7654, PATH_B, "passive", connection="203.0.113.5"),
            "S07b",
            id="half-cema",
        ),
        pytest.param(
            OFFER, sdp(B, 7654, PATH_B, "passive", types="message/cpim"), "S09", id="types"
        ),
        pytest.param(OFFER, sdp(B, 7654, TLS_PATH, "passive"), "S10", id="scheme"),
        pytest.param(
            OFFER, sdp(B, 7654, TLS_PATH, "passive", proto="TCP/TLS/MSRP"), "S10", id="tls"
        ),
        pytest.param(
            OFFER.replace(b"a=accept-types:text/plain\r\n", b""),
            ANSWER,
            "missing_accept_types",
            id="no-types",
        ),
        pytest.param(OFFER.replace(b"a=path", b"a=pfad"), ANSWER, "missing_path", id="no-path"),
        pytest.param(OFFER.replace(b"tcp\r\n", b"\r\n"), ANSWER, "bad_path_uri", id="bad-path"),
        pytest.param(
            OFFER.replace(b";tcp\r\n", b";tcp" + 32 * b" msrp://h:1/x;tcp" + b"\r\n"),
            ANSWER,
            "path_too_long",
            id="long-path",
        ),
    ],
)
def test_says_why_it_would_fail(offer: bytes, answer: bytes, rule: str) -> None:
    assert rule in rules(offer, answer)


@pytest.mark.parametrize(
    ("offered", "answered", "rule", "helps"),
    [
        ("active", "active", "S06a", "The relay accepts both"),
        ("passive", "passive", "S06b", "The relay dials both"),
    ],
)
def test_the_relay_settles_a_conflict_of_roles(
    offered: str, answered: str, rule: str, helps: str
) -> None:
    result = lint(sdp(A, 2855, PATH_A, offered), sdp(B, 7654, PATH_B, answered))
    (found,) = [p for p in result.problems if p.rule == rule]
    assert found.severity == "note"
    assert found.remedy.startswith(helps)
    assert not result.faulty


def test_tls_is_said_to_pass_untouched() -> None:
    result = lint(over_tls(A, PATH_A, "active"), over_tls(B, PATH_B, "passive"))
    assert not result.faulty
    assert [(p.rule, p.side) for p in result.problems if p.rule == "not_relayed"] == [
        ("not_relayed", "offer"),
        ("not_relayed", "answer"),
    ]
    text = as_text(result)
    assert "TCP/TLS/MSRP is not relayed: the relay leaves m= line 1 untouched and warns" in text
    assert "with the relay: m= line 1 passes unchanged" in text
    assert "nothing wrong" not in text
    assert set(map(tuple, result.rewrites.values())) == {
        ("no MSRP section that is relayed: returned unchanged",)
    }


def test_answer_to_another_line_has_no_counterpart() -> None:
    audio = OFFER.replace(b"m=message 9 TCP/MSRP *", b"m=audio 4000 RTP/AVP 0")
    assert "no_counterpart" in rules(audio, ANSWER)


def test_refused_sections_are_no_problem() -> None:
    assert rules(OFFER, ANSWER.replace(b"m=message 7654", b"m=message 0")) == set()


@pytest.mark.parametrize(
    ("offered", "answered", "said"),
    [
        ("active", "passive", ["the offerer is told passive", "offered actpass and is dialled"]),
        ("active", "active", ["the relay accepts", "offered actpass and dials", "both dial"]),
        ("passive", "active", ["the offerer is told active, the relay dials it"]),
        ("passive", "passive", ["nobody dials"]),
    ],
)  # fmt: skip
def test_tells_who_dials(offered: str, answered: str, said: list[str]) -> None:
    result = lint(sdp(A, 2855, PATH_A, offered), sdp(B, 7654, PATH_B, answered))
    text = as_text(result)
    assert [words for words in said if words not in text] == []


def test_shows_what_the_relay_would_write() -> None:
    rewrites = lint(OFFER, ANSWER).rewrites
    assert set(rewrites) == {"aware", "cema", "sessmatch"}
    assert "+m=message 30002 TCP/MSRP *" in rewrites["aware"]
    assert "-a=path:msrp://192.0.2.10:9/aaaa1111;tcp" in rewrites["aware"]
    assert "+a=path:msrp://192.0.2.10:30002/aaaa1111;tcp" in rewrites["sessmatch"]
    assert rewrites["cema"] == ["not possible: the offer carries no a=msrp-cema"]
    cema = lint(sdp(A, 9, PATH_A.replace("2855", "9"), "active", cema=True), None).rewrites["cema"]
    assert "+m=message 30002 TCP/MSRP *" in cema
    assert not [line for line in cema if line.startswith(("+a=path", "-a=path"))]


def test_json_is_one_line() -> None:
    text = as_json(lint(OFFER, sdp(B, 7655, PATH_B, "passive")))
    row = json.loads(text)
    assert "\n" not in text
    assert row["healthy"] is False
    assert [p["rule"] for p in row["problems"]] == ["S07"]


def test_no_sdp_is_refused() -> None:
    with pytest.raises(SdpError) as refused:
        lint(b"hello", None)
    assert refusal(refused.value) == (
        "line 1: this is no session description: it does not begin with v= (RFC 8866)"
    )


def test_codes_stay_out_of_the_text() -> None:
    text = as_text(lint(OFFER.replace(b"a=path", b"a=pfad"), None))
    assert "missing_path" not in text
    assert "error  (offer): no a=path" in text


def test_hostile_text_stays_text() -> None:
    text = as_text(lint(OFFER.replace(b"text/plain", b"\x1b[31m\x00"), None))
    assert "\x1b" not in text
    assert "\\x1b" in text
