"""Fetch a model from ModelScope: `python -m backend.download RUN_FOLDER`.

Reads spec.json. Files arrive in a hidden folder beside the target, each is compared with
the hub's SHA-256 on the disk, and only the whole model is moved into place. A pause, a
cancel or a lost network keeps what is there; the next download of the same target goes
on from it. Needs no torch.
"""

import fcntl
import logging
import os
import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backend.clients.hub import Hub, is_corrupt, is_denied, is_hopeless, no_right, reason, unreachable
from backend.interrupts import Stoppable
from backend.worker import RunFolder, run_worker
from studio.contract import DownloadSpec, Progress
from studio.errors import DownloadFailed, WorkspaceBusy
from studio.language import say
from studio.modelfiles.folder_check import check_model, unsafe_folders
from studio.modelfiles.hub_manifest import RECORD, DownloadRecord, HubFile, file_sha256, wanted_files
from studio.modelfiles.safetensors_headers import indexed_files

log = logging.getLogger(__name__)

LONGEST_PAUSE = 30.0
"""Seconds between two rounds that brought nothing."""
SPARE_BYTES = 64 * 2**20
"""Room that has to stay on the disk: the queue and the logs need some."""
_RATE_SECONDS = 20.0


def download(folder: RunFolder) -> dict[str, Any]:
    """Do what the folder's spec says; the fields of Result that a download knows."""
    spec = folder.read_spec()
    assert isinstance(spec, DownloadSpec), spec.kind
    if os.environ.get("STUDIO_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        raise unreachable(spec.endpoint or "ModelScope", "STUDIO_OFFLINE")
    parts = staging(spec.target)
    with Hub(spec.endpoint) as hub, _alone(parts):
        job = _Job(folder, spec, hub, parts)
        with Stoppable(folder, on_tick=job.tell, on_discard=lambda: _discard(parts)):
            job.work()
        # No stop in the middle of this.
        _move_into_place(parts, spec.target)
    return {}


def staging(target: Path) -> Path:
    """Where a model is until it is whole."""
    return target.with_name(f".{target.name}.part")


class _Job:
    """The files of one model, and how much of each is there."""

    def __init__(self, folder: RunFolder, spec: DownloadSpec, hub: Hub, parts: Path) -> None:
        self.folder, self.spec, self.hub, self.parts = folder, spec, hub, parts
        self.files: list[HubFile] = []
        self.whole: set[str] = set()
        self.there: dict[str, int] = {}
        self.meter = _Meter(folder)

    def work(self) -> None:
        """List, look at what is there, fetch the rest, check, move into place."""
        self.hub.require_reachable()
        listed = self.hub.list_files(self.spec.model_id, self.spec.revision)
        unsafe = self.spec.target.resolve() in {folder.resolve() for folder in unsafe_folders()}
        self.files = wanted_files(self.spec.model_id, listed, unsafe=unsafe)
        # Every name at once: other threads change the numbers while this one adds them up.
        self.there = dict.fromkeys((file.path for file in self.files), 0)
        self._take_over()
        self._verify([file for file in self.files if (self.parts / file.path).is_file()])
        self._require_space()
        texts = [file for file in self.files if not file.is_weights]
        self._fetch(texts)
        self._require_shards()
        self._fetch([file for file in self.files if file.is_weights])
        self._finish(unsafe)

    def tell(self) -> None:
        """Leave an event when there is news."""
        self.meter.tell(
            sum(self.there.values()),
            sum(file.size for file in self.files),
            files=len(self.whole),
            of=len(self.files),
        )

    def _take_over(self) -> None:
        """Begin with what an earlier copy of the model has; a sound file is not fetched twice."""
        for file in self.files:
            old, new = self.spec.target / file.path, self.parts / file.path
            if old.is_file() and not new.exists() and old.stat().st_size == file.size:
                _link_or_copy(old, new)

    def _verify(self, files: Sequence[HubFile]) -> list[HubFile]:
        """Compare files on the disk with the hub's list; those that differ are removed and returned."""
        bad = []
        with self.meter.verifying(sum(file.size for file in files)) as hear:
            for file in files:
                path = self.parts / file.path
                if _is_same(path, file, hear):
                    self.whole.add(file.path)
                    self.there[file.path] = file.size
                else:
                    log.warning("%s is not what the hub lists and is fetched again", file.path)
                    path.unlink(missing_ok=True)
                    self.there[file.path] = 0
                    bad.append(file)
        return bad

    def _require_space(self) -> None:
        """Nothing when what is still to come fits.

        Raises:
            DownloadFailed: it does not; nothing more was fetched.
        """
        missing = sum(file.size for file in self.files if file.path not in self.whole)
        partial = sum(
            path.stat().st_size
            for path in self.parts.iterdir()
            if path.is_file() and path.name not in self.whole
        )
        needed = max(0, missing - partial)
        free = shutil.disk_usage(self.parts).free
        if needed and needed + SPARE_BYTES > free:
            raise DownloadFailed(
                say(
                    f"磁盘空间不够：还需要 {needed / 2**30:.1f} GiB，只剩 {free / 2**30:.1f} GiB。",
                    f"Not enough disk space: {needed / 2**30:.1f} GiB to come, {free / 2**30:.1f} GiB free.",
                ),
                remedy=say(
                    f"请在 {self.parts.parent} 所在的磁盘上腾出空间后继续；已下载的部分都在。",
                    f"Free some space on the disk of {self.parts.parent} and resume; what was fetched is kept.",
                ),
            )

    def _fetch(self, files: Sequence[HubFile]) -> None:
        """Fetch in rounds until every file is whole; a round that brought something begins the count anew."""
        idle, spoilt = 0, set[str]()
        while left := [file for file in files if file.path not in self.whole]:
            before = sum(self.there.values())
            failures = self.hub.fetch(
                self.spec.model_id,
                self.spec.revision,
                left,
                self.parts,
                at_once=self.spec.max_workers,
                on_bytes=self._hear,
            )
            bad = self._verify([file for file in left if file.path not in failures])
            self._give_up_on_spoilt(bad, failures, spoilt)
            moved = sum(self.there.values()) > before
            idle = 0 if moved else idle + 1
            if failures and idle >= self.spec.attempts:
                raise self._lost(failures)
            if failures:
                name, error = next(iter(failures.items()))
                log.warning("%d of %d files failed, %s: %s", len(failures), len(left), name, reason(error))
                time.sleep(min(LONGEST_PAUSE, 0.5 * 2**idle))

    def _hear(self, name: str, there: int) -> None:
        self.there[name] = there

    def _give_up_on_spoilt(
        self, bad: Sequence[HubFile], failures: dict[str, BaseException], spoilt: set[str]
    ) -> None:
        """The failures that no repetition mends, and files that were spoilt before, end the download."""
        for name, error in failures.items():
            if is_denied(error):
                raise no_right(self.spec.model_id) from error
            if is_corrupt(error) or is_hopeless(error):
                raise self._spoilt(name, error)
        again = [file.path for file in bad if file.path in spoilt]
        if again:
            raise self._spoilt(again[0], None)
        spoilt.update(file.path for file in bad)

    def _spoilt(self, name: str, error: BaseException | None) -> DownloadFailed:
        failed = DownloadFailed(
            say(
                f"{name} 反复下载后仍与 {self.hub.endpoint} 公布的不一致。",
                f"{name} still differs from what {self.hub.endpoint} lists, however often it is fetched.",
            ),
            remedy=say(
                "源文件可能已损坏或正在更新：换一个镜像，或过些时候再继续；其余文件都在。",
                "The source may be damaged or changing: use another mirror, or resume later; the other files are kept.",
            ),
        )
        failed.__cause__ = error
        return failed

    def _lost(self, failures: dict[str, BaseException]) -> DownloadFailed:
        name, error = next(iter(failures.items()))
        failed = DownloadFailed(
            say(
                f"{self.hub.endpoint} 连续 {self.spec.attempts} 轮没有给出数据（{name}：{reason(error)}）。",
                f"{self.hub.endpoint} gave nothing in {self.spec.attempts} rounds ({name}: {reason(error)}).",
            ),
            remedy=say(
                "请检查网络或换一个镜像，然后继续；已下载的部分都在。",
                "Check the network or use a mirror, then resume; what was fetched is kept.",
            ),
        )
        failed.__cause__ = error
        return failed

    def _require_shards(self) -> None:
        """Nothing when the repository lists every shard that its index names: better known before 15 GB."""
        index = self.parts / "model.safetensors.index.json"
        missing = (indexed_files(index) if index.is_file() else set()) - {file.path for file in self.files}
        if missing:
            raise DownloadFailed(
                say(
                    f"{self.spec.model_id} 的仓库不完整：索引提到的 {min(missing)} 不在里面。",
                    f"The repository of {self.spec.model_id} is incomplete: {min(missing)}, which its index names, is not there.",
                ),
                remedy=say("请换一个版本或仓库。", "Choose another revision or repository."),
            )

    def _finish(self, unsafe: bool) -> None:
        """Leave the hub's list beside the model, which must be sound."""
        record = DownloadRecord(
            endpoint=self.hub.endpoint,
            model_id=self.spec.model_id,
            revision=self.spec.revision,
            fetched_at=datetime.now(UTC),
            files=tuple(self.files),
        )
        (self.parts / RECORD).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
        report = check_model(self.parts)
        errors = report.allowing_unsafe().errors if unsafe else report.errors
        if errors:
            raise DownloadFailed(
                say(
                    "{model_id} 已完整下载，但不能使用：{message}",
                    "{model_id} arrived whole, yet it cannot be used: {message}",
                    model_id=self.spec.model_id,
                    message=errors[0].message,
                ),
                remedy=say(
                    "发布的文件就是这样；请换一个仓库。", "It was published so; choose another repository."
                ),
            )


class _Meter:
    """Turns counts of bytes into events, and into a time that is left."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.seen: deque[tuple[float, int]] = deque()
        self.last: Progress | None = None
        self.checking: tuple[int, int] | None = None

    def tell(self, done: int, total: int, *, files: int, of: int) -> None:
        """An event, if it says something new; nothing before the files are known."""
        if not total:
            return
        if self.checking is not None:
            (done, total), phase, eta = self.checking, "verifying", None
        else:
            phase, eta = "downloading", self._eta(done, total)
        event = Progress.model_validate(
            {
                "phase": phase,
                "done": done,
                "total": total,
                "eta_seconds": eta,
                "files_done": files,
                "files": of,
            }
        )
        if self.last is None or event.model_copy(update={"eta_seconds": self.last.eta_seconds}) != self.last:
            self.folder.emit(event)
            self.last = event

    @contextmanager
    def verifying(self, total: int) -> Iterator[Callable[[int], None]]:
        """While bytes are hashed; the yielded function hears of each piece."""
        done = 0

        def hear(count: int) -> None:
            nonlocal done
            done += count
            self.checking = (done, total)

        try:
            self.checking = (0, total) if total else None
            yield hear
        finally:
            self.checking = None

    def _eta(self, done: int, total: int) -> float | None:
        now = time.monotonic()
        self.seen.append((now, done))
        while now - self.seen[0][0] > _RATE_SECONDS:
            self.seen.popleft()
        since, had = self.seen[0]
        return (total - done) * (now - since) / (done - had) if done > had and now > since else None


def _is_same(path: Path, file: HubFile, hear: Callable[[int], None]) -> bool:
    """Whether the file is the one that the hub lists; by its size alone where no hash is known."""
    fits = not file.size or path.stat().st_size == file.size
    return fits and (file.sha256 is None or file_sha256(path, hear) == file.sha256)


def _link_or_copy(old: Path, new: Path) -> None:
    try:
        os.link(old.resolve(), new)
    except OSError:
        shutil.copyfile(old, new)


def _move_into_place(parts: Path, target: Path) -> None:
    """The finished folder takes its name; what had that name before is removed after that."""
    for path in parts.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())  # a power cut must not leave a name without its numbers
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    parts.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _discard(parts: Path) -> None:
    shutil.rmtree(parts, ignore_errors=True)
    if parts.parent.is_dir() and not any(parts.parent.iterdir()):
        parts.parent.rmdir()


@contextmanager
def _alone(parts: Path) -> Iterator[None]:
    """The folder of parts, made and locked while two downloads of one model would spoil each other.

    Raises:
        WorkspaceBusy: another worker fetches the same model.
    """
    parts.mkdir(parents=True, exist_ok=True)
    handle = os.open(parts, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise WorkspaceBusy(
            say("这个模型正在由另一个任务下载。", "Another job is downloading this model."),
            remedy=say("请等它完成。", "Wait for its end."),
        ) from error
    finally:
        os.close(handle)


if __name__ == "__main__":
    sys.exit(run_worker(download))
