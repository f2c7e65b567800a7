"""Start the classification of a sheet as a job, and find those there are."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from studio import runs
from studio.classification.sheets import ROWS, SHEET, TITLES, write_rows
from studio.contract import (
    AnswerCalibration,
    AnswerMode,
    ClassifySpec,
    EndpointSpec,
    TemplateName,
    spec_error,
)
from studio.datasets.files import write_scheme
from studio.errors import InputError
from studio.formats.choices import UNDECIDED, FileChoices
from studio.jobs import queue
from studio.language import say
from studio.models.targets import resolve_target
from studio.runs import Job
from studio.samples.scheme import Scheme
from studio.system.limited import call_within
from studio.team.rights import require_right
from studio.workspace import Workspace

READING_SECONDS = 300.0
"""Longest reading of a sheet: a workbook of a million rows takes two minutes."""
LONGEST_AT_ENDPOINT = 2048
"""Tokens of an answer that a foreign model may write: those that think need more than ours."""


def classify_spec(
    workspace: Workspace, target: str | None, endpoint: EndpointSpec | None = None, **fields: Any
) -> ClassifySpec:
    """Build and validate the spec of a classification.

    With an endpoint, `target` is the model that it serves; None: its own template writes the prompts. Direct
    scoring unless a way of answering is given; a chain at an endpoint whose model is not known, since
    nothing can be scored there.

    Raises:
        InputError: neither model nor endpoint, no such model, or a field that cannot be used.
    """
    if target is None and endpoint is None:
        raise InputError(
            say("没有指明用哪个模型。", "No model was named."),
            remedy=say("请给出一个运行或模型，或指明接口。", "Name a run, a model or an endpoint."),
        )
    if target is None:
        fields = {"max_new_tokens": LONGEST_AT_ENDPOINT, "answer": "chain", **fields}
        if fields["answer"] == "direct":
            raise InputError(
                say(
                    "直接打分要知道接口上模型的分词器。",
                    "Direct scoring needs the tokenizer of the model at the endpoint.",
                ),
                remedy=say(
                    "请同时指明接口上是哪个本地模型或运行，或改用思维链方式（chain）。",
                    "Name the run or model of this machine that it serves as well, or answer with chain.",
                ),
            )
    nothing: tuple[Path | None, Path | None, TemplateName, str | None] = (None, None, "auto", None)
    model, adapter, template, run = nothing if target is None else resolve_target(workspace, target)
    answer: AnswerMode = fields.get("answer", "direct")
    try:
        return ClassifySpec(
            engine="endpoint" if endpoint else "local",
            endpoint=endpoint,
            model_name_or_path=model,
            adapter_name_or_path=adapter,
            template=template,
            run=run,
            calibration=None if run is None else _calibration(workspace, run, answer),
            **fields,
        )
    except ValidationError as error:
        problem, remedy = spec_error(error)
        raise InputError(problem, remedy=remedy) from error


def _calibration(workspace: Workspace, run: str, answer: AnswerMode) -> AnswerCalibration | None:
    """Read how the confidence of a run's model is computed, and its threshold."""
    kept = runs.load_calibration(runs.get_run(workspace, run))
    return kept.answers.get(answer) if kept else None


def start(
    workspace: Workspace, path: Path, spec: ClassifySpec, scheme: Scheme, *, choices: FileChoices = UNDECIDED,
    label: str = "",
) -> Job:  # fmt: skip
    """Queue the classification of a sheet, which is copied: the job depends on nobody's file.

    Raises:
        UnreadableFile: the sheet cannot be read.
        UnclearFile: it can be read in several ways.
        InputError: it has no title.
        NotAllowed: the person may not run jobs.
    """
    require_right("run_jobs")
    with tempfile.TemporaryDirectory(prefix="news-studio-") as name:
        folder = Path(name)
        sheet = call_within(READING_SECONDS, write_rows, path, path.name, choices, scheme, folder)
        files: dict[str, bytes | Path] = {name: folder / name for name in (ROWS, TITLES, SHEET)}
        files |= {f"source{sheet.suffix}": path, "categories.toml": write_scheme(scheme).encode()}
        job = runs.prepare_job(workspace, spec, label=label or path.name, files=files)
    queue.submit(workspace, job)
    return job


def list_classifications(workspace: Workspace) -> Sequence[Job]:
    """List the classifications of sheets, newest first."""
    return [job for job in runs.list_jobs(workspace) if isinstance(job.spec, ClassifySpec)]


def get_classification(workspace: Workspace, job_id: str) -> Job:
    """Find a classification by its id.

    Raises:
        InputError: there is none.
    """
    job = runs.get_job(workspace, job_id)
    if not isinstance(job.spec, ClassifySpec):
        raise InputError(
            say(f"{job_id} 不是给表格分类的任务。", f"{job_id} is no classification of a sheet."),
            remedy=say(
                "请给出 news-studio classify 打印的编号。", "Name an id that news-studio classify printed."
            ),
        )
    return job
