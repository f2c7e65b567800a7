"""Tell how far the work on many rows is, and how long it will still take."""

import time
from typing import Literal

from backend.worker import RunFolder
from studio.contract import AnswerMode, Progress

PROGRESS_SECONDS = 1.0
"""Shortest time between two events about the progress."""


class Pace:
    """Counts rows as they are done and emits the progress; the pace is that of this go alone.

    Args:
        folder: where the events go.
        phase: what is done.
        total: rows in all.
        done: rows that an earlier go has done.
        answer: the way of answering.
    """

    def __init__(
        self,
        folder: RunFolder,
        phase: Literal["evaluating", "classifying"],
        *,
        total: int,
        done: int,
        answer: AnswerMode,
    ) -> None:
        self._folder = folder
        self._phase = phase
        self._total = total
        self._before = self._done = done
        self._answer = answer
        self._began = time.monotonic()
        self._told = 0.0
        self._emit()

    def step(self, rows: int = 1) -> None:
        """Count rows that are done."""
        self._done += rows
        if (now := time.monotonic()) - self._told >= PROGRESS_SECONDS:
            self._told = now
            self._emit(eta=self._seconds_a_row * (self._total - self._done))

    def end(self) -> None:
        """Emit the last progress."""
        self._emit()

    @property
    def seconds_for_all(self) -> float:
        """Seconds that all rows take at the pace of this go; of a go without a row, what it took."""
        return self._seconds_a_row * (self._total if self._done > self._before else 1)

    @property
    def _seconds_a_row(self) -> float:
        return (time.monotonic() - self._began) / max(self._done - self._before, 1)

    def _emit(self, eta: float | None = None) -> None:
        self._folder.emit(
            Progress(
                phase=self._phase, done=self._done, total=self._total, eta_seconds=eta, answer=self._answer
            )
        )
