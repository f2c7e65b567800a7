"""Resolve RUN|RELEASE|MODEL: a trained run, a release, or a base model."""

from pathlib import Path

from studio import runs
from studio.contract import TemplateName
from studio.errors import InputError, StudioError
from studio.language import say
from studio.modelfiles.adapter_check import require_adapter
from studio.models.catalog import resolve_model
from studio.releases.checkpoints import require_unchanged
from studio.releases.records import RELEASED, find_release, released_run
from studio.workspace import Workspace


def resolve_target(workspace: Workspace, target: str) -> tuple[Path, Path | None, TemplateName, str | None]:
    """Model, adapter, template and run id of what RUN|RELEASE|MODEL means.

    A run first, then a release (`released` is the one in force), then a model.

    Raises:
        InputError: there is none of them, or the run's adapter no longer fits its base.
        ModelUnusable: the release's checkpoint is not what was signed.
        RunFailed: the run has no checkpoint.
    """
    known = {run.id: run for run in runs.list_runs(workspace)}
    named = None if target in known else find_release(workspace, target)
    if named is not None and named.release.run in known:
        require_unchanged(workspace, named.release)
    if named is None and target == RELEASED:
        released_run(workspace, target)  # says that nothing is released
    run = known.get(named.release.run if named else target)
    if run is not None:
        model, adapter = runs.trained_model(run)
        require_adapter(adapter, model)
        return model, adapter, run.spec.template, run.id
    try:
        return resolve_model(workspace, target), None, "auto", None
    except StudioError as error:
        raise InputError(
            say(
                "没有名为 {target} 的运行或发布，也不是可用的模型：{problem}",
                "There is no run or release {target}, and it is no usable model: {problem}",
                target=target,
                problem=error.problem,
            ),
            remedy=say(
                "用 news-studio runs、releases 和 models 查看有哪些。",
                "See news-studio runs, releases and models.",
            ),
        ) from error
