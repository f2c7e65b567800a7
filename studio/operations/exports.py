"""Export a trained run or a base model for another runtime, as a job."""

import re
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from studio import runs
from studio.contract import (
    CALIBRATION,
    PACKAGE_FILES,
    ExportFormat,
    ExportQuant,
    ExportReport,
    ExportSpec,
    TrainSpec,
    spec_error,
)
from studio.errors import InputError, UnreadableFile
from studio.jobs import queue
from studio.language import LANGUAGES, say, speaking
from studio.models.targets import resolve_target
from studio.operations.package_card import card, changes, readme
from studio.runs import ANY_DEVICE, DeviceChoice, Job
from studio.samples.scheme import BUNDLED_DATA, load_scheme
from studio.system.documents import READ_FAULTS, parse_json, read_whole
from studio.workspace import BUNDLED_DATASET, Workspace

REPORT = "export.json"
PROOF = "proof.md"
DEFAULT_QUANTS: dict[ExportFormat, ExportQuant] = {
    "adapter": "f32",
    "safetensors": "bf16",
    "gguf": "f16",
    "ollama": "f16",
    "package": "q8_0",
}
_UNITS = {"": 1e-9, "B": 1e-9, "KB": 1e-6, "MB": 1e-3, "GB": 1.0, "G": 1.0, "M": 1e-3, "K": 1e-6}
_CATEGORIES = "categories.toml"
_LICENCE = BUNDLED_DATA.parent / "LICENSE"


def export_spec(
    workspace: Workspace, target: str, out: Path, *, shard_size: str = "4GB", **fields: Any
) -> ExportSpec:
    """Build and validate the spec of an export; the titles that it is tried with are the run's own.

    Args:
        workspace: where the target is looked for.
        target: id of a run, a release, or a base model.
        out: the folder to be written.
        shard_size: largest safetensors file, such as `500MB`.
        fields: further fields of the spec.

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
            max_shard_gb=size_in_gb(shard_size),
            **{**_titles_of(workspace, run), **fields},
        )
    except ValidationError as error:
        problem, remedy = spec_error(error)
        raise InputError(problem, remedy=remedy) from error


def size_in_gb(text: str) -> float:
    """Read a size such as `500MB` or `4GB`, in gigabytes.

    Raises:
        InputError: it is no size.
    """
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([KMG]?B?)", text.strip().upper())
    if not found or not (size := float(found[1]) * _UNITS[found[2]]):
        raise InputError(
            say(f"{text} 不是大小。", f"{text} is no size."),
            remedy=say("请写成 500MB 或 4GB 这样。", "Write it as 500MB or 4GB."),
        )
    return size


def decoding_settings(model: Path) -> dict[str, Any]:
    """Read the decoding settings of a model folder; empty where it has none that can be read."""
    try:
        found = parse_json(read_whole(model / "generation_config.json"))
    except READ_FAULTS:
        return {}
    return found if isinstance(found, dict) else {}


def submit_export(workspace: Workspace, spec: ExportSpec, *, place: DeviceChoice = ANY_DEVICE) -> Job:
    """Queue an export; a package brings what only the studio knows: card, threshold, licences, changes.

    Raises:
        InputError: the run's scores or its categories cannot be read.
    """
    files = _package_files(workspace, spec) if spec.format == "package" else {}
    job = runs.prepare_job(workspace, spec, files=files, place=place)
    queue.submit(workspace, job)
    return job


def read_report(folder: Path) -> ExportReport:
    """Read the report that lies in an export's folder.

    Raises:
        UnreadableFile: it was moved, or is none.
    """
    file = folder / REPORT
    try:
        return ExportReport.model_validate_json(read_whole(file))
    except READ_FAULTS as error:
        raise UnreadableFile(
            say(f"读不到导出报告 {file}。", f"Cannot read the report {file}."),
            remedy=say("请重新导出。", "Export again."),
        ) from error


def _package_files(workspace: Workspace, spec: ExportSpec) -> dict[str, bytes]:
    run = runs.get_run(workspace, spec.run) if spec.run else None
    own = spec.dataset_dir / _CATEGORIES
    categories = own if own.is_file() else BUNDLED_DATA / _CATEGORIES
    files = {
        _CATEGORIES: read_whole(categories),
        **_licences(spec.model_name_or_path),
        "README.md": readme(spec).encode(),
    }
    scheme = load_scheme(categories)
    for language in LANGUAGES:
        with speaking(language):
            files[f"card.{language}.md"] = card(spec, run, scheme).encode()
            if run is not None and (text := changes(workspace, run)):
                files[f"CHANGES.{language}.md"] = text.encode()
    if run is not None and (run.folder / CALIBRATION).is_file():
        files[CALIBRATION] = read_whole(run.folder / CALIBRATION)
    return {f"{PACKAGE_FILES}/{name}": content for name, content in files.items()}


def _licences(model: Path) -> dict[str, bytes]:
    """Collect the licences of what a package holds: the runtime's scripts, and the base model's own files."""
    found = {"licenses/news-studio.txt": read_whole(_LICENCE)} if _LICENCE.is_file() else {}
    for file in sorted(model.iterdir()):
        if file.is_file() and file.name.upper().startswith(("LICENSE", "LICENCE", "NOTICE", "README")):
            found[f"licenses/base-model-{file.name}"] = read_whole(file)
    return found


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
