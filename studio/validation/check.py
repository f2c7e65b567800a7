"""Validate files and folders row by row.

A problem names its row, what was found and, where one is safe, the repair. The codes are
stable (`studio.validation.codes`): other people's scripts count them. A file is streamed
once and never held: a million rows need little more memory than a thousand.
"""

import heapq
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import UnreadableFile
from studio.formats.choices import UNDECIDED, FileChoices
from studio.formats.conversations import RawRow
from studio.formats.reader import EntryLint, Opened, open_files
from studio.language import say
from studio.samples.problems import Problem, Severity
from studio.samples.scheme import Scheme
from studio.validation._boilerplate import Boilerplate
from studio.validation.duplicates import DuplicateFinder
from studio.validation.problem_log import ProblemLog
from studio.validation.rows import Judged, PrefixFinder, judge_each, judge_row

RARE = 0.2
"""A category with less than this fraction of an even share is rare."""
ENOUGH_TO_BE_RARE = 100
"""Labelled rows that a file needs before a category counts as rare; in fewer, chance explains it."""


@dataclass(frozen=True, kw_only=True)
class CheckReport:
    """The problems of a path.

    `valid` counts the rows without an error; `unreadable` are the problems of files that could
    not be read to their end, whose rows before that are counted. `prefix` is the shared prefix
    of the questions where it is not the scheme's prompt.
    """

    rows: int
    valid: int
    problems: ProblemLog
    unreadable: Sequence[Problem] = ()
    prefix: str = ""

    @property
    def counts(self) -> dict[str, int]:
        """How often each code occurs, the most frequent first."""
        return self.problems.counts

    @property
    def has_errors(self) -> bool:
        """Whether anything cannot be used as it is."""
        return self.problems.count("error") > 0

    def to_json(self) -> dict[str, Any]:
        """Build the document of `news-studio check --json`."""
        return {**self._head(), "problems": [problem.to_json() for problem in self.problems]}

    def json_pieces(self, **more: Any) -> Iterator[str]:
        """Stream the text of that document in pieces: of a million problems it would not fit in memory.

        Args:
            more: further entries, before the problems.
        """
        yield (
            json.dumps({**self._head(), **more}, ensure_ascii=False, indent=2).removesuffix("\n}")
            + ',\n  "problems": ['
        )
        mark = "\n    "
        for problem in self.problems:
            yield mark + json.dumps(problem.to_json(), ensure_ascii=False)
            mark = ",\n    "
        yield "]\n}\n" if mark == "\n    " else "\n  ]\n}\n"

    def _head(self) -> dict[str, Any]:
        return {"rows": self.rows, "valid": self.valid, "counts": self.counts}


def check_path(path: Path, scheme: Scheme, choices: FileChoices = UNDECIDED) -> CheckReport:
    """Validate a file, or a folder with dataset_info.json; an unreadable file is a problem, too.

    Everything is read once; twice where the questions share a prefix of their own instead
    of the scheme's, which is known only at the end.
    """
    opened = open_files(path, choices, scheme)
    prefixes = PrefixFinder(scheme)
    report = _check(opened, "", scheme, prefixes)
    return _check(opened, prefixes.prefix, scheme, None) if prefixes.prefix else report


def _check(opened: Opened, prefix: str, scheme: Scheme, prefixes: PrefixFinder | None) -> CheckReport:
    """Validate all files in one pass, showing every row to `prefixes`.

    If that finds a shared prefix, the report is discarded and the files are read again.
    """
    unreadable = [_unreadable(name, error) for name, error in opened.unreadable.items()]
    remarks = list(opened.remarks)
    tally = _Tally(scheme)

    def rows() -> Iterator[RawRow]:
        for file in opened.files:
            lint = EntryLint(file.source)
            try:
                for record in lint.watch(file.records):
                    row = file.row(record)
                    if prefixes is not None:
                        prefixes.add(row)
                    yield row
            except UnreadableFile as error:
                unreadable.append(_unreadable(file.source.name, error))
            remarks.extend(lint.remarks())

    of_rows = ProblemLog(tally.problems(judge_row(row, prefix, scheme) for row in rows()))
    problems = ProblemLog([*unreadable, *remarks])
    for problem in tally.with_duplicates(of_rows, near=True):
        problems.add(problem)
    return CheckReport(
        rows=tally.rows, valid=tally.valid, problems=problems, unreadable=unreadable, prefix=prefix
    )


