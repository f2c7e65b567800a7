"""Start the probe of a run's model as a job, and read what it found.

runs/<id>/forgetting.json    of the run whose model was probed
probes/<hash>.json           answers of a base model, shared by all runs on it
"""

from dataclasses import dataclass
from pathlib import Path

from studio import runs
from studio.contract import ChoiceScoring, ForgettingFile, ForgettingSpec, TrainSpec
from studio.errors import InputError
from studio.evaluation.forgetting.probe import PROBE
from studio.evaluation.forgetting.verdict import read_forgetting
from studio.evaluation.refusal import model_run
from studio.jobs import queue
from studio.language import say
from studio.runs import Job, Run
from studio.team.rights import require_right
from studio.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class LastProbe:
    """The last probe of a run's model: its job, if it is still there, and what was found, if it is done."""

    job: Job | None
    found: ForgettingFile | None


def start_probe(
    workspace: Workspace,
    run: Run,
    *,
    tasks: Path | None = None,
    choices: ChoiceScoring = "probability",
    max_new_tokens: int | None = None,
) -> Job:
    """Queue the probe of the model that a run trained or evaluated.

    Args:
        workspace: of the run.
        run: a training, or an evaluation of one.
        tasks: folder of lm-evaluation-harness tasks to run as well.
        choices: how multiple choice is answered.
        max_new_tokens: longest answer; None: as the worker chooses.

    Raises:
        InputError: it has no fine-tuned model with a known base, or the folder of tasks is not there.
        RunFailed: its model is not there any more.
        NotAllowed: the person may not run jobs.
    """
    require_right("run_jobs")
    holder = model_run(workspace, run)
    base = _base_of(holder)
    if tasks is not None and not tasks.is_dir():
        raise InputError(
            say(f"没有文件夹 {tasks}。", f"There is no folder {tasks}."),
            remedy=say("请给出放任务 YAML 的文件夹。", "Name the folder with the tasks' YAML files."),
        )
    model, adapter = runs.trained_model(holder)
    spec = ForgettingSpec(
        base_name_or_path=base,
        model_name_or_path=model,
        adapter_name_or_path=adapter,
        template=holder.spec.template,
        run=holder.id,
        checkpoint=holder.result.checkpoint if holder.result else None,
        target=holder.folder,
        cache=workspace.probes,
        choices=choices,
        tasks=tasks.absolute() if tasks else None,
        max_new_tokens=max_new_tokens,
    )
    job = runs.prepare_job(
        workspace, spec, label=holder.record.label or holder.id, files={"probe.jsonl": PROBE.read_bytes()}
    )
    queue.submit(workspace, job)
    return job


def _base_of(holder: Run) -> Path:
    """Find the base of a fine-tuned model.

    Raises:
        InputError: the run is only recorded, or its model is a base itself.
    """
    if holder.recorded:
        raise InputError(
            say("随附的记录不能检查。", "The recorded run that ships cannot be probed."),
            remedy=say("请先自己训练一次。", "Train a run of your own first."),
        )
    if isinstance(holder.spec, TrainSpec):
        return holder.spec.model_name_or_path
    if holder.spec.model_name_or_path is None or holder.spec.adapter_name_or_path is None:
        raise InputError(
            say(
                f"{holder.id} 评估的不是一次微调，没有可比的基础模型。",
                f"{holder.id} evaluated no fine-tuned model: there is no base to compare it with.",
            ),
            remedy=say("请选一次训练。", "Choose a training run."),
        )
    return holder.spec.model_name_or_path


def last_probe(workspace: Workspace, run: Run) -> LastProbe | None:
    """Find the last probe of a run's model; None: there was none."""
    holder = model_run(workspace, run)
    found = read_forgetting(holder.folder)
    for job in runs.list_jobs(workspace):
        if isinstance(job.spec, ForgettingSpec) and job.spec.run == holder.id:
            return LastProbe(job=job, found=found)
    return LastProbe(job=None, found=found) if found else None
