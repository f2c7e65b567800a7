"""Start behavioural tests of an evaluated model as a job, find the last one, and read what flipped."""

from dataclasses import dataclass

from pydantic import TypeAdapter

from studio import runs
from studio.contract import AnswerMode, BehaviourSpec, Prediction, Variant, VariantAnswer
from studio.datasets.files import write_scheme
from studio.errors import InputError
from studio.evaluation.behaviour import TESTS, BehaviourResult, compare_answers, variants
from studio.jobs import queue
from studio.language import say
from studio.runs import Job, Run
from studio.samples.scheme import Scheme
from studio.system.jsonl import read_lines
from studio.team.rights import require_right
from studio.workspace import Workspace

MOST_ROWS = 300
"""Titles of an evaluation that are changed unless more are asked for: some three thousand answers."""

_variant: TypeAdapter[Variant] = TypeAdapter(Variant)
_answer: TypeAdapter[VariantAnswer] = TypeAdapter(VariantAnswer)


@dataclass(frozen=True, kw_only=True)
class LastTest:
    """The last behavioural tests of an evaluation; `result` is None while they are not done."""

    job: Job
    result: BehaviourResult | None


def start(workspace: Workspace, run: Run, scheme: Scheme, *, limit: int | None = MOST_ROWS) -> Job:
    """Queue the tests on the titles of an evaluation.

    Raises:
        InputError: the run answered nothing.
        RunFailed: its model is not there any more.
        NotAllowed: the person may not run jobs.
    """
    require_right("run_jobs")
    rows = evaluated_rows(run)[:limit]
    if not rows:
        raise InputError(
            say(f"运行 {run.id} 没有回答过任何标题。", f"Run {run.id} has answered no title."),
            remedy=say("请先评估它。", "Evaluate it first."),
        )
    model, adapter = runs.trained_model(run)
    spec = BehaviourSpec(
        model_name_or_path=model, adapter_name_or_path=adapter, template=run.spec.template, run=run.id
    )
    lines = "".join(f"{each.model_dump_json()}\n" for each in variants(rows))
    job = runs.prepare_job(
        workspace,
        spec,
        label=run.record.label or run.id,
        files={"variants.jsonl": lines.encode(), "categories.toml": write_scheme(scheme).encode()},
    )
    queue.submit(workspace, job)
    return job


def evaluated_rows(run: Run) -> list[Prediction]:
    """Return the rows that a run answered, in whichever way."""
    modes: tuple[AnswerMode, ...] = ("direct", "chain")
    return next((rows for mode in modes if (rows := runs.load_predictions(run, mode))), [])


def last_test(workspace: Workspace, run: Run) -> LastTest | None:
    """Find the last tests of an evaluation; None where there are none."""
    for job in runs.list_jobs(workspace):
        if isinstance(job.spec, BehaviourSpec) and job.spec.run == run.id:
            return LastTest(job=job, result=read_result(job, run) if job.state == "done" else None)
    return None


def read_result(job: Job, run: Run) -> BehaviourResult:
    """Read which answers flipped."""
    made = list(read_lines(job.folder / "variants.jsonl", _variant))
    answers = list(read_lines(job.folder / "answers.jsonl", _answer))
    return compare_answers(evaluated_rows(run), made, answers)


def count_variants(rows: list[Prediction]) -> int:
    """Count the answers that the tests of these rows take."""
    return len(variants(rows, TESTS))
