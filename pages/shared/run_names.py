"""Name what a run was trained or evaluated on, and which model it is about."""

from studio import runs
from studio.contract import EvaluateSpec
from studio.errors import StudioError
from studio.language import say
from studio.runs import Run
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL, Workspace


def data_name(run: Run) -> str:
    """Name the version, the bundled samples, or the folder, by its own name, that the rows came from."""
    if run.version:
        return run.version
    folder = run.spec.dataset_dir
    if folder == BUNDLED_DATASET:
        return say("内置样例", "bundled samples")
    return say(f"文件夹 {folder.name}", f"folder {folder.name}")


def model_name(workspace: Workspace, run: Run) -> str:
    """Name the model that a run is about: the run that trained it, or its base."""
    if isinstance(run.spec, EvaluateSpec) and run.spec.run:
        try:
            trained = runs.get_run(workspace, run.spec.run)
        except StudioError:
            return run.spec.run
        return trained.label or trained.id
    if isinstance(run.spec, EvaluateSpec) and run.spec.endpoint:
        return run.spec.endpoint.model
    base = run.spec.model_name_or_path
    assert base is not None, run.id
    return say("内置小模型", "bundled small model") if base == BUNDLED_MODEL else base.name
