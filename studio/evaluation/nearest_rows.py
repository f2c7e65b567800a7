"""Find the training rows nearest to a title: what a model was taught about it."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rapidfuzz import fuzz, process

from studio import runs
from studio.contract import TrainSpec
from studio.errors import StudioError, UnreadableFile
from studio.evaluation.training_rows import folder_scheme
from studio.formats.dataset_info import INFO
from studio.formats.reader import read_entry
from studio.language import say
from studio.runs import Run
from studio.samples.title_text import title_key
from studio.validation.rows import judge_rows
from studio.workspace import Workspace

NEAREST = 3
LEAST = 25.0
"""A title that shares less than this with any training row, 0 to 100, has none near."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRow:
    """A training row near a title: its similarity is 0 to 100."""

    title: str
    category: str
    chain: str
    similarity: float


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingData:
    """The rows that a model was trained on, by the name of their version or folder."""

    name: str
    folder: Path
    entry: str


def training_data(workspace: Workspace, run: Run) -> TrainingData | None:
    """Find what the model of a run was trained on; None for a base model, or where nobody knows."""
    if run.spec.kind == "evaluate" and run.spec.run:
        try:
            run = runs.get_run(workspace, run.spec.run)
        except StudioError:
            return None
    if not isinstance(run.spec, TrainSpec):
        return None
    return TrainingData(
        name=run.version or run.spec.dataset_dir.name, folder=run.spec.dataset_dir, entry=run.spec.dataset
    )


def nearest_rows(data: TrainingData, title: str, limit: int = NEAREST) -> list[TrainingRow]:
    """Find the rows whose titles share the most characters with a title, nearest first.

    Raises:
        UnreadableFile: the rows are not there any more.
    """
    info = data.folder / INFO
    if not info.is_file():
        raise UnreadableFile(
            say(f"训练数据 {data.name} 不在了。", f"The training data {data.name} is not there any more."),
            remedy=say(f"请恢复文件夹 {data.folder}。", f"Restore the folder {data.folder}."),
        )
    rows, keys = _rows(data.folder, data.entry, info.stat().st_mtime_ns)
    found = process.extract(
        title_key(title), keys, scorer=fuzz.ratio, processor=None, limit=limit, score_cutoff=LEAST
    )
    return [
        TrainingRow(title=rows[place][0], category=rows[place][1], chain=rows[place][2], similarity=score)
        for _, score, place in found
    ]


@lru_cache(maxsize=2)
def _rows(folder: Path, entry: str, state: int) -> tuple[list[tuple[str, str, str]], list[str]]:
    scheme = folder_scheme(folder)
    judged = judge_rows(read_entry(folder, entry, scheme).rows, scheme)
    rows = [
        (each.title, each.category or "", (each.answer.chain if each.answer else None) or "")
        for each in judged
    ]
    return rows, [title_key(title) for title, _, _ in rows]
