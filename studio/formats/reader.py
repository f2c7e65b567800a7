"""Read a path into raw rows: one file, or a folder with dataset_info.json.

Every row is returned, also the faulty ones, with its problems; a file that cannot be
read at all is an error of its own. `check` shows both and reads a file once, `import`
stops at the second and reads everything before it adds a title. Nothing is repaired
here, and no category is known.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from studio.errors import UnreadableFile
from studio.formats._dataset_info_lint import (
    remark_on_mismatch,
    remarks_on_folder,
    remarks_on_missing_columns,
)
from studio.formats.columns import GUESSED, Columns
from studio.formats.conversations import RawRow, read_row
from studio.formats.dataset_info import INFO, files_of, layout_of, missing_file, read_info, resolve_inside
from studio.formats.layouts import Layout
from studio.formats.records import Record, Records, read_records
from studio.language import say
from studio.samples.problems import Problem, remark
from studio.samples.title_text import Split

EVAL_NAMES = ("eval", "test", "valid", "validation", "val", "dev")


@dataclass(frozen=True, kw_only=True)
class Source:
    """One file to read: `name` is its name in messages and rows, `entry` the entry that names it."""

    path: Path
    name: str
    split: Split | None
    layout: Layout
    entry: str = ""


@dataclass(frozen=True, kw_only=True)
class OpenFile:
    """A file with its stream of records."""

    source: Source
    records: Records

    def row(self, record: Record) -> RawRow:
        """Parse a record of the file."""
        return _row(self.source, record)


@dataclass(frozen=True, kw_only=True)
class Rows(Iterable[RawRow]):
    """Rows streamed anew from their files, one at a time, by each iteration.

    All of them were read once before, so the files are complete, and their number is known.
    """

    count: int
    files: Sequence[OpenFile]

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[RawRow]:
        """Stream the rows.

        Raises:
            UnreadableFile: a file was changed since it was first read.
        """
        return (file.row(record) for file in self.files for record in file.records)


@dataclass(frozen=True, kw_only=True)
class Reading:
    """The content of a path: rows, remarks on whole files, and the unreadable files by name."""

    rows: Rows
    remarks: Sequence[Problem]
    unreadable: Mapping[str, UnreadableFile]


def read_rows(path: Path, columns: Columns = GUESSED) -> Reading:
    """Read the rows of a file, or of every entry of a folder's dataset_info.json.

    Raises:
        UnreadableFile: a file is missing, empty, truncated, or of a wrong encoding or shape.
    """
    reading = read_available_rows(path, columns)
    for error in reading.unreadable.values():
        raise error
    return reading


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Files opened up to their first row, remarks on them, and the unreadable files by name."""

    files: Sequence[OpenFile]
    remarks: Sequence[Problem]
    unreadable: Mapping[str, UnreadableFile]


def read_available_rows(path: Path, columns: Columns = GUESSED) -> Reading:
    """Read rows as `read_rows` does, but list unreadable files instead of raising."""
    opened = open_files(path, columns)
    files: list[OpenFile] = []
    remarks, unreadable = list(opened.remarks), dict(opened.unreadable)
    count = 0
    for file in opened.files:
        lint = EntryLint(file.source)
        try:
            number = sum(1 for _ in lint.watch(file.records))
        except UnreadableFile as error:
            unreadable[file.source.name] = error
            continue
        count += number
        files.append(file)
        remarks += lint.remarks()
    return Reading(rows=Rows(count=count, files=files), remarks=remarks, unreadable=unreadable)


def open_files(path: Path, columns: Columns = GUESSED) -> Opened:
    """Open the files of a path, each read no further than its first row."""
    remarks: list[Problem] = []
    unreadable: dict[str, UnreadableFile] = {}
    files: list[OpenFile] = []
    try:
        sources = find_sources(path, columns)
    except UnreadableFile as error:
        name = INFO if path.is_dir() else path.name
        return Opened(files=[], remarks=[], unreadable={name: error})
    if path.is_dir():
        remarks += remarks_on_folder(path, read_info(path))
    for source in sources:
        try:
            records = read_records(source.path, source.name, source.layout.table)
        except UnreadableFile as error:
            is_missing = source.entry and not source.path.exists()
            unreadable[source.name] = missing_file(path, source.entry, source.name) if is_missing else error
            continue
        files.append(OpenFile(source=source, records=records))
        remarks += _remarks_on_file(source.name, records)
    return Opened(files=files, remarks=remarks, unreadable=unreadable)


class EntryLint:
    """Lints an entry of dataset_info.json against its rows while these are streamed for another purpose."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._missing: Sequence[str] = source.layout.expected
        self._mismatch: Problem | None = None

    def watch(self, records: Iterable[Record]) -> Iterator[Record]:
        """Pass the records through unchanged, and compare them with the entry."""
        layout, name = self._source.layout, self._source.name
        is_first = True
        for record in records:
            if isinstance(record.value, dict):
                if is_first:
                    self._mismatch = remark_on_mismatch(name, self._source.entry, layout, record.value)
                    is_first = False
                if self._missing:
                    self._missing = [column for column in self._missing if column not in record.value]
            yield record

    def remarks(self) -> list[Problem]:
        """Return the findings; complete once `watch` is exhausted."""
        mismatch = [self._mismatch] if self._mismatch else []
        return [*mismatch, *remarks_on_missing_columns(self._source.name, self._missing)]


def find_sources(path: Path, columns: Columns = GUESSED) -> list[Source]:
    """List the files of a path: itself, or the local entries of its dataset_info.json, each file once.

    Raises:
        UnreadableFile: a dataset_info.json that is missing or cannot be used.
    """
    if not path.is_dir():
        return [Source(path=path, name=path.name, split=split_of(path.stem), layout=Layout(table=columns))]
    sources: dict[Path, Source] = {}
    for name, entry in read_info(path).items():
        if entry.get("file_name") is not None:
            layout = layout_of(name, entry)
            for file_name in files_of(path, name, entry["file_name"]):
                file = resolve_inside(path, name, file_name)
                split = split_of(name) or split_of(file.stem)
                found = Source(path=file, name=file_name, split=split, layout=layout, entry=name)
                sources.setdefault(file, found)
    return list(sources.values())


def _row(source: Source, record: Record) -> RawRow:
    row = read_row(record.value, source.layout, file=source.name, row=record.row, split=source.split)
    # A plain list of titles has no split, whatever its file is called.
    if row.split is None or row.kind == "conversation" or row.answer is not None:
        return row
    return replace(row, split=None)


def split_of(name: str) -> Split | None:
    """Infer the split from any word of a file or entry name."""
    words = {word for word in name.lower().replace("-", "_").replace(".", "_").split("_")}
    if words & set(EVAL_NAMES):
        return "eval"
    return "train" if words & {"train", "training"} else None


def _remarks_on_file(name: str, found: Records) -> list[Problem]:
    remarks = []
    if found.encoding not in (None, "UTF-8"):
        message = say(
            f"文件编码是 {found.encoding}，已按此读取；许多训练工具只认不带 BOM 的 UTF-8。",
            f"The file was read as {found.encoding}; many training tools accept only UTF-8 without BOM.",
        )
        remarks.append(remark(name, "encoding", "warning", message, found=found.encoding))
    if found.other_sheets:
        sheets = ", ".join(found.other_sheets)
        message = say(
            f"只读了第一张工作表，没有读：{sheets}。", f"Only the first sheet was read, not: {sheets}."
        )
        remarks.append(remark(name, "other_sheets", "warning", message, found=sheets))
    return remarks
