"""Resolve RUN|MODEL: a trained run or a base model."""

from pathlib import Path

from studio import runs
from studio.contract import TemplateName
from studio.errors import InputError, StudioError
from studio.language import say
from studio.models.catalog import resolve_model
from studio.workspace import Workspace


def resolve_target(workspace: Workspace, target: str) -> tuple[Path, Path | None, TemplateName, str | None]:
    """Resolve RUN|MODEL, a run first, then a model, to its model folder, adapter, template and run id.

    Raises:
        InputError: it is neither a run nor a usable model.
    """
    known = {run.id: run for run in runs.list_runs(workspace)}
    if target in known:
        model, adapter = runs.trained_model(known[target])
        return model, adapter, known[target].spec.template, target
    try:
        return resolve_model(workspace, target), None, "auto", None
    except StudioError as error:
        raise InputError(
            say(
                f"没有名为 {target} 的运行，也不是可用的模型：{error.problem}",
                f"There is no run {target}, and it is no usable model: {error.problem}",
            ),
            remedy=say(
                "用 news-studio runs 和 news-studio models 查看有哪些。",
                "See news-studio runs and news-studio models.",
            ),
        ) from error
