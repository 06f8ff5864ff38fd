"""Background work: done, stopped, failed, and the window closed meanwhile."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from qtpy.QtCore import QThread, QTimer

from napari_qsm_stroke.errors import Cancelled, InputError
from napari_qsm_stroke.gui.jobs import Done, Failed, Jobs, Stopped
from napari_qsm_stroke.pipeline.warm_up import warm_up

pytestmark = pytest.mark.gl


class Heard:
    """What a caller of a job hears, and in which thread."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.outcomes: list[Any] = []
        self.threads: set[Any] = set()

    def done(self, value: Any) -> None:
        self.values.append(value)
        self.threads.add(QThread.currentThread())

    def ended(self, outcome: Any) -> None:
        self.outcomes.append(outcome)
        self.threads.add(QThread.currentThread())


@pytest.fixture
def jobs(qapp: Any) -> Jobs:
    return Jobs()


def endless(progress: Any) -> None:
    for i in range(10_000):
        progress(i / 10_000, "endless")
        time.sleep(0.005)
    raise AssertionError("nobody stopped it")


def test_the_value_arrives_in_the_main_thread(jobs: Jobs, qtbot: Any) -> None:
    heard = Heard()
    seen: list[Any] = []

    def work(progress: Any) -> int:
        seen.append(threading.current_thread())
        return 42

    jobs.start("count", work, heard.done, heard.ended)
    qtbot.waitUntil(lambda: bool(heard.outcomes))
    assert heard.values == [42]
    assert heard.outcomes == [Done(42)]
    assert heard.threads == {QThread.currentThread()}
    assert seen != [threading.main_thread()]
    assert jobs.running == ()


def test_progress_arrives_in_order_and_not_too_often(jobs: Jobs, qtbot: Any) -> None:
    heard = Heard()
    reports: list[tuple[float, str]] = []

    def work(progress: Any) -> None:
        start = time.monotonic()
        while (passed := time.monotonic() - start) < 0.5:
            progress(passed, "turn")

    job = jobs.start("turn", work, heard.done, heard.ended)
    job.progressed.connect(lambda fraction, stage: reports.append((fraction, stage)))
    qtbot.waitUntil(lambda: bool(heard.outcomes))
    fractions = [fraction for fraction, _ in reports]
    assert fractions == sorted(fractions)
    assert 3 <= len(reports) <= 12
    assert {stage for _, stage in reports} == {"turn"}


def test_cancel_stops_at_the_next_report(jobs: Jobs, qtbot: Any) -> None:
    heard = Heard()
    job = jobs.start("endless", endless, heard.done, heard.ended)
    qtbot.wait(50)
    asked = time.monotonic()
    job.cancel()
    qtbot.waitUntil(lambda: bool(heard.outcomes))
    assert time.monotonic() - asked < 1
    assert heard.outcomes == [Stopped()]
    assert heard.values == []


