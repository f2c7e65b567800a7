"""Download models as jobs: start, pause, resume, discard.

The work itself is backend.download's. A download has no state of its own beside its run
folder and the hidden folder of parts next to the target.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from studio import contract, runs
from studio.contract import DownloadSpec, Progress, spec_error
from studio.errors import DownloadFailed, InputError, WorkspaceBusy
from studio.jobs import queue as jobs
from studio.language import say
from studio.modelfiles.settings import checked_endpoint, hub_endpoint, is_offline
from studio.models.path_hints import hub_id, tidy
from studio.runs import Job
from studio.system.atomic import guard_disk
from studio.system.jsonl import TAIL_BYTES, read_lines
from studio.team.rights import require_right
from studio.workspace import Workspace


@dataclass(frozen=True, kw_only=True, slots=True)
class DownloadProgress:
    """Progress of a download: bytes and files done, of all; `phase` names the current activity."""

    phase: str
    done: int
    total: int
    files_done: int
    files: int
    eta_seconds: float | None

    @property
    def fraction(self) -> float:
        """`done / total`, 0 to 1; 0 while the total is unknown."""
        return min(1.0, self.done / self.total) if self.total else 0.0


def download_spec(
    workspace: Workspace, text: str, *, endpoint: str | None = None, revision: str = "master"
) -> DownloadSpec:
    """Build and validate the spec of a download.

    Args:
        workspace: its models/ folder is the destination, its settings name the mirror.
        text: the model: owner/name, or the address of its page.
        endpoint: a mirror for this download; None takes that of the workspace.
        revision: branch, tag or commit on the hub.

    Raises:
        InputError: the text names no model, or the mirror's address cannot be used.
    """
    model_id = hub_id(text)
    if model_id is None:
        raise InputError(
            say(f"“{tidy(text)[:80]}”不是模型名。", f"“{tidy(text)[:80]}” is not a model name."),
            remedy=say(
                "请写 所有者/模型，例如 Qwen/Qwen2.5-0.5B-Instruct，或粘贴它在 ModelScope 上的网址。",
                "Write owner/model, such as Qwen/Qwen2.5-0.5B-Instruct, or paste its address on ModelScope.",
            ),
        )
    owner, name = model_id.split("/")
    try:
        return DownloadSpec(
            model_id=model_id,
            revision=revision.strip() or "master",
            target=workspace.models / owner / name,
            endpoint=checked_endpoint(endpoint) or hub_endpoint(workspace),
        )
    except ValidationError as error:
        problem, remedy = spec_error(error)
        raise InputError(problem, remedy=remedy) from error


def start(workspace: Workspace, spec: DownloadSpec) -> Job:
    """Queue a download; one of the same spec that was paused or has failed is resumed instead.

    Raises:
        DownloadFailed: the studio is set to offline.
        WorkspaceBusy: the same model is being downloaded.
    """
    require_right("download_models")
    require_online(workspace)
    earlier = download_jobs(workspace)
    for job in earlier:
        if not job.is_over and _spec(job).target == spec.target:
            raise WorkspaceBusy(
                say(
                    f"{spec.model_id} 正在下载（{job.id}）。",
                    f"{spec.model_id} is being downloaded ({job.id}).",
                ),
                remedy=say("请等它完成，或先暂停它。", "Wait until it finishes, or pause it first."),
            )
    newest = next((job for job in earlier if _spec(job).target == spec.target), None)
    if newest and newest.state != "done" and newest.spec == spec:
        return _requeue(workspace, newest)
    job = runs.prepare_job(workspace, spec, label=spec.model_id)
    jobs.submit(workspace, job)
    return job


def _requeue(workspace: Workspace, job: Job) -> Job:
    """Queue a stopped download again; its worker resumes from the parts."""
    # `alive` last: until it goes the download is over, and only then it waits.
    for name in ("result.json", "discard", "cancel", "pause", "alive"):
        (job.folder / name).unlink(missing_ok=True)
    job = runs.get_job(workspace, job.id)
    jobs.submit(workspace, job)
    return job


def require_online(workspace: Workspace) -> None:
    """Require that the studio is not set to offline.

    Raises:
        DownloadFailed: it is; the remedy names both switches.
    """
    if is_offline(workspace):
        raise DownloadFailed(
            say("工作室已设为离线，不能下载。", "The studio is offline: downloads are off."),
            remedy=say(
                f"把模型文件夹拷到 {workspace.models} 里即可；"
                "有网络时在模型页关掉离线，并去掉 STUDIO_OFFLINE。",
                f"Copy the model folder into {workspace.models}; with a network, switch offline off"
                " on the Models page and unset STUDIO_OFFLINE.",
            ),
        )


def download_jobs(workspace: Workspace) -> list[Job]:
    """List every download, newest first."""
    return [job for job in runs.list_jobs(workspace) if job.spec.kind == "download"]


def open_downloads(workspace: Workspace) -> list[Job]:
    """List the newest download of each model that is not complete: running, queued, paused or failed."""
    newest: dict[Path, Job] = {}
    for job in download_jobs(workspace):
        newest.setdefault(_spec(job).target, job)
    return [
        job for job in newest.values() if job.state != "done" and (not job.is_over or parts(job).exists())
    ]


def parts(job: Job) -> Path:
    """Return the hidden folder that holds the partial files."""
    target = _spec(job).target
    return target.with_name(f".{target.name}.part")


def pause(workspace: Workspace, job_id: str) -> None:
    """Pause a download, keeping what it has fetched; one that is over stays as it is."""
    require_right("download_models")
    job = runs.get_job(workspace, job_id)
    if job.state == "running":
        with guard_disk(job.folder):
            (job.folder / "pause").touch()
    elif job.state == "queued":
        runs.cancel(workspace, job_id)


def resume(workspace: Workspace, job: Job) -> Job:
    """Resume a download: fetch what is missing.

    Raises:
        DownloadFailed: the studio is set to offline.
        WorkspaceBusy: the same model is being downloaded.
    """
    return start(workspace, _spec(job))


def discard(workspace: Workspace, job_id: str) -> None:
    """Cancel a download and delete what it has fetched."""
    require_right("download_models")
    job = runs.get_job(workspace, job_id)
    if job.is_over:
        if all(
            other.is_over or _spec(other).target != _spec(job).target for other in download_jobs(workspace)
        ):
            shutil.rmtree(parts(job), ignore_errors=True)
        return
    with guard_disk(job.folder):
        (job.folder / "discard").touch()
    runs.cancel(workspace, job_id)


def wait(workspace: Workspace, job: Job, on_poll: Callable[[Job], None]) -> Job:
    """Wait for the end of a download; an interrupt pauses it first."""
    try:
        return jobs.wait_for_job(workspace, job.id, on_poll=on_poll)
    except KeyboardInterrupt:
        pause(workspace, job.id)
        return jobs.wait_for_job(workspace, job.id, on_poll=on_poll)


def progress(job: Job) -> DownloadProgress:
    """Read the progress of a download from its latest event."""
    last = Progress(phase="loading")
    for event in read_lines(job.folder / "metrics.jsonl", contract.event, tail_bytes=TAIL_BYTES):
        last = event if isinstance(event, Progress) else last
    return DownloadProgress(
        phase="waiting" if job.state == "queued" else last.phase,
        done=last.done,
        total=last.total,
        files_done=last.files_done,
        files=last.files,
        eta_seconds=last.eta_seconds,
    )


def _spec(job: Job) -> DownloadSpec:
    assert isinstance(job.spec, DownloadSpec), job.spec.kind
    return job.spec
