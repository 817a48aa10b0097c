"""Every description of the corpus: read as expected, rewritten octet for octet."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

DATA = Path(__file__).parents[1] / "data"
FILES = json.loads((DATA / "sdp_index.json").read_text("utf-8"))["files"]
REWRITES = [(entry, rewrite) for entry in FILES for rewrite in entry.get("rewrites") or []]
# What the relay writes where it ends TLS, in all expected outputs.
FINGERPRINT = (
    b"SHA-256 11:46:7B:B0:E5:1A:4F:84:B9:EE:23:58:8D:C2:F7:2C:"
    b"61:96:CB:00:35:6A:9F:D4:09:3E:73:A8:DD:12:47:7C"
)


@pytest.fixture(scope="session")
def sdp(load: Callable[[str], ModuleType]) -> ModuleType:
    return load("sdp")


@pytest.fixture(scope="session")
def roles(load: Callable[[str], ModuleType], sdp: ModuleType) -> ModuleType:
    """The `roles` of the same way of loading: not itself compiled."""
    module: ModuleType = __import__(sdp.__name__.replace("sdp", "net.roles"), fromlist=["Setup"])
    return module


def octets(entry: dict[str, str]) -> bytes:
    return (DATA / entry["file"]).read_bytes()


def file_attributes(section: Any) -> dict[str, str] | None:
    """The attributes of RFC 5547 that the index lists under ``file``."""
    names = [name.decode() for name, _ in section.attributes if name.startswith(b"file-")]
    return {name: section.attribute(name) for name in names} or None


def as_index(section: Any, expected: dict[str, Any]) -> dict[str, Any]:
    """A section in the words of the index, as far as the index speaks of it."""
    connection = section.connection and f"IN {section.connection.family} {section.connection.host}"
    target = section.dial_target
    found = {
        "index": section.index,
        "media": "message",
        "line": section.line,
        "is_msrp": True,
        "problems": list(section.problems),
        "port": section.port,
        "proto": section.proto,
        "connection_line": connection,
        "path": list(section.path),
        "setup": section.setup and section.setup.value,
        "connection_attr": section.attribute("connection"),
        "cema": section.cema,
        "accept_types": section.accept_types and list(section.accept_types),
        "accept_wrapped_types": section.accept_wrapped_types and list(section.accept_wrapped_types),
        "max_size": section.max_size,
        "fingerprints": [value.decode() for value in section.fingerprints],
        "direction": section.direction,
        "file": file_attributes(section),
        "chatroom": section.attribute("chatroom"),
        "anchor": section.anchor,
        "dial_target": target and list(target),
    }
    return {name: value for name, value in found.items() if name in expected}


# What the index says and a section does not keep: where a value came from, and the format list,
# of which only the problem counts.
NOT_KEPT = {"connection_level", "setup_level", "fmt"}


@pytest.mark.parametrize("entry", FILES, ids=lambda entry: Path(entry["file"]).stem)
def test_reads_as_the_index_says(sdp: ModuleType, entry: dict[str, Any]) -> None:
    if entry["parse"]["error"]:
        with pytest.raises(sdp.SdpError) as refusal:
            sdp.parse(octets(entry))
        assert (refusal.value.rule, refusal.value.line) == (entry["parse"]["error"], 1)
        return
    sections = {section.index: section for section in sdp.parse(octets(entry)).sections}
    expected = {media["index"]: media for media in entry["parse"]["media"] if media["is_msrp"]}
    assert sections.keys() == expected.keys()
    for index, media in expected.items():
        if "error" in media:
            assert (sections[index].problems, sections[index].anchor) == ((media["error"],), False)
        else:
            wanted = {name: value for name, value in media.items() if name not in NOT_KEPT}
            assert as_index(sections[index], media) == wanted


@pytest.mark.parametrize("entry", FILES, ids=lambda entry: Path(entry["file"]).stem)
def test_reads_as_written_by_hand(sdp: ModuleType, entry: dict[str, Any]) -> None:
    if "error" in entry["expect_hand"]:
        with pytest.raises(sdp.SdpError, match="not sdp"):
            sdp.parse(octets(entry))
        return
    sections = {section.index: section for section in sdp.parse(octets(entry)).sections}
    for index, expected in entry["expect_hand"].items():
        section = sections.get(int(index))
        if expected.get("is_msrp") is False:
            assert section is None
        elif "error" in expected:
            assert section is not None
            assert section.problems == (expected["error"],)
        else:
            wanted = {name: value for name, value in expected.items() if name not in NOT_KEPT}
            assert as_index(section, expected) == wanted


@pytest.mark.parametrize(("entry", "rewrite"), REWRITES, ids=lambda value: Path(value["file"]).name)
def test_rewrites_to_the_expected_octets(
    sdp: ModuleType, roles: ModuleType, entry: dict[str, Any], rewrite: dict[str, Any]
) -> None:
    description = sdp.parse(octets(entry))
    live = [section for section in description.sections if section.anchor]
    edits = {
        section.index: sdp.SectionEdit(
            policy=rewrite["mode"],
            family="IP6" if ":" in rewrite["relay"] else "IP4",
            host=rewrite["relay"],
            port=port,
            session_id=session_id,
            setup=roles.Setup(rewrite["setup"]),
            fingerprint=FINGERPRINT if section.tls else None,
        )
        for section, port, session_id in zip(
            live, rewrite["ports"], rewrite["session_ids"], strict=True
        )
    }
    assert description.rewrite(edits) == octets(rewrite)


@pytest.mark.parametrize("entry", FILES, ids=lambda entry: Path(entry["file"]).stem)
def test_no_edits_give_the_same_octets(sdp: ModuleType, entry: dict[str, Any]) -> None:
    if entry["parse"]["error"] is None:
        assert sdp.parse(octets(entry)).rewrite({}) == octets(entry)


def test_the_corpus_is_there() -> None:
    assert (len(FILES), len(REWRITES)) == (40, 37)
