"""Read the rows that a run was trained on, as titles with their categories and think chains."""

from dataclasses import dataclass
from pathlib import Path

from studio.contract import EvaluateSpec, TrainSpec
from studio.errors import StudioError
from studio.evaluation.neighbours import TrainingRow
from studio.formats.reader import read_entry
from studio.runs import Run, get_run
from studio.samples.canonical import exact_category, read_answer
from studio.samples.scheme import Scheme, load_scheme
from studio.validation.rows import find_title, shared_prefix
from studio.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class DatasetRows:
    """The labelled rows of an entry, and their think chains by row number."""

    rows: tuple[TrainingRow, ...] = ()
    chains: tuple[str, ...] = ()


def training_run(workspace: Workspace, run: Run) -> Run | None:
    """Return the training run behind a run: itself, or that of the model it evaluates; None: a base."""
    if isinstance(run.spec, TrainSpec):
        return run
    if run.spec.run is None:
        return None
    try:
        found = get_run(workspace, run.spec.run)
    except StudioError:
        return None
    return found if isinstance(found.spec, TrainSpec) else None


def training_of(workspace: Workspace, run: Run) -> TrainSpec | None:
    """Return the settings of the training that a run is about; None: a base model."""
    found = training_run(workspace, run)
    return found.spec if found is not None and isinstance(found.spec, TrainSpec) else None


def trained_rows(workspace: Workspace, run: Run, scheme: Scheme) -> DatasetRows:
    """Read the rows that a run's model was trained on; none for a base model or where they are gone."""
    spec = training_of(workspace, run)
    if spec is None or spec.stage != "sft":
        return DatasetRows()
    return labelled_rows(spec.dataset_dir, spec.dataset, scheme)


def evaluated_entry(run: Run) -> tuple[Path, str | None]:
    """Return the folder and the entry whose rows a run answered."""
    spec = run.spec
    return spec.dataset_dir, spec.dataset if isinstance(spec, EvaluateSpec) else spec.eval_dataset


def folder_scheme(folder: Path) -> Scheme:
    """Load the categories that a dataset folder was frozen with, or the bundled ones."""
    own = folder / "categories.toml"
    return load_scheme(own if own.is_file() else None)


def labelled_rows(folder: Path, name: str, scheme: Scheme) -> DatasetRows:
    """Read the rows of an entry whose answer is one of the categories; none where it cannot be read."""
    try:
        raw = list(read_entry(folder, name, scheme).rows)
    except StudioError:
        return DatasetRows()
    prefix = shared_prefix(raw, scheme)
    rows, chains = [], []
    for number, row in enumerate(raw):
        answer = read_answer(row.answer or "")
        category = exact_category(answer.label, scheme.names)
        if category:
            rows.append(TrainingRow(row=number, title=find_title(row, prefix, scheme), category=category))
            chains.append(answer.chain or "")
    return DatasetRows(rows=tuple(rows), chains=tuple(chains))
