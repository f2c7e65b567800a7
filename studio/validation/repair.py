"""Write a repaired copy: every safe repair made, everything else as it was.

A repair is safe if it needs no judgement: the canonical form of question and think block,
a category in quotation marks, UTF-8, a complete dataset_info.json. Rows that only a
person can repair stay as they are, unless somebody has edited them, and `check` reports
them again in the copy. A log beside the copy has each changed row before and after.
Rows are streamed one at a time.
"""

import json
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from studio.errors import InputError
from studio.formats.choices import UNDECIDED, FileChoices
from studio.formats.dataset_info import INFO, layout_of, read_info
from studio.formats.layouts import DEFAULT_COLUMNS, DEFAULT_TAGS
from studio.formats.reader import read_rows
from studio.formats.sharegpt import (
    canonical_blocks,
    conversation,
    conversation_of_turns,
    is_canonical,
    json_bytes,
)
from studio.language import say
from studio.samples.canonical import proposed_category, write_answer, write_question
from studio.samples.scheme import Scheme
from studio.system.atomic import in_one_step
from studio.validation.codes import CODES
from studio.validation.rows import Judged, judge_each

CHANGES = "repairs.jsonl"


@dataclass(frozen=True, kw_only=True)
class Repaired:
    """The copy at `out`: its number of rows, how many of them changed, and the log of these changes."""

    out: Path
    rows: int
    changed: int
    changes: Path

    def to_json(self) -> dict[str, Any]:
        """Build the entry `repaired` of `news-studio check --fix --json`."""
        return {
            "out": str(self.out),
            "rows": self.rows,
            "changed": self.changed,
            "changes": str(self.changes),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """A row as somebody edited it by hand."""

    question: str
    answer: str


Edits = Mapping[tuple[str, int], Edit | None]
"""Edits by file and row; None: the row is left out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowRepair:
    """A row that differs in the copy: `after` is None where it was left out.

    `codes` are the problems that the repair fixes, as far as it was no edit.
    """

    file: str
    row: int
    codes: tuple[str, ...]
    before: Any
    after: Any

    def to_json(self) -> dict[str, Any]:
        """Build a line of repairs.jsonl."""
        return {
            "file": self.file,
            "row": self.row,
            "codes": list(self.codes),
            "before": self.before,
            "after": self.after,
        }


def write_repaired(
    path: Path,
    out: Path,
    scheme: Scheme,
    edits: Edits | None = None,
    choices: FileChoices = UNDECIDED,
) -> Repaired:
    """Write a repaired copy of a conversation file or folder to a new path.

    Changes are logged in `repairs.jsonl`: inside the folder, or beside a file under its name.

    Raises:
        InputError: `out` exists or has no .json suffix, or the rows are no conversations.
        UnreadableFile: the input cannot be read.
        DiskFull: nothing was written.
    """
    changes = out / CHANGES if path.is_dir() else out.with_name(f"{out.stem}.{CHANGES}")
    _require_new(path, out, changes)
    rows = changed = 0
    with ExitStack() as drafts:
        draft = drafts.enter_context(in_one_step(out))
        if path.is_dir():
            draft.mkdir()
        log = draft / CHANGES if path.is_dir() else drafts.enter_context(in_one_step(changes))
        writer = _FolderWriter(draft) if path.is_dir() else _FileWriter(draft)
        with log.open("w", encoding="utf-8") as lines:
            for item, sample, change in _repaired(path, scheme, edits or {}, choices):
                if change is not None:
                    changed += 1
                    lines.write(json.dumps(change.to_json(), ensure_ascii=False) + "\n")
                if change is None or change.after is not None:
                    rows += 1
                    writer.write(item.row.file, sample)
        writer.close()
        if isinstance(writer, _FolderWriter):
            (draft / INFO).write_bytes(json_bytes(_entries(path, writer.names)))
    return Repaired(out=out, rows=rows, changed=changed, changes=changes)


def _require_new(path: Path, out: Path, changes: Path) -> None:
    for target in (out, changes):
        if target.exists():
            raise InputError(
                say(f"{target} 已经存在，不会覆盖。", f"{target} exists and is not overwritten."),
                remedy=say("请给一个新的名字。", "Give a new name."),
            )
    if path.is_dir() and out.resolve().is_relative_to(path.resolve()):
        raise InputError(
            say(f"{out} 在要检查的文件夹里面。", f"{out} is inside the folder that is checked."),
            remedy=say("请给一个别处的位置。", "Give a path outside of it."),
        )
    if not path.is_dir() and out.suffix != ".json":
        raise InputError(
            say(
                f"修复结果是 JSON，{out.name} 的扩展名不是 .json。",
                f"The repaired copy is JSON, but {out.name} is not .json.",
            ),
            remedy=say("请用 .json 作扩展名。", "Name it with .json."),
        )


def _repaired(
    path: Path, scheme: Scheme, edits: Edits, choices: FileChoices
) -> Iterator[tuple[Judged, Any, RowRepair | None]]:
    """Stream every validated row with its sample for the copy, and the change if that differs."""
    for item in judge_each(read_rows(path, choices, scheme).rows, scheme):
        row = item.row
        if row.kind != "conversation":
            raise InputError(
                say(
                    f"{path.name} 不是对话数据，没有可修的格式。",
                    f"{path.name} holds no conversations to repair.",
                ),
                remedy=say(
                    "请用 news-studio import 导入标题，再用 freeze 生成数据集。",
                    "Import the titles with news-studio import, then freeze a dataset.",
                ),
            )
        key = (row.file, row.row)
        sample = _edited(item, edits[key]) if key in edits else _repair(item, scheme)
        change = None
        if sample != row.record:
            codes = [problem.code for problem in item.problems if _is_repaired(problem.code, problem.repair)]
            change = RowRepair(
                file=row.file, row=row.row, codes=tuple(codes), before=row.record, after=sample
            )
        yield item, sample, change


def _is_repaired(code: str, repair: str | None) -> bool:
    return repair is not None or (code in CODES and CODES[code].mending == "safe")


def _edited(item: Judged, edit: Edit | None) -> Any:
    if edit is None:
        return None
    turns = conversation(edit.question, edit.answer, item.row.system)
    return {**item.row.extra, DEFAULT_COLUMNS["messages"]: turns}


def _repair(item: Judged, scheme: Scheme) -> Any:
    """Build the sample for the copy: with safe repairs in canonical turns, or the record as it was.

    A row in ShareGPT layout that needs no repair is not touched, whatever else stands in it; one of
    another layout is written as ShareGPT, with all of its turns.
    """
    row, answer = item.row, item.answer
    if row.problems and any(problem.severity == "error" for problem in row.problems):
        return row.record
    if not item.title or answer is None or row.answer is None or row.question is None:
        return row.record
    needs_repair = any(_is_repaired(problem.code, problem.repair) for problem in item.problems)
    if not needs_repair and is_canonical(row.record):
        return row.record
    question, text = write_question(scheme.prompt, item.title), _repaired_answer(item, scheme)
    if is_canonical(row.record):
        return _with_texts(row.record, question, text)
    turns, is_asked, is_answered = [], False, False
    for role, said in row.turns:
        if role == "user" and not is_asked:
            said, is_asked = question, True
        elif role == "assistant" and not is_answered:
            said, is_answered = text, True
        turns.append((role, said))
    if not is_asked or not is_answered:
        return row.record
    return {**row.extra, DEFAULT_COLUMNS["messages"]: conversation_of_turns(turns)}


def _with_texts(record: Mapping[str, Any], question: str, answer: str) -> dict[str, Any]:
    """Replace the first question and the first answer of a sample; all else stays."""
    texts = {DEFAULT_TAGS["user_tag"]: question, DEFAULT_TAGS["assistant_tag"]: answer}
    turns = []
    for turn in record[DEFAULT_COLUMNS["messages"]]:
        text = texts.pop(turn["from"], None)
        turns.append(turn if text is None else {**turn, "value": text})
    return {**record, DEFAULT_COLUMNS["messages"]: turns}


def _repaired_answer(item: Judged, scheme: Scheme) -> str:
    answer, given = item.answer, item.row.answer
    assert answer is not None and given is not None, "the caller has looked"
    category = item.category or proposed_category(answer.label, scheme.names)
    if category is None or (answer.chain is None and answer.form != "none"):
        return given
    return category if answer.chain is None else write_answer(answer.chain, category)


class _FileWriter:
    """Writes one JSON list, element by element, as `json_bytes` would."""

    def __init__(self, path: Path) -> None:
        self._file: IO[str] = path.open("w", encoding="utf-8", newline="\n")
        self._mark = "[\n"

    def write(self, name: str, sample: Any) -> None:
        """Append an element; `name` is the file that it comes from."""
        text = json.dumps(sample, ensure_ascii=False, indent=2)
        self._file.write(self._mark + textwrap.indent(text, "  "))
        self._mark = ",\n"

    def close(self) -> None:
        """Close the list and the file."""
        self._file.write("[]\n" if self._mark == "[\n" else "\n]\n")
        self._file.close()


class _FolderWriter:
    """Writes a JSON file for each file of a folder; `names` maps old names to new ones."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: _FileWriter | None = None
        self._current = ""
        self.names: dict[str, str] = {}

    def write(self, name: str, sample: Any) -> None:
        """Append an element to the file that has `name` in the input; files come one after the other."""
        if name != self._current:
            self.close()
            self._current, self.names[name] = name, self._free_name(name)
            path = self._folder / self.names[name]
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open = _FileWriter(path)
        assert self._open is not None
        self._open.write(name, sample)

    def _free_name(self, name: str) -> str:
        """Choose an unused name in .json; a.csv beside a.json becomes a.csv.json."""
        new = f"{name.rpartition('.')[0]}.json"
        taken = new in self.names.values() or (new != name and (self._folder / new).exists())
        return f"{name}.json" if taken else new

    def close(self) -> None:
        """Close the file that is open."""
        if self._open is not None:
            self._open.close()
        self._open = None


def _entries(path: Path, names: Mapping[str, str]) -> dict[str, Any]:
    """Complete the entries that have files in the copy: nothing is left to defaults."""
    return {
        name: {
            **entry,
            "file_name": names.get(entry["file_name"], entry["file_name"]),
            **_blocks(name, entry),
        }
        for name, entry in read_info(path).items()
        if any(PurePosixPath(file).is_relative_to(str(entry.get("file_name"))) for file in names)
    }


def _blocks(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the copy of a file; samples that were in this layout before keep their system column."""
    blocks, layout = canonical_blocks(), layout_of(name, entry)
    was_canonical = (
        layout.form == "sharegpt"
        and layout.messages == DEFAULT_COLUMNS["messages"]
        and all(layout.tag(tag) == default for tag, default in DEFAULT_TAGS.items())
    )
    if was_canonical and (system := layout.column("system")):
        blocks["columns"] = {**blocks["columns"], "system": system}
    return blocks
