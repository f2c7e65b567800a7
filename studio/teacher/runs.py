"""Plan, start and resume draft runs, and report their outcome and cost.

A run's folder holds its titles (`titles.jsonl`) and its categories; the worker needs
nothing else. A run that was killed or cancelled is resumed by a new one for the titles
that have no draft yet. This module calls no endpoint.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from studio import runs
from studio.contract import Drafted, DraftSpec, TitleToDraft, spec_error
from studio.datasets.files import write_scheme
from studio.errors import InputError, WorkspaceBusy
from studio.jobs import queue as jobs
from studio.language import say
from studio.runs import Job
from studio.samples.scheme import Scheme
from studio.store import Store, writing
from studio.system.jsonl import read_lines
from studio.teacher import drafts
from studio.teacher.endpoints import endpoint_values
from studio.teacher.prompts import Cost, cost
from studio.team.rights import require_right
from studio.workspace import Workspace

MOST_TITLES = 20_000
"""Titles of one run; more are the next run's, so that a wrong setting costs at most one."""
_drafted: TypeAdapter[Drafted] = TypeAdapter(Drafted)
_title: TypeAdapter[TitleToDraft] = TypeAdapter(TitleToDraft)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """The outcome of a run so far: titles requested, drafts, failed titles, and its real cost."""

    titles: int
    drafted: int
    with_remarks: int
    failed: tuple[Drafted, ...]
    cost: Cost


def draft_spec(workspace: Workspace, *, base_url: str, model: str, **settings: object) -> DraftSpec:
    """Build and validate a spec; it refers to the API key's file or variable and never holds the key.

    Raises:
        InputError: the address, the model or a setting cannot be used.
    """
    values = {**settings, **endpoint_values(workspace, base_url, model)}
    try:
        return DraftSpec.model_validate(values)
    except ValidationError as error:
        problem, remedy = spec_error(error)
        raise InputError(problem, remedy=remedy) from error


def start(
    db: Store, workspace: Workspace, spec: DraftSpec, titles: Sequence[TitleToDraft], scheme: Scheme
) -> Job:
    """Queue a run for these titles.

    Raises:
        InputError: no titles, or some that are outside the scheme.
        WorkspaceBusy: another draft run is not over; its titles would be paid for twice.
    """
    require_right("teacher_drafts")
    _require_titles(titles, scheme)
    # The write lock, so that two people who press start at once do not both start.
    with writing(db):
        if open_run := next((run for run in draft_runs(workspace) if not run.is_over), None):
            raise WorkspaceBusy(
                say(f"起草任务 {open_run.id} 还没有结束。", f"The draft run {open_run.id} has not finished."),
                remedy=say("请等它完成，或先取消它。", "Wait until it finishes, or cancel it first."),
            )
        lines = "".join(title.model_dump_json() + "\n" for title in titles)
        files = {"titles.jsonl": lines.encode(), "categories.toml": write_scheme(scheme).encode()}
        job = runs.prepare_job(workspace, spec, files=files)
    jobs.submit(workspace, job)
    return job


def _require_titles(titles: Sequence[TitleToDraft], scheme: Scheme) -> None:
    if not titles:
        raise InputError(
            say("没有已标注却缺思维链的标题。", "There is no labelled title without a think chain or draft."),
            remedy=say("请先在标注页标注。", "Label some on the Label page first."),
        )
    foreign = sorted({title.category for title in titles} - set(scheme.names))
    if foreign:
        raise InputError(
            say(
                f"有标题的类别不在类别文件中：{'、'.join(foreign)}。",
                f"Some titles are outside the category file: {', '.join(foreign)}.",
            ),
            remedy=say("请在标注页改好这些标题。", "Relabel them on the Label page."),
        )


def draft_runs(workspace: Workspace) -> list[Job]:
    """List every draft run, newest first."""
    return [job for job in runs.list_jobs(workspace) if job.spec.kind == "draft"]


def left_over(db: Store, job: Job) -> list[TitleToDraft]:
    """List the titles of a run that have no draft and still need one: what resuming would request."""
    requested = read_lines(job.folder / "titles.jsonl", _title)
    without_chain = {title.title_id: title for title in drafts.titles_without_chain(db, limit=-1)}
    return [title for title in requested if without_chain.get(title.title_id) == title]


def resume(db: Store, workspace: Workspace, job: Job, spec: DraftSpec, scheme: Scheme) -> Job:
    """Resume what a run left over, failed titles included, as a new run.

    Raises:
        InputError: nothing is left over.
        WorkspaceBusy: another draft run is not over.
    """
    drafts.take_in(db, workspace)
    return start(db, workspace, spec, left_over(db, job), scheme)


def outcome(job: Job) -> Outcome:
    """Sum up the outcome of a run so far from its drafts.jsonl."""
    assert isinstance(job.spec, DraftSpec), job.spec.kind
    lines = list(read_lines(job.folder / "drafts.jsonl", _drafted))
    return Outcome(
        titles=runs.progress(job).total,
        drafted=sum(line.chain is not None for line in lines),
        with_remarks=sum(bool(line.remarks) for line in lines),
        failed=tuple(line for line in lines if line.chain is None),
        cost=cost(
            sum(line.prompt_tokens for line in lines),
            sum(line.completion_tokens for line in lines),
            prompt_price=job.spec.prompt_price,
            completion_price=job.spec.completion_price,
        ),
    )
