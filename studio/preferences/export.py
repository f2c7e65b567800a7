"""Export a version of pairs in TRL's and LLaMA-Factory's forms. Pure: a version's files in, files out.

trl          prompt, chosen and rejected as messages: TRL's DPO, ORPO, reward and other preference trainers
unpaired     prompt, completion and label as messages: TRL's KTO
llamafactory ranking data in ShareGPT layout with dataset_info.json: its dpo and reward stages
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

from studio.datasets.files import file_hash

ExportForm = Literal["trl", "unpaired", "llamafactory"]
EXPORT_FORMS: tuple[ExportForm, ...] = get_args(ExportForm)
_Row = dict[str, Any]
_ROLES = {"human": "user", "gpt": "assistant", "system": "system"}


def export_pairs(files: Mapping[str, bytes], form: ExportForm) -> dict[str, bytes]:
    """Export a version in a form; its categories, its provenance and SHA256SUMS come along.

    Args:
        files: those of the version, by name.
        form: how the rows are written.
    """
    if form == "llamafactory":
        exported = {name: files[name] for name in ("pairs.json", "dataset_info.json")}
    else:
        rows = json.loads(files["pairs.json"])
        lines = [line for row in rows for line in _WRITERS[form](row)]
        exported = {
            "pairs.jsonl": "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines).encode()
        }
    exported["categories.toml"] = files["categories.toml"]
    exported["provenance.json"] = files["version.json"]
    sums = "".join(f"{file_hash(content)}  {name}\n" for name, content in sorted(exported.items()))
    return {**exported, "SHA256SUMS": sums.encode()}


def _paired(row: _Row) -> list[_Row]:
    return [
        {
            "prompt": _messages(row["conversations"]),
            "chosen": _messages([row["chosen"]]),
            "rejected": _messages([row["rejected"]]),
        }
    ]


def _unpaired(row: _Row) -> list[_Row]:
    prompt = _messages(row["conversations"])
    return [
        {"prompt": prompt, "completion": _messages([row[which]]), "label": which == "chosen"}
        for which in ("chosen", "rejected")
    ]


def _messages(turns: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{"role": _ROLES[turn["from"]], "content": turn["value"]} for turn in turns]


_WRITERS: Mapping[ExportForm, Callable[[_Row], list[_Row]]] = {"trl": _paired, "unpaired": _unpaired}
