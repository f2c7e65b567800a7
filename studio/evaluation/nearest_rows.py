"""Find the training rows nearest to a title: what a model was taught about it."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from studio.contract import TrainSpec
from studio.errors import UnreadableFile
from studio.evaluation.neighbours import Neighbour, TitleIndex
from studio.evaluation.tags import FAR
from studio.evaluation.training_rows import folder_scheme, labelled_rows, training_run
from studio.formats.dataset_info import INFO
from studio.language import say
from studio.runs import Run
from studio.workspace import Workspace

NEAREST = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingData:
    """The rows that a model was trained on, by the name of their version or folder."""

    name: str
    folder: Path
    entry: str


def training_data(workspace: Workspace, run: Run) -> TrainingData | None:
    """Find what the model of a run was trained on; None for a base model, or where nobody knows."""
    training = training_run(workspace, run)
    if training is None or not isinstance(training.spec, TrainSpec):
        return None
    spec, version = training.spec, training.version
    return TrainingData(name=version or spec.dataset_dir.name, folder=spec.dataset_dir, entry=spec.dataset)


def nearest_rows(data: TrainingData, title: str, limit: int = NEAREST) -> list[Neighbour]:
    """Find the rows whose titles are most like a title, nearest first; none that is far from it.

    Raises:
        UnreadableFile: the rows are not there any more.
    """
    info = data.folder / INFO
    if not info.is_file():
        raise UnreadableFile(
            say(f"训练数据 {data.name} 不在了。", f"The training data {data.name} is not there any more."),
            remedy=say(f"请恢复文件夹 {data.folder}。", f"Restore the folder {data.folder}."),
        )
    index = _index(data.folder, data.entry, info.stat().st_mtime_ns)
    return [each for each in index.nearest(title, limit) if each.similarity >= FAR]


@lru_cache(maxsize=2)
def _index(folder: Path, entry: str, state: int) -> TitleIndex:
    """Index the rows once for each state of the folder."""
    return TitleIndex(labelled_rows(folder, entry, folder_scheme(folder)).rows)