def _unreadable(name: str, error: UnreadableFile) -> Problem:
    message = f"{error.problem}{say('', ' ')}{error.remedy}"
    return Problem(file=name, row=None, code=error.code, severity="error", message=message)


def check_conversations(rows: Iterable[RawRow], scheme: Scheme) -> list[Problem]:
    """Validate rows: problems of rows and between rows in row order, those of a whole file last.

    Near duplicates are not among them: a caller with a store has them in near-duplicate groups.
    """
    tally = _Tally(scheme)
    of_rows = ProblemLog(tally.problems(judge_each(list(rows), scheme)))
    return list(tally.with_duplicates(of_rows, near=False))


class _Tally:
    """Accumulates counts, duplicates and boilerplate while validated rows are streamed."""

    def __init__(self, scheme: Scheme) -> None:
        self.rows = self.valid = 0
        self._scheme = scheme
        self._duplicates = DuplicateFinder(scheme)
        self._boilerplate = Boilerplate(scheme)
        self._files: dict[str, int] = {}
        self._categories: dict[str, Counter[str]] = {}

    def problems(self, judged: Iterable[Judged]) -> Iterator[Problem]:
        """Stream the problems of each row by itself, and compared with those before it."""
        for item in judged:
            self.rows += 1
            self.valid += not item.errors
            self._files.setdefault(item.row.file, len(self._files))
            yield from item.problems
            self._duplicates.add(item)
            if item.category is None:
                continue
            self._categories.setdefault(item.row.file, Counter())[item.category] += 1
            if item.answer is not None and item.answer.chain:
                finding = self._boilerplate.compare(item.answer.chain, item.category)
                if finding is not None:
                    yield _of_row(item.row, finding.code, finding.severity, finding.message)

    def with_duplicates(self, of_rows: ProblemLog, *, near: bool) -> Iterator[Problem]:
        """Merge duplicates into the problems of rows, last in each row; those of files come at the end."""
        duplicates = (problem for _, _, problem in self._duplicates.problems(near=near))
        yield from heapq.merge(of_rows, duplicates, key=self._position)
        for file, counts in self._categories.items():
            yield from _categories_of(file, counts, self._scheme)

    def _position(self, problem: Problem) -> tuple[int, int]:
        assert problem.row is not None, problem
        return self._files[problem.file], problem.row


def _of_row(row: RawRow, code: str, severity: Severity, message: str) -> Problem:
    return Problem(file=row.file, row=row.row, code=code, severity=severity, message=message)


def _categories_of(file: str, counts: Counter[str], scheme: Scheme) -> Iterator[Problem]:
    """Report the categories that a file with answers never uses, or rarely."""
    missing = [name for name in scheme.names if not counts[name]]
    if missing:
        yield Problem(
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
    total = counts.total()
    bound = RARE * total / len(scheme.names)
    rare = [name for name in scheme.names if 0 < counts[name] < bound]
    if rare and total >= ENOUGH_TO_BE_RARE:
        zh = "、".join(f"{name}（{counts[name]}）" for name in rare)
        en = ", ".join(f"{name} ({counts[name]})" for name in rare)
        yield Problem(
            file=file,
            row=None,
            code="category_rare",
            severity="warning",
            message=say(
                f"{total} 行里很少：{zh}；模型学不好，评估也说明不了什么。",
                f"Few among {total} rows: {en}; too few to train on or to evaluate.",
            ),
            found=", ".join(rare),
        )
