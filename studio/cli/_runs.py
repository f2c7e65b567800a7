"""Manage runs and the machine: `up`, `runs`, `doctor`."""

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from studio import runs
from studio.accounts.access import access_token
from studio.accounts.invitations import invite_first_admin
from studio.cli._common import AsJson, Device, Home, Processes, print_json, report_errors, workspace_at
from studio.contract import EvaluateSpec
from studio.jobs import queue as jobs
from studio.language import say
from studio.operations import supervisor
from studio.operations.doctor import DATABASE, diagnose
from studio.runs import DeviceChoice, Job, Run
from studio.store import open_store
from studio.system.network import LOOPBACK
from studio.workspace import Workspace, open_workspace

app = typer.Typer()
runs_app = typer.Typer(help="List the runs, or act on some.", invoke_without_command=True)
app.add_typer(runs_app, name="runs")

Ids = Annotated[list[str], typer.Argument(metavar="RUN ...", help="Ids of runs, as `runs` lists them.")]


@app.command()
def up(
    home: Home = None,
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port of the web app.")
    ] = supervisor.DEFAULT_PORT,
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but 127.0.0.1 needs --accounts.")
    ] = LOOPBACK[0],
    accounts: Annotated[
        bool, typer.Option("--accounts", help="Everybody signs in with an account of their own.")
    ] = False,
    base_path: Annotated[str, typer.Option(help="Path under which a proxy shows it, such as studio.")] = "",
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="Host name under which it answers, such as that of a proxy; repeatable."),
    ] = None,
) -> None:
    """Run the web app and the job process until Ctrl-C."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    with report_errors():
        workspace = workspace_at(home)
        supervisor.up(
            workspace,
            port,
            host=host,
            names=name or (),
            base_path=base_path,
            access="accounts" if accounts else "token",
            on_ready=lambda url: _echo_ready(workspace, url, by_account=accounts),
        )
        typer.echo(say("网页已停止；正在运行的任务会继续。", "The web app has stopped; running jobs go on."))


def _echo_ready(workspace: Workspace, url: str, *, by_account: bool) -> None:
    link = url if by_account else f"{url}/?token={access_token(workspace)}"
    typer.echo(
        say(f"News Studio 已启动：{link}（Ctrl-C 停止）", f"News Studio is up: {link} (Ctrl-C stops it)")
    )
    if by_account:
        with closing(open_store(workspace.database)) as db:
            code = invite_first_admin(db)
        if code:
            join = f"{url}/enter/join?code={code}"
            typer.echo(
                say(
                    f"还没有账号。一小时内打开这个链接，成为第一位管理员：{join}",
                    f"There is no account yet. Within an hour, open this link to be the first admin: {join}",
                )
            )


@runs_app.callback()
def list_(context: typer.Context, home: Home = None, as_json: AsJson = False) -> None:
    """List the runs, newest first (the default), or act on some."""
    if context.invoked_subcommand is not None:
        return
    with report_errors():
        workspace = workspace_at(home)
        found, positions = runs.list_runs(workspace), queue_positions(workspace)
        if as_json:
            print_json([run_document(run, positions.get(run.id)) for run in found])
            return
        for run in found:
            scores = " ".join(f"{answer} {accuracy:.1%}" for answer, accuracy in _accuracies(run).items())
            state = f"{run.state} {positions[run.id]}" if run.id in positions else run.state
            typer.echo(f"{run.id:<32} {state:<10} {scores:<28} {run.version or '':<16} {run.label}".rstrip())
        if not found:
            typer.echo(
                say(
                    "还没有运行。用 news-studio train 开始。",
                    "No runs yet. Start one with: news-studio train",
                )
            )


@runs_app.command()
def pause(context: typer.Context, ids: Ids, home: Home = None, as_json: AsJson = False) -> None:
    """Pause runs, keeping all they need to be resumed; put waiting ones aside."""
    for_each(context, ids, home, as_json, runs.pause)


@runs_app.command()
def resume(context: typer.Context, ids: Ids, home: Home = None, as_json: AsJson = False) -> None:
    """Resume runs from their last checkpoint: paused, cancelled, failed or lost ones."""
    for_each(context, ids, home, as_json, jobs.resume)


@runs_app.command()
def cancel(
    context: typer.Context,
    ids: Ids,
    discard: Annotated[bool, typer.Option("--discard", help="Delete the checkpoints.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Cancel runs and keep their checkpoints."""
    for_each(context, ids, home, as_json, runs.discard if discard else runs.cancel)


