"""Ctrl-C stops a command, whatever became of its exception."""

from __future__ import annotations

import ctypes
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from napari_qsm_stroke.cli import run
from napari_qsm_stroke.cli.console import shown
from napari_qsm_stroke.cli.main import main
from napari_qsm_stroke.errors import InputError
from napari_qsm_stroke.io.atomic import together, write_text

pytestmark = pytest.mark.usefixtures("hears_ctrl_c")
LINE = ["run", "in", "out", "participant"]
NAMES = ("one", "two", "three")
CALLBACK = ctypes.CFUNCTYPE(None)


def press() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.fixture(params=[False, True], ids=["in a pipe", "in a terminal"])
def command(request, monkeypatch) -> Callable[[Callable[..., object]], int]:
    """Return a function that runs the command line with other work, and gives the exit code."""
    if request.param:
        monkeypatch.setenv("FORCE_COLOR", "1")

    def call(work: Callable[..., object]) -> int:
        def execute(_: object) -> int:
            with shown("work") as progress:
                work(progress)
            return 0

        monkeypatch.setattr(run, "execute", execute)
        return main(LINE)

    return call


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_one_that_a_callback_swallowed_still_stops(command, capsys):
    went_on = []

    def work(progress):
        progress(0.1, "first")
        CALLBACK(press)()  # Python prints what it raises, and goes on
        progress(0.5, "second")
        went_on.append("second")

    assert command(work) == 130
    assert not went_on
    assert "Stopped" in capsys.readouterr().err


def test_one_that_became_another_error_is_no_bug(command, capsys, caplog):
    for error in (RuntimeError("from a library"), InputError("x", "y.", "z."), OSError("full")):

        def work(_progress, error=error):
            try:
                press()
            except KeyboardInterrupt:
                raise error from None

        assert command(work) == 130
        shown_now = capsys.readouterr().err
        assert "Stopped" in shown_now
        assert "bug" not in shown_now
    assert not caplog.records


def test_one_after_the_last_report_is_said_too(command, capsys):
    def work(_progress):
        with pytest.raises(KeyboardInterrupt):
            press()

    assert command(work) == 130
    assert "Stopped" in capsys.readouterr().err


def test_the_next_command_starts_afresh(command):
    assert command(lambda _: press()) == 130
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert command(lambda progress: progress(0.5, "work")) == 0


def test_a_process_that_is_deaf_to_it_stays_deaf(command):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert command(lambda _: press()) == 0
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_commands_run_in_other_threads(command):
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(command, lambda progress: progress(0.5, "work")).result() == 0


def write_all(folder: Path, presses: int) -> None:
    """Three files that belong together; Ctrl-C after each of the first ones."""
    with together():
        for number, name in enumerate(NAMES):
            write_text(folder / name, name)
            if number < presses:
                press()


def test_it_waits_for_files_that_belong_together(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        write_all(tmp_path, presses=1)
    assert {p.name for p in tmp_path.iterdir()} == set(NAMES)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_pressed_twice_it_does_not_wait(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        write_all(tmp_path, presses=2)
    assert {p.name for p in tmp_path.iterdir()} == set(NAMES[:2])


def test_files_are_written_together_in_other_threads_too():
    done = threading.Event()

    def write() -> None:
        with together():
            done.set()

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()
    assert done.is_set()
