"""What is wrong with a data set, row by row, before anyone trains on it.

A problem names its row, what is there and, where one is safe, the repair. The codes
are stable: other people's scripts count them.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.categories import Scheme
from studio.conversations import RawRow
from studio.errors import UnreadableFile
from studio.judging import Judged, judge_rows
from studio.language import say
from studio.problems import Problem
from studio.reading import read_what_is_there
from studio.titles import Split, title_key


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """The problems of a path. `valid` counts the rows without an error; `unreadable` are those of
    files that could not be read at all."""

    rows: int
    valid: int
    problems: Sequence[Problem]
    unreadable: Sequence[Problem] = ()

    @property
    def counts(self) -> dict[str, int]:
        """How often each code occurs, the most frequent first."""
        return dict(Counter(problem.code for problem in self.problems).most_common())

    @property
    def has_errors(self) -> bool:
        """Whether anything cannot be used as it is."""
        return any(problem.severity == "error" for problem in self.problems)

    def to_json(self) -> dict[str, Any]:
        """The document of `news-studio check --json`."""
        return {
            "rows": self.rows,
            "valid": self.valid,
            "counts": self.counts,
            "problems": [problem.to_json() for problem in self.problems],
        }


def check_path(path: Path, scheme: Scheme) -> CheckReport:
    """Check a file, or a folder with dataset_info.json; a file that cannot be read is a problem, too."""
    reading = read_what_is_there(path)
    unreadable = [_unreadable(name, error) for name, error in reading.unreadable.items()]
    problems = [*unreadable, *reading.remarks]
    problems += check_conversations(reading.rows, scheme)
    faulty = {(problem.file, problem.row) for problem in problems if problem.severity == "error"}
    valid = sum((row.file, row.row) not in faulty for row in reading.rows)
    return CheckReport(rows=len(reading.rows), valid=valid, problems=problems, unreadable=unreadable)


def _unreadable(name: str, error: UnreadableFile) -> Problem:
    message = f"{error.problem}{say('', ' ')}{error.remedy}"
    return Problem(file=name, row=None, code=error.code, severity="error", message=message)


def check_conversations(rows: Iterable[RawRow], scheme: Scheme) -> list[Problem]:
    """Problems of rows and between rows, in row order; those of a whole file come last."""
    judged = judge_rows(rows, scheme)
    seen: dict[str, dict[Split | None, Judged]] = {}
    problems: list[Problem] = []
    for item in judged:
        problems += item.problems
        if item.title:
            earlier = seen.setdefault(title_key(item.title), {})
            problems += _repeats(item, earlier)
            earlier.setdefault(item.row.split, item)
    return problems + _missing_categories(judged, scheme)


def _repeats(item: Judged, earlier: Mapping[Split | None, Judged]) -> list[Problem]:
    """Problems of a row whose title was there before; `earlier` has its first row in each split."""
    if not earlier:
        return []
    problems = []
    first = next(iter(earlier.values()))
    twin = earlier.get(item.row.split)
    if twin is None and None not in (item.row.split, first.row.split):
        place = _place(first)
        message = say(
            f"标题也在另一个划分里（{place}），评估结果会虚高。",
            f"The title is also in the other split ({place}); scores would flatter.",
        )
        problems.append(_repeat(item, "in_both_splits", message))
    else:
        place = _place(twin or first)
        message = say(f"与 {place}是同一标题。", f"The same title as {place}.")
        problems.append(_repeat(item, "duplicate_title", message))
    for other in earlier.values():
        if None not in (item.category, other.category) and item.category != other.category:
            message = say(
                f"同一标题在 {_place(other)}是“{other.category}”，这里是“{item.category}”。",
                f"The same title is “{other.category}” in {_place(other)} and “{item.category}” here.",
            )
            problems.append(_repeat(item, "conflicting_labels", message))
            break
    return problems


def _place(item: Judged) -> str:
    return say(f"{item.row.file} 第 {item.row.row} 行", f"{item.row.file}, row {item.row.row}")


def _repeat(item: Judged, code: str, message: str) -> Problem:
    return Problem(
        file=item.row.file,
        row=item.row.row,
        code=code,
        severity="warning",
        message=message,
        found=item.title,
    )


def _missing_categories(judged: Sequence[Judged], scheme: Scheme) -> list[Problem]:
    """Categories that a file with answers never uses."""
    used: dict[str, set[str]] = defaultdict(set)
    for item in judged:
        if item.category is not None:
            used[item.row.file].add(item.category)
    problems = []
    for file, categories in used.items():
        missing = [name for name in scheme.names if name not in categories]
        if missing:
            problems.append(
                Problem(
                    file=file,
                    row=None,
                    code="category_missing",
                    severity="warning",
                    message=say(
                        f"没有一行的类别是 {'、'.join(missing)}。",
                        f"No row is of the category {', '.join(missing)}.",
                    ),
                    found=", ".join(missing),
                )
            )
    return problems