@runs_app.command()
def retry(context: typer.Context, ids: Ids, home: Home = None, as_json: AsJson = False) -> None:
    """Retry runs that are over: queue new ones with their specs."""
    for_each(context, ids, home, as_json, jobs.retry)


@runs_app.command()
def move(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id of a waiting run.")],
    to: Annotated[Literal["first", "up", "down", "last"], typer.Argument(help="Where to, in the queue.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Move a waiting run within the queue."""
    for_each(context, [run], home, as_json, lambda workspace, run_id: runs.move(workspace, run_id, to))


@runs_app.command()
def place(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id of a waiting or paused run.")],
    device: Device = None,
    processes: Processes = 1,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Choose the device of a waiting run; without --device the next free one."""
    chosen = DeviceChoice(device=device, processes=processes)
    for_each(context, [run], home, as_json, lambda workspace, run_id: jobs.put_on(workspace, run_id, chosen))


def for_each(
    context: typer.Context,
    ids: Sequence[str],
    home: Path | None,
    as_json: bool,
    act: Callable[[Workspace, str], Job | None],
) -> None:
    """Act on each run and print its state afterwards; the first error ends it."""
    home, as_json = given_before(context, home, as_json)
    with report_errors():
        workspace = workspace_at(home)
        acted = [act(workspace, run_id) or runs.get_job(workspace, run_id) for run_id in ids]
        found, positions = [runs.get_job(workspace, job.id) for job in acted], queue_positions(workspace)
        if as_json:
            print_json([run_document(job, positions.get(job.id)) for job in found])
            return
        for job in found:
            typer.echo(f"{job.id:<32} {job.state} {positions.get(job.id, '')}".rstrip())


def given_before(context: typer.Context, home: Path | None, as_json: bool) -> tuple[Path | None, bool]:
    """Take the options that stand before the subcommand: `runs --home D pause RUN` means the same."""
    given = context.parent.params if context.parent else {}
    return home or given.get("home"), as_json or bool(given.get("as_json"))


def queue_positions(workspace: Workspace) -> dict[str, int]:
    """Map every waiting job to its position in the queue, from 1."""
    return {job.id: number for number, job in enumerate(runs.waiting(workspace), start=1)}


def run_document(run: Job, position: int | None) -> dict[str, Any]:
    """Build the document of a job: what it is, its state, how far it is."""
    now = runs.progress(run)
    problem, remedy = run.failure or ("", "")
    return {
        "id": run.id,
        "kind": run.spec.kind,
        "state": run.state,
        "label": run.label,
        "note": run.record.note,
        "tags": list(run.record.tags),
        "version": run.version,
        "recorded": run.recorded,
        "created_at": run.created_at.isoformat(),
        "folder": str(run.folder),
        "model": _model_of(run),
        "phase": now.phase,
        "done": now.done,
        "total": now.total,
        "eta_seconds": now.eta_seconds,
        "seconds": run.result.seconds if run.result else None,
        "accuracy": _accuracies(run) if isinstance(run, Run) else {},
        "problem": problem,
        "remedy": remedy,
        "place": position,
        "device": run.record.device,
        "processes": run.record.processes,
        "placed_on": list(run.record.placed_on),
        "retry_of": run.record.retry_of,
        "resumable": runs.why_not_resumable(run) is None,
    }


def _model_of(run: Job) -> str | None:
    if not isinstance(run, Run):
        return None
    if isinstance(run.spec, EvaluateSpec) and run.spec.endpoint:
        return run.spec.endpoint.model
    return str(run.spec.model_name_or_path)


def _accuracies(run: Run) -> dict[str, float]:
    scores = runs.load_scores(run)
    return {answer: one.accuracy for answer, one in scores.evaluations.items()} if scores else {}


@app.command()
def doctor(home: Home = None, as_json: AsJson = False) -> None:
    """Check the installation and the workspace. Exit code 1: something is wrong; 2: it is the database."""
    with report_errors():
        checks = diagnose(open_workspace(home))
        if as_json:
            print_json([asdict(check) for check in checks])
        else:
            for check in checks:
                mark = "ok" if check.ok else "!!"
                typer.echo(f"{mark} {check.name:<10} {check.message} {check.remedy}".rstrip())
        failed = [check.name for check in checks if not check.ok]
        if failed:
            raise typer.Exit(2 if DATABASE in failed else 1)
