"""Tabulate runs: scores and settings in a row each, filtered, sorted, and what differs between some.

The Runs page and `news-studio runs list` read the same rows. Reads run folders; knows no store.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from studio import runs
from studio.contract import AnswerMode, EvaluateSpec, Scores, TrainSpec
from studio.errors import StudioError
from studio.runs import Run, RunState
from studio.training.field_relevance import matters
from studio.training.presets import Method, method_of
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL, BUNDLED_NAME, Workspace

RunOrder = Literal["newest", "oldest", "accuracy", "macro_f1", "name", "learning_rate", "seconds"]
ORDERS: tuple[RunOrder, ...] = get_args(RunOrder)
Kind = Literal["train", "evaluate"]

_TECHNICAL = ("format_version", "kind")


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """A run with its scores; `subject` is the training that an evaluation is about, where it is known.

    `method`, `learning_rate` and `seed` are those of the training; None for a base model.
    """

    run: Run
    scores: Mapping[AnswerMode, Scores]
    subject: Run | None
    method: Method | None
    base: str
    data: str

    @property
    def training(self) -> TrainSpec | None:
        """The spec of the training that the scores are about."""
        spec = self.subject.spec if self.subject else self.run.spec
        return spec if isinstance(spec, TrainSpec) else None

    @property
    def learning_rate(self) -> float | None:
        """The learning rate of the training."""
        return self.training.learning_rate if self.training else None

    @property
    def seed(self) -> int | None:
        """The seed of the training."""
        return self.training.seed if self.training else None

    @property
    def best(self) -> Scores | None:
        """The scores that a list is sorted by: of the think chain where it was evaluated, else direct."""
        return self.scores.get("chain") or self.scores.get("direct")

    @property
    def seconds(self) -> float | None:
        """Wall time of its worker."""
        return self.run.result.seconds if self.run.result else None


@dataclass(frozen=True, kw_only=True)
class RunFilter:
    """What a list of runs is narrowed to; None and "" are no filter."""

    text: str = ""
    kind: Kind | None = None
    state: RunState | None = None
    tag: str | None = None
    method: Method | None = None
    base: str | None = None
    data: str | None = None

    def matches(self, row: RunRow) -> bool:
        """Whether a row is one of those."""
        wanted = {
            "kind": (self.kind, row.run.spec.kind),
            "state": (self.state, row.run.state),
            "method": (self.method, row.method),
            "base": (self.base, row.base),
            "data": (self.data, row.data),
        }
        if any(asked is not None and asked != found for asked, found in wanted.values()):
            return False
        if self.tag is not None and self.tag not in row.run.record.tags:
            return False
        return all(word in _searched(row) for word in self.text.casefold().split())


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A setting in which runs differ, and its value in each, in their order; None: not there."""

    name: str
    values: tuple[Any, ...]


def run_rows(workspace: Workspace) -> list[RunRow]:
    """Make the row of every readable run, newest first; the recorded sample last."""
    found = runs.list_runs(workspace)
    by_id = {run.id: run for run in found}
    return [_row(run, by_id) for run in found]


def found_rows(rows: Sequence[RunRow], wanted: RunFilter, order: RunOrder = "newest") -> list[RunRow]:
    """Filter and sort rows; rows without the value that they are sorted by come last."""
    found = [row for row in rows if wanted.matches(row)]
    if order == "newest":
        return found
    if order == "oldest":
        return found[::-1]
    if order == "name":
        return sorted(found, key=lambda row: (row.run.label or row.run.id).casefold())
    value = _VALUES[order]
    return sorted(found, key=lambda row: _last_if_none(value(row)))


def _last_if_none(value: float | None) -> float:
    return math.inf if value is None else value


_VALUES: Mapping[RunOrder, Callable[[RunRow], float | None]] = {
    "accuracy": lambda row: -row.best.accuracy if row.best else None,
    "macro_f1": lambda row: -row.best.macro_f1 if row.best else None,
    "learning_rate": lambda row: row.learning_rate,
    "seconds": lambda row: row.seconds,
}


def differences(rows: Sequence[RunRow]) -> list[Difference]:
    """List the settings, data and versions in which these runs differ, in the order of the spec.

    A setting without effect on a run is not there, and so differs from none.
    """
    each = [_settings(row) for row in rows]
    names = dict.fromkeys(name for settings in each for name in settings)
    found = []
    for name in names:
        values = tuple(settings.get(name) for settings in each)
        if any(value != values[0] for value in values[1:]):
            found.append(Difference(name=name, values=values))
    return found


def settings_in_full(run: Run) -> dict[str, Any]:
    """Return every setting of a run that has an effect, by the name of its field."""
    values = run.spec.model_dump(mode="json")
    return {
        name: value
        for name, value in values.items()
        if name not in _TECHNICAL and (not isinstance(run.spec, TrainSpec) or matters(name, values))
    }


def _settings(row: RunRow) -> dict[str, Any]:
    """Return what a run was made of: its settings, its data, the versions of what made it."""
    known = {**settings_in_full(row.run), "version": row.run.version}
    result = row.run.result
    if result is not None:
        hashes = {"dataset_sha256": result.dataset_sha256, "model_sha256": result.model_sha256}
        known |= {name: value[:12] for name, value in hashes.items() if value}
        known |= {f"versions.{name}": value for name, value in result.versions.items()}
    return known


def _row(run: Run, by_id: Mapping[str, Run]) -> RunRow:
    subject = by_id.get(run.spec.run or "") if isinstance(run.spec, EvaluateSpec) else run
    spec = subject.spec if subject else run.spec
    return RunRow(
        run=run,
        scores=_scores(run),
        subject=subject,
        method=method_of(spec) if isinstance(spec, TrainSpec) else None,
        base=_base_name(spec),
        data=data_ref(run),
    )


def _base_name(spec: TrainSpec | EvaluateSpec) -> str:
    """Name the base of a run; an endpoint's model by the name it has there."""
    if spec.model_name_or_path is None:
        assert isinstance(spec, EvaluateSpec)
        return spec.endpoint.model if spec.endpoint else ""
    return BUNDLED_NAME if spec.model_name_or_path == BUNDLED_MODEL else spec.model_name_or_path.name


def data_ref(run: Run) -> str:
    """Return the version of a run's rows, `bundled`, or the name of its folder."""
    folder = run.spec.dataset_dir
    return run.version or (BUNDLED_NAME if folder == BUNDLED_DATASET else folder.name)


def _scores(run: Run) -> Mapping[AnswerMode, Scores]:
    """Load the scores of a run; none where their file cannot be read, which its own page says."""
    try:
        file = runs.load_scores(run)
    except StudioError:
        return {}
    return file.evaluations if file else {}


def _searched(row: RunRow) -> str:
    """Join what the search looks through."""
    record = row.run.record
    parts = [row.run.id, row.run.label, record.note, *record.tags, row.base, row.data, row.method or ""]
    return "\n".join(parts).casefold()
