"""Classifications of sheets for tests: prepared without a queue, and answered without a model."""

from collections.abc import Mapping
from pathlib import Path

from studio import runs
from studio.classification.jobs import classify_spec
from studio.classification.sheets import ROWS, SHEET, TITLES, write_rows
from studio.contract import AnsweredTitle, ClassifySpec, Result
from studio.datasets.files import write_scheme
from studio.formats.choices import UNDECIDED, FileChoices
from studio.runs import Job
from studio.samples.scheme import load_scheme
from studio.system.jsonl import Journal
from studio.workspace import BUNDLED_NAME, Workspace

SCHEME = load_scheme()


def prepared(
    workspace: Workspace, path: Path, spec: ClassifySpec | None = None, choices: FileChoices = UNDECIDED
) -> Job:
    """Make the folder of a classification as `start` does, and queue nothing."""
    scratch = workspace.home / "scratch"
    scratch.mkdir(exist_ok=True)
    sheet = write_rows(path, path.name, choices, SCHEME, scratch)
    files: dict[str, bytes | Path] = {name: scratch / name for name in (ROWS, TITLES, SHEET)}
    files |= {f"source{sheet.suffix}": path, "categories.toml": write_scheme(SCHEME).encode()}
    return runs.prepare_job(
        workspace, spec or classify_spec(workspace, BUNDLED_NAME), label=path.name, files=files
    )


def answered(workspace: Workspace, job: Job, answers: Mapping[int, AnsweredTitle]) -> Job:
    """Write answers by the position of their titles, and end the job as its worker does."""
    with Journal(job.folder / "answers.jsonl") as journal:
        for answer in answers.values():
            journal.append(answer)
    (job.folder / "alive").touch()
    result = Result(status="done", seconds=1, peak_memory_gib=0.1)
    (job.folder / "result.json").write_text(result.model_dump_json())
    return runs.get_job(workspace, job.id)


def answer(title: int, category: str | None, confidence: float = 0.9, **more: object) -> AnsweredTitle:
    """Make an answer whose second category is the scheme's last."""
    rest = {SCHEME.names[-1]: round(1 - confidence, 4)}
    probabilities = {category: confidence, **rest} if category else None
    return AnsweredTitle.model_validate(
        {
            "title": title,
            "category": category,
            "confidence": confidence if category else None,
            "probabilities": probabilities,
            **more,
        }
    )
