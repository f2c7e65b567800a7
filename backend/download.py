"""Download a model from ModelScope: `python -m backend.download RUN_FOLDER`.

Reads spec.json. Files arrive in a hidden folder beside the target, each is compared with
the hub's SHA-256 on the disk, and only the whole model is moved into place. A pause, a
cancel or a lost network keeps what was downloaded; the next download of the same target
resumes from it. Needs no torch.
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

from backend.clients.hub import Hub, is_corrupt, is_denied, is_hopeless, no_permission, reason, unreachable
from backend.interrupts import Interruptible
from backend.worker import RunFolder, run_worker
from studio.contract import DownloadSpec, Progress
from studio.errors import DownloadFailed, WorkspaceBusy
from studio.language import say
from studio.modelfiles.folder_check import check_model, unsafe_folders
from studio.modelfiles.hub_manifest import RECORD, DownloadRecord, HubFile, file_sha256, wanted_files
from studio.modelfiles.safetensors_headers import indexed_files

log = logging.getLogger(__name__)

LONGEST_BACKOFF = 30.0
"""Longest wait in seconds before another round, after rounds that brought nothing."""
RESERVED_BYTES = 64 * 2**20
"""Space that has to stay free on the disk: the queue and the logs need some."""
_RATE_SECONDS = 20.0


def download(folder: RunFolder) -> dict[str, Any]:
    """Download the folder's model; return the fields of Result that a download knows."""
    spec = folder.read_spec()
    assert isinstance(spec, DownloadSpec), spec.kind
    if os.environ.get("STUDIO_OFFLINE", "").lower() in ("1", "true", "yes", "on"):
        raise unreachable(spec.endpoint or "ModelScope", "STUDIO_OFFLINE")
    parts = staging(spec.target)
    with Hub(spec.endpoint) as hub, _locked(parts):
        job = _Job(folder, spec, hub, parts)
        with Interruptible(folder, on_tick=job.emit_progress, on_discard=lambda: _discard(parts)):
            job.run()
        # Outside: this must not be interrupted halfway.
        _move_into_place(parts, spec.target)
    return {}


def staging(target: Path) -> Path:
    """Name the folder that a model is in until it is whole."""
    return target.with_name(f".{target.name}.part")


