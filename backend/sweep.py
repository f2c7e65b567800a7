"""Train the member runs of a sweep one after the other: `python -m backend.sweep RUN_FOLDER`.

The base model is loaded once where memory allows. Each member has a run folder of its
own and ends with its own result.json, exactly as if it had been trained alone. What is
asked of the sweep (cancel, pause) is asked of the member in hand; started again, the
sweep goes on with the members that have no result yet.
"""

import fcntl
import logging
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from transformers.utils import logging as transformers_logging

from backend.modeling.base_cache import ResidentBase
from backend.train import train
from backend.worker import Cancelled, Paused, RunFolder, run_worker, work_in
from studio.contract import Progress, Result, SweepSpec
from studio.errors import RunFailed
from studio.language import say

log = logging.getLogger(__name__)


class Member(RunFolder):
    """A member's folder: what is asked of the sweep is asked of it as well."""

    def __init__(self, path: Path, sweep: RunFolder) -> None:
        super().__init__(path)
        self.sweep = sweep
        self.started = time.monotonic()

    @property
    def cancel_requested(self) -> bool:
        """Whether the user asked this member, or the whole sweep, to stop."""
        return super().cancel_requested or self.sweep.cancel_requested

    @property
    def discard_requested(self) -> bool:
        """Whether nothing of it shall be kept."""
        return super().discard_requested or self.sweep.discard_requested

    @property
    def pause_requested(self) -> bool:
        """Whether the sweep shall stop for now."""
        return super().pause_requested or self.sweep.pause_requested

    @property
    def is_over(self) -> bool:
        """Whether it has a result that is more than a pause, or was cancelled before it began."""
        file = self.path / "result.json"
        if not file.exists():
            return super().cancel_requested
        return Result.model_validate_json(file.read_bytes()).status != "paused"


def sweep(folder: RunFolder) -> dict[str, Any]:
    """Train every member that is not over; a failed one does not keep the others from their turn."""
    spec = folder.read_spec()
    assert isinstance(spec, SweepSpec), spec.kind
    base = ResidentBase()
    started, failed = time.monotonic(), 0
    members = [Member(path, folder) for path in spec.runs]
    waiting = [member for member in members if not member.is_over]
    for number, member in enumerate(waiting):
        done = len(members) - len(waiting) + number
        eta = (time.monotonic() - started) / number * (len(waiting) - number) if number else None
        folder.emit(Progress(phase="sweeping", done=done, total=len(members), eta_seconds=eta))
        _heed(folder)
        failed += work_on(member, base) != 0
        _heed(folder)
    folder.emit(Progress(phase="sweeping", done=len(members), total=len(members)))
    if failed == len(waiting) and failed:
        raise RunFailed(
            say("这一组里没有一次训练成功。", "Not one member of the sweep was trained."),
            remedy=say("请看其中一次运行的原因和日志。", "See the reason and the log of one of its runs."),
        )
    return {}


def work_on(member: Member, base: ResidentBase) -> int:
    """Train one member; its exit code as a worker of its own."""
    member.started = time.monotonic()
    (member.path / "result.json").unlink(missing_ok=True)
    with alive(member.path):
        try:
            return work_in(member, lambda folder: train(folder, base.load))
        except Exception:
            # It has its result and its log; the others are not to blame.
            log.exception("%s crashed", member.path.name)
            return 1


@contextmanager
def alive(folder: Path) -> Iterator[None]:
    """The folder counts as running, and words go to its own log as well.

    Without a process id: whoever would signal this member would signal the whole sweep.
    """
    handler = logging.FileHandler(folder / "log.txt", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    unfinished = folder / ".alive"
    with unfinished.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        unfinished.replace(folder / "alive")
        logging.getLogger().addHandler(handler)
        try:
            yield
        finally:
            logging.getLogger().removeHandler(handler)
            handler.close()


def _heed(folder: RunFolder) -> None:
    if folder.cancel_requested:
        raise Cancelled
    if folder.pause_requested:
        raise Paused(say("已按要求暂停，可以继续。", "Paused as asked; it can go on."))


def main() -> int:
    """Entry of `python -m backend.sweep`."""
    transformers_logging.set_verbosity_warning()
    warnings.filterwarnings("ignore", message=".*pin_memory.*")
    return run_worker(sweep)


if __name__ == "__main__":
    sys.exit(main())
