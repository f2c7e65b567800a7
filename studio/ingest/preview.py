"""Preview the first rows of a file and what its columns are taken for."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from studio.formats.columns import GUESSED, Columns
from studio.formats.conversations import RawRow, read_row
from studio.formats.layouts import Layout
from studio.formats.records import read_records

ROWS = 5


@dataclass(frozen=True, kw_only=True)
class FilePreview:
    """`columns` is empty where the rows are no table; `chosen` is what each is taken for.

    `rows` are the first ones, read so. `encoding` is set where the file is text.
    """

    encoding: str | None
    columns: Sequence[str]
    chosen: Columns
    rows: Sequence[RawRow]

    def to_json(self) -> dict[str, Any]:
        """Return the document of `news-studio import --preview --json`."""
        shown = ("row", "title", "question", "answer", "source", "date")
        return {
            "encoding": self.encoding,
            "columns": list(self.columns),
            "chosen": asdict(self.chosen),
            "rows": [{name: getattr(row, name) for name in shown} for row in self.rows],
        }


def preview_file(path: Path, columns: Columns = GUESSED, limit: int = ROWS) -> FilePreview:
    """Read the start of one file; a table without a column of titles is shown all the same.

    Raises:
        UnreadableFile: missing, empty, of a wrong encoding or type, or broken near its start.
    """
    records = read_records(path, path.name, None)
    first = list(islice(records, limit))
    names = list(dict.fromkeys(str(key) for record in first for key in _keys(record.value)))
    layout = Layout(table=columns)
    return FilePreview(
        encoding=records.encoding,
        columns=names,
        chosen=columns.among(names),
        rows=[read_row(record.value, layout, file=path.name, row=record.row, split=None) for record in first],
    )


def _keys(value: Any) -> Sequence[str]:
    """List the columns of a table row; a conversation has none to choose from."""
    if not isinstance(value, Mapping) or isinstance(value.get("conversations", value.get("messages")), list):
        return []
    return list(value)
