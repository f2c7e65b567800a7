"""Sample several answers to every row of a dataset as a job, and wait for its end."""

from typing import Any

from pydantic import ValidationError

from studio import runs
from studio.contract import SampleSpec, spec_error
from studio.datasets.lookup import resolve_dataset
from studio.errors import InputError
from studio.jobs import queue
from studio.models.targets import resolve_target
from studio.operations.waiting import Watcher, wait_or_cancel
from studio.runs import Job
from studio.team.rights import require_right
from studio.workspace import Workspace


def start_sampling(
    workspace: Workspace, target: str, dataset: str, *, dataset_entry: str = "train", **fields: Any
) -> Job:
    """Queue the sampling of answers by a run, release or model to the rows of a dataset.

    Args:
        workspace: where the job is made.
        target: RUN, RELEASE or MODEL.
        dataset: version, folder or bundled.
        dataset_entry: of its dataset_info.json.
        **fields: others of SampleSpec.

    Raises:
        NotAllowed: the person may not run jobs.
        InputError: there is no such model or dataset, or a field cannot be used.
    """
    require_right("run_jobs")
    model, adapter, template, run = resolve_target(workspace, target)
    found = resolve_dataset(workspace, dataset)
    try:
        spec = SampleSpec(
            model_name_or_path=model,
            adapter_name_or_path=adapter,
            template=template,
            dataset_dir=found.folder,
            dataset=dataset_entry,
            run=run,
            **fields,
        )
    except ValidationError as error:
        problem, remedy = spec_error(error)
        raise InputError(problem, remedy=remedy) from error
    job = runs.prepare_job(workspace, spec, label=target, version=found.version)
    queue.submit(workspace, job)
    return job


def sample_and_wait(
    workspace: Workspace, target: str, dataset: str, *, watcher: Watcher | None = None, **fields: Any
) -> Job:
    """Sample and wait until it is done; Ctrl-C cancels it.

    Raises:
        InputError: see start_sampling.
        RunFailed: it ended without a result.
    """
    job = start_sampling(workspace, target, dataset, **fields)
    wait_or_cancel(workspace, job, watcher)
    job = runs.get_job(workspace, job.id)
    runs.require_done(job)
    return job
