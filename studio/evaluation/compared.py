"""Load evaluations and compare them: what the command, the page and the report share.

The last few comparisons stay in memory, by the state of their files: a click on a page asks again.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import numpy as np

from studio.contract import AnswerMode, Prediction
from studio.errors import InputError, NotComparable
from studio.evaluation.alignment import Aligned, align, near_groups
from studio.evaluation.comparison import Comparison, Side, SideScores, compare_all, side_scores
from studio.evaluation.entries import Entry
from studio.evaluation.paired import Integers
from studio.evaluation.predictions import AnswerColumns, read_columns
from studio.language import say

MOST = 6
"""Runs that are compared at once."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Evaluations on the rows that they share, and the first against each other one."""

    names: tuple[str, ...]
    aligned: Aligned
    sides: tuple[Side, ...]
    scores: tuple[SideScores, ...]
    comparisons: tuple[Comparison, ...]
    columns: tuple[tuple[AnswerColumns, ...], ...]

    @property
    def groups(self) -> Integers:
        """Return the near-duplicate group of each shared row."""
        return near_groups(self.aligned.titles)

    @property
    def rows_sha256(self) -> str:
        """Return the hash of the shared titles and labels: the evaluation set that was used."""
        return _rows_hash(tuple(self.aligned.titles), self.aligned.label.tobytes())

    def cell(self, side: int, label: str, answer: str) -> Integers:
        """Find the shared rows of one category that a side answered so; UNPARSED is no category."""
        categories = self.aligned.categories
        said = categories.index(answer) if answer in categories else len(categories)
        wanted = (self.aligned.label == categories.index(label)) & (self.sides[side].answers == said)
        return np.flatnonzero(wanted)

    def cell_changes(self, side: int) -> tuple[list[list[int]], list[list[int]]]:
        """Count, for each cell of the confusion matrix, the rows that came with a side and that left A's."""
        k, a, b = len(self.aligned.categories), self.sides[0].answers, self.sides[side].answers
        moved = a != b
        place = self.aligned.label[moved].astype(np.int64) * (k + 1)
        came, left = (
            np.bincount(place + said[moved], minlength=k * (k + 1)).reshape(k, k + 1).tolist()
            for said in (b, a)
        )
        return came, left

    def predictions(self, side: int, rows: Sequence[int]) -> list[Prediction]:
        """Read the whole predictions of a side, of its first seed, for these shared rows."""
        before = sum(len(each.said) for each in self.sides[:side])
        positions = self.aligned.positions[before]
        return self.columns[side][0].read(int(positions[row]) for row in rows)


@lru_cache(maxsize=2)
def _rows_hash(titles: tuple[str, ...], labels: bytes) -> str:
    return sha256("\n".join(titles).encode("utf-8", "surrogatepass") + labels).hexdigest()


def compare_entries(entries: Sequence[Entry], *, common: bool = False) -> Compared:
    """Compare the first entry with each other one.

    Args:
        entries: two to MOST of them.
        common: compare on the titles that all share, where their rows differ.

    Raises:
        InputError: there are too few or too many, or one is named twice.
        NotComparable: their rows differ, or they share none.
    """
    keys = [entry.key for entry in entries]
    if not 2 <= len(keys) <= MOST:
        raise InputError(
            say(f"要比较 2 到 {MOST} 个运行。", f"Compare 2 to {MOST} runs."),
            remedy=say("请选定要比较的运行。", "Choose the runs to compare."),
        )
    if len(set(keys)) < len(keys):
        raise InputError(
            say("同一个运行选了两次。", "One run is named twice."),
            remedy=say(
                "请选另一个运行，或另一种回答方式。", "Name another run, or another way of answering."
            ),
        )
    found = load_entries(entries)
    if not len(found.aligned) or (not common and not found.aligned.mismatch.is_none):
        raise _refusal(found)
    return found


def load_entries(entries: Sequence[Entry]) -> Compared:
    """Load one entry or several on the rows that they share, whatever these are.

    Raises:
        InputError: the predictions of one are gone.
    """
    evaluations = tuple((_state(entry), entry.answer, entry.categories) for entry in entries)
    return _compare(evaluations, names_of(entries))


