"""Choose the default model: the release in force, else what somebody chose, else the best measured run.

A smoke run, a cancelled run and a member of a sweep can be chosen by a person, never by itself. Where
nothing was measured a base model is the default.
"""

from studio import runs
from studio.contract import TrainSpec
from studio.errors import StudioError
from studio.modelfiles.settings import change_model_settings, load_model_settings
from studio.models.catalog import find_models
from studio.models.targets import resolve_target
from studio.releases.records import current_release
from studio.runs import Run
from studio.team.rights import require_right
from studio.workspace import BUNDLED_NAME, Workspace

SMOKE_STEPS = 50
"""A training that was told to stop after so few optimizer steps only tries whether it runs."""


def default_model(workspace: Workspace) -> str:
    """Return the default as RUN|MODEL: the released or chosen one while it can be used, else the best."""
    for wanted in (released_default(workspace), chosen_default(workspace)):
        if wanted is None:
            continue
        try:
            *_, run = resolve_target(workspace, wanted)
        except StudioError:
            continue  # deleted, or its files are broken: the pages of releases and models say so
        return run or wanted
    measured = [
        (not run.recorded, accuracy, run.id)  # one's own before the recorded one that ships
        for run in runs.list_runs(workspace)
        if (accuracy := measured_accuracy(run)) is not None
    ]
    if measured:
        return max(measured)[-1]
    usable = [model for model in find_models(workspace) if model.ok]
    return next((model.name for model in usable if not model.bundled), BUNDLED_NAME)


def released_default(workspace: Workspace) -> str | None:
    """Return the name of the release in force; None: nothing was released."""
    current = current_release(workspace)
    return current.release.name if current else None


def chosen_default(workspace: Workspace) -> str | None:
    """Return the RUN|MODEL that somebody made the default; None: nobody did, or settings are unreadable."""
    try:
        return load_model_settings(workspace).default_model
    except StudioError:
        return None


def choose_default(workspace: Workspace, target: str | None) -> None:
    """Store which RUN|MODEL answers unless another is asked for; None: the best there is.

    Raises:
        NotAllowed: the person may not serve models.
        InputError: there is no such run or model.
    """
    require_right("serve_models")
    if target is not None:
        resolve_target(workspace, target)
    change_model_settings(workspace, lambda _: {"default_model": target})


def is_offered(run: Run) -> bool:
    """Return whether a run is offered as a model: a whole training of its own, whose checkpoint is there."""
    spec = run.spec
    if run.state != "done" or run.record.worked_by or not isinstance(spec, TrainSpec):
        return False
    if not (run.result and run.result.checkpoint) or 0 < spec.max_steps <= SMOKE_STEPS:
        return False
    try:
        runs.trained_model(run)
    except StudioError:
        return False
    return True


def measured_accuracy(run: Run) -> float | None:
    """Return the lower end of the best accuracy's interval; None for a run never to be chosen by itself."""
    if not is_offered(run):
        return None
    try:
        file = runs.load_scores(run)
    except StudioError:
        return None
    if file is None:
        return None
    # The lower end: 45 of 50 is less than 880 of 1,000.
    return max((scores.accuracy_interval[0] for scores in file.evaluations.values()), default=None)
