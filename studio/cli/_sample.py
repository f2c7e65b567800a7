"""Sample several answers to every row, judged by their labels: `sample`."""

from typing import Annotated

import typer

from studio.cli._common import AsJson, Home, print_json, report_errors, workspace_at
from studio.cli._status import StatusLine
from studio.language import say
from studio.operations.sampling import sample_and_wait
from studio.preferences.sampling import PassRate, Sampled, read_samples
from studio.workspace import BUNDLED_NAME

app = typer.Typer()
NEVER_SHOWN = 30
"""Rows that were never right which are printed; `--json` has all."""


@app.command()
def sample(
    target: Annotated[
        str, typer.Argument(metavar="RUN|RELEASE|MODEL", help="Id of a run, a release, or a base model.")
    ],
    dataset: Annotated[
        str, typer.Option(help="Version (name or name@3), folder, or bundled.")
    ] = BUNDLED_NAME,
    entry: Annotated[str, typer.Option(help="Entry of dataset_info.json to answer.")] = "train",
    samples: Annotated[int, typer.Option(min=2, max=256, help="Answers to each row.")] = 8,
    temperature: Annotated[float, typer.Option(min=0.01, max=2, help="Sampling temperature.")] = 1.0,
    limit: Annotated[int | None, typer.Option(min=1, help="Answer at most this many rows.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the samples.")] = 42,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Sample several answers to every row: pass@k per category, rows never right, preference pairs."""
    with report_errors():
        workspace = workspace_at(home)
        job = sample_and_wait(
            workspace,
            target,
            dataset,
            dataset_entry=entry,
            samples=samples,
            temperature=temperature,
            limit=limit,
            seed=seed,
            watcher=StatusLine(quiet=as_json),
        )
        found = read_samples(workspace, job.id)
    if as_json:
        print_json(_document(found))
        return
    rates = found.pass_rates()
    for name, rate in rates.items():
        typer.echo(_line(name or say("全部", "all"), rate))
    _print_never_right(found)
    typer.echo(
        say(
            f"用它们组成偏好对：news-studio pairs freeze NAME --samples {job.id}",
            f"Make preference pairs of them: news-studio pairs freeze NAME --samples {job.id}",
        )
    )


def _document(found: Sampled) -> dict[str, object]:
    rates = found.pass_rates()
    return {
        "job": found.job.id,
        **rates.pop("").to_json(),
        "per_category": {name: rate.to_json() for name, rate in rates.items()},
        "never_right": [
            {"row": answer.row, "title": answer.title, "label": answer.label, "predicted": answer.predicted}
            for answer in found.never_right
        ],
    }


def _line(name: str, rate: PassRate) -> str:
    never = say(f"从没答对 {rate.never}", f"never right {rate.never}")
    return (
        f"{name:<6} n={rate.rows:<5} pass@1 {rate.pass_1:.1%}  pass@{rate.samples} {rate.pass_k:.1%}  {never}"
    )


def _print_never_right(found: Sampled) -> None:
    never = found.never_right
    if not never:
        return
    typer.echo(
        say(
            f"这 {len(never)} 条一次也没答对，请看看标签：",
            f"These {len(never)} rows were never right; look at their labels:",
        )
    )
    for answer in never[:NEVER_SHOWN]:
        typer.echo(f"  {answer.row + 1:>5}  {answer.label} / {answer.predicted or '-'}  {answer.title}")