def names_of(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Name the entries so that no two share a name: the way of answering and the id where needed."""
    names: list[str] = [entry.name for entry in entries]
    if len({entry.answer for entry in entries}) > 1:
        names = [
            f"{name} · {say('思维链', 'chain') if entry.answer == 'chain' else say('直接', 'direct')}"
            for name, entry in zip(names, entries, strict=True)
        ]
    counts = Counter(names)
    return tuple(
        f"{name} · {entry.runs[0].id}" if counts[name] > 1 else name
        for name, entry in zip(names, entries, strict=True)
    )


FileState = tuple[tuple[Path, int, int], ...]


def _state(entry: Entry) -> FileState:
    """Return the prediction files of an entry and how they stand; what changes it makes a new comparison."""
    states = []
    for run in entry.runs:
        file = run.folder / "predictions.jsonl"
        try:
            status = file.stat()
        except OSError as error:
            raise InputError(
                say(
                    f"运行 {run.id} 的逐条答案不在了：{error.strerror}。",
                    f"The predictions of run {run.id} are gone: {error.strerror}.",
                ),
                remedy=say("请再评估一次。", "Evaluate it again."),
            ) from error
        states.append((file, status.st_mtime_ns, status.st_size))
    return tuple(states)


@lru_cache(maxsize=2)
def _compare(
    evaluations: tuple[tuple[FileState, AnswerMode, tuple[str, ...]], ...], names: tuple[str, ...]
) -> Compared:
    columns: list[tuple[AnswerColumns, ...]] = []
    for files, answer, categories in evaluations:
        read = (read_columns(file, answer, categories) for file, _, _ in files)
        columns.append(tuple(_with_titles_of(columns[0][0] if columns else None, each) for each in read))
    aligned = align([each for members in columns for each in members])
    said = iter(aligned.said)
    sides = [
        Side(name=name, said=tuple(next(said) for _ in members))
        for name, members in zip(names, columns, strict=True)
    ]
    return Compared(
        names=names,
        aligned=aligned,
        sides=tuple(sides),
        scores=tuple(side_scores(aligned, side) for side in sides) if len(aligned) else (),
        comparisons=tuple(compare_all(aligned, sides)) if len(aligned) else (),
        columns=tuple(columns),
    )


def _with_titles_of(first: AnswerColumns | None, columns: AnswerColumns) -> AnswerColumns:
    """Let two evaluations of the same titles hold them once."""
    same = first is not None and first.titles == columns.titles
    return replace(columns, titles=first.titles) if first is not None and same else columns


def _refusal(found: Compared) -> NotComparable:
    mismatch = found.aligned.mismatch
    lacking = [count for count in mismatch.missing if count]
    parts_zh, parts_en = [], []
    if lacking:
        parts_zh.append(f"各缺对方的 {'、'.join(map(str, mismatch.missing))} 条标题")
        parts_en.append(f"they lack {', '.join(map(str, mismatch.missing))} of the titles of the others")
    if mismatch.relabelled:
        parts_zh.append(f"{mismatch.relabelled} 条标题的类别不同")
        parts_en.append(f"{mismatch.relabelled} titles have different categories")
    if not any(map(len, (each for members in found.columns for each in members))):
        parts_zh, parts_en = ["没有逐条答案"], ["there are no predictions"]
    remedy = (
        say(
            f"可以只比较共有的 {mismatch.common} 条（--common），或在同一个版本上再评估一次。",
            f"Compare the {mismatch.common} titles that they share (--common), or evaluate on one version.",
        )
        if mismatch.common
        else say("请在同一个数据集版本上评估它们。", "Evaluate them on one dataset version.")
    )
    return NotComparable(
        say(
            f"不能比较，评估的标题不一样：{'；'.join(parts_zh)}。",
            f"They cannot be compared, their rows differ: {'; '.join(parts_en)}.",
        ),
        remedy=remedy,
        common=mismatch.common,
    )
