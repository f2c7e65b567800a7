"""Keep plain texts for continued pre-training in the one form that a worker reads.

    texts/<name>/  train.jsonl (one text a line)  dataset_info.json  texts.json

A text is a line of a txt or md file, or the text column of a row of json or jsonl; any of
them may be gzipped. This module knows no title and no token.
"""

import gzip
import hashlib
import io
import json
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from studio.errors import InputError, UnreadableFile
from studio.formats.encodings import decode
from studio.formats.json_stream import parse_json
from studio.language import say
from studio.system.atomic import guard_disk
from studio.team.rights import require_right
from studio.workspace import Workspace

SUFFIXES = (".txt", ".md", ".jsonl", ".json")
COLUMNS = ("text", "content", "正文")
"""Columns that hold the text, the first that a row has."""
LARGEST = 2 << 30
"""Bytes of unpacked text; a set is checked in memory, file by file."""
ENTRY = "train"
_NAME = re.compile(r"[\w-][\w.-]{0,59}")


@dataclass(frozen=True, kw_only=True)
class TextSet:
    """Texts that can be trained on with `stage: pt`."""

    name: str
    folder: Path
    texts: int
    characters: int
    sha256: str


_card: TypeAdapter[dict[str, Any]] = TypeAdapter(dict[str, Any])


def list_texts(workspace: Workspace) -> list[TextSet]:
    """Every set of texts, by name; what is no set, or damaged, is left out."""
    found = []
    for file in sorted(texts_folder(workspace).glob("*/texts.json")):
        try:
            card = _card.validate_json(file.read_bytes())
            found.append(TextSet(folder=file.parent, name=file.parent.name, **card))
        except (OSError, ValidationError, TypeError):
            continue
    return found


def texts_folder(workspace: Workspace) -> Path:
    """Where sets of texts are."""
    return workspace.home / "texts"


def add_texts(workspace: Workspace, name: str, sources: Iterable[Path]) -> TextSet:
    """Keep the texts of these files and folders as one set.

    The same texts under the same name are found again; other texts under a name that is
    taken are refused, since runs refer to it.

    Raises:
        InputError: no such file, no text in them, or the name is none or is taken.
        UnreadableFile: a file is damaged, or a row has no text.
        DiskFull: nothing was kept.
    """
    require_right("run_jobs")
    files = [file for source in sources for file in text_files(source)]
    return _keep(workspace, name, (text for file in files for text in read_texts(file)))


def add_pasted(workspace: Workspace, name: str, pasted: str) -> TextSet:
    """Keep pasted lines as a set; as `add_texts`."""
    require_right("run_jobs")
    return _keep(workspace, name, _lines(pasted))


def text_files(source: Path) -> list[Path]:
    """List the file itself, or every text file below a folder, in the order of their names.

    Raises:
        InputError: there is none.
    """
    if source.is_file() and _suffix(source) in SUFFIXES:
        return [source]
    found = sorted(
        file
        for file in (source.rglob("*") if source.is_dir() else ())
        if file.is_file() and _suffix(file) in SUFFIXES and file.name != "dataset_info.json"
    )
    if not found:
        raise InputError(
            say(f"{source} 里没有文本文件。", f"There is no text file in {source}."),
            remedy=say(
                "请给出 txt、md、json 或 jsonl 文件（可以是 .gz），或放着它们的文件夹。",
                "Give txt, md, json or jsonl files (also .gz), or a folder with such files.",
            ),
        )
    return found


def read_texts(file: Path) -> Iterator[str]:
    """Read the texts of one file, empty ones left out.

    Raises:
        UnreadableFile: damaged, too large, or a row has no text.
    """
    content = decode(_bytes(file), file.name)
    if _suffix(file) in (".txt", ".md"):
        yield from _lines(content)
        return
    if _suffix(file) == ".jsonl":
        lines = enumerate(content.split("\n"), start=1)
        rows = [parse_json(line, file.name, line=number) for number, line in lines if line.strip()]
    else:
        whole = parse_json(content, file.name)
        rows = whole if isinstance(whole, list) else [whole]
    for number, row in enumerate(rows, start=1):
        text = _text_of(row)
        if text is None:
            raise _no_text(file.name, number)
        if text.strip():
            yield text.strip()


