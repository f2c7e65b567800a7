"""A pause or a cancel that reaches work which waits, on a socket or on other threads.

The main thread of a worker that only computes looks at the run folder between two steps.
One that waits cannot; here a second thread looks, and interrupts it.
"""

import signal
import threading
from collections.abc import Callable
from types import FrameType

from backend.worker import Cancelled, Paused, RunFolder
from studio.language import say

_LOOK_SECONDS = 0.2
_TICKS_A_TELL = 3


class _Stopped(BaseException):
    """Raised in the main thread. No Exception: nobody on the way may mistake it for a failure."""


class Stoppable:
    """A block of the main thread that ends at once when the run is paused or cancelled.

    Raises:
        Paused, Cancelled: somebody asked for it.
    """

    def __init__(
        self, folder: RunFolder, *, on_tick: Callable[[], None], on_discard: Callable[[], None]
    ) -> None:
        self._folder = folder
        self._on_tick = on_tick
        self._on_discard = on_discard
        self._over = threading.Event()
        self._armed = False
        self._thread = threading.Thread(target=self._look, name="stop-watch", daemon=True)

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
        if isinstance(error, _Stopped):
            if self._folder.cancel_requested:
                if self._folder.discard_requested:
                    self._on_discard()
                raise Cancelled from None
            raise Paused(say("已按要求暂停。", "Paused as asked.")) from None

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        # Runs in the main thread, so nothing can be raised once the block has been left.
        if self._armed:
            self._armed = False
            raise _Stopped

    def _look(self) -> None:
        ticks = 0
        main = threading.main_thread().ident
        assert main is not None
        while not self._over.wait(_LOOK_SECONDS):
            if self._folder.cancel_requested or self._folder.pause_requested:
                signal.pthread_kill(main, signal.SIGINT)
                return
            ticks += 1
            if ticks % _TICKS_A_TELL == 0:
                self._on_tick()
