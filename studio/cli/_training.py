"""Train and evaluate a model: `train`, `evaluate`.

Long work goes through the same queue as the pages'; the command waits for it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from studio import runs
from studio.cli._common import (
    AsJson,
    Device,
    Home,
    Processes,
    print_json,
    report_errors,
    warn_in_the_clear,
    workspace_at,
)
from studio.cli._status import StatusLine
from studio.contract import AnswerMode, EngineUsed, Scores
from studio.evaluation.against_start import against_start, conclusion
from studio.jobs import queue as jobs
from studio.language import say
from studio.operations.waiting import evaluate_and_wait, train_and_wait
from studio.runs import DeviceChoice, Run
from studio.teacher.endpoints import endpoint_spec, parse_fields
from studio.training.settings_file import with_other_dataset
from studio.training.spec_loading import build_train_spec, read_spec_file, remarks
from studio.workspace import BUNDLED_NAME

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
    held_out: Annotated[
        str | None,
        typer.Option(help="Dataset whose eval rows are held out, such as for pairs, which have none."),
    ] = None,
    device: Device = None,
    processes: Processes = 1,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Train a model on a dataset version, and evaluate it on the held-out rows."""
    with report_errors():
        workspace = workspace_at(home)
        place = DeviceChoice(device=device, processes=processes)
        jobs.require_place(place)
        settings_file = read_spec_file(spec) if spec else None
        if settings_file and dataset and settings_file.origin != "studio":
            settings_file = with_other_dataset(settings_file, dataset)
        for line in remarks(settings_file) if settings_file else ():
            typer.echo(line, err=True)
        train_spec, version = build_train_spec(
            workspace, settings_file, dataset, model, settings or [], held_out
        )
        shown = StatusLine(quiet=as_json)
        run = train_and_wait(workspace, train_spec, version=version, place=place, watcher=shown)
        if as_json:
            print_json(run_document(run))
            return
        typer.echo(say(f"训练完成：{run.id}", f"Trained: {run.id}"))
        for scores in _scores_of(run).values():
            typer.echo(scores_line(scores))
        _print_against_start(run)


def _print_against_start(run: Run) -> None:
    found = against_start(run)
    for each in found:
        typer.echo(f"{each.answer:<7} {each.comparison.verdict.sentence}")
    if found:
        typer.echo(conclusion(found))


@app.command()
def evaluate(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[RUN|RELEASE|MODEL]",
            help="Training run, release or base model; with --endpoint the one that it serves, if any.",
        ),
    ] = None,
    dataset: Annotated[
        str,
        typer.Option(help="Version (name or name@3), folder, bundled, or a file of labelled titles."),
    ] = BUNDLED_NAME,
    answer: Annotated[
        AnswerMode, typer.Option(help="chain: think, then answer. direct: score the categories.")
    ] = "chain",
    limit: Annotated[int | None, typer.Option(min=1, help="Answer at most this many rows.")] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Ask a model at this OpenAI-compatible address, up to and with /v1.")
    ] = None,
    endpoint_model: Annotated[str, typer.Option(help="Name of the endpoint's model in its API.")] = "",
    endpoint_field: Annotated[
        list[str] | None, typer.Option(help="key=value; a further field of every request to the endpoint.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Titles in flight at an endpoint.")] = 4,
    categories_only: Annotated[
        bool,
        typer.Option(
            "--categories-only",
            help="Hold written answers to the categories, and stop at them; not at an endpoint.",
        ),
    ] = False,
    max_new_tokens: Annotated[
        int | None, typer.Option(min=8, max=32768, help="Longest answer in tokens.")
    ] = None,
    checkpoint: Annotated[
        str | None, typer.Option(help="Checkpoint of the run, such as step_000150 (default: the last).")
    ] = None,
    temperature: Annotated[
        float, typer.Option(min=0, max=2, help="Sample written answers; 0: the likeliest tokens.")
    ] = 0.0,
    top_p: Annotated[float, typer.Option(min=0.01, max=1, help="Sample from this much probability.")] = 1.0,
    top_k: Annotated[int, typer.Option(min=0, help="Sample from so many tokens; 0: from all.")] = 0,
    samples: Annotated[
        int, typer.Option(min=1, max=101, help="Answers to each title; what most of them name counts.")
    ] = 1,
    sampling_seed: Annotated[int, typer.Option(min=0, help="Seed of the samples.")] = 0,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Answer the held-out rows of a dataset and score the answers.

    An endpoint's key is that of teacher.key or NEWS_STUDIO_TEACHER_KEY, and is sent to no other address.
    """
    with report_errors():
        workspace = workspace_at(home)
        shown = StatusLine(quiet=as_json)
        asked = None
        if endpoint is not None:
            fields = parse_fields(endpoint_field or [])
            asked = endpoint_spec(
                workspace, base_url=endpoint, model=endpoint_model, fields=fields, concurrency=concurrency
            )
            warn_in_the_clear(endpoint)
        run = evaluate_and_wait(
            workspace,
            target,
            dataset,
            answer=answer,
            limit=limit,
            endpoint=asked,
            max_new_tokens=max_new_tokens,
            categories_only=categories_only,
            checkpoint=checkpoint,
            fields={
                "temperature": temperature,
                "top_p": top_p,
                "top_k": top_k,
                "samples": samples,
                "sampling_seed": sampling_seed,
            },
            watcher=shown,
        )
        scores = _scores_of(run)[answer]
        if lacking := [name for name, entry in scores.per_category.items() if entry.support == 0]:
            typer.echo(
                say(
                    f"评估数据里没有这些类别：{'、'.join(lacking)}；得分看不出模型在它们上面的好坏。",
                    f"No evaluated row is of {', '.join(lacking)}: the scores say nothing about these.",
                ),
                err=True,
            )
        if as_json:
            print_json({"run": run.id, **scores.model_dump(mode="json", by_alias=True)})
        else:
            typer.echo(scores_line(scores))
            if scores.engine:
                typer.echo(engine_line(scores.engine))


def scores_line(scores: Scores) -> str:
    """Format the headline scores of an evaluation in one line."""
    low, high = scores.accuracy_interval
    baselines = "  ".join(f"{name} {value:.1%}" for name, value in scores.baselines.items())
    return (
        f"{scores.answer:<7} {say('准确率', 'accuracy')} {scores.accuracy:.1%} [{low:.1%}, {high:.1%}]"
        f"  {say('宏 F1', 'macro F1')} {scores.macro_f1:.1%}  n={scores.n}"
        f"  {say('无法解析', 'unparsed')} {scores.unparsed}  {baselines}"
    )


def engine_line(engine: EngineUsed) -> str:
    """Format what answered in one line."""
    parts = (engine.name, engine.version, engine.model, engine.dtype, engine.device)
    return say("引擎", "engine") + "  " + " · ".join(part for part in parts if part)


def run_document(run: Run) -> dict[str, Any]:
    """Build the document of `news-studio train --json`: the run's folder, result and scores."""
    assert run.result is not None, run.state
    found = against_start(run)
    return {
        "run": run.id,
        "folder": str(run.folder),
        "version": run.version,
        **run.result.model_dump(mode="json"),
        "evaluations": {
            answer: scores.model_dump(mode="json", by_alias=True)
            for answer, scores in _scores_of(run).items()
        },
        **({"against_start": {each.answer: each.to_json() for each in found}} if found else {}),
    }


def _scores_of(run: Run) -> Mapping[AnswerMode, Scores]:
    file = runs.load_scores(run)
    return file.evaluations if file else {}
