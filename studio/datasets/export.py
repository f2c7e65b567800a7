"""Export a dataset version for other trainers: ShareGPT, Alpaca, OpenAI messages.

A version's files in, files out. The same version gives the same bytes in each form,
and what is exported, imported and frozen again exports to the same bytes.
"""

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from studio.datasets.files import SPLITS
from studio.errors import InputError
from studio.formats.layouts import DEFAULT_COLUMNS, OPENAI_TAGS
from studio.formats.sharegpt import canonical_blocks, json_bytes
from studio.language import say
from studio.system.atomic import guard_disk

ExportForm = Literal["sharegpt", "alpaca", "openai"]
EXPORT_FORMS: tuple[ExportForm, ...] = get_args(ExportForm)
CARD = "README.md"

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)
"""The first moment that a zip file can hold: the day of the export is no content."""


def export_files(files: Mapping[str, bytes], form: ExportForm, card: str) -> dict[str, bytes]:
    """Export a version: both splits, dataset_info.json, the categories and the dataset card, by name.

    Args:
        files: those of the version, in canonical ShareGPT.
        form: layout of the exported rows.
        card: the dataset card, in Markdown.
    """
    exported = {}
    for split in SPLITS:
        rows = json.loads(files[f"{split}.json"])
        exported[f"{split}.json"] = json_bytes([_WRITERS[form](row["conversations"]) for row in rows])
    exported["dataset_info.json"] = json_bytes(
        {split: {"file_name": f"{split}.json", **export_blocks(form)} for split in SPLITS}
    )
    exported["categories.toml"] = files["categories.toml"]
    exported[CARD] = card.encode()
    return exported


def export_blocks(form: ExportForm) -> dict[str, Any]:
    """Build the entry of a form in dataset_info.json: formatting, all columns and all tags.

    OpenAI messages are declared as ShareGPT with other tags: LLaMA-Factory's own
    formatting `openai` writes "detailed thinking off" into every system prompt.
    """
    match form:
        case "sharegpt":
            return canonical_blocks()
        case "alpaca":
            columns = {name: DEFAULT_COLUMNS[name] for name in ("prompt", "query", "response")}
            return {"formatting": "alpaca", "columns": columns}
        case "openai":
            return {
                "formatting": "sharegpt",
                "columns": {"messages": "messages"},
                "tags": dict(OPENAI_TAGS),
            }


def zip_files(files: Mapping[str, bytes], folder: str) -> bytes:
    """Zip the files into one folder, reproducibly: the same content gives the same bytes anywhere."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(f"{folder}/{name}", date_time=_ZIP_TIME)
            entry.create_system = 3  # Unix, also where this runs on another system
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return buffer.getvalue()


def write_new(out: Path, files: Mapping[str, bytes], folder: str) -> None:
    """Write files to a new folder, or to a new .zip file under a folder of that name.

    Raises:
        InputError: the path is there already: an export never overwrites anything.
        DiskFull: nothing was finished.
    """
    if out.exists():
        raise InputError(
            say(f"{out} 已经存在。", f"{out} is there already."),
            remedy=say("请给一个新的文件夹或 .zip 文件名。", "Name a new folder, or a new .zip file."),
        )
    with guard_disk(out.parent):
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.suffix == ".zip":
            out.write_bytes(zip_files(files, folder))
            return
        out.mkdir()
        for name, content in files.items():
            (out / name).write_bytes(content)


_Turns = list[dict[str, str]]


def _write_sharegpt(turns: _Turns) -> dict[str, Any]:
    return {"conversations": turns}


def _write_alpaca(turns: _Turns) -> dict[str, Any]:
    """Make the whole question the instruction: LLaMA-Factory would put a line break before an input."""
    question, answer = turns
    return {"instruction": question["value"], "input": "", "output": answer["value"]}


def _write_openai(turns: _Turns) -> dict[str, Any]:
    roles = {"human": OPENAI_TAGS["user_tag"], "gpt": OPENAI_TAGS["assistant_tag"]}
    return {"messages": [{"role": roles[turn["from"]], "content": turn["value"]} for turn in turns]}


_WRITERS: dict[ExportForm, Callable[[_Turns], dict[str, Any]]] = {
    "sharegpt": _write_sharegpt,
    "alpaca": _write_alpaca,
    "openai": _write_openai,
}
