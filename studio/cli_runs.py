"""Commands around runs and the machine: up, runs, models, doctor."""

import logging
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from studio import doctor as doctor_
from studio import runs as runs_
from studio import up as up_
from studio.cli_errors import AsJson, Home, print_json, report_errors
from studio.language import say
from studio.models import BaseModel_, ModelReport, check_model, find_models
from studio.runs import Run
from studio.workspace import open_workspace

app = typer.Typer()
models_app = typer.Typer(help="List base models, or check a folder.", invoke_without_command=True)
app.add_typer(models_app, name="models")


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


@models_app.callback()
def models(context: typer.Context, home: Home = None, as_json: AsJson = False) -> None:
    """List the base models (the default), or check one."""
    if context.invoked_subcommand is None:
        _list_models(home, as_json)


@models_app.command("list")
def list_(home: Home = None, as_json: AsJson = False) -> None:
    """List the bundled model and those in the workspace."""
    _list_models(home, as_json)


def _list_models(home: Path | None, as_json: bool) -> None:
    with report_errors():
        found = find_models(open_workspace(home))
        if as_json:
            print_json([{**asdict(model), "path": str(model.path), "ok": model.ok} for model in found])
            return
        for model in found:
            typer.echo(f"{model.name:<28} {_size(model):<38} {model.path}")
            _echo_problems(model)
        if not found:
            typer.echo(say("没有模型。", "There is no model."))


@models_app.command()
def check(
    path: Annotated[Path, typer.Argument(help="Folder of a base model.")], as_json: AsJson = False
) -> None:
    """Check that a folder can be loaded as a base model. Exit code 1 when it cannot, 2 when there is none."""
    with report_errors():
        report = check_model(path)
        if as_json:
            print_json(report.to_json())
        else:
            typer.echo(_size(report))
            _echo_problems(report)
        if not report.ok:
            raise typer.Exit(2 if report.problems[0].code == "folder_missing" else 1)


def _size(model: BaseModel_ | ModelReport) -> str:
    if not model.architecture:
        return say("不可用", "unusable")
    parameters = f"{model.parameters / 1e6:,.1f} M, {model.size_bytes / 2**20:,.0f} MiB"
    return f"{model.architecture}, {parameters}, {model.template}"


def _echo_problems(model: BaseModel_ | ModelReport) -> None:
    for problem in model.problems:
        typer.echo(f"  {problem.severity} {problem.code}: {problem.message} {problem.remedy}")


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
