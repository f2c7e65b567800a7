"""A checked copy: ShareGPT with every safe repair made and everything else as it was.

Safe is what needs no judgement: the canonical form of question and think block, a
category in quotation marks, UTF-8, a complete dataset_info.json. Rows that only a
person can mend stay as they are, and `check` names them again in the copy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from studio.categories import Scheme
from studio.conversations import DEFAULT_COLUMNS
from studio.disk import in_one_step
from studio.entries import INFO, read_info
from studio.errors import InputError
from studio.judging import Judged, judge_rows
from studio.language import say
from studio.reading import read_rows
from studio.sample import proposed_category, write_answer, write_question
from studio.sharegpt import canonical_blocks, conversation, json_bytes


@dataclass(frozen=True, kw_only=True)
class Repaired:
    """The copy at `out`: how many rows it has, and how many of them changed."""

    out: Path
    rows: int
    changed: int


def write_repaired(path: Path, out: Path, scheme: Scheme) -> Repaired:
    """Write a repaired copy of a conversation file or folder to a new place.

    Raises:
        InputError: `out` exists or has no .json name, or the rows are no conversations.
        UnreadableFile: the input cannot be read.
        DiskFull: nothing was written.
    """
    _require_new(path, out)
    judged = judge_rows(read_rows(path).rows, scheme)
    if not all(item.row.kind == "conversation" for item in judged):
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
    samples = [_repair(item, scheme) for item in judged]
    with in_one_step(out) as draft:
        if path.is_dir():
            for name, content in _folder_files(path, judged, samples).items():
                (draft / name).parent.mkdir(parents=True, exist_ok=True)
                (draft / name).write_bytes(content)
        else:
            draft.write_bytes(json_bytes(samples))
    changed = sum(sample != item.row.record for sample, item in zip(samples, judged, strict=True))
    return Repaired(out=out, rows=len(samples), changed=changed)


def _require_new(path: Path, out: Path) -> None:
    if out.exists():
        raise InputError(
            say(f"{out} 已经存在，不会覆盖。", f"{out} exists and is not overwritten."),
            remedy=say("请给一个新的名字。", "Give a new name."),
        )
    if not path.is_dir() and out.suffix != ".json":
        raise InputError(
            say(
                f"修复结果是 JSON，{out.name} 的扩展名不是 .json。",
                f"The repaired copy is JSON, but {out.name} is not .json.",
            ),
            remedy=say("请用 .json 作扩展名。", "Name it with .json."),
        )


def _repair(item: Judged, scheme: Scheme) -> Any:
    """The row as it goes into the copy: mended, in canonical turns, or as it was."""
    row, answer = item.row, item.answer
    if row.problems or not item.title or answer is None or row.answer is None:
        return row.record
    category = item.category or proposed_category(answer.label, scheme.names)
    if category is None or (answer.chain is None and answer.form != "none"):
        text = row.answer
    else:
        text = category if answer.chain is None else write_answer(answer.chain, category)
    turns = conversation(write_question(scheme.prompt, item.title), text, row.system)
    return {**row.extra, DEFAULT_COLUMNS["messages"]: turns}


def _folder_files(path: Path, judged: Sequence[Judged], samples: Sequence[Any]) -> dict[str, bytes]:
    """The files of the copy: every one JSON, and a dataset_info.json that leaves nothing to defaults."""
    by_file: dict[str, list[Any]] = {}
    for item, sample in zip(judged, samples, strict=True):
        by_file.setdefault(item.row.file, []).append(sample)
    new_name = {name: f"{name.rpartition('.')[0]}.json" for name in by_file}
    entries = {
        name: {
            **entry,
            "file_name": new_name.get(entry["file_name"], entry["file_name"]),
            **canonical_blocks(),
        }
        for name, entry in read_info(path).items()
        if any(PurePosixPath(file).is_relative_to(str(entry.get("file_name"))) for file in new_name)
    }
    files = {new_name[name]: json_bytes(rows) for name, rows in by_file.items()}
    return {**files, INFO: json_bytes(entries)}
