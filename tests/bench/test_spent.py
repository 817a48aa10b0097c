"""Where time goes, of what perf prints; perf itself is not run."""

from __future__ import annotations

import pytest

from bench.spent import COLUMNS, OUTSIDE, REST, column, is_counted, parts, samples_of

# Of `perf script -F comm,ip,sym`.
TEXT = """msrp-0
\tffffffff81a0 tcp_sendmsg_locked
\tffffffff81b0 __x64_sys_sendto
\tffffffff81c0 do_syscall_64
\t    7f0000001000 msrp_relay::mover::lane::Lane::send

msrp-0
\t    7f0000002000 msrp_proto::rewrite::Rewriter::push_with

python
\t    7f0000003000 _PyEval_EvalFrameDefault

"""


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        (["ffff1 tcp_v4_rcv", "ffff2 __x64_sys_sendto", "7f3 main"], "send"),
        (["ffff1 sock_poll", "ffff2 __arm64_sys_epoll_pwait"], "wait"),
        (["ffff1 skb_copy", "ffff2 ___sys_sendmsg", "ffff3 __sys_sendmsg"], "send"),
        (["ffff1 handle_softirqs", "ffff2 do_softirq", "ffff3 do_writev"], "send"),
        (["ffff1 inet_release", "ffff2 __x64_sys_close"], "end"),
        (["ffff1 schedule", "ffff2 do_syscall_64"], REST),
        (["7f1 memmove"], OUTSIDE),
        ([], OUTSIDE),
    ],
)
def test_a_sample_belongs_to_its_system_call(frames: list[str], expected: str) -> None:
    assert column(frames) == expected


def test_parts_are_shares_of_all_samples() -> None:
    share = parts(samples_of(TEXT))
    assert tuple(share) == COLUMNS
    assert share["send"] == pytest.approx(1 / 3)
    assert share[OUTSIDE] == pytest.approx(2 / 3)
    assert set(parts([]).values()) == {0.0}


def test_the_engine_is_charged_for_what_its_caller_has_the_kernel_do() -> None:
    opens, runs = ["ffff1 __x64_sys_bind"], ["7f1 _PyEval_EvalFrameDefault"]
    assert is_counted("msrprelay-deleted", "python", opens)
    assert not is_counted("msrprelay-deleted", "python", runs)
    assert is_counted("msrprelay-deleted", "msrp-0", runs)
    assert is_counted("msrprelayd", "python", runs)
    assert is_counted("haproxy", "haproxy", runs)
