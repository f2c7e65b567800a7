"""Commands on runs and the machine: up, runs, doctor."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from studio import runs as runs_
from studio.cli._common import AsJson, Device, Home, Processes, print_json, report_errors
from studio.jobs import queue as jobs
from studio.language import say
from studio.operations import doctor as doctor_
from studio.operations import supervisor as up_
from studio.runs import Job, Place, Run
from studio.workspace import Workspace, open_workspace

app = typer.Typer()
runs_app = typer.Typer(help="List the runs, or act on some.", invoke_without_command=True)
app.add_typer(runs_app, name="runs")

Ids = Annotated[list[str], typer.Argument(metavar="RUN ...", help="Ids of runs, as `runs` lists them.")]


@app.command()
def up(
    home: Home = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the web app.")] = up_.DEFAULT_PORT,
) -> None:
    """Run the web app and the job process until Ctrl-C."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    with report_errors():
        up_.up(open_workspace(home), port, on_ready=_say_ready)
        typer.echo(say("网页已停止；正在运行的任务会继续。", "The web app has stopped; running jobs go on."))


def _say_ready(url: str) -> None:
    typer.echo(
        say(f"News Studio 已启动：{url}（Ctrl-C 停止）", f"News Studio is up: {url} (Ctrl-C stops it)")
    )


@runs_app.callback()
def runs(context: typer.Context, home: Home = None, as_json: AsJson = False) -> None:
    """List the runs, newest first (the default), or act on some."""
    if context.invoked_subcommand is not None:
        return
    with report_errors():
        workspace = open_workspace(home)
        found, places = runs_.list_runs(workspace), _places(workspace)
        if as_json:
            print_json([_run_document(run, places.get(run.id)) for run in found])
            return
        for run in found:
            scores = " ".join(f"{answer} {accuracy:.1%}" for answer, accuracy in _accuracies(run).items())
            state = f"{run.state} {places[run.id]}" if run.id in places else run.state
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
    """Stop runs with all they need to go on later; put waiting ones aside."""
    _for_each(context, ids, home, as_json, runs_.pause)


@runs_app.command()
def resume(context: typer.Context, ids: Ids, home: Home = None, as_json: AsJson = False) -> None:
    """Let runs go on from their last checkpoint: paused, cancelled, failed or lost ones."""
    _for_each(context, ids, home, as_json, jobs.resume)


@runs_app.command()
def cancel(
    context: typer.Context,
    ids: Ids,
    discard: Annotated[bool, typer.Option("--discard", help="Throw the checkpoints away.")] = False,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Stop runs and keep their checkpoints."""
    _for_each(context, ids, home, as_json, runs_.discard if discard else runs_.cancel)


@runs_app.command()
def retry(context: typer.Context, ids: Ids, home: Home = None, as_json: AsJson = False) -> None:
    """Start new runs with the specs of runs that are over."""
    _for_each(context, ids, home, as_json, jobs.retry)


@runs_app.command()
def move(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id of a waiting run.")],
    to: Annotated[Literal["first", "up", "down", "last"], typer.Argument(help="Where to, in the queue.")],
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Move a waiting run within the queue."""
    _for_each(context, [run], home, as_json, lambda workspace, run_id: runs_.move(workspace, run_id, to))


@runs_app.command()
def place(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id of a waiting or paused run.")],
    device: Device = None,
    processes: Processes = 1,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Choose where a waiting run shall run; without --device on the next free one."""
    chosen = Place(device=device, processes=processes)
    _for_each(context, [run], home, as_json, lambda workspace, run_id: jobs.put_on(workspace, run_id, chosen))


def _for_each(
    context: typer.Context,
    ids: Sequence[str],
    home: Path | None,
    as_json: bool,
    act: Callable[[Workspace, str], Job | None],
) -> None:
    """Act on each run and tell how it then stands; the first that does not work ends it."""
    given = context.parent.params if context.parent else {}  # `runs --home D pause RUN` means the same
    home, as_json = home or given.get("home"), as_json or bool(given.get("as_json"))
    with report_errors():
        workspace = open_workspace(home)
        acted = [act(workspace, run_id) or runs_.get_job(workspace, run_id) for run_id in ids]
        found, places = [runs_.get_job(workspace, job.id) for job in acted], _places(workspace)
        if as_json:
            print_json([_run_document(job, places.get(job.id)) for job in found])
            return
        for job in found:
            typer.echo(f"{job.id:<32} {job.state} {places.get(job.id, '')}".rstrip())


def _places(workspace: Workspace) -> dict[str, int]:
    """Place in the queue, from 1, of every waiting job."""
    return {job.id: number for number, job in enumerate(runs_.waiting(workspace), start=1)}


def _run_document(run: Job, place: int | None) -> dict[str, Any]:
    now = runs_.progress(run)
    problem, remedy = run.failure or ("", "")
    return {
        "id": run.id,
        "kind": run.spec.kind,
        "state": run.state,
        "label": run.label,
        "version": run.version,
        "recorded": run.recorded,
        "created_at": run.created_at.isoformat(),
        "folder": str(run.folder),
        "model": str(run.spec.model_name_or_path) if isinstance(run, Run) else None,
        "phase": now.phase,
        "done": now.done,
        "total": now.total,
        "eta_seconds": now.eta_seconds,
        "seconds": run.result.seconds if run.result else None,
        "accuracy": _accuracies(run) if isinstance(run, Run) else {},
        "problem": problem,
        "remedy": remedy,
        "place": place,
        "device": run.card.device,
        "processes": run.card.processes,
        "placed_on": list(run.card.placed_on),
        "retry_of": run.card.retry_of,
        "resumable": runs_.why_not_resumable(run) is None,
    }


def _accuracies(run: Run) -> dict[str, float]:
    scores = runs_.load_scores(run)
    return {answer: one.accuracy for answer, one in scores.evaluations.items()} if scores else {}


@app.command()
def doctor(home: Home = None, as_json: AsJson = False) -> None:
    """Check the installation and the workspace. Exit code 1 when something is wrong."""
    with report_errors():
        findings = doctor_.diagnose(open_workspace(home))
        if as_json:
            print_json([asdict(finding) for finding in findings])
        else:
            for finding in findings:
                typer.echo(
                    f"{'ok' if finding.ok else '!!'} {finding.name:<10} {finding.message} {finding.remedy}".rstrip()
                )
        if not all(finding.ok for finding in findings):
            raise typer.Exit(1)
