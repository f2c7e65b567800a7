"""Freeze pairs into a version beside the datasets; it never changes.

The rows are LLaMA-Factory's ranking data, which the training of this studio reads as well. Where each
pair came from is in version.json, row by row.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from studio.datasets.files import file_hash, write_scheme
from studio.datasets.freeze_checks import require_arguments
from studio.datasets.pair_versions import (
    KIND,
    PAIR_FILES,
    VERSION,
    PairVersion,
    find_pair_version,
    pair_hash,
)
from studio.errors import InputError, NothingToFreeze
from studio.formats.layouts import DEFAULT_COLUMNS, DEFAULT_TAGS
from studio.formats.sharegpt import canonical_blocks, conversation, json_bytes
from studio.language import say
from studio.preferences.pairs import PreferencePair
from studio.preferences.selection import Selection
from studio.samples.canonical import write_question
from studio.samples.scheme import Scheme
from studio.store import Store
from studio.system.atomic import in_one_step
from studio.team.rights import require_right
from studio.workspace import Workspace

ENTRY = "train"
"""Entry of dataset_info.json that the pairs are; trainings read it unless they are told another."""


def freeze_pairs(
    db: Store, workspace: Workspace, name: str, selection: Selection, *, author: str, scheme: Scheme
) -> PairVersion:
    """Freeze the selected pairs as the next version of `name`.

    Raises:
        NotAllowed: the author's role does not cover it.
        NothingToFreeze: there are no pairs.
        InputError: the name is no folder name, or that of a dataset of titles.
        DiskFull: nothing was written.
    """
    require_right("freeze", db, author)
    require_arguments(name, None)
    _require_own_name(db, name)
    if not selection.pairs:
        raise NothingToFreeze(
            say("没有偏好对可冻结。", "There are no preference pairs to freeze."),
            remedy=say(
                "复核争议、改草稿、报错都会产生偏好对；被评估的标题不收。",
                "Settling disputes, editing drafts and reporting wrong answers makes pairs; titles that are"
                " evaluated are left out.",
            ),
        )
    files = pair_files(selection, scheme)
    parent = workspace.datasets / name
    number = _next_number(parent)
    created_at = datetime.now(UTC).isoformat(timespec="milliseconds")
    known = {
        "format_version": 1,
        "kind": KIND,
        "name": name,
        "number": number,
        "sha256": pair_hash(files),
        "files": {file: file_hash(content) for file, content in files.items()},
        "created_at": created_at,
        "author": author,
        "counts": selection.to_json(),
        "rows": [pair.to_json() for pair in selection.pairs],
    }
    _write(parent / f"v{number}", files | {VERSION: json_bytes(known)})
    version = find_pair_version(workspace, f"{name}@{number}")
    assert version is not None, known["sha256"]
    return version


def pair_files(selection: Selection, scheme: Scheme) -> dict[str, bytes]:
    """Serialize the files of PAIR_FILES, by name: the same pairs and scheme give the same bytes."""
    files = {
        "pairs.json": json_bytes([ranking_row(pair, scheme) for pair in selection.pairs]),
        "dataset_info.json": json_bytes({ENTRY: {"file_name": "pairs.json", **ranking_blocks()}}),
        "categories.toml": write_scheme(scheme).encode(),
    }
    assert tuple(files) == PAIR_FILES
    return files


def ranking_row(pair: PreferencePair, scheme: Scheme) -> dict[str, Any]:
    """Write a pair as a row of LLaMA-Factory's ranking data in ShareGPT layout."""
    asked, chosen = conversation(write_question(scheme.prompt, pair.title), pair.answer("chosen"))
    return {
        DEFAULT_COLUMNS["messages"]: [asked],
        "chosen": chosen,
        "rejected": {**chosen, DEFAULT_TAGS["content_tag"]: pair.answer("rejected")},
    }


def ranking_blocks() -> dict[str, Any]:
    """Build the blocks of dataset_info.json that declare ranking data; nothing is left to defaults."""
    blocks = canonical_blocks()
    columns = {**blocks["columns"], "chosen": "chosen", "rejected": "rejected"}
    return {"ranking": True, **blocks, "columns": columns}


def _require_own_name(db: Store, name: str) -> None:
    if db.execute("select 1 from versions where name = ?", [name]).fetchone():
        raise InputError(
            say(f"“{name}”已经是标题数据集的名字。", f"“{name}” is a dataset of titles already."),
            remedy=say(f"请换一个名字，例如 {name}-pairs。", f"Choose another name, such as {name}-pairs."),
        )


def _next_number(parent: Path) -> int:
    taken = [int(folder.name[1:]) for folder in parent.glob("v*") if folder.name[1:].isdecimal()]
    return max(taken, default=0) + 1


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    with in_one_step(folder) as draft:
        draft.mkdir()
        for name, content in files.items():
            (draft / name).write_bytes(content)
