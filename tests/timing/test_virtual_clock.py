from __future__ import annotations

import queue

import pytest

from firstpacket.bench.timing.clock import MonotonicClock, VirtualClock


def test_time_jumps_to_the_next_wake_up() -> None:
    clock = VirtualClock()
    clock.sleep_until_ns(3_600_000_000_000)
    assert clock.now_ns() == 3_600_000_000_000
    clock.sleep_until_ns(5)
    assert clock.now_ns() == 3_600_000_000_000


def test_threads_sleep_concurrently() -> None:
    clock = VirtualClock()
    woke: dict[str, int] = {}

    def sleeper(name: str, until_ns: int) -> None:
        clock.sleep_until_ns(until_ns)
        woke[name] = clock.now_ns()

    threads = [clock.spawn(lambda: sleeper("late", 500), "late"), clock.spawn(lambda: sleeper("early", 200), "early")]
    clock.sleep_until_ns(300)
    assert woke == {"early": 200}
    for thread in threads:
        clock.join(thread)
    assert woke == {"early": 200, "late": 500}
    assert clock.now_ns() == 500


def test_a_reader_waits_for_the_writer_on_virtual_time() -> None:
    clock = VirtualClock()
    inbox = clock.inbox()

    def write() -> None:
        for item in range(3):
            clock.sleep_until_ns(clock.now_ns() + 100)
            inbox.put(item)

    writer = clock.spawn(write, "writer")
    arrivals = [(inbox.get(), clock.now_ns()) for _ in range(3)]
    clock.join(writer)
    assert arrivals == [(0, 100), (1, 200), (2, 300)]


def test_the_real_clock_does_not_wake_early() -> None:
    clock = MonotonicClock()
    until_ns = clock.now_ns() + 2_000_000
    clock.sleep_until_ns(until_ns)
    assert clock.now_ns() >= until_ns


@pytest.mark.parametrize("clock", [VirtualClock(), MonotonicClock()])
def test_a_reader_may_stop_waiting(clock: VirtualClock | MonotonicClock) -> None:
    inbox = clock.inbox()
    when_ns = clock.now_ns() + 2_000_000
    with pytest.raises(queue.Empty):
        inbox.get_until(when_ns)
    assert clock.now_ns() >= when_ns
    inbox.put("here")
    assert inbox.get_until(0) == "here", "what is there is taken, however late"
    with pytest.raises(queue.Empty):
        inbox.get_until(0)
