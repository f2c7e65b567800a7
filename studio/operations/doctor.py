"""Diagnose the machine and the workspace: what is missing, and what to do about it.

Every check reports what was found; one that is not ok has a remedy. Torch is probed in
a subprocess, so that the caller of the doctor never imports it.
"""

import importlib.metadata
import json
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from studio import runs
from studio.errors import StudioError
from studio.jobs import queue as jobs
from studio.language import say
from studio.models.catalog import check_model
from studio.operations.database_copies import list_copies
from studio.releases.ledger import first_broken
from studio.store import integrity_problem, open_store, require_usable
from studio.workspace import BUNDLED_MODEL, Workspace

PACKAGE = "news-studio"
DATABASE = "database"
"""Name of the check of studio.db: without it no command of the workspace works."""

_FREE_GIB_WANTED = 2.0
# WAL with the upsert and window functions that the store uses.
_SQLITE_WANTED = (3, 35)
_PROBE_TORCH = """
import json, torch
cuda = torch.cuda.is_available()
print(json.dumps({"version": torch.__version__, "threads": torch.get_num_threads(),
    "gpu": torch.cuda.get_device_name(0) if cuda else "",
    "gib": round(torch.cuda.get_device_properties(0).total_memory / 2**30, 1) if cuda else 0}))
"""


@dataclass(frozen=True, kw_only=True)
class MachineCheck:
    """The result of one check; `remedy` is empty when it is ok."""

    name: str
    ok: bool
    message: str
    remedy: str = ""


def diagnose(
    workspace: Workspace, *, python: str = sys.executable, model: Path = BUNDLED_MODEL
) -> list[MachineCheck]:
    """Run every check, in the order in which the problems should be fixed.

    Args:
        workspace: checked for space, SQLite, its queue and its runs.
        python: the interpreter of the workers, which is probed for torch.
        model: the base model that is checked.
    """
    checks: list[Callable[[], MachineCheck]] = [
        _python,
        _packages,
        lambda: _torch(python),
        lambda: _model(model),
        lambda: _workspace(workspace),
        lambda: _disk(workspace),
        lambda: _sqlite(workspace),
        lambda: _database(workspace),
        lambda: _ledger(workspace),
        lambda: _copies(workspace),
        lambda: _queue(workspace),
        lambda: _runs(workspace),
    ]
    return [check() for check in checks]


def _python() -> MachineCheck:
    wanted = SpecifierSet(importlib.metadata.metadata(PACKAGE)["Requires-Python"])
    ok = wanted.contains(platform.python_version(), prereleases=True)
    return MachineCheck(
        name="python",
        ok=ok,
        message=f"{platform.python_version()} ({sys.executable})",
        remedy="" if ok else say(f"请用 Python {wanted} 重新安装。", f"Install again with Python {wanted}."),
    )


