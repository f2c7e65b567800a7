"""Name what a run was trained or evaluated on, by which method, and which model it is about."""

from collections.abc import Mapping

from studio import runs
from studio.contract import EvaluateSpec
from studio.errors import StudioError
from studio.language import say
from studio.runs import Run
from studio.training.presets import Method
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL, BUNDLED_NAME, Workspace

METHOD_NAMES: Mapping[Method, tuple[str, str]] = {
    "lora": ("LoRA", "LoRA"),
    "qlora8": ("QLoRA 8 位", "QLoRA 8 bit"),
    "qlora4": ("QLoRA 4 位", "QLoRA 4 bit"),
    "freeze": ("部分层", "Freeze"),
    "full": ("全参数", "Full"),
}


def method_label(method: Method) -> str:
    """Name a fine-tuning method."""
    return say(*METHOD_NAMES[method])


def base_label(base: str) -> str:
    """Name the base of a row of the run table."""
    return say("内置小模型", "bundled small model") if base == BUNDLED_NAME else base


def data_label(data: str) -> str:
    """Name the data of a row of the run table."""
    return say("内置样例", "bundled samples") if data == BUNDLED_NAME else data


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
