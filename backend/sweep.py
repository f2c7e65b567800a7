"""Train the runs of a hyperparameter sweep one by one: `python -m backend.sweep RUN_FOLDER`.

The base model is loaded once where memory allows. Each member has a run folder of its
own and ends with its own result.json, exactly as if it had been trained alone. A cancel or
pause of the sweep applies to the member in training; started again, the sweep resumes with
the members that have no result yet.
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

from backend.modeling.base_cache import BaseCache
from backend.train import train
from backend.worker import Cancelled, Paused, RunFolder, run_worker, work_in
from studio.contract import Progress, Result, SweepSpec
from studio.errors import RunFailed
from studio.language import say

log = logging.getLogger(__name__)


class Member(RunFolder):
    """A member's run folder; a cancel or pause of the sweep applies to it as well."""

    def __init__(self, path: Path, sweep: RunFolder) -> None:
        super().__init__(path)
        self.sweep = sweep
        self.started = time.monotonic()

    @property
    def cancel_requested(self) -> bool:
        """Whether a cancel of this member, or of the sweep, was requested."""
        return super().cancel_requested or self.sweep.cancel_requested

    @property
    def discard_requested(self) -> bool:
        """Whether a cancel was requested that keeps no checkpoint."""
        return super().discard_requested or self.sweep.discard_requested

    @property
    def pause_requested(self) -> bool:
        """Whether a pause of this member, or of the sweep, was requested."""
        return super().pause_requested or self.sweep.pause_requested

    @property
    def is_over(self) -> bool:
        """Whether it has a final result, or was cancelled before it began."""
        file = self.path / "result.json"
        if not file.exists():
            return super().cancel_requested
        return Result.model_validate_json(file.read_bytes()).status != "paused"


def sweep(folder: RunFolder) -> dict[str, Any]:
    """Train every member that is not over; a failed one does not stop the others."""
    spec = folder.read_spec()
    assert isinstance(spec, SweepSpec), spec.kind
    base = BaseCache()
    started, failed = time.monotonic(), 0
    members = [Member(path, folder) for path in spec.runs]
    waiting = [member for member in members if not member.is_over]
    for number, member in enumerate(waiting):
        done = len(members) - len(waiting) + number
        eta = (time.monotonic() - started) / number * (len(waiting) - number) if number else None
        folder.emit(Progress(phase="sweeping", done=done, total=len(members), eta_seconds=eta))
        _raise_if_stopped(folder)
        failed += train_member(member, base) != 0
        _raise_if_stopped(folder)
    folder.emit(Progress(phase="sweeping", done=len(members), total=len(members)))
    if failed == len(waiting) and failed:
        raise RunFailed(
            say("这一组里没有一次训练成功。", "Every run of the sweep failed."),
            remedy=say("请看其中一次运行的原因和日志。", "See the reason and the log of one of them."),
        )
    return {}


def train_member(member: Member, base: BaseCache) -> int:
    """Train one member; return the exit code that it would have as a worker of its own."""
    member.started = time.monotonic()
    (member.path / "result.json").unlink(missing_ok=True)
    with held_alive(member.path):
        try:
            return work_in(member, lambda folder: train(folder, base.load))
        except Exception:
            # It has its result and its log; the others are not to blame.
            log.exception("%s crashed", member.path.name)
            return 1


@contextmanager
def held_alive(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, so that it counts as running, and copy the log into its own.

    Without a process id: a signal to this member would be one to the whole sweep.
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


def _raise_if_stopped(folder: RunFolder) -> None:
    if folder.cancel_requested:
        raise Cancelled
    if folder.pause_requested:
        raise Paused(say("已按要求暂停，可以继续。", "Paused as requested; it can be resumed."))


def main() -> int:
    """Entry of `python -m backend.sweep`."""
    transformers_logging.set_verbosity_warning()
    warnings.filterwarnings("ignore", message=".*pin_memory.*")
    return run_worker(sweep)


if __name__ == "__main__":
    sys.exit(main())
