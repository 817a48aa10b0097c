"""The table of calls, with an engine that does nothing and no time passing by itself."""

from __future__ import annotations

import itertools

from pytest_benchmark.fixture import BenchmarkFixture

from tests.unit.session_fakes import Lab, answer, delete, offer

# Longer than a freed port rests.
PAUSE_SECONDS = 61.0


def test_offer_answer_delete(benchmark: BenchmarkFixture) -> None:
    lab, numbers = Lab(ports=8, delete_delay=0.0), itertools.count()

    def call() -> None:
        call_id = f"call-{next(numbers)}"
        lab.sessions.offer(offer(call_id=call_id))
        lab.sessions.answer(answer(call_id=call_id))
        lab.sessions.delete(delete(call_id=call_id))
        lab.settle()
        lab.plane.opened.clear()
        lab.clock.pass_time(PAUSE_SECONDS)

    benchmark(call)
    assert next(numbers) > 1
