"""Read the rows of a sheet, and which title each of them has.

    rows.jsonl     [row, position of its title or null, problem], in the order of the sheet
    titles.jsonl   the titles, each once
    sheet.json     name, choices, and the counts

Equal titles are one title, so that it is answered once. The sheet itself is kept beside them: it is read once
more to be handed back with columns added.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from studio.classification.openai_batch import is_batch, request_titles
from studio.errors import InputError
from studio.formats.choices import FileChoices
from studio.formats.columns import Columns
from studio.formats.reader import open_files
from studio.language import say
from studio.samples.canonical import read_question
from studio.samples.scheme import Scheme
from studio.samples.title_text import clean_title
from studio.validation.rows import TITLE_CHARACTERS

ROWS, TITLES, SHEET = "rows.jsonl", "titles.jsonl", "sheet.json"
SUFFIXES = ("csv", "tsv", "xlsx", "txt", "json", "jsonl", "parquet")
"""Suffixes of sheets, without the dot."""

RowProblem = Literal["", "no_title", "unreadable", "too_long", "not_chat"]
ROW_PROBLEMS: Mapping[str, tuple[str, str]] = {
    "no_title": ("这一行没有标题", "this row has no title"),
    "unreadable": (
        "这一行与其他行的格式不合，读不出标题",
        "this row does not fit the others; no title was read",
    ),
    "too_long": (
        f"标题超过 {TITLE_CHARACTERS} 个字符",
        f"the title has more than {TITLE_CHARACTERS} characters",
    ),
    "not_chat": ("不是 /v1/chat/completions 的请求", "no request to /v1/chat/completions"),
}
"""Why a row is not answered, in both languages."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SheetRow:
    """A row of a sheet: its number from 1, and its title or the problem in its place."""

    row: int
    title: str
    problem: RowProblem = ""


class Sheet(BaseModel):
    """The content of sheet.json."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    choices: FileChoices
    is_openai_batch: bool
    rows: int
    titles: int

    @property
    def suffix(self) -> str:
        """The suffix of its name, lower case, with the dot."""
        return Path(self.name).suffix.lower()


def titles_alone(choices: FileChoices) -> FileChoices:
    """Restrict choices to what finds the titles: other columns raise no question here."""
    columns = Columns(title=choices.columns.title, category="", chain="", source="", date="")
    return replace(choices, columns=columns)


def read_sheet(path: Path, choices: FileChoices, scheme: Scheme) -> Iterator[SheetRow]:
    """Stream the rows of a sheet, those without a title among them.

    Raises:
        UnreadableFile: missing, damaged, or without a column of titles.
        UnclearFile: several columns could hold the titles.
    """
    if is_batch(path):
        for number, found in enumerate(request_titles(path, scheme.prompt), start=1):
            yield SheetRow(row=number, title="", problem="not_chat") if found is None else _row(number, found)
        return
    opened = open_files(path, titles_alone(choices), scheme)
    for error in opened.unreadable.values():
        raise error
    for file in opened.files:
        for record in file.records:
            raw = file.row(record)
            title = raw.title or read_question(raw.question or "", scheme.prompt)[0]
            is_faulty = not title and any(problem.severity == "error" for problem in raw.problems)
            yield _row(record.row, title, is_faulty=is_faulty and not _is_blank(record.value))


def _is_blank(value: object) -> bool:
    """Return whether a record holds nothing at all."""
    cells = value.values() if isinstance(value, Mapping) else [value]
    return not any(cell not in (None, "", [], {}) for cell in cells)


def _row(number: int, text: str, *, is_faulty: bool = False) -> SheetRow:
    title = clean_title(text)
    if not title:
        return SheetRow(row=number, title="", problem="unreadable" if is_faulty else "no_title")
    if len(title) > TITLE_CHARACTERS:
        return SheetRow(row=number, title=title[:TITLE_CHARACTERS], problem="too_long")
    return SheetRow(row=number, title=title)


def write_rows(path: Path, name: str, choices: FileChoices, scheme: Scheme, folder: Path) -> Sheet:
    """Read a sheet and write its rows, its titles and sheet.json into a folder.

    Raises:
        UnreadableFile: as `read_sheet`.
        InputError: it has no title at all.
    """
    places: dict[str, int] = {}
    count = 0
    with (
        (folder / ROWS).open("w", encoding="utf-8") as rows,
        (folder / TITLES).open("w", encoding="utf-8") as titles,
    ):
        for row in read_sheet(path, choices, scheme):
            count += 1
            place = None
            if not row.problem:
                is_new = row.title not in places
                place = places.setdefault(row.title, len(places))
                if is_new:
                    titles.write(f"{json.dumps(row.title, ensure_ascii=False)}\n")
            rows.write(f"{json.dumps([row.row, place, row.problem])}\n")
    if not places:
        raise InputError(
            say("表格里没有标题。", "There is no title in the sheet."),
            remedy=say(
                "标题列请命名为“标题”或 title，或选定它。", "Name the column of titles title, or choose it."
            ),
        )
    sheet = Sheet(name=name, choices=choices, is_openai_batch=is_batch(path), rows=count, titles=len(places))
    (folder / SHEET).write_text(sheet.model_dump_json(), encoding="utf-8")
    return sheet


def problem_text(problem: str) -> str:
    """Say why a row is not answered."""
    return say(*ROW_PROBLEMS[problem]) if problem in ROW_PROBLEMS else problem
