"""Classify a sheet of titles: `classify`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from studio import runs
from studio.classification.jobs import classify_spec, get_classification, start
from studio.classification.results import LOW, Classified, Outcome, Summary, load_classified, summarize
from studio.classification.writing import file_name, require_writable_format, write_classified
from studio.cli._common import (
    AsJson,
    Categories,
    Home,
    print_json,
    report_errors,
    warn_in_the_clear,
    workspace_at,
)
from studio.cli._status import StatusLine
from studio.contract import AnswerMode, EndpointSpec
from studio.errors import InputError
from studio.formats.choices import FileChoices
from studio.formats.columns import Columns
from studio.jobs import queue as jobs
from studio.language import say
from studio.models.default_model import default_model
from studio.operations.waiting import wait_or_cancel
from studio.runs import Job
from studio.samples.scheme import load_scheme
from studio.teacher.endpoints import endpoint_spec, parse_fields
from studio.workspace import Workspace

app = typer.Typer()

OUTCOME_NAMES: dict[Outcome, tuple[str, str]] = {
    "answer": ("有类别", "answered"),
    "abstain": ("请人工判断", "abstained"),
    "unparsed": ("读不出类别", "without a readable category"),
    "error": ("出错", "with an error"),
    "open": ("还没有回答", "not answered yet"),
}


@app.command()
def classify(
    file: Annotated[
        Path | None,
        typer.Argument(help="A sheet: csv, tsv, xlsx, txt, json, jsonl, parquet, or an OpenAI batch file."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|RELEASE|MODEL",
            help="What answers (default: the default model); with --endpoint the model that it serves.",
        ),
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(metavar="URL", help="OpenAI-compatible endpoint that answers instead.")
    ] = None,
    endpoint_model: Annotated[str, typer.Option(help="Name of the endpoint's model in its API.")] = "",
    endpoint_field: Annotated[
        list[str] | None, typer.Option(help="key=value; a further field of every request to the endpoint.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Titles in flight at an endpoint.")] = 4,
    answer: Annotated[
        AnswerMode | None,
        typer.Option(help="direct (default): score the categories. chain: write the think chain first."),
    ] = None,
    title_column: Annotated[
        str | None, typer.Option(help="Column with the titles (default: known by its name).")
    ] = None,
    sheet: Annotated[
        str | None, typer.Option(help="Sheet of a workbook, by name or number (default: the first).")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write (default: FILE_classified, in the format of FILE).")
    ] = None,
    job: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="Go on with an earlier classification that was cut short."),
    ] = None,
    home: Home = None,
    categories: Categories = None,
    as_json: AsJson = False,
) -> None:
    """Classify every row of a sheet as a job, and write it with columns added.

    It goes on where it stopped, whatever stopped it. An endpoint's key is that of teacher.key or
    NEWS_STUDIO_TEACHER_KEY, and is sent to no other address.
    """
    with report_errors():
        workspace = workspace_at(home)
        _require_one(file, job)
        if out is not None:
            require_writable_format(out)
        if job is not None:
            found = _go_on(workspace, job)
        else:
            assert file is not None
            _require_new(out or file.with_name(f"{file.stem}_classified{file.suffix}"))
            asked = _endpoint(workspace, endpoint, endpoint_model, endpoint_field or [], concurrency)
            target = model or (None if asked else default_model(workspace))
            spec = classify_spec(workspace, target, asked, **({"answer": answer} if answer else {}))
            choices = FileChoices(sheet=sheet, columns=Columns(title=title_column))
            found = start(workspace, file, spec, load_scheme(categories), choices=choices)
        found = wait_or_cancel(workspace, found, StatusLine(quiet=as_json))
        _require_done(found)
        written = out or (file.parent if file else Path.cwd()) / file_name(found)
        write_classified(found, written.absolute())
        _show(found, load_classified(found), written, as_json)


def _require_one(file: Path | None, job: str | None) -> None:
    if (file is None) == (job is None):
        raise InputError(
            say("请给出一张表，或用 --job 给出一个任务。", "Name a sheet, or a job with --job."),
            remedy=say(
                "例如：news-studio classify titles.csv", "For example: news-studio classify titles.csv"
            ),
        )


def _require_new(out: Path) -> None:
    """Refuse to write over a file, before anything is computed."""
    if out.exists():
        raise InputError(
            say(f"{out} 已存在。", f"{out} exists."),
            remedy=say("请用 --out 给出另一个文件名。", "Name another file with --out."),
        )


def _endpoint(
    workspace: Workspace, url: str | None, model: str, fields: Sequence[str], concurrency: int
) -> EndpointSpec | None:
    if url is None:
        return None
    warn_in_the_clear(url)
    return endpoint_spec(
        workspace, base_url=url, model=model, fields=parse_fields(fields), concurrency=concurrency
    )


def _go_on(workspace: Workspace, job_id: str) -> Job:
    """Find a classification, and queue it again where it was cut short."""
    job = get_classification(workspace, job_id)
    return jobs.resume(workspace, job.id) if job.is_over and job.state != "done" else job


def _require_done(job: Job) -> None:
    """Nothing when the job is done.

    Raises:
        RunFailed: it is not; the remedy names the command that goes on with it.
    """
    if job.state == "done":
        return
    typer.echo(
        say(
            f"已有的回答都在；继续：news-studio classify --job {job.id}",
            f"The answers so far are kept; go on with: news-studio classify --job {job.id}",
        ),
        err=True,
    )
    runs.require_done(job)


def _show(job: Job, classified: Classified, out: Path, as_json: bool) -> None:
    threshold = classified.threshold
    summary = summarize(classified, below=LOW if threshold is None else threshold)
    if as_json:
        print_json(_document(job, summary, threshold, out))
        return
    typer.echo(str(out))
    counts = ", ".join(
        f"{say(*OUTCOME_NAMES[outcome])} {count:,}" for outcome, count in summary.outcomes.items() if count
    )
    typer.echo(say(f"{summary.rows:,} 行：", f"{summary.rows:,} rows: ") + counts)
    for name, count in summary.categories.items():
        typer.echo(f"  {name}  {count:,}  {count / summary.rows:.1%}")


def _document(job: Job, summary: Summary, threshold: float | None, out: Path) -> dict[str, Any]:
    return {
        "job": job.id,
        "out": str(out),
        "rows": summary.rows,
        "titles": summary.titles,
        "done": summary.outcomes["answer"] + summary.outcomes["abstain"],
        "abstained": summary.outcomes["abstain"],
        "unparsed": summary.outcomes["unparsed"],
        "errors": summary.outcomes["error"],
        "low_confidence": summary.low,
        "threshold": threshold,
        "categories": summary.categories,
        "seconds": job.result.seconds if job.result else None,
    }
