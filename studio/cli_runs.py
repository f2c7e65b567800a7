"""Commands around runs and the machine: up, runs, doctor."""

import logging
from dataclasses import asdict
from typing import Annotated, Any

import typer

from studio import doctor as doctor_
from studio import runs as runs_
from studio import up as up_
from studio.cli_errors import AsJson, Home, print_json, report_errors
from studio.language import say
from studio.runs import Run
from studio.workspace import open_workspace

app = typer.Typer()


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


@app.command()
def runs(home: Home = None, as_json: AsJson = False) -> None:
    """List the runs, newest first."""
    with report_errors():
        found = runs_.list_runs(open_workspace(home))
        if as_json:
            print_json([_run_document(run) for run in found])
            return
        for run in found:
            scores = " ".join(f"{answer} {accuracy:.1%}" for answer, accuracy in _accuracies(run).items())
            typer.echo(
                f"{run.id:<32} {run.state:<10} {scores:<28} {run.version or '':<16} {run.label}".rstrip()
            )
        if not found:
            typer.echo(
                say(
                    "还没有运行。用 news-studio train 开始。",
                    "No runs yet. Start one with: news-studio train",
                )
            )


def _run_document(run: Run) -> dict[str, Any]:
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
        "model": str(run.spec.model_name_or_path),
        "phase": now.phase,
        "done": now.done,
        "total": now.total,
        "eta_seconds": now.eta_seconds,
        "seconds": run.result.seconds if run.result else None,
        "accuracy": _accuracies(run),
        "problem": problem,
        "remedy": remedy,
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
