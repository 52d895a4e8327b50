"""An event loop on the virtual clock: coroutines and threads share one time, to the nanosecond."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from typing import Any, TypeVar

import pytest

from firstpacket.bench.timing.clock import VirtualClock
from firstpacket.bench.timing.virtual_loop import VirtualLoop

MS = 1_000_000
T = TypeVar("T")


def run(clock: VirtualClock, main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        return runner.run(main)


def test_a_coroutine_and_a_thread_exchange_items_at_exact_times() -> None:
    clock = VirtualClock(start_ns=7)
    to_thread = clock.inbox()
    seen: list[tuple[str, object, int]] = []

    async def main() -> None:
        loop, from_thread = asyncio.get_running_loop(), asyncio.Queue[object]()

        def answer() -> None:
            while (item := to_thread.get()) is not None:
                seen.append(("thread", item, clock.now_ns()))
                clock.advance(5 * MS)
                loop.call_soon_threadsafe(from_thread.put_nowait, item)

        thread = clock.spawn(answer, "server")
        for item in range(3):
            await asyncio.sleep(0.02)
            to_thread.put(item)
            seen.append(("loop", await from_thread.get(), clock.now_ns()))
        to_thread.put(None)
        await asyncio.sleep(0)
        clock.join(thread)

    run(clock, main())
    assert seen == [
        (who, item, 7 + 25 * MS * item + after_ns)
        for item in range(3)
        for who, after_ns in (("thread", 20 * MS), ("loop", 25 * MS))
    ]


def test_a_thread_wakes_a_loop_that_waits_for_nothing_else_and_one_that_sleeps() -> None:
    clock = VirtualClock()

    async def main() -> list[int]:
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            clock.advance(3 * MS)
            loop.call_soon_threadsafe(woken.set)

        stamps = []
        for seconds in (None, 0.005, 3600):
            other = asyncio.create_task(asyncio.sleep(seconds)) if seconds else None
            clock.spawn(wake, "waker")
            await woken.wait()
            woken.clear()
            stamps.append(clock.now_ns())
            assert other is None or not other.done()
        return stamps

    assert run(clock, main()) == [3 * MS, 6 * MS, 9 * MS]
    assert clock.now_ns() == 9 * MS  # nobody waited for the hour


def test_a_thousand_sessions_keep_their_times() -> None:
    """With intervals that no float represents; the sum of each session's is exact."""
    clock, sessions, frames = VirtualClock(), 1000, 10
    rng = random.Random(1)
    steps_ns = [rng.randrange(1, 30 * MS) for _ in range(sessions)]

    async def session(step_ns: int) -> list[int]:
        stamps = []
        for _ in range(frames):
            await asyncio.sleep(step_ns / 1e9)
            stamps.append(clock.now_ns())
        return stamps

    async def main() -> list[list[int]]:
        return await asyncio.gather(*map(session, steps_ns))

    assert run(clock, main()) == [[step_ns * (n + 1) for n in range(frames)] for step_ns in steps_ns]
    assert clock.now_ns() == frames * max(steps_ns)


def test_a_timeout_and_a_cancellation_end_a_wait_at_their_time() -> None:
    clock = VirtualClock()

    async def main() -> list[int]:
        stamps = []
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.25)
        stamps.append(clock.now_ns())
        task = asyncio.create_task(asyncio.sleep(10))
        asyncio.get_running_loop().call_later(0.1, task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task
        stamps.append(clock.now_ns())
        return stamps

    assert run(clock, main()) == [250 * MS, 350 * MS]


def test_an_error_in_a_callback_is_reported_and_time_goes_on() -> None:
    clock = VirtualClock()
    errors: list[tuple[BaseException, int]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: errors.append((context["exception"], clock.now_ns())))
        loop.call_later(0.01, lambda: 1 // 0)
        await asyncio.sleep(0.02)

    run(clock, main())
    ((error, at_ns),) = errors
    assert isinstance(error, ZeroDivisionError) and at_ns == 10 * MS and clock.now_ns() == 20 * MS


def test_an_error_of_the_main_coroutine_ends_the_loop_and_not_the_clock() -> None:
    clock = VirtualClock()

    async def main() -> None:
        await asyncio.sleep(0.01)
        raise LookupError

    with pytest.raises(LookupError):
        run(clock, main())
    clock.advance(MS)
    assert clock.now_ns() == 11 * MS


def test_the_order_at_one_instant_is_that_of_scheduling() -> None:
    clock = VirtualClock()
    ran: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def timer(number: int) -> None:
            ran.append(f"timer {number}")
            loop.call_soon(ran.append, f"after {number}")

        for number in range(20):
            # The same instant, though 0.1 + 0.2 is another float than 0.3.
            loop.call_at(0.1 + 0.2 if number % 2 else 0.3, timer, number)
        loop.call_at(0.3, lambda: None).cancel()
        loop.call_soon(ran.append, "soon")
        await asyncio.sleep(0.3)
        ran.append(f"main {clock.now_ns()}")
        await asyncio.sleep(0)

    run(clock, main())
    timers, afters = ([f"{what} {number}" for number in range(20)] for what in ("timer", "after"))
    assert ran == ["soon", *timers, *afters, "main 300000000"]


def test_a_loop_in_a_spawned_thread_and_one_in_the_creating_thread_share_time() -> None:
    clock = VirtualClock()
    stamps: dict[str, int] = {}

    async def sleeper(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        stamps[name] = clock.now_ns()

    thread = clock.spawn(lambda: run(clock, sleeper("spawned", 0.03)), "loop")
    run(clock, sleeper("creating", 0.02))
    assert stamps == {"creating": 20 * MS}
    clock.join(thread)
    assert stamps["spawned"] == clock.now_ns() == 30 * MS


def test_what_would_leave_virtual_time_is_refused() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        for wait in (lambda: asyncio.to_thread(print), lambda: asyncio.open_connection("127.0.0.1", 1)):
            with pytest.raises(NotImplementedError):
                await wait()
        with pytest.raises(NotImplementedError):
            loop.add_reader(0, print)

    run(VirtualClock(), main())
