"""A cancelled turn reaches work that blocks, in any thread, and nothing after it."""

from __future__ import annotations

import threading

import pytest

from firstpacket.bench.timing.cancellation import Cancellation, TurnCancelled


def test_an_action_runs_when_the_turn_is_cancelled_within_its_body() -> None:
    cancellation, called = Cancellation(), threading.Event()
    with cancellation.on_cancel(called.set):
        assert not called.is_set() and not cancellation.cancelled
        threading.Thread(target=cancellation.cancel).start()
        assert called.wait(5) and cancellation.cancelled


def test_an_action_does_not_run_after_its_body_was_left() -> None:
    cancellation, called = Cancellation(), threading.Event()
    with cancellation.on_cancel(called.set):
        pass
    cancellation.cancel()
    assert not called.is_set()


def test_an_action_of_a_turn_that_is_cancelled_already_runs_at_once() -> None:
    cancellation, called = Cancellation(), threading.Event()
    cancellation.cancel()
    with cancellation.on_cancel(called.set):
        assert called.is_set()


def test_an_action_that_fails_keeps_no_other_from_running() -> None:
    cancellation, called = Cancellation(), threading.Event()
    with cancellation.on_cancel(lambda: 1 // 0), cancellation.on_cancel(called.set):
        cancellation.cancel()
    assert called.is_set()


def test_work_that_can_be_abandoned_gives_its_result_or_its_error() -> None:
    cancellation = Cancellation()
    assert cancellation.abandonable(lambda: 7, pytest.fail, "work") == 7
    with pytest.raises(ZeroDivisionError):
        cancellation.abandonable(lambda: 1 // 0, pytest.fail, "work")


def test_abandoned_work_is_left_behind_and_its_result_discarded() -> None:
    cancellation, begun, go_on, discarded = Cancellation(), threading.Event(), threading.Event(), threading.Event()

    def work() -> str:
        begun.set()
        go_on.wait(5)
        return "late"

    def cancel() -> None:
        begun.wait(5)
        cancellation.cancel()

    threading.Thread(target=cancel).start()
    with pytest.raises(TurnCancelled):
        cancellation.abandonable(work, lambda late: discarded.set() if late == "late" else None, "work")
    assert not discarded.is_set()
    go_on.set()
    assert discarded.wait(5)
