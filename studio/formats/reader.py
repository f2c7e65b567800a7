"""Read a path into raw rows: one file, or a folder with dataset_info.json.

Every row is returned, also the faulty ones, with its problems; a file that cannot be
read at all is an error of its own. `check` shows both and reads a file once, `import`
stops at the second and reads everything before it adds a title. Nothing is repaired
here, and no category is known.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from studio.errors import UnreadableFile
from studio.formats._dataset_info_lint import (
    remark_on_mismatch,
    remarks_on_folder,
    remarks_on_missing_columns,
)
from studio.formats.choices import UNDECIDED, FileChoices
from studio.formats.conversations import RawRow, read_row
from studio.formats.dataset_info import INFO, files_of, layout_of, missing_file, read_info, resolve_inside
from studio.formats.layouts import Layout
from studio.formats.recognition import SAMPLED, recognise
from studio.formats.records import SUFFIXES, Record, Records, read_records
from studio.formats.saved_datasets import SPLITS, STATE, hub_files, saved_files
from studio.formats.split_names import split_of
from studio.language import say
from studio.samples.label_matching import Vocabulary
from studio.samples.problems import Problem
from studio.samples.scheme import Scheme, load_scheme
from studio.samples.title_text import Split


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
    """The content of a path: rows, remarks on whole files, and the unreadable files by name.

    `read_as` says how the files were read, where that was not plain.
    """

    rows: Rows
    remarks: Sequence[Problem]
    unreadable: Mapping[str, UnreadableFile]
    read_as: Sequence[str] = ()


def read_rows(path: Path, choices: FileChoices = UNDECIDED, scheme: Scheme | None = None) -> Reading:
    """Read the rows of a file, or of every entry of a folder's dataset_info.json.

    Args:
        choices: what a person said about the file.
        scheme: whose categories tell a label from a title; None: the bundled one's.

    Raises:
        UnreadableFile: a file is missing, empty, truncated, or of a wrong encoding or shape.
        UnclearFile: a file can be read in several ways.
    """
    reading = read_available_rows(path, choices, scheme)
    for error in reading.unreadable.values():
        raise error
    return reading


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Files opened up to their first rows, remarks on them, and the unreadable files by name."""

    files: Sequence[OpenFile]
    remarks: Sequence[Problem]
    unreadable: Mapping[str, UnreadableFile]
    read_as: Sequence[str] = ()


def read_available_rows(
    path: Path, choices: FileChoices = UNDECIDED, scheme: Scheme | None = None
) -> Reading:
    """Read rows as `read_rows` does, but list unreadable files instead of raising."""
    opened = open_files(path, choices, scheme)
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
    return Reading(
        rows=Rows(count=count, files=files), remarks=remarks, unreadable=unreadable, read_as=opened.read_as
    )


def read_entry(folder: Path, name: str, scheme: Scheme | None = None) -> Reading:
    """Read the rows of one entry of a folder's dataset_info.json, as `read_rows` reads them all.

    Raises:
        UnreadableFile: there is no such entry, or a file of it cannot be read.
    """
    info = read_info(folder)
    if name not in info:
        known = "、".join(info)
        raise UnreadableFile(
            say(
                f"{INFO} 里没有名为 {name} 的数据集（有：{known}）。",
                f"{INFO} has no dataset named {name} (it has: {known}).",
            ),
            remedy=say("请写其中一个名称。", "Name one of them."),
        )
    sources = _sources_of(folder, name, info[name])
    opened = _open(folder, sources, UNDECIDED, scheme)
    for error in opened.unreadable.values():
        raise error
    count = sum(1 for file in opened.files for _ in file.records)
    return Reading(rows=Rows(count=count, files=opened.files), remarks=opened.remarks, unreadable={})


def open_files(path: Path, choices: FileChoices = UNDECIDED, scheme: Scheme | None = None) -> Opened:
    """Open the files of a path, each read no further than the rows by which it is recognised."""
    try:
        sources = find_sources(path)
    except UnreadableFile as error:
        name = INFO if path.is_dir() else path.name
        return Opened(files=[], remarks=[], unreadable={name: error})
    opened = _open(path, sources, choices, scheme)
    if not path.is_dir() or not _has_entries(path):
        return opened
    return replace(opened, remarks=[*remarks_on_folder(path, read_info(path)), *opened.remarks])


def _open(path: Path, sources: Sequence[Source], choices: FileChoices, scheme: Scheme | None) -> Opened:
    """Open files, each read no further than the rows by which it is recognised."""
    vocabulary = Vocabulary(scheme or load_scheme())
    remarks: list[Problem] = []
    unreadable: dict[str, UnreadableFile] = {}
    files: list[OpenFile] = []
    read_as: list[str] = []
    for source in sources:
        try:
            records = read_records(source.path, source.name, choices, vocabulary)
            sample = [record.value for record in islice(records, SAMPLED)]
            found = recognise(sample, source.layout, records, choices, vocabulary, source.name)
        except UnreadableFile as error:
            is_missing = source.entry and not source.path.exists()
            unreadable[source.name] = missing_file(path, source.entry, source.name) if is_missing else error
            continue
        files.append(OpenFile(source=replace(source, layout=found.layout), records=records))
        remarks += found.remarks
        read_as += found.read_as
    return Opened(files=files, remarks=remarks, unreadable=unreadable, read_as=read_as)


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


def find_sources(path: Path) -> list[Source]:
    """List the files of a path: itself, or the local entries of its dataset_info.json, each file once.

    Raises:
        UnreadableFile: a dataset_info.json that is missing or cannot be used.
    """
    if not path.is_dir():
        return [Source(path=path, name=path.name, split=split_of(path.stem), layout=Layout())]
    if not _has_entries(path):
        files = saved_files(path) or hub_files(path, SUFFIXES)
        if files:
            return [
                Source(
                    path=file.path, name=file.name, split=split_of(file.split or file.name), layout=Layout()
                )
                for file in files
            ]
    sources: dict[Path, Source] = {}
    for name, entry in read_info(path).items():
        for found in _sources_of(path, name, entry):
            sources.setdefault(found.path, found)
    return list(sources.values())


def _has_entries(folder: Path) -> bool:
    """Return whether a folder has LLaMA-Factory's dataset_info.json; `datasets` saves one of its own."""
    return (folder / INFO).is_file() and not any((folder / name).is_file() for name in (STATE, SPLITS))


def _sources_of(path: Path, name: str, entry: Mapping[str, Any]) -> list[Source]:
    """List the files of an entry; none where it is only on a hub."""
    if entry.get("file_name") is None:
        return []
    layout = layout_of(name, entry)
    sources = []
    for file_name in files_of(path, name, entry["file_name"]):
        file = resolve_inside(path, name, file_name)
        split = split_of(name) or split_of(file.stem)
        sources.append(Source(path=file, name=file_name, split=split, layout=layout, entry=name))
    return sources


def _row(source: Source, record: Record) -> RawRow:
    row = read_row(record.value, source.layout, file=source.name, row=record.row, split=source.split)
    # A plain list of titles has no split, whatever its file is called.
    if row.split is None or row.kind == "conversation" or row.answer is not None:
        return row
    return replace(row, split=None)