def test_a_value_that_comes_after_cancel_is_not_taken(jobs: Jobs, qtbot: Any) -> None:
    heard = Heard()
    go = threading.Event()

    def deaf(progress: Any) -> str:
        go.wait(5)
        return "too late"

    job = jobs.start("deaf", deaf, heard.done, heard.ended)
    job.cancel()
    go.set()
    qtbot.waitUntil(lambda: bool(heard.outcomes))
    assert heard.outcomes == [Stopped()]
    assert heard.values == []


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (InputError("a.nii", "is cut short.", "Copy it again."), "a.nii: is cut short. Copy"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (RuntimeError("solver"), "fault of the program (RuntimeError: solver)"),
        (ZeroDivisionError("zero"), "fault of the program"),
    ],
)
def test_an_error_becomes_one_sentence(
    jobs: Jobs, qtbot: Any, error: Exception, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    heard = Heard()

    def fail(progress: Any) -> None:
        raise error

    jobs.start("fail", fail, heard.done, heard.ended)
    qtbot.waitUntil(lambda: bool(heard.outcomes))
    (outcome,) = heard.outcomes
    assert isinstance(outcome, Failed)
    assert sentence in outcome.sentence
    assert "\n" not in outcome.sentence
    assert heard.values == []


def test_an_error_while_taking_the_value_is_told_too(jobs: Jobs, qtbot: Any) -> None:
    heard = Heard()

    def refuse(value: Any) -> None:
        raise InputError("Mask", "was drawn in meanwhile.", "Do it again.")

    jobs.start("make", lambda _progress: 1, refuse, heard.ended)
    qtbot.waitUntil(lambda: bool(heard.outcomes))
    assert isinstance(heard.outcomes[0], Failed)


def test_nothing_is_taken_once_the_window_has_gone(jobs: Jobs, qtbot: Any) -> None:
    heard = Heard()
    job = jobs.start("endless", endless, heard.done, heard.ended)
    qtbot.wait(30)
    jobs.close()
    qtbot.waitUntil(lambda: not job.running)
    assert heard.values == []
    assert heard.outcomes == []


def test_waiting_keeps_the_window_alive(jobs: Jobs, qtbot: Any) -> None:
    ticks: list[float] = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(time.monotonic()))
    timer.start(10)

    def work(progress: Any) -> str:
        time.sleep(0.4)
        return "ready"

    assert jobs.wait("wait", work) == "ready"
    timer.stop()
    assert len(ticks) > 10


def test_waiting_can_be_stopped_and_fails_like_the_work(jobs: Jobs, qtbot: Any) -> None:
    QTimer.singleShot(50, jobs.cancel_all)
    with pytest.raises(Cancelled):
        jobs.wait("endless", endless)

    def fail(progress: Any) -> None:
        raise InputError("here", "wrong.", "Mend it.")

    with pytest.raises(InputError, match="Mend it"):
        jobs.wait("fail", fail)


@pytest.fixture
def unprepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process in which nothing was prepared yet."""
    monkeypatch.setattr(Jobs, "_prepared", False)


@pytest.mark.usefixtures("unprepared")
def test_preparing_gives_way_to_the_first_job(jobs: Jobs, qtbot: Any) -> None:
    began = threading.Event()

    def prepare(progress: Any) -> None:
        began.set()
        endless(progress)

    jobs.prepare(prepare)
    assert jobs.preparing
    assert jobs.running == ()  # nobody waits for it
    assert began.wait(5)
    heard = Heard()
    jobs.start("count", lambda _progress: 42, heard.done, heard.ended)
    qtbot.waitUntil(lambda: heard.values == [42] and not jobs.preparing)


@pytest.mark.usefixtures("unprepared")
def test_it_is_prepared_once(jobs: Jobs, qtbot: Any) -> None:
    count: list[int] = []
    for _ in range(3):
        jobs.prepare(lambda _progress: count.append(1))
        qtbot.waitUntil(lambda: not jobs.preparing)
    other = Jobs()
    other.prepare(lambda _progress: count.append(1))
    qtbot.waitUntil(lambda: not other.preparing)
    assert count == [1]


@pytest.mark.usefixtures("unprepared")
def test_preparing_ends_with_the_window(jobs: Jobs, qtbot: Any) -> None:
    jobs.prepare(endless)
    jobs.close()
    qtbot.waitUntil(lambda: not jobs.preparing)
    jobs.prepare(endless)
    assert not jobs.preparing


@pytest.mark.usefixtures("unprepared")
def test_a_fault_while_preparing_disturbs_nobody(jobs: Jobs, qtbot: Any) -> None:
    def fault(_progress: Any) -> None:
        raise InputError("head", "too small.", "None.")

    jobs.prepare(fault)
    qtbot.waitUntil(lambda: not jobs.preparing)
    heard = Heard()
    jobs.start("count", lambda _progress: 42, heard.done, heard.ended)
    qtbot.waitUntil(lambda: heard.values == [42])


def test_a_dock_that_opens_has_the_kernels_compiled(
    workspace: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(Jobs, "prepare", lambda _jobs, work: asked.append(work))
    workspace(show=True)
    assert asked
    assert set(asked) == {warm_up}
