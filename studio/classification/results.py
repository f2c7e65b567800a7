"""Join the rows of a sheet with the answers to their titles: filter, count."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

from pydantic import TypeAdapter

from studio.classification.sheets import ROWS, SHEET, TITLES, Sheet, problem_text
from studio.contract import AnsweredTitle, ClassifySpec
from studio.errors import UnreadableFile
from studio.language import half, say
from studio.runs import Job
from studio.system.documents import READ_FAULTS, one_line, read_whole
from studio.system.jsonl import read_lines

ANSWERS = "answers.jsonl"
TOP = 3
LOW = 0.5
"""Confidence below which an answer is listed as doubtful where nobody chose a threshold."""

Outcome = Literal["answer", "abstain", "unparsed", "error", "open"]
"""answer: a category. abstain: the confidence is below the threshold. unparsed: the answer names no category.
error: the row has no title, or its title got no answer. open: not answered yet."""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

_title: TypeAdapter[str] = TypeAdapter(str)
_answer: TypeAdapter[AnsweredTitle] = TypeAdapter(AnsweredTitle)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassifiedRow:
    """A row of a sheet with the answer to its title; `problem` is a code where it has no title."""

    row: int
    title: str
    outcome: Outcome
    answer: AnsweredTitle | None = None
    problem: str = ""

    @property
    def category(self) -> str | None:
        """The category that was answered, however sure."""
        return self.answer.category if self.answer else None

    @property
    def confidence(self) -> float | None:
        """How sure the answer is, 0 to 1; None where nothing tells it."""
        return self.answer.confidence if self.answer else None

    @property
    def top(self) -> list[tuple[str, float]]:
        """The likeliest categories of direct scoring, with their probabilities."""
        found = self.answer.probabilities if self.answer else None
        return sorted((found or {}).items(), key=lambda one: -one[1])[:TOP]

    @property
    def reason(self) -> str:
        """Why there is no answer, in the reader's language; empty where there is one."""
        if self.problem:
            return problem_text(self.problem)
        return str(half(self.answer.problem)) if self.answer else ""


@dataclass(frozen=True, kw_only=True)
class Classified:
    """A classified sheet: all its rows in their order, and the threshold that was in force."""

    sheet: Sheet
    rows: Sequence[ClassifiedRow]
    threshold: float | None
    has_chains: bool

    def select(
        self, *, outcome: Outcome | None = None, category: str | None = None, text: str = "",
        below: float | None = None,
    ) -> list[ClassifiedRow]:  # fmt: skip
        """Return the rows that meet all conditions; with `below` the least sure first."""
        wanted = text.casefold().strip()
        found = [
            row
            for row in self.rows
            if (outcome is None or row.outcome == outcome)
            and (category is None or row.category == category)
            and (not wanted or wanted in row.title.casefold())
            and (below is None or (row.confidence is not None and row.confidence < below))
        ]
        return found if below is None else sorted(found, key=lambda row: row.confidence or 0.0)


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What came out of a classification, in rows of the sheet; `titles` counts different ones."""

    rows: int
    titles: int
    outcomes: dict[Outcome, int]
    categories: dict[str, int]
    low: int


def load_classified(job: Job) -> Classified:
    """Load what a classification has answered so far.

    Raises:
        UnreadableFile: a file of it was damaged or moved away.
    """
    assert isinstance(job.spec, ClassifySpec), job.spec.kind
    calibration = job.spec.calibration
    chosen = calibration.threshold.confidence if calibration and calibration.threshold else None
    return load_folder(job.folder, chosen, has_chains=job.spec.answer == "chain")


def load_folder(folder: Path, threshold: float | None, *, has_chains: bool) -> Classified:
    """`load_classified` of a run folder; kept in memory until its answers change."""
    answers = folder / ANSWERS
    state = answers.stat() if answers.exists() else None
    version = (state.st_size, state.st_mtime_ns) if state else (0, 0)
    try:
        return _load(folder, version, threshold, has_chains)
    except (*READ_FAULTS, LookupError, TypeError) as error:
        why = one_line(error)
        raise UnreadableFile(
            say(
                f"分类任务 {folder.name} 的文件无法读取：{why}",
                f"The files of {folder.name} cannot be read: {why}",
            ),
            remedy=say("请重新给这张表分类。", "Classify the sheet again."),
        ) from error


@lru_cache(maxsize=2)
def _load(folder: Path, version: tuple[int, int], threshold: float | None, has_chains: bool) -> Classified:
    """Cache by path and by size and time of the answers: a page asks at every press."""
    sheet = Sheet.model_validate_json(read_whole(folder / SHEET))
    titles = list(read_lines(folder / TITLES, _title))
    answers = {one.title: one for one in read_lines(folder / ANSWERS, _answer)}
    rows = []
    for number, place, problem in _numbered(folder / ROWS):
        answer = None if place is None else answers.get(place)
        rows.append(
            ClassifiedRow(
                row=number,
                title="" if place is None else titles[place],
                outcome="error" if problem else _outcome(answer, threshold),
                answer=answer,
                problem=problem,
            )
        )
    return Classified(sheet=sheet, rows=rows, threshold=threshold, has_chains=has_chains)


def _numbered(path: Path) -> Iterator[tuple[int, int | None, str]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            number, place, problem = json.loads(line)
            yield number, place, problem


def _outcome(answer: AnsweredTitle | None, threshold: float | None) -> Outcome:
    if answer is None:
        return "open"
    if answer.problem:
        return "error"
    if answer.category is None:
        return "unparsed"
    # An answer whose confidence nothing tells is not sure enough.
    return "abstain" if threshold is not None and (answer.confidence or 0.0) < threshold else "answer"


def summarize(classified: Classified, *, below: float = LOW) -> Summary:
    """Count the rows by outcome and by category, and those less sure than `below`."""
    outcomes = Counter(row.outcome for row in classified.rows)
    categories = Counter(row.category for row in classified.rows if row.category is not None)
    return Summary(
        rows=len(classified.rows),
        titles=classified.sheet.titles,
        outcomes={outcome: outcomes[outcome] for outcome in OUTCOMES},
        categories={name: count for name, count in categories.most_common() if name},
        low=sum(row.confidence is not None and row.confidence < below for row in classified.rows),
    )
