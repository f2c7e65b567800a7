"""Move runs to the trash, restore them, delete them for good.

    runs/.trash/<id>/    a run folder as it was; its record says since when

What is in the trash is in no list of runs, is no model to choose, and takes its space until it is deleted
for good. Nothing is deleted for good by itself.
"""

import shutil
from datetime import datetime
from pathlib import Path

from studio.errors import InputError, UnreadableFile
from studio.language import say
from studio.releases.records import releases_of
from studio.runs._job import Job, get_job, is_run_id, list_unfinished, read_folder
from studio.runs._record import change_record
from studio.runs._requests import DOOMED, require_own
from studio.system.atomic import guard_disk
from studio.team.rights import require_right
from studio.workspace import Workspace


def delete(workspace: Workspace, run_id: str) -> None:
    """Move a run that is over to the trash, with its curve, scores and model.

    Raises:
        InputError: there is no such run, it is not over, it is only recorded, it was released, or another
            one needs it.
    """
    require_right("change_runs")
    run = get_job(workspace, run_id)
    require_own(run)
    if not run.is_over:
        raise InputError(
            say(f"运行 {run_id} 还没有结束。", f"Run {run_id} has not finished."),
            remedy=say("请先取消它。", "Cancel it first."),
        )
    _require_unreleased(workspace, run)
    needing = next((job for job in list_unfinished(workspace) if _uses(job, run.folder)), None)
    if needing is not None:
        raise InputError(
            say(f"运行 {needing.id} 还要用它的模型。", f"Run {needing.id} still needs its model."),
            remedy=say("请等它结束。", "Wait until that one is over."),
        )
    trash = _trash(workspace)
    with guard_disk(run.folder):
        trash.mkdir(exist_ok=True)
        change_record(run.folder, deleted_at=datetime.now().astimezone())
        run.folder.rename(trash / run.id)  # out of sight in one step


def _require_unreleased(workspace: Workspace, run: Job) -> None:
    """Refuse to delete the checkpoint of a release, or a model that one is an adapter of."""
    for each in releases_of(workspace):
        if each.release.run == run.id or _is_base_of(workspace, each.release.run, run.folder):
            name = each.release.name
            raise InputError(
                say(
                    "运行 {run} 是发布 {name} 的模型。",
                    "Run {run} is the model of release {name}.",
                    run=run.id,
                    name=name,
                ),
                remedy=say(
                    "发布过的运行要留着：随时可能退回去用它。",
                    "What was released is kept: somebody may go back to it at any time.",
                ),
            )


def _is_base_of(workspace: Workspace, released: str, folder: Path) -> bool:
    try:
        return _uses(get_job(workspace, released), folder)
    except (InputError, UnreadableFile):
        return False


def list_trash(workspace: Workspace) -> list[Job]:
    """List the runs in the trash, the last deleted first."""
    found = []
    for file in _trash(workspace).glob("*/spec.json"):
        try:
            found.append(read_folder(file.parent))
        except UnreadableFile:
            continue
    return sorted(found, key=lambda job: (job.record.deleted_at or job.created_at, job.id), reverse=True)


def restore(workspace: Workspace, run_id: str) -> None:
    """Move a run from the trash back to where it was.

    Raises:
        InputError: it is not in the trash, or its place is taken.
    """
    require_right("change_runs")
    folder, place = _in_trash(workspace, run_id), workspace.runs / run_id
    if place.exists():
        raise InputError(
            say(f"已经有名为 {run_id} 的运行。", f"There is a run {run_id} already."),
            remedy=say("请先删除那一个。", "Delete that one first."),
        )
    with guard_disk(place):
        folder.rename(place)
        change_record(place, deleted_at=None)


def delete_for_good(workspace: Workspace, run_id: str) -> None:
    """Delete a run of the trash, with its curve, scores and model; nothing brings it back.

    Raises:
        InputError: it is not in the trash.
    """
    require_right("change_runs")
    folder = _in_trash(workspace, run_id)
    doomed = workspace.runs / f"{DOOMED}{run_id}"
    with guard_disk(folder):
        folder.rename(doomed)
    shutil.rmtree(doomed, ignore_errors=True)


def _trash(workspace: Workspace) -> Path:
    return workspace.runs / ".trash"


def _in_trash(workspace: Workspace, run_id: str) -> Path:
    folder = _trash(workspace) / run_id
    if not is_run_id(run_id) or not (folder / "spec.json").exists():
        raise InputError(
            say(f"回收站里没有运行 {run_id}。", f"There is no run {run_id} in the trash."),
            remedy=say(
                "用 news-studio runs list --trash 查看。", "See what is: news-studio runs list --trash"
            ),
        )
    return folder


def _uses(job: Job, folder: Path) -> bool:
    paths = (getattr(job.spec, name, None) for name in ("model_name_or_path", "adapter_name_or_path"))
    return any(path is not None and Path(path).is_relative_to(folder) for path in paths)
