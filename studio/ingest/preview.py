"""Preview the first rows of a file and what its columns are taken for."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from studio.errors import UnreadableFile
from studio.formats.choices import UNDECIDED, FileChoices, Option, UnclearFile
from studio.formats.columns import Columns
from studio.formats.conversations import RawRow, read_row
from studio.formats.layouts import Layout, resolved_columns
from studio.formats.recognition import SAMPLED, recognise
from studio.formats.records import read_records
from studio.formats.values import paths_of
from studio.language import say
from studio.samples.label_matching import Vocabulary
from studio.samples.scheme import Scheme, load_scheme

ROWS = 5


@dataclass(frozen=True, kw_only=True)
class FilePreview:
    """`columns` is empty where the rows are no table; `chosen` is what each is taken for.

    `rows` are the first ones, read so. `encoding` is set where the file is text, `sheets` where it is a
    workbook. `read_as` says how the file was read; where that is uncertain, `question` asks, and `options`
    are the answers, the likeliest first.
    """

    encoding: str | None
    columns: Sequence[str]
    chosen: Columns
    rows: Sequence[RawRow]
    sheets: Sequence[str] = ()
    read_as: Sequence[str] = ()
    question: str | None = None
    options: Sequence[Option] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the document of `news-studio import --preview --json`."""
        shown = ("row", "title", "question", "answer", "source", "date")
        return {
            "encoding": self.encoding,
            "columns": list(self.columns),
            "chosen": asdict(self.chosen),
            "rows": [{name: getattr(row, name) for name in shown} for row in self.rows],
            "sheets": list(self.sheets),
            "read_as": list(self.read_as),
            "question": self.question,
            "options": [option.to_json() for option in self.options],
        }


def preview_file(
    path: Path, choices: FileChoices = UNDECIDED, scheme: Scheme | None = None, limit: int = ROWS
) -> FilePreview:
    """Read the start of one file; one that is unclear, or without a column of titles, is shown all the same.

    Raises:
        UnreadableFile: missing, empty, of a wrong encoding or type, or broken near its start.
    """
    vocabulary = Vocabulary(scheme or load_scheme())
    try:
        records = read_records(path, path.name, choices, vocabulary)
    except UnclearFile as unclear:
        return FilePreview(
            encoding=None,
            columns=[],
            chosen=choices.columns,
            rows=[],
            question=unclear.problem,
            options=unclear.options,
        )
    sample = list(islice(records, SAMPLED))
    values = [record.value for record in sample]
    layout, question = Layout(table=choices.columns), None
    options: tuple[Option, ...] = ()
    read_as: tuple[str, ...] = ()
    try:
        found = recognise(values, Layout(), records, choices, vocabulary, path.name)
        layout, read_as = found.layout, tuple(found.read_as)
    except UnclearFile as unclear:
        question, options = unclear.problem, tuple(unclear.options)
    except UnreadableFile as error:
        if error.code not in ("missing_key", "title_column_doubtful"):
            raise
        question = f"{error.problem}{say('', ' ')}{error.remedy}"
    names = list(records.names) or _names(values)
    rows = [
        read_row(record.value, layout, file=path.name, row=record.row, split=None)
        for record in sample[:limit]
    ]
    return FilePreview(
        encoding=records.encoding,
        columns=names,
        chosen=_chosen(layout, names) if layout.form == "auto" else choices.columns,
        rows=rows,
        sheets=[records.sheet, *records.other_sheets] if records.sheet else [],
        read_as=read_as,
        question=question,
        options=options,
    )


def _chosen(layout: Layout, names: Sequence[str]) -> Columns:
    return resolved_columns(layout.table, layout.inferred, tuple(names))


def _names(values: Sequence[Any]) -> list[str]:
    """List the columns and paths to choose from; a conversation has none."""
    rows = [value for value in values if isinstance(value, Mapping)]
    if any(isinstance(row.get("conversations", row.get("messages")), list) for row in rows):
        return []
    return list(dict.fromkeys(path for row in rows for path in paths_of(row)))[:80]
