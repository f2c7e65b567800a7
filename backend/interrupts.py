"""Interrupt blocking work, on a socket or on other threads, when a pause or cancel is requested.

A worker that computes polls the run folder between two steps. One that blocks cannot: here a
second thread polls, and interrupts the main one.
"""

import signal
import threading
from collections.abc import Callable
from types import FrameType

from backend.worker import Cancelled, Paused, RunFolder
from studio.language import say

_POLL_SECONDS = 0.2
_POLLS_A_TICK = 3


class _Interrupted(BaseException):
    """Raised in the main thread. No Exception: no handler on the way may take it for a failure."""


class Interruptible:
    """A block of the main thread that is interrupted when the run is paused or cancelled.

    `on_tick` is called now and then and at the end of the block, `on_discard` when a cancel
    keeps nothing.

    Raises:
        Cancelled: a cancel was requested.
        Paused: a pause was requested.
    """

    def __init__(
        self, folder: RunFolder, *, on_tick: Callable[[], None], on_discard: Callable[[], None]
    ) -> None:
        self._folder = folder
        self._on_tick = on_tick
        self._on_discard = on_discard
        self._over = threading.Event()
        self._armed = False
        self._thread = threading.Thread(target=self._poll, name="interrupts", daemon=True)

    def __enter__(self) -> None:
        # Set here, since a shell that starts jobs in the background has SIGINT ignored.
        self._before = signal.signal(signal.SIGINT, self._interrupt)
        self._armed = True
        self._thread.start()

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._armed = False
        self._over.set()
        self._thread.join()
        signal.signal(signal.SIGINT, self._before)
        self._on_tick()
        if isinstance(error, _Interrupted):
            if self._folder.cancel_requested:
                if self._folder.discard_requested:
                    self._on_discard()
                raise Cancelled from None
            raise Paused(say("已按要求暂停。", "Paused as requested.")) from None

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        # Runs in the main thread, so nothing can be raised once the block has been left.
        if self._armed:
            self._armed = False
            raise _Interrupted

    def _poll(self) -> None:
        polls = 0
        main = threading.main_thread().ident
        assert main is not None
        while not self._over.wait(_POLL_SECONDS):
            if self._folder.cancel_requested or self._folder.pause_requested:
                signal.pthread_kill(main, signal.SIGINT)
                return
            polls += 1
            if polls % _POLLS_A_TICK == 0:
                self._on_tick()
