"""Export a trained run or a base model for another runtime, as a job."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from studio import runs
from studio.contract import ExportReport, ExportSpec, TrainSpec, spec_error
from studio.errors import InputError, UnreadableFile
from studio.language import say
from studio.models.targets import resolve_target
from studio.runs import Job
from studio.system.documents import READ_FAULTS, read_whole
from studio.workspace import BUNDLED_DATASET, Workspace

REPORT = "export.json"


def export_spec(workspace: Workspace, target: str, out: Path, **fields: Any) -> ExportSpec:
    """Build and validate the spec of an export; the titles that it is tried with are the run's own.

    Raises:
        InputError: no such run or model, a destination that holds something, or a field that cannot be used.
    """
    model, adapter, template, run = resolve_target(workspace, target)
    out = out.expanduser().absolute()
    _require_free(out)
    try:
        return ExportSpec(
            model_name_or_path=model,
            adapter_name_or_path=adapter,
            template=template,
            run=run,
            target=out,
            **{**_titles_of(workspace, run), **fields},
        )
    except ValidationError as error:
        problem, remedy = spec_error(error)
        raise InputError(problem, remedy=remedy) from error


def read_report(job: Job) -> ExportReport:
    """Read the report of an export that is done.

    Raises:
        UnreadableFile: it was moved, or is none.
    """
    assert isinstance(job.spec, ExportSpec), job.spec.kind
    file = job.spec.target / REPORT
    try:
        return ExportReport.model_validate_json(read_whole(file))
    except READ_FAULTS as error:
        raise UnreadableFile(
            say(f"读不到导出报告 {file}。", f"Cannot read the report {file}."),
            remedy=say("请重新导出。", "Export again."),
        ) from error


def _titles_of(workspace: Workspace, run: str | None) -> dict[str, Any]:
    """Name the rows that a run was evaluated on, the bundled ones where there are none."""
    spec = runs.get_run(workspace, run).spec if run else None
    if (
        isinstance(spec, TrainSpec)
        and spec.eval_dataset
        and (spec.dataset_dir / "dataset_info.json").exists()
    ):
        return {"dataset_dir": spec.dataset_dir, "dataset": spec.eval_dataset}
    return {"dataset_dir": BUNDLED_DATASET, "dataset": "eval"}


def _require_free(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(
            say(f"{out} 已存在，而且不是空文件夹。", f"{out} exists and is no empty folder."),
            remedy=say("请给出一个新的文件夹。", "Name a new folder."),
        )