class _Job:
    """The files of one model, and how many bytes of each have been received."""

    def __init__(self, folder: RunFolder, spec: DownloadSpec, hub: Hub, parts: Path) -> None:
        self.folder, self.spec, self.hub, self.parts = folder, spec, hub, parts
        self.files: list[HubFile] = []
        self.verified: set[str] = set()
        self.received: dict[str, int] = {}
        self.meter = _Meter(folder)

    def run(self) -> None:
        """List the files, reuse what is there, fetch the rest, check the model."""
        self.hub.require_reachable()
        listed = self.hub.list_files(self.spec.model_id, self.spec.revision)
        unsafe = self.spec.target.resolve() in {folder.resolve() for folder in unsafe_folders()}
        self.files = wanted_files(self.spec.model_id, listed, unsafe=unsafe)
        # Every name at once: other threads change the numbers while this one adds them up.
        self.received = dict.fromkeys((file.path for file in self.files), 0)
        self._reuse_files()
        self._verify([file for file in self.files if (self.parts / file.path).is_file()])
        self._require_space()
        texts = [file for file in self.files if not file.is_weights]
        self._fetch(texts)
        self._require_shards()
        self._fetch([file for file in self.files if file.is_weights])
        self._finish(unsafe)

    def emit_progress(self) -> None:
        """Emit a progress event if the numbers have changed."""
        self.meter.emit(
            sum(self.received.values()),
            sum(file.size for file in self.files),
            files=len(self.verified),
            of=len(self.files),
        )

    def _reuse_files(self) -> None:
        """Reuse the files of an earlier copy of the model; a sound one is not fetched twice."""
        for file in self.files:
            old, new = self.spec.target / file.path, self.parts / file.path
            if old.is_file() and not new.exists() and old.stat().st_size == file.size:
                _link_or_copy(old, new)

    def _verify(self, files: Sequence[HubFile]) -> list[HubFile]:
        """Verify files on the disk by the hub's list; remove and return those that differ."""
        bad = []
        with self.meter.verifying(sum(file.size for file in files)) as on_bytes:
            for file in files:
                path = self.parts / file.path
                if _is_same(path, file, on_bytes):
                    self.verified.add(file.path)
                    self.received[file.path] = file.size
                else:
                    log.warning("%s differs from the hub's list and is fetched again", file.path)
                    path.unlink(missing_ok=True)
                    self.received[file.path] = 0
                    bad.append(file)
        return bad

    def _require_space(self) -> None:
        """Require disk space for what is still to come.

        Raises:
            DownloadFailed: there is too little; nothing more was fetched.
        """
        missing = sum(file.size for file in self.files if file.path not in self.verified)
        partial = sum(
            path.stat().st_size
            for path in self.parts.iterdir()
            if path.is_file() and path.name not in self.verified
        )
        needed = max(0, missing - partial)
        free = shutil.disk_usage(self.parts).free
        if needed and needed + RESERVED_BYTES > free:
            raise DownloadFailed(
                say(
                    f"磁盘空间不够：还需要 {needed / 2**30:.1f} GiB，只剩 {free / 2**30:.1f} GiB。",
                    f"Not enough disk space: {needed / 2**30:.1f} GiB needed, {free / 2**30:.1f} GiB free.",
                ),
                remedy=say(
                    f"请在 {self.parts.parent} 所在的磁盘上腾出空间后继续；已下载的部分都在。",
                    f"Free some space on the disk of {self.parts.parent} and resume; "
                    "what was downloaded is kept.",
                ),
            )

    def _fetch(self, files: Sequence[HubFile]) -> None:
        """Fetch in rounds until every file is verified; back off and retry after rounds without progress."""
        idle, corrupt = 0, set[str]()
        while left := [file for file in files if file.path not in self.verified]:
            before = sum(self.received.values())
            failures = self.hub.fetch(
                self.spec.model_id,
                self.spec.revision,
                left,
                self.parts,
                at_once=self.spec.max_workers,
                on_bytes=self._count_bytes,
            )
            bad = self._verify([file for file in left if file.path not in failures])
            self._fail_on_hopeless(bad, failures, corrupt)
            moved = sum(self.received.values()) > before
            idle = 0 if moved else idle + 1
            if failures and idle >= self.spec.attempts:
                raise self._no_progress(failures)
            if failures:
                name, error = next(iter(failures.items()))
                log.warning("%d of %d files failed, %s: %s", len(failures), len(left), name, reason(error))
                time.sleep(min(LONGEST_BACKOFF, 0.5 * 2**idle))

    def _count_bytes(self, name: str, received: int) -> None:
        self.received[name] = received

    def _fail_on_hopeless(
        self, bad: Sequence[HubFile], failures: dict[str, BaseException], corrupt: set[str]
    ) -> None:
        """Fail on errors that no retry repairs, and on files that were corrupt before."""
        for name, error in failures.items():
            if is_denied(error):
                raise no_permission(self.spec.model_id) from error
            if is_corrupt(error) or is_hopeless(error):
                raise self._corrupt(name, error)
        again = [file.path for file in bad if file.path in corrupt]
        if again:
            raise self._corrupt(again[0], None)
        corrupt.update(file.path for file in bad)

    def _corrupt(self, name: str, error: BaseException | None) -> DownloadFailed:
        failed = DownloadFailed(
            say(
                f"{name} 反复下载后仍与 {self.hub.endpoint} 公布的不一致。",
                f"{name} differs from what {self.hub.endpoint} lists, even after it was fetched again.",
            ),
            remedy=say(
                "源文件可能已损坏或正在更新：换一个镜像，或过些时候再继续；其余文件都在。",
                "The source may be damaged or changing: use another mirror, or resume later; "
                "the other files are kept.",
            ),
        )
        failed.__cause__ = error
        return failed

    def _no_progress(self, failures: dict[str, BaseException]) -> DownloadFailed:
        name, error = next(iter(failures.items()))
        failed = DownloadFailed(
            say(
                f"{self.hub.endpoint} 连续 {self.spec.attempts} 轮没有给出数据（{name}：{reason(error)}）。",
                f"{self.hub.endpoint} sent no data in {self.spec.attempts} attempts "
                f"({name}: {reason(error)}).",
            ),
            remedy=say(
                "请检查网络或换一个镜像，然后继续；已下载的部分都在。",
                "Check the network or use a mirror, then resume; what was downloaded is kept.",
            ),
        )
        failed.__cause__ = error
        return failed

    def _require_shards(self) -> None:
        """Require every shard that the index names to be in the repository, before 15 GB are fetched."""
        index = self.parts / "model.safetensors.index.json"
        missing = (indexed_files(index) if index.is_file() else set()) - {file.path for file in self.files}
        if missing:
            raise DownloadFailed(
                say(
                    f"{self.spec.model_id} 的仓库不完整：索引提到的 {min(missing)} 不在里面。",
                    f"The repository of {self.spec.model_id} is incomplete: "
                    f"its index names {min(missing)}, which is not there.",
                ),
                remedy=say("请换一个版本或仓库。", "Choose another revision or repository."),
            )

    def _finish(self, unsafe: bool) -> None:
        """Write the hub's list beside the model, and check the model."""
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
                    "{model_id} was downloaded but cannot be used: {message}",
                    model_id=self.spec.model_id,
                    message=errors[0].message,
                ),
                remedy=say(
                    "发布的文件就是这样；请换一个仓库。",
                    "The published files are like that; choose another repository.",
                ),
            )