def _packages() -> MachineCheck:
    missing = []
    needed = [Requirement(text) for text in importlib.metadata.requires(PACKAGE) or []]
    needed = [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    for requirement in needed:
        try:
            found = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            found = say("未安装", "not installed")
        if not requirement.specifier.contains(found, prereleases=True):
            missing.append(f"{requirement.name} {found} ({requirement.specifier})")
    return MachineCheck(
        name="packages",
        ok=not missing,
        message=", ".join(missing)
        or say(f"{len(needed)} 个依赖齐全", f"all {len(needed)} needed packages are installed"),
        remedy=say("请运行 make install。", "Run: make install") if missing else "",
    )


def _torch(python: str) -> MachineCheck:
    try:
        probe = subprocess.run(
            [python, "-c", _PROBE_TORCH], capture_output=True, text=True, timeout=180, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return _no_torch(str(error))
    if probe.returncode:
        return _no_torch((probe.stderr.strip().splitlines() or [f"status {probe.returncode}"])[-1])
    facts = json.loads(probe.stdout.splitlines()[-1])
    device = f"{facts['gpu']} {facts['gib']} GiB" if facts["gpu"] else f"CPU, {facts['threads']} threads"
    return MachineCheck(name="torch", ok=True, message=f"{facts['version']}, {device}")


def _no_torch(reason: str) -> MachineCheck:
    return MachineCheck(
        name="torch",
        ok=False,
        message=say("torch 无法使用：{reason}", "torch does not work: {reason}", reason=reason),
        remedy=say(
            "标注和数据功能可用；训练前请运行 make install。",
            "Labelling works; before training run: make install",
        ),
    )


def _model(path: Path) -> MachineCheck:
    report = check_model(path)
    if report.errors:
        first = report.errors[0]
        return MachineCheck(name="model", ok=False, message=first.message, remedy=first.remedy)
    size = f"{report.parameters / 1e6:.1f} M, {report.size_bytes / 2**20:.0f} MiB"
    return MachineCheck(name="model", ok=True, message=f"{path.name}: {report.architecture}, {size}")


def _workspace(workspace: Workspace) -> MachineCheck:
    try:
        with tempfile.NamedTemporaryFile(dir=workspace.home) as file:
            file.write(b"x" * 4096)
    except OSError as error:
        return MachineCheck(
            name="workspace",
            ok=False,
            message=say(
                f"{workspace.home} 不可写：{error.strerror}",
                f"{workspace.home} cannot be written: {error.strerror}",
            ),
            remedy=say(
                "请改正权限，或用 --home 指定另一个文件夹。",
                "Fix its permissions, or name another folder with --home.",
            ),
        )
    return MachineCheck(name="workspace", ok=True, message=str(workspace.home))


def _disk(workspace: Workspace) -> MachineCheck:
    free = shutil.disk_usage(workspace.home).free / 2**30
    ok = free >= _FREE_GIB_WANTED
    return MachineCheck(
        name="disk",
        ok=ok,
        message=say(f"可用 {free:.1f} GiB", f"{free:.1f} GiB free"),
        remedy=""
        if ok
        else say(f"请腾出至少 {_FREE_GIB_WANTED:.0f} GiB。", f"Free at least {_FREE_GIB_WANTED:.0f} GiB."),
    )


def _sqlite(workspace: Workspace) -> MachineCheck:
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < _SQLITE_WANTED:
        wanted = ".".join(map(str, _SQLITE_WANTED))
        return MachineCheck(
            name="sqlite",
            ok=False,
            message=f"SQLite {version} < {wanted}",
            remedy=say("请使用更新的 Python。", "Use a newer Python, which brings a newer SQLite."),
        )
    try:
        with (
            tempfile.TemporaryDirectory(dir=workspace.home) as folder,
            closing(sqlite3.connect(Path(folder) / "probe.db")) as database,
        ):
            (mode,) = database.execute("pragma journal_mode = wal").fetchone()
            database.execute("create table probe (x)")
    except (OSError, sqlite3.Error) as error:
        mode = str(error)
    ok = mode == "wal"
    return MachineCheck(
        name="sqlite",
        ok=ok,
        message=f"{version}, WAL" if ok else f"{version}, WAL: {mode}",
        remedy=""
        if ok
        else say(
            "请把工作区放在本地磁盘上（不要用网络盘）。",
            "Put the workspace on a local disk, not a network share.",
        ),
    )


def _database(workspace: Workspace) -> MachineCheck:
    path = workspace.database
    try:
        require_usable(path)
        damage = integrity_problem(path) if path.exists() else None
    except StudioError as error:
        return MachineCheck(name=DATABASE, ok=False, message=error.problem, remedy=error.remedy)
    if damage:
        return MachineCheck(
            name=DATABASE,
            ok=False,
            message=say(f"数据库 {path} 已损坏：{damage}", f"The database {path} is damaged: {damage}"),
            remedy=say(
                "请先停止 News Studio，移走该文件（不要删除）；再用 backups/ 里的副本代替它，"
                "或运行 news-studio rebuild。",
                "Stop News Studio and move the file away (do not delete it); then put a copy from "
                "backups/ in its place, or run: news-studio rebuild",
            ),
        )
    if not path.exists():
        return MachineCheck(
            name=DATABASE,
            ok=True,
            message=say("还没有数据库，第一次导入时建立", "none yet; the first import makes it"),
        )
    size = f"{path.stat().st_size / 2**20:.1f} MiB"
    return MachineCheck(name=DATABASE, ok=True, message=say(f"{size}，完好", f"{size}, sound"))


def _ledger(workspace: Workspace) -> MachineCheck:
    try:
        require_usable(workspace.database)
        broken, count = _verified(workspace)
    except (StudioError, sqlite3.Error) as error:
        # The database's own check tells what is wrong with it.
        return MachineCheck(
            name="ledger", ok=True, message=say(f"没有检查：{error}", f"not checked: {error}")
        )
    if broken is not None:
        return MachineCheck(
            name="ledger",
            ok=False,
            message=say(
                f"发布记录第 {broken} 条与写入时不同",
                f"entry {broken} of the ledger of releases is not what was written",
            ),
            remedy=say(
                "有人绕过程序改了数据库：请与备份对照，查明是谁。",
                "Somebody changed the database past the program: compare it with a backup and find out who.",
            ),
        )
    return MachineCheck(name="ledger", ok=True, message=say(f"{count} 条，完好", f"{count} entries, sound"))


def _verified(workspace: Workspace) -> tuple[int | None, int]:
    """Return the first broken entry of the ledger, and how many there are."""
    if not workspace.database.exists():
        return None, 0
    with closing(open_store(workspace.database)) as db:
        return first_broken(db), int(db.execute("select count(*) from ledger").fetchone()[0])


def _copies(workspace: Workspace) -> MachineCheck:
    copies = list_copies(workspace)
    message = (
        say(
            f"{len(copies)} 份数据库副本，最新 {copies[0].made_at:%Y-%m-%d %H:%M} UTC",
            f"{len(copies)} copies of the database, the newest of {copies[0].made_at:%Y-%m-%d %H:%M} UTC",
        )
        if copies
        else say(
            "还没有副本；news-studio up 每晚留一份，news-studio backup 备份整个工作区",
            "none yet; news-studio up makes one every night, news-studio backup saves the whole workspace",
        )
    )
    return MachineCheck(name="backups", ok=True, message=message)


def _queue(workspace: Workspace) -> MachineCheck:
    waiting = [run for run in runs.list_unfinished(workspace) if run.state == "queued"]
    alive = jobs.job_process(workspace).is_alive()
    if alive:
        message = say(f"任务进程在运行，{len(waiting)} 个等待", f"job process alive, {len(waiting)} waiting")
    else:
        message = say(f"任务进程未运行，{len(waiting)} 个等待", f"no job process, {len(waiting)} waiting")
    ok = alive or not waiting
    remedy = say("请运行 news-studio up。", "Run: news-studio up")
    return MachineCheck(name="queue", ok=ok, message=message, remedy="" if ok else remedy)


def _runs(workspace: Workspace) -> MachineCheck:
    unreadable = runs.unreadable_runs(workspace)
    if unreadable:
        return MachineCheck(name="runs", ok=False, message=unreadable[0].problem, remedy=unreadable[0].remedy)
    count = len(runs.list_runs(workspace))
    return MachineCheck(
        name="runs", ok=True, message=say(f"{count} 个运行可读", f"{count} runs are readable")
    )
