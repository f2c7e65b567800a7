"""Measure what a gate asks for: evaluations on its rows, as jobs."""

from studio import runs
from studio.contract import AnswerMode, EvaluateSpec
from studio.datasets.lookup import resolve_dataset
from studio.errors import InputError
from studio.gate.evidence import evaluations
from studio.jobs import queue
from studio.language import say
from studio.models.targets import resolve_target
from studio.releases.models import GateRule
from studio.runs import Run
from studio.workspace import Workspace


def evaluate_for(workspace: Workspace, rule: GateRule, target: str, answer: AnswerMode | None = None) -> Run:
    """Queue an evaluation of a run or release on all rows of a gate.

    Args:
        workspace: where it is.
        rule: of the gate.
        target: run or release.
        answer: way of answering; None: the one that the gate judges.

    Raises:
        NotAllowed: the person may not run jobs.
        InputError: there is no such run, or it is being evaluated there already.
    """
    model, adapter, template, run = resolve_target(workspace, target)
    if run is None:
        raise InputError(
            say("{target} 不是运行。", "{target} is no run.", target=target),
            remedy=say("请写一个训练运行的编号。", "Name a training run by its id."),
        )
    last = last_evaluation(workspace, rule, run)
    if last is not None and not last.is_over:
        raise InputError(
            say("{run} 正在评估。", "{run} is being evaluated.", run=run),
            remedy=say("请等它结束。", "Wait until it is over."),
        )
    found = resolve_dataset(workspace, rule.dataset)
    spec = EvaluateSpec(
        model_name_or_path=model,
        adapter_name_or_path=adapter,
        template=template,
        dataset_dir=found.folder,
        answer=answer or rule.answer,
        run=run,
    )
    label = runs.get_run(workspace, run).record.label
    job = runs.prepare_run(workspace, spec, label=label, version=found.version)
    queue.submit(workspace, job)
    return job


def last_evaluation(workspace: Workspace, rule: GateRule, run_id: str) -> Run | None:
    """Find the newest evaluation of a run's model on a gate's rows, over or not; None: there is none."""
    return next((run for run in evaluations(workspace, run_id, rule) if run.id != run_id), None)