class _Meter:
    """Turns byte counts into progress events with an ETA."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.seen: deque[tuple[float, int]] = deque()
        self.last: Progress | None = None
        self.checking: tuple[int, int] | None = None

    def emit(self, done: int, total: int, *, files: int, of: int) -> None:
        """Emit a progress event if it differs from the last one; none before the files are known."""
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
        """Report hashing as the phase; the yielded function counts hashed bytes."""
        done = 0

        def count_bytes(count: int) -> None:
            nonlocal done
            done += count
            self.checking = (done, total)

        try:
            self.checking = (0, total) if total else None
            yield count_bytes
        finally:
            self.checking = None

    def _eta(self, done: int, total: int) -> float | None:
        now = time.monotonic()
        self.seen.append((now, done))
        while now - self.seen[0][0] > _RATE_SECONDS:
            self.seen.popleft()
        since, before = self.seen[0]
        return (total - done) * (now - since) / (done - before) if done > before and now > since else None


def _is_same(path: Path, file: HubFile, on_bytes: Callable[[int], None]) -> bool:
    """Whether the file is the one that the hub lists; by its size alone where no hash is known."""
    fits = not file.size or path.stat().st_size == file.size
    return fits and (file.sha256 is None or file_sha256(path, on_bytes) == file.sha256)


def _link_or_copy(old: Path, new: Path) -> None:
    try:
        os.link(old.resolve(), new)
    except OSError:
        shutil.copyfile(old, new)


def _move_into_place(parts: Path, target: Path) -> None:
    """Move the finished folder to its name, and remove what had that name before."""
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
def _locked(parts: Path) -> Iterator[None]:
    """Make and lock the folder of parts: two downloads into it would corrupt each other.

    Raises:
        WorkspaceBusy: another worker downloads the same model.
    """
    parts.mkdir(parents=True, exist_ok=True)
    handle = os.open(parts, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise WorkspaceBusy(
            say("这个模型正在由另一个任务下载。", "Another job is downloading this model."),
            remedy=say("请等它完成。", "Wait until it has finished."),
        ) from error
    finally:
        os.close(handle)


if __name__ == "__main__":
    sys.exit(run_worker(download))