def _keep(workspace: Workspace, name: str, texts: Iterable[str]) -> TextSet:
    if not _NAME.fullmatch(name):
        raise InputError(
            say(f"“{name}”不能作名字。", f"“{name}” cannot be a name."),
            remedy=say("请用字母、汉字、数字、点、横线。", "Use letters, digits, dots and dashes."),
        )
    parent = texts_folder(workspace)
    with guard_disk(parent):
        parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".new-", dir=parent))
        try:
            made = _write(draft, name, texts)
            taken = next((kept for kept in list_texts(workspace) if kept.name == name), None)
            if taken and taken.sha256 == made.sha256:
                return taken
            if taken:
                raise InputError(
                    say(f"已经有另一份文本叫“{name}”。", f"There are other texts named “{name}”."),
                    remedy=say("请换一个名字。", "Choose another name."),
                )
            draft.chmod(0o755)  # mkdtemp makes it private
            draft.rename(parent / name)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
    return replace(made, folder=parent / name)


def _write(draft: Path, name: str, texts: Iterable[str]) -> TextSet:
    count, characters, digest = 0, 0, hashlib.sha256()
    with (draft / "train.jsonl").open("w", encoding="utf-8") as file:
        for text in texts:
            line = json.dumps({"text": text}, ensure_ascii=False) + "\n"
            file.write(line)
            digest.update(line.encode())
            count, characters = count + 1, characters + len(text)
    if not count:
        raise InputError(
            say("里面没有一行文字。", "It contains no line of text."),
            remedy=say("请检查文件内容。", "Check the content of the file."),
        )
    info = {ENTRY: {"file_name": "train.jsonl", "columns": {"prompt": "text"}}}
    (draft / "dataset_info.json").write_text(json.dumps(info, indent=2), encoding="utf-8")
    made = TextSet(name=name, folder=draft, texts=count, characters=characters, sha256=digest.hexdigest())
    card = {key: value for key, value in asdict(made).items() if key not in ("name", "folder")}
    (draft / "texts.json").write_text(json.dumps(card, indent=2), encoding="utf-8")
    return made


def _lines(content: str) -> Iterator[str]:
    return (line.strip() for line in io.StringIO(content) if line.strip())


def _text_of(row: Any) -> str | None:
    if isinstance(row, str):
        return row
    found = [row[name] for name in COLUMNS if isinstance(row.get(name), str)] if isinstance(row, dict) else []
    return found[0] if found else None


def _suffix(file: Path) -> str:
    return Path(file.name.removesuffix(".gz")).suffix.lower()


def _bytes(file: Path) -> bytes:
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            content: bytes = stream.read(LARGEST + 1)
    except (OSError, EOFError) as error:
        raise UnreadableFile(
            say(f"无法读取 {file.name}：{error}", f"Cannot read {file.name}: {error}"),
            remedy=say("请检查文件是否完整。", "Check that the file is complete."),
        ) from error
    if len(content) > LARGEST:
        raise UnreadableFile(
            say(f"{file.name} 超过 2 GiB。", f"{file.name} is larger than 2 GiB."),
            remedy=say("请拆成几个文件，放进一个文件夹。", "Split it into files in one folder."),
        )
    return content


def _no_text(name: str, number: int) -> UnreadableFile:
    columns = "、".join(COLUMNS)
    return UnreadableFile(
        say(f"{name} 第 {number} 行没有文本列。", f"{name}, row {number}: no column with text."),
        remedy=say(f"文本列应叫 {columns} 之一。", f"Name the column of the text one of {columns}."),
    )
