"""Gather what the workspace knows about the rows of an evaluation, tag them, and keep the result.

    quality/tags/<run>-<answer>.json    the tags, and of what they were made; safe to delete

They are computed once and again only when something they rest on has changed: the predictions, another run
on the same titles, a label scan.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from studio import runs
from studio.contract import AnswerMode, Prediction, TrainSpec
from studio.corpus.titles import find_title
from studio.errors import StudioError
from studio.evaluation.neighbours import Neighbour, TitleIndex
from studio.evaluation.tags import Knowledge, tags_of_row
from studio.evaluation.training_rows import trained_rows, training_of
from studio.runs import Run
from studio.samples.scheme import Scheme
from studio.store import Store
from studio.system.atomic import in_one_step
from studio.workspace import Workspace

MOST_RUNS = 20
"""Other runs that are looked at, the newest first."""
MOST_ROWS = 200_000
"""Rows of other runs that are read in all."""
MOST_PAIRS = 20_000_000
"""Evaluated rows times training rows among which neighbours are looked for: about half a minute."""
_SEED = ("seed",)


class NearRow(BaseModel):
    """A training row near an evaluated one, as it is shown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    row: int
    title: str
    category: str
    similarity: float


class TagFile(BaseModel):
    """Tags and nearest training rows by row number; `runs`: how many other runs answered the same titles."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format_version: Literal[1] = 1
    made_of: str
    tags: dict[int, tuple[str, ...]]
    nearest: dict[int, tuple[NearRow, ...]]
    runs: int
    seeds: int
    has_neighbours: bool


@dataclass(frozen=True, kw_only=True)
class Other:
    """Another run's answers to some of the titles; `is_seed_twin`: its training differs in the seed alone."""

    run: Run
    answers: Mapping[str, str | None]
    is_seed_twin: bool


def tag_rows(
    db: Store,
    workspace: Workspace,
    run: Run,
    answer: AnswerMode,
    scheme: Scheme,
    *,
    suspects: Mapping[int, str] | None = None,
) -> TagFile:
    """Tag the rows of one way of answering of a run; read from the kept file where nothing has changed.

    Args:
        db: store, for where the titles came from.
        workspace: with the other runs.
        run: the scored run.
        answer: its way of answering.
        scheme: the categories.
        suspects: what the label scan thinks that titles are, by their id.
    """
    suspects = suspects or {}
    candidates = _candidates(workspace, run, answer)
    made_of = _fingerprint(run, answer, candidates, suspects)
    file = workspace.quality / "tags" / f"{run.id}-{answer}.json"
    kept = _read(file)
    if kept is not None and kept.made_of == made_of:
        return kept
    found = _compute(db, workspace, run, answer, scheme, candidates, suspects, made_of)
    with in_one_step(file) as draft:
        draft.write_text(found.model_dump_json(), encoding="utf-8")
    return found


def _compute(
    db: Store,
    workspace: Workspace,
    run: Run,
    answer: AnswerMode,
    scheme: Scheme,
    candidates: Sequence[Run],
    suspects: Mapping[int, str],
    made_of: str,
) -> TagFile:
    rows = runs.load_predictions(run, answer)
    others = list(_others(workspace, run, answer, candidates, {row.title for row in rows}))
    nearest = _nearest(workspace, run, rows, scheme)
    known = _knowledge(db, workspace, run, answer, rows, others, nearest, suspects)
    shown = {row.row: tuple(map(_near_row, (nearest or {}).get(row.title, ()))) for row in rows}
    return TagFile(
        made_of=made_of,
        tags={row.row: tuple(tags_of_row(row, known, scheme)) for row in rows},
        nearest={number: near for number, near in shown.items() if near},
        runs=len(others),
        seeds=sum(other.is_seed_twin for other in others),
        has_neighbours=nearest is not None,
    )


def _near_row(near: Neighbour) -> NearRow:
    return NearRow(
        row=near.row.row,
        title=near.row.title,
        category=near.row.category,
        similarity=round(near.similarity, 3),
    )


def _knowledge(
    db: Store,
    workspace: Workspace,
    run: Run,
    answer: AnswerMode,
    rows: Sequence[Prediction],
    others: Sequence[Other],
    nearest: Mapping[str, Sequence[Neighbour]] | None,
    suspects: Mapping[int, str],
) -> Knowledge:
    other_answers = other_mode(workspace, run, answer)
    direct = rows if answer == "direct" else other_answers
    doubted, sources, months = _of_store(db, rows, suspects)
    answers, twins = defaultdict(list), defaultdict(list)
    for other in others:
        for title, given in other.answers.items():
            answers[title].append(given)
            if other.is_seed_twin:
                twins[title].append(given)
    return Knowledge(
        direct={row.title: row.probabilities for row in direct if row.probabilities},
        other_mode={row.title: row.predicted for row in other_answers},
        other_runs=answers,
        other_seeds=twins,
        nearest=nearest,
        suspects=doubted,
        sources=sources,
        months=months,
    )


