"""Edit the rows of a checked file in place, and queue those that need a person.

The file itself stays as it is: edits go into a repaired copy (`studio.validation.repair`), rows
that only a person can decide into the label queue with the category that is proposed.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from studio.errors import UnreadableFile
from studio.formats.choices import UNDECIDED, FileChoices
from studio.formats.conversations import RawRow
from studio.formats.reader import open_files, read_rows
from studio.ingest.importer import ImportReport, import_rows
from studio.samples.canonical import write_answer, write_question
from studio.samples.problems import Problem
from studio.samples.scheme import Scheme
from studio.store import Store
from studio.team.rights import require_right
from studio.validation.repair import Edit, Edits
from studio.validation.rows import Judged, judge_each, judge_row

RowLocation = tuple[str, int]
"""A row: the file as problems name it, and the row's number."""


def rows_at(
    path: Path,
    places: Collection[RowLocation],
    prefix: str,
    scheme: Scheme,
    choices: FileChoices = UNDECIDED,
) -> dict[RowLocation, Judged]:
    """Judge these rows; files are read no further than needed.

    Args:
        prefix: `CheckReport.prefix`.
    """
    found: dict[RowLocation, Judged] = {}
    for file in open_files(path, choices, scheme).files:
        wanted = {row for name, row in places if name == file.source.name}
        try:
            for record in file.records if wanted else ():
                if record.row in wanted:
                    found[file.source.name, record.row] = judge_row(file.row(record), prefix, scheme)
                    wanted.discard(record.row)
                if not wanted:
                    break
        except UnreadableFile:
            continue  # it breaks off before that row; `check` has told it
    return found


def as_edit(item: Judged, scheme: Scheme) -> Edit:
    """Return a row as texts to edit; a title that its format keeps apart stands in the question."""
    row = item.row
    question = row.question if row.title is None else write_question(scheme.prompt, item.title)
    return Edit(question=question or "", answer=row.answer or "")


def judge_edit(item: Judged, edit: Edit, scheme: Scheme) -> Judged:
    """Judge the row with that edit; what it does to other rows only a check of the copy tells."""
    row = RawRow(
        file=item.row.file,
        row=item.row.row,
        split=item.row.split,
        kind="conversation",
        record=None,
        question=edit.question,
        answer=edit.answer,
    )
    return judge_row(row, "", scheme)


def is_for_people(problems: Collection[Problem]) -> bool:
    """Whether a row has an error that no safe repair takes away."""
    return any(problem.severity == "error" and problem.repair is None for problem in problems)


def accepted_proposals(
    path: Path, code: str, scheme: Scheme, choices: FileChoices = UNDECIDED
) -> dict[RowLocation, Edit]:
    """Accept what is proposed for every row that has problems of one code: the edits, by row.

    A row whose think block cannot be told from its answer is left to a person.

    Raises:
        UnreadableFile: the input cannot be read.
    """
    edits = {}
    for item in judge_each(read_rows(path, choices, scheme).rows, scheme):
        answer = item.answer
        if item.category is not None or answer is None or answer.form in ("repeated", "unclosed"):
            continue
        if not item.title or not any(problem.code == code for problem in item.problems):
            continue
        meant = [problem.repair or problem.proposal for problem in item.problems if problem.code in _ANSWERS]
        category = next((name for name in meant if name), None)
        if category is not None:
            text = category if answer.chain is None else write_answer(answer.chain, category)
            edits[item.row.file, item.row.row] = Edit(
                question=write_question(scheme.prompt, item.title), answer=text
            )
    return edits


_ANSWERS = ("answer_not_category", "answer_english", "answer_synonym", "answer_extra_text")


def rows_for_people(
    path: Path, scheme: Scheme, edits: Edits, choices: FileChoices = UNDECIDED
) -> Iterator[RawRow]:
    """Yield the edited rows whose error only a person can repair; rows that the user excluded are skipped.

    Raises:
        UnreadableFile: the input cannot be read.
    """
    for item in judge_each(read_rows(path, choices, scheme).rows, scheme):
        place = (item.row.file, item.row.row)
        edit = edits.get(place)
        if place in edits and edit is None:
            continue
        if edit is not None:
            item = judge_edit(item, edit, scheme)
        if item.title and is_for_people(item.problems):
            # The title as it was found here: among fewer rows their own prefix would not show.
            yield replace(item.row, title=item.title)


def send_to_queue(
    db: Store,
    path: Path,
    scheme: Scheme,
    edits: Mapping[RowLocation, Edit | None],
    *,
    source: str,
    author: str,
    choices: FileChoices = UNDECIDED,
) -> ImportReport:
    """Import the rows that wait for a person: each title waits with the reason and what is proposed.

    Raises:
        UnreadableFile: the input cannot be read; nothing came in.
        WorkspaceBusy: another import is running.
    """
    require_right("send_check_to_queue", db, author)
    rows = list(rows_for_people(path, scheme, edits, choices))
    return import_rows(db, rows, scheme, source=source, author=author)
