"""Combine the train split of one dataset with the eval split of another.

A worker reads one dataset folder. The held-out rows of another version are therefore put
beside the training rows in a folder of their own, made once for each pair of contents:

    mixed/<key>/  train.json  eval.json  dataset_info.json
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import UnreadableFile
from studio.language import say
from studio.system.atomic import in_one_step
from studio.system.documents import READ_FAULTS, one_line, parse_json, read_whole
from studio.workspace import Workspace

TRAIN, EVAL = "train", "eval"
_LARGEST_DATA = 2**31


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """A folder with the training rows of one dataset and the held-out rows of another.

    `seen`: how many of the held-out questions are among the training rows.
    """

    folder: Path
    rows: int
    seen: int


def entries(folder: Path) -> list[str]:
    """List the entries of a folder's dataset_info.json; empty where it cannot be read."""
    try:
        return list(_info(folder))
    except UnreadableFile:
        return []


def with_eval_of(workspace: Workspace, training: Path, held_out: Path) -> Mixed:
    """Combine the training rows of one dataset folder with the held-out rows of another.

    Raises:
        UnreadableFile: a file or an entry of one of them is missing.
        DiskFull: nothing was written.
    """
    parts = {TRAIN: read_part(training, TRAIN), EVAL: read_part(held_out, EVAL)}
    digest = hashlib.sha256()
    for entry, content in parts.values():
        digest.update(json.dumps(entry, sort_keys=True).encode() + content)
    folder = workspace.home / "mixed" / digest.hexdigest()[:20]
    if not folder.is_dir():
        write_parts(folder, parts, training)
    known = set(_questions(parts[TRAIN][1]))
    asked = _questions(parts[EVAL][1])
    return Mixed(folder=folder, rows=len(asked), seen=sum(question in known for question in asked))


def write_parts(folder: Path, parts: dict[str, tuple[dict[str, Any], bytes]], training: Path) -> None:
    """Write entries with their content as a dataset folder, with the categories of another."""
    with in_one_step(folder) as draft:
        draft.mkdir(parents=True)
        info = {}
        for name, (entry, content) in parts.items():
            info[name] = entry | {"file_name": f"{name}.json"}
            (draft / f"{name}.json").write_bytes(content)
        (draft / "dataset_info.json").write_text(json.dumps(info, indent=2), encoding="utf-8")
        categories = training / "categories.toml"
        if categories.is_file():
            shutil.copy(categories, draft / categories.name)


def read_part(folder: Path, name: str) -> tuple[dict[str, Any], bytes]:
    """Read an entry of dataset_info.json and the bytes of its file, a JSON list.

    Raises:
        UnreadableFile: one of them is missing or something else.
    """
    info = _info(folder)
    if not isinstance(info.get(name), dict):
        raise _unreadable(folder, say(f"没有 {name} 这一项", f"it has no entry {name}"))
    try:
        file = (folder / str(info[name].get("file_name"))).resolve()
        if not file.is_relative_to(folder.resolve()):
            raise _unreadable(folder, say(f"{name} 的文件在文件夹之外", f"the file of {name} is outside"))
        content = read_whole(file, _LARGEST_DATA)
        if not isinstance(parse_json(content), list):
            raise ValueError(say("不是 JSON 列表", "no JSON list"))
    except READ_FAULTS as error:
        raise _unreadable(folder, f"{info[name].get('file_name')}: {one_line(error)}") from error
    return info[name], content


def _questions(content: bytes) -> list[str]:
    """Serialize the question of each row: all turns before the last, whatever the layout names them.

    The answers of a preference pair are beside its turns, all of which are then the question.
    """
    rows = json.loads(content)
    return [json.dumps(_without_answer(row), ensure_ascii=False, sort_keys=True) for row in rows]


def _without_answer(row: Any) -> Any:
    if isinstance(row, dict) and "rejected" in row:
        return next((value for value in row.values() if isinstance(value, list)), None)
    turns = (
        next((value for value in row.values() if isinstance(value, list)), None)
        if isinstance(row, dict)
        else None
    )
    return turns[:-1] if turns else row


def _info(folder: Path) -> dict[str, Any]:
    try:
        info = parse_json(read_whole(folder / "dataset_info.json").decode("utf-8-sig"))
    except READ_FAULTS as error:
        raise _unreadable(folder, one_line(error)) from error
    if not isinstance(info, dict):
        raise _unreadable(folder, say("dataset_info.json 不是一个对象", "dataset_info.json is no object"))
    return info


def _unreadable(folder: Path, why: str) -> UnreadableFile:
    return UnreadableFile(
        say(
            "数据集文件夹 {folder} 不能用：{why}。",
            "The dataset folder {folder} cannot be used: {why}.",
            folder=folder,
            why=why,
        ),
        remedy=say(
            "请用 news-studio check 检查，或换一个版本。",
            "Check it with news-studio check, or choose another version.",
        ),
    )