def _of_store(
    db: Store, rows: Iterable[Prediction], suspects: Mapping[int, str]
) -> tuple[dict[str, str], dict[str, str], dict[str, str]]:
    """Look up the doubted labels, the sources and the months of these titles, by title."""
    doubted, sources, months = {}, {}, {}
    for row in rows:
        title = find_title(db, row.title)
        if title is None:
            continue
        if title.id in suspects:
            doubted[row.title] = suspects[title.id]
        sources[row.title] = title.source
        (moment,) = db.execute(
            "select coalesce(published_at, created_at) from titles where id = ?", [title.id]
        ).fetchone()
        months[row.title] = str(moment)[:7]
    return doubted, _where_it_varies(sources), _where_it_varies(months)


def _where_it_varies(values: dict[str, str]) -> dict[str, str]:
    """Drop what is the same for all rows: it can explain nothing."""
    return values if len(set(values.values())) > 1 else {}


def other_mode(workspace: Workspace, run: Run, answer: AnswerMode) -> list[Prediction]:
    """Load the other way's answers to the same titles: of the run itself, else of its model's evaluations."""
    return other_evaluation(workspace, run, answer)[1]


def other_evaluation(workspace: Workspace, run: Run, answer: AnswerMode) -> tuple[Run, list[Prediction]]:
    """Find the run that answered the same titles in the other way, and its answers; none: the run itself."""
    other: AnswerMode = "direct" if answer == "chain" else "chain"
    found = runs.load_predictions(run, other)
    if found:
        return run, found
    subject = subject_of(run)
    for each in runs.list_runs(workspace):
        same = subject_of(each) == subject and each.spec.dataset_dir == run.spec.dataset_dir
        if same and each.id != run.id and (found := runs.load_predictions(each, other)):
            return each, found
    return run, []


def subject_of(run: Run) -> str:
    """Name the model that a run is about: its training, or the folder of a base."""
    if isinstance(run.spec, TrainSpec):
        return run.id
    return run.spec.run or str(run.spec.adapter_name_or_path or run.spec.model_name_or_path)


def _candidates(workspace: Workspace, run: Run, answer: AnswerMode) -> list[Run]:
    """List other runs that may have answered the same titles in the same way, the newest first."""
    found = []
    for other in runs.list_runs(workspace):
        if other.id == run.id or subject_of(other) == subject_of(run):
            continue
        try:
            file = runs.load_scores(other)
        except StudioError:
            continue
        if file is not None and answer in file.evaluations:
            found.append(other)
    return found[:MOST_RUNS]


def _others(
    workspace: Workspace, run: Run, answer: AnswerMode, candidates: Sequence[Run], titles: set[str]
) -> Iterable[Other]:
    """Read the answers of other runs to these titles."""
    left = MOST_ROWS
    own = training_of(workspace, run)
    for other in candidates:
        if left <= 0:
            return
        rows = runs.load_predictions(other, answer)
        left -= len(rows)
        answers = {row.title: row.predicted for row in rows if row.title in titles}
        if answers:
            theirs = training_of(workspace, other)
            yield Other(run=other, answers=answers, is_seed_twin=_differ_in_seed(own, theirs))


def _differ_in_seed(one: TrainSpec | None, other: TrainSpec | None) -> bool:
    if one is None or other is None or one.seed == other.seed:
        return False
    return one.model_dump(exclude=set(_SEED)) == other.model_dump(exclude=set(_SEED))


def _nearest(
    workspace: Workspace, run: Run, rows: Sequence[Prediction], scheme: Scheme
) -> dict[str, list[Neighbour]] | None:
    """Find the nearest training rows of each title; None where there are none, or too many to compare."""
    trained = trained_rows(workspace, run, scheme).rows
    if not trained or len(trained) * len(rows) > MOST_PAIRS:
        return None
    index = TitleIndex(trained)
    return {title: index.nearest(title) for title in {row.title for row in rows}}


def _fingerprint(run: Run, answer: AnswerMode, candidates: Sequence[Run], suspects: Mapping[int, str]) -> str:
    """Hash everything that the tags rest on."""
    parts: list[object] = [answer, sorted(suspects.items())]
    for each in (run, *candidates):
        file = each.folder / "predictions.jsonl"
        state = file.stat() if file.exists() else None
        parts.append([each.id, state.st_size if state else 0, state.st_mtime_ns if state else 0])
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()


def _read(file: Path) -> TagFile | None:
    try:
        return TagFile.model_validate_json(file.read_bytes())
    except (OSError, ValidationError, ValueError):
        return None
