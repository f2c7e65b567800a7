"""Run a job and wait for its end; Ctrl-C cancels it.

The work goes through the same queue as the pages'. This module prints nothing: a Watcher
gets the job at each poll.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from studio import runs
from studio.contract import AnswerMode, EndpointSpec, TrainSpec
from studio.datasets.lookup import resolve_evaluated
from studio.errors import InputError
from studio.jobs import queue as jobs
from studio.language import say
from studio.models.targets import resolve_target
from studio.operations.evaluations import Target, evaluation_spec
from studio.runs import ANY_DEVICE, DeviceChoice, Job, Run
from studio.workspace import Workspace


class Watcher(Protocol):
    """A display of a job's progress."""

    def show(self, job: Job) -> None:
        """Show the job; called at each poll."""

    def stopping(self) -> None:
        """Show that Ctrl-C cancelled the job; called once."""

    def end(self) -> None:
        """Finish the display; called once when the job is over."""


def train_and_wait(
    workspace: Workspace,
    spec: TrainSpec,
    *,
    version: str | None,
    place: DeviceChoice = ANY_DEVICE,
    watcher: Watcher | None = None,
) -> Run:
    """Queue a training run and wait until it is done; Ctrl-C cancels it.

    Raises:
        RunFailed: it ended without a result; with its own problem and remedy.
    """
    return _submit_and_wait(
        workspace, runs.prepare_run(workspace, spec, version=version, place=place), watcher
    )


def evaluate_and_wait(
    workspace: Workspace,
    target: str | None,
    dataset: str,
    *,
    answer: AnswerMode,
    limit: int | None,
    endpoint: EndpointSpec | None = None,
    max_new_tokens: int | None = None,
    categories_only: bool = False,
    checkpoint: str | None = None,
    fields: Mapping[str, Any] | None = None,
    watcher: Watcher | None = None,
) -> Run:
    """Queue an evaluation of a training run or a base model and wait until it is done.

    With an endpoint, `target` is the model that it serves; None: its own template writes the prompts.
    `checkpoint` names one of the run's instead of the last; `fields` are further ones of EvaluateSpec.

    Raises:
        InputError: there is no such run, checkpoint, model or dataset, or a field cannot be used.
        RunFailed: it ended without a result, with its own problem and remedy.
    """
    found = resolve_evaluated(workspace, dataset)
    resolved = None if target is None else resolve_target(workspace, target)
    if checkpoint is not None:
        resolved = _at_checkpoint(workspace, resolved, checkpoint)
    spec = evaluation_spec(
        resolved,
        found.folder,
        endpoint,
        answer=answer,
        limit=limit,
        categories_only=categories_only,
        **({"max_new_tokens": max_new_tokens} if max_new_tokens else {}),
        **(fields or {}),
    )
    return _submit_and_wait(workspace, runs.prepare_run(workspace, spec, version=found.version), watcher)


def _at_checkpoint(workspace: Workspace, target: Target | None, checkpoint: str) -> Target:
    """Replace the model of a run by that of one of its checkpoints."""
    if target is None or target[3] is None:
        raise InputError(
            say("只有训练运行才有检查点。", "Only a training run has checkpoints."),
            remedy=say(
                "请给出一个训练运行，或去掉 --checkpoint。", "Name a training run, or leave --checkpoint out."
            ),
        )
    model, adapter = runs.model_at(runs.get_run(workspace, target[3]), checkpoint)
    return model, adapter, target[2], target[3]


def _submit_and_wait(workspace: Workspace, run: Run, watcher: Watcher | None) -> Run:
    jobs.submit(workspace, run)
    wait_or_cancel(workspace, run, watcher)
    run = runs.get_run(workspace, run.id)
    runs.require_done(run)
    return run


def wait_or_cancel(workspace: Workspace, job: Job, watcher: Watcher | None) -> Job:
    """Wait for a job of any kind and return it as it ended; Ctrl-C cancels it and goes on waiting."""
    try:
        job = jobs.wait_for_job(workspace, job.id, on_poll=watcher.show if watcher else None)
    except KeyboardInterrupt:
        runs.cancel(workspace, job.id)
        if watcher:
            watcher.stopping()
        job = jobs.wait_for_job(workspace, job.id)
    if watcher:
        watcher.end()
    return job
