"""Work in the background: the only place of threads in the window.

A job is a plain function that takes a ``Progress`` and returns a value. It runs in a worker of
napari, so that napari knows of it when the window closes. Its outcome (``Done``, ``Stopped`` or
``Failed``) reaches the main thread; an exception never leaves the worker, because Qt bindings
abort the process on it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari.qt.threading import create_worker
from qtpy.QtCore import QEventLoop, QObject, Signal

from napari_qsm_stroke.core.progress import Progress
from napari_qsm_stroke.errors import Cancelled, QsmStrokeError

LOG = logging.getLogger(__name__)
SECONDS_BETWEEN_REPORTS = 0.05


@dataclass(frozen=True)
class Done:
    """The job has returned a value."""

    value: Any


@dataclass(frozen=True)
class Stopped:
    """The user, or the closing window, stopped the job."""


@dataclass(frozen=True)
class Failed:
    """The job has raised an error."""

    error: Exception

    @property
    def sentence(self) -> str:
        """What went wrong, for the user."""
        if isinstance(self.error, (QsmStrokeError, OSError)):
            return str(self.error)
        kind = type(self.error).__name__
        return f"This is a fault of the program ({kind}: {self.error}). Nothing was changed."


Outcome = Done | Stopped | Failed
Work = Callable[[Progress], Any]


class Job(QObject):
    """One piece of work.

    Parameters
    ----------
    title : str
        What the user reads while it runs.
    work : callable
        Takes a ``Progress`` and returns a value; it runs in another thread.
    """

    progressed = Signal(float, str)
    ended = Signal(object)

    def __init__(self, title: str, work: Work) -> None:
        super().__init__()
        self.title = title
        self._work = work
        self._outcome: Outcome = Stopped()
        self._last = 0.0
        self._worker: Any = None

    @property
    def running(self) -> bool:
        """Whether the job was started and has not ended."""
        return self._worker is not None

    def start(self) -> None:
        """Start the work in its own thread."""
        self._worker = create_worker(self._run, _start_thread=False, _ignore_errors=True)
        self._worker.finished.connect(self._end)
        self._worker.start()

    def cancel(self) -> None:
        """Ask the work to stop at its next report of progress."""
        if self._worker is not None:
            self._worker.quit()

    def _run(self) -> None:
        try:
            self._outcome = Done(self._work(self._report))
        except Cancelled:
            self._outcome = Stopped()
        except QsmStrokeError as error:
            self._outcome = Failed(error)
        except Exception as error:
            LOG.exception("%s failed", self.title)
            self._outcome = Failed(error)

    def _report(self, fraction: float, stage: str) -> None:
        if self._worker.abort_requested:
            raise Cancelled
        now = time.monotonic()
        if now - self._last > SECONDS_BETWEEN_REPORTS:
            self._last = now
            self.progressed.emit(fraction, stage)

    def _end(self) -> None:
        stopped = self._worker.abort_requested
        self._worker = None
        self.ended.emit(Stopped() if stopped else self._outcome)
        self._outcome = Stopped()  # the value may be large


class Jobs(QObject):
    """All jobs of one window.

    Attributes
    ----------
    waited : Signal
        Emitted with a job that a caller waits for, so that a panel can show it.
    """

    waited = Signal(object)

    _prepared = False

    def __init__(self) -> None:
        super().__init__()
        self._running: list[Job] = []
        self._preparing: Job | None = None
        self._closed = False

    @property
    def running(self) -> tuple[Job, ...]:
        """Jobs that have not ended."""
        return tuple(self._running)

    def prepare(self, work: Work) -> None:
        """Do what makes later jobs quicker, once in a process, while nothing else is to be done.

        It is no job that anybody waits for or sees: it gives way to the first one, for that does
        the same work itself as far as it needs it.

        Parameters
        ----------
        work : callable
            Takes a ``Progress`` and stops where that raises ``Cancelled``.
        """
        if Jobs._prepared or self._closed or self._running:
            return
        Jobs._prepared = True
        self._preparing = job = Job("Prepare", work)

        def finish(_outcome: Outcome) -> None:
            self._preparing = None

        job.ended.connect(finish)
        job.start()

    @property
    def preparing(self) -> bool:
        """Whether ``prepare`` is at work."""
        return self._preparing is not None

    def _give_way(self) -> None:
        if self._preparing is not None:
            self._preparing.cancel()

    def start(
        self,
        title: str,
        work: Work,
        done: Callable[[Any], None],
        ended: Callable[[Outcome], None] | None = None,
    ) -> Job:
        """Start a piece of work.

        Parameters
        ----------
        title : str
            What the user reads while it runs.
        work : callable
            Takes a ``Progress`` and returns a value.
        done : callable
            Takes that value, in the main thread; not called where the work stopped or failed.
        ended : callable, optional
            Takes the outcome, whatever it is, after ``done``.
        """
        self._give_way()
        job = Job(title, work)

        def finish(outcome: Outcome) -> None:
            if job in self._running:
                self._running.remove(job)
            if self._closed:
                return
            if isinstance(outcome, Done):
                try:
                    done(outcome.value)
                except QsmStrokeError as error:
                    outcome = Failed(error)
            if ended is not None:
                ended(outcome)

        job.ended.connect(finish)
        self._running.append(job)
        job.start()
        return job

    def wait(self, title: str, work: Work) -> Any:
        """Run a piece of work and return its value; the window goes on meanwhile.

        For callers that napari wants an answer from at once, such as sample data.

        Raises
        ------
        Cancelled
            The work was stopped.
        """
        self._give_way()
        loop = QEventLoop()
        outcomes: list[Outcome] = []
        job = Job(title, work)

        def finish(outcome: Outcome) -> None:
            outcomes.append(outcome)
            self._running.remove(job)
            loop.quit()

        job.ended.connect(finish)
        self._running.append(job)
        self.waited.emit(job)
        job.start()
        loop.exec()
        match outcomes[0] if outcomes else Stopped():
            case Done(value):
                return value
            case Failed(error):
                raise error
        raise Cancelled

    def cancel_all(self) -> None:
        """Ask every job to stop."""
        self._give_way()
        for job in self.running:
            job.cancel()

    def close(self) -> None:
        """Stop every job for good: the window goes away."""
        self._closed = True
        self.cancel_all()
