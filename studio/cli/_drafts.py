"""Let a teacher model draft think chains: `drafts`."""

from contextlib import closing
from dataclasses import asdict
from typing import Annotated, Any

import typer

from studio import runs
from studio.cli._common import AsJson, Home, print_json, report_errors, warn_in_the_clear, workspace_at
from studio.cli._status import StatusLine
from studio.contract import DraftSpec
from studio.errors import InputError
from studio.language import say
from studio.operations.waiting import wait_or_cancel
from studio.runs import Job
from studio.samples.scheme import load_scheme
from studio.store import Store, open_store
from studio.teacher import drafts
from studio.teacher import runs as teacher_runs
from studio.teacher.prompts import Cost, estimate
from studio.workspace import Workspace

app = typer.Typer()


@app.command("drafts")
def draft(
    base_url: Annotated[
        str | None, typer.Option(help="Endpoint, up to and with /v1; without it nothing is sent.")
    ] = None,
    model: Annotated[str, typer.Option(help="Name of the teacher in the API.")] = "",
    limit: Annotated[
        int, typer.Option(min=1, max=teacher_runs.MOST_TITLES, help="At most so many titles.")
    ] = 200,
    prompt_price: Annotated[float, typer.Option(min=0, help="Price of a million prompt tokens.")] = 0,
    completion_price: Annotated[float, typer.Option(min=0, help="Price of a million completion tokens.")] = 0,
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Let a teacher draft think chains for labelled titles; without --base-url only count and estimate.

    The API key comes from teacher.key of the workspace or from NEWS_STUDIO_TEACHER_KEY,
    and is sent to no other address than its own (NEWS_STUDIO_TEACHER_URL). People
    accept or reject the drafts on the Label page.
    """
    with report_errors():
        workspace, scheme = workspace_at(home), load_scheme()
        prices = {"prompt_price": prompt_price, "completion_price": completion_price}
        with closing(open_store(workspace.database)) as db:
            drafts.take_in(db, workspace)
            titles = drafts.titles_without_chain(db, limit=limit)
            known = [title for title in titles if title.category in scheme.names]
            expected = estimate(known, scheme, **prices)
            document: dict[str, Any] = {"titles": len(known), "estimate": asdict(expected)}
            if not as_json:
                typer.echo(_sentence(say("估计", "estimate"), len(known), expected))
            if base_url is not None:
                spec = _spec(workspace, base_url, model, prices)
                warn_in_the_clear(base_url)
                job = teacher_runs.start(db, workspace, spec, known, scheme)
                document |= _wait(db, workspace, job, quiet=as_json)
        if as_json:
            print_json(document)


def _spec(workspace: Workspace, base_url: str, model: str, prices: dict[str, float]) -> DraftSpec:
    if not model:
        raise InputError(
            say("没有给出模型。", "No model was named."),
            remedy=say("请用 --model 写明模型名。", "Name it with --model."),
        )
    return teacher_runs.draft_spec(workspace, base_url=base_url, model=model, **prices)


def _wait(db: Store, workspace: Workspace, job: Job, *, quiet: bool) -> dict[str, Any]:
    job = wait_or_cancel(workspace, job, StatusLine(quiet=quiet))
    drafts.take_in(db, workspace)
    outcome = teacher_runs.outcome(job)
    if not quiet:
        typer.echo(_sentence(say("草稿", "drafts"), outcome.drafted, outcome.cost))
        for line in outcome.failed:
            typer.echo(f"  {line.title}: {line.problem}")
    runs.require_done(job)
    return {
        "run": job.id,
        "drafted": outcome.drafted,
        "with_remarks": outcome.with_remarks,
        "failed": [{"title": line.title, "problem": line.problem} for line in outcome.failed],
        "cost": asdict(outcome.cost),
    }


def _sentence(what: str, titles: int, cost: Cost) -> str:
    tokens = f"{cost.prompt_tokens:,} + {cost.completion_tokens:,}"
    return say(
        f"{what}：{titles} 条，{tokens} 词元，费用 {cost.price:.4f}",
        f"{what}: {titles} titles, {tokens} tokens, cost {cost.price:.4f}",
    )
