"""The suite can fail: a relay that only copies octets passes what it can and nothing else."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from ..peers.daemon import HOST, free_range
from .cases import CHECKS
from .registry import Check
from .relay import TwoPortRelay
from .run import Result, play

# What a relay of two joined sockets gets right, and what it cannot.
PASSES = [
    "044-sessmatch-an_octet_at_a_time_for_a_kibibyte",
    "071-sessmatch-a_bind_goes_on_bodiless",
    "072-sessmatch-other_methods_pass_and_so_does_the_501",
    "087-sessmatch-opaque_legs_carry_any_octets",
    "168-sessmatch-a_fin_is_passed_on_behind_the_data",
    "201-sessmatch-the_same_id_on_both_sides_is_no_confusion",
    "228-sessmatch-an_rcs_chat_begins",
    "233-sessmatch-two_dialling_blinks_answer_each_others_binds",
]
FAILS = [
    "001-aware-a_whole_send",
    "018-aware-to_path_twice",
    "039-aware-crlfs_before_between_and_after",
    "053-aware-bare_lf_ends_a_header",
    "058-aware-fin_in_a_header",
    "061-aware-a_request_goes_to_the_peers_path_from_ours",
    "062-aware-a_response_comes_back_with_the_same_id",
    "073-aware-a_wrong_session_id_gets_481_and_is_not_forwarded",
    "078-aware-a_second_uri_behind_ours_gets_481",
    "169-aware-a_fin_inside_a_chunk_is_a_reset",
    "170-sessmatch-a_reset_is_passed_on",
    "185-sessmatch-a_stranger_who_guesses_does_not_keep_the_peer_out",
    "196-sessmatch-http",
]
BY_ID = {check.id: check for check in CHECKS}


@pytest.fixture
def socat() -> Iterator[TwoPortRelay]:
    """Two ports of socat, joined: the second opens when somebody comes to the first."""
    if shutil.which("socat") is None:
        if os.environ.get("CI"):
            pytest.fail("socat is not installed")
        pytest.skip("needs socat")
    first = free_range(2)
    listen = [f"TCP-LISTEN:{port},bind={HOST},reuseaddr" for port in (first, first + 1)]
    process = subprocess.Popen(["socat", "-d", "-d", "-t", "5", listen[0] + ",fork", listen[1]],
                               stderr=subprocess.PIPE, start_new_session=True)  # fmt: skip
    assert process.stderr is not None
    try:
        while b"listening on" not in (line := process.stderr.readline()):
            assert line, "socat has ended"
        yield TwoPortRelay(((HOST, first), (HOST, first + 1)), patience=1.0)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        process.wait()
        process.stderr.close()


@pytest.mark.parametrize(
    ("name", "expected"),
    [pytest.param(name, Result.PASS, id=name) for name in PASSES]
    + [pytest.param(name, Result.FAIL, id=name) for name in FAILS],
)
def test_a_relay_that_only_copies(socat: TwoPortRelay, name: str, expected: Result) -> None:
    check: Check = BY_ID[name]
    outcome = play(socat, check, control=False, longest=1.0)
    assert outcome.result is expected, outcome.reason


def test_what_needs_control_does_not_apply_to_it() -> None:
    nowhere = TwoPortRelay(((HOST, 1), (HOST, 2)))
    outcomes = {play(nowhere, c, control=False, longest=1.0).result for c in CHECKS if c.control}
    assert outcomes == {Result.NOT_APPLICABLE}
