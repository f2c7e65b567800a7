"""Commands around models: train, evaluate, serve.

Long work goes through the same queue as the pages'; the command waits for it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from studio import jobs, runs
from studio.cli_errors import AsJson, Device, Home, Processes, print_json, report_errors
from studio.cli_status import StatusLine
from studio.contract import AnswerMode, EvaluateSpec, Scores, TemplateName, TrainSpec
from studio.datasets import resolve_dataset
from studio.errors import InputError, StudioError
from studio.language import say
from studio.models import resolve_model
from studio.runs import ANYWHERE, Job, Place, Run
from studio.serving import serve_here
from studio.spec_files import build_train_spec, read_spec_file, remarks
from studio.workspace import BUNDLED_NAME, Workspace, open_workspace

app = typer.Typer()


@app.command()
def train(
    spec: Annotated[
        Path | None, typer.Argument(help="Settings as YAML or JSON, of this studio or of LLaMA-Factory.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Version (name or name@3), folder, or bundled.")] = None,
    model: Annotated[str | None, typer.Option(help="Name in the workspace, folder, or bundled.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="key=value; takes any field of the spec.")
    ] = None,
    device: Device = None,
    processes: Processes = 1,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Train a model on a dataset version, and evaluate it on the held-out rows."""
    with report_errors():
        workspace = open_workspace(home)
        place = Place(device=device, processes=processes)
        jobs.require_place(place)
        recipe = read_spec_file(spec) if spec else None
        for line in remarks(recipe) if recipe else ():
            typer.echo(line, err=True)
        train_spec, version = build_train_spec(workspace, recipe, dataset, model, settings or [])
        run = train_and_wait(workspace, train_spec, version=version, quiet=as_json, place=place)
        if as_json:
            print_json(run_document(run))
            return
        typer.echo(say(f"训练完成：{run.id}", f"Trained: {run.id}"))
        for scores in _scores_of(run).values():
            typer.echo(scores_line(scores))


def train_and_wait(
    workspace: Workspace, spec: TrainSpec, *, version: str | None, quiet: bool, place: Place = ANYWHERE
) -> Run:
    """Queue a training run and wait until it is done.

    Raises:
        RunFailed: it ended without a result, with its own problem and remedy.
    """
    run = runs.prepare_run(workspace, spec, version=version, place=place)
    return _submit_and_wait(workspace, run, quiet=quiet)


def _submit_and_wait(workspace: Workspace, run: Run, *, quiet: bool) -> Run:
    jobs.submit(workspace, run)
    shown = StatusLine(progress_text, quiet=quiet)
    try:
        run = jobs.wait(workspace, run.id, on_poll=shown.show)
    except KeyboardInterrupt:
        runs.cancel(workspace, run.id)
        typer.echo(say("正在停止……", "Stopping ..."), err=True)
        run = jobs.wait(workspace, run.id)
    shown.end()
    runs.require_done(run)
    return run


def progress_text(run: Job) -> str:
    """How far a run is, in a line."""
    progress = runs.progress(run)
    loss = f"  loss {progress.last.loss:.3f}" if progress.last else ""
    eta = f"  {progress.eta_seconds:.0f} s" if progress.eta_seconds else ""
    return f"{progress.phase or run.state} {progress.done}/{progress.total}{loss}{eta}"


@app.command()
def evaluate(
    target: Annotated[
        str, typer.Argument(metavar="RUN|MODEL", help="Id of a training run, or a base model.")
    ],
    dataset: Annotated[
        str, typer.Option(help="Version (name or name@3), folder, or bundled.")
    ] = BUNDLED_NAME,
    answer: Annotated[
        AnswerMode, typer.Option(help="chain: think, then answer. direct: score the categories.")
    ] = "chain",
    limit: Annotated[int | None, typer.Option(min=1, help="Answer at most this many rows.")] = None,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Answer the held-out rows of a dataset and score the answers."""
    with report_errors():
        workspace = open_workspace(home)
        run = evaluate_and_wait(workspace, target, dataset, answer=answer, limit=limit, quiet=as_json)
        scores = _scores_of(run)[answer]
        if as_json:
            print_json({"run": run.id, **scores.model_dump(mode="json", by_alias=True)})
        else:
            typer.echo(scores_line(scores))


def evaluate_and_wait(
    workspace: Workspace, target: str, dataset: str, *, answer: AnswerMode, limit: int | None, quiet: bool
) -> Run:
    """Queue an evaluation of a training run or a base model and wait until it is done."""
    model, adapter, template, trained = resolve_target(workspace, target)
    found = resolve_dataset(workspace, dataset)
    spec = EvaluateSpec(
        model_name_or_path=model,
        adapter_name_or_path=adapter,
        template=template,
        dataset_dir=found.folder,
        answer=answer,
        limit=limit,
        run=trained,
    )
    return _submit_and_wait(workspace, runs.prepare_run(workspace, spec, version=found.version), quiet=quiet)


def resolve_target(workspace: Workspace, target: str) -> tuple[Path, Path | None, TemplateName, str | None]:
    """Model, adapter, template and run id of what RUN|MODEL means: a run first, then a model."""
    known = {run.id: run for run in runs.list_runs(workspace)}
    if target in known:
        model, adapter = runs.trained_model(known[target])
        return model, adapter, known[target].spec.template, target
    try:
        return resolve_model(workspace, target), None, "auto", None
    except StudioError as error:
        raise InputError(
            say(
                f"没有名为 {target} 的运行，也不是可用的模型：{error.problem}",
                f"There is no run {target}, and it is no usable model: {error.problem}",
            ),
            remedy=say(
                "用 news-studio runs 和 news-studio models 查看有哪些。",
                "See news-studio runs and news-studio models.",
            ),
        ) from error


@app.command()
def serve(
    target: Annotated[
        str, typer.Argument(metavar="RUN|MODEL", help="Id of a training run, or a base model.")
    ],
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the server.")] = 8000,
    home: Home = None,
) -> None:
    """Serve a model over the OpenAI protocol until Ctrl-C."""
    with report_errors():
        workspace = open_workspace(home)
        model, adapter, template, _ = resolve_target(workspace, target)
        typer.echo(f"http://127.0.0.1:{port}/v1")
        serve_here(workspace, model=model, adapter=adapter, template=template, name=target, port=port)


def scores_line(scores: Scores) -> str:
    """The headline of an evaluation in one line."""
    low, high = scores.accuracy_interval
    beside = "  ".join(f"{name} {value:.1%}" for name, value in scores.baselines.items())
    return (
        f"{scores.answer:<7} {say('准确率', 'accuracy')} {scores.accuracy:.1%} [{low:.1%}, {high:.1%}]"
        f"  {say('宏 F1', 'macro F1')} {scores.macro_f1:.1%}  n={scores.n}"
        f"  {say('无法解析', 'unparsed')} {scores.unparsed}  {beside}"
    )


def run_document(run: Run) -> dict[str, Any]:
    """A finished training run as JSON: where it is, and what it measured."""
    assert run.result is not None, run.state
    return {
        "run": run.id,
        "folder": str(run.folder),
        "version": run.version,
        **run.result.model_dump(mode="json"),
        "evaluations": {
            answer: scores.model_dump(mode="json", by_alias=True)
            for answer, scores in _scores_of(run).items()
        },
    }


def _scores_of(run: Run) -> Mapping[AnswerMode, Scores]:
    file = runs.load_scores(run)
    return file.evaluations if file else {}
