"""Rebuild a lost database from the frozen versions: titles, what counted about them, and the versions.

What only the database knew is lost: titles that were never frozen, who annotated what, reviews, people and
their roles. Run folders need no rebuilding, since each is read as it is.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from studio import runs
from studio.corpus.near_duplicates import group_new, sign
from studio.datasets.pair_versions import is_pair_version
from studio.datasets.versions import Version
from studio.errors import InputError, StudioError, UnreadableFile
from studio.language import say
from studio.messages import message, stored
from studio.samples.canonical import read_answer, read_question
from studio.samples.scheme import load_scheme
from studio.samples.title_text import title_key
from studio.store import Store, open_store, writing
from studio.system.login import login_name
from studio.workspace import Workspace

IMPORTED = "import"
"""Author of what an import decided; anybody else is a person, whose decision later imports leave alone."""
_PORTION = 10_000


@dataclass(kw_only=True)
class Rebuilt:
    """What a rebuild found: counts, and the versions that it left out with the reason."""

    titles: int = 0
    decisions: int = 0
    versions: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    runs: int = 0

    def to_json(self) -> dict[str, Any]:
        """Build the document of `news-studio rebuild --json`."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class _Row:
    """A row of a frozen version: what the data file says, with what version.json adds."""

    split: str
    row: int
    text: str
    category: str
    chain: str | None
    origin: Mapping[str, Any]


def rebuild(workspace: Workspace) -> Rebuilt:
    """Rebuild the database of a workspace that has lost it; the folders stay as they are.

    Numbers of titles and decisions are those of version.json, so that what names them still fits. A number
    that two versions use for different titles, as versions of two workspaces would, is given to the first.

    Raises:
        InputError: there is a database, or no frozen version to rebuild one from.
    """
    if workspace.database.exists() and workspace.database.stat().st_size:
        raise InputError(
            say(f"{workspace.database} 还在。", f"{workspace.database} is there."),
            remedy=say(
                "如果它已损坏，请先把它（连同 -wal 和 -shm 文件）移到别处，再重建。",
                "If it is damaged, move it away first, with its -wal and -shm files; then rebuild.",
            ),
        )
    found = sorted(workspace.datasets.glob("*/v[0-9]*/version.json"))
    # Pairs are no titles, and their folders are all that is known of them.
    folders = [path for path in found if not is_pair_version(path.parent)]
    report = Rebuilt(runs=len(runs.list_runs(workspace)))
    versions = []
    for path in folders:
        try:
            versions.append(_read_version(path))
        except StudioError as error:
            report.left_out[path.parent.relative_to(workspace.datasets).as_posix()] = str(error.problem)
    if not versions:
        raise InputError(
            say(
                f"{workspace.datasets} 里没有可用的冻结版本，无从重建。",
                f"There is no usable frozen version in {workspace.datasets} to rebuild from.",
            ),
            remedy=say(
                "请从备份恢复：news-studio restore 文件 --home 新文件夹。",
                "Restore a backup: news-studio restore FILE --home NEW_FOLDER.",
            ),
        )
    # Beside its place: a rebuild that is killed leaves no half database there.
    draft = workspace.database.with_name(f".{workspace.database.name}.rebuilding")
    _remove(draft)
    try:
        with closing(open_store(draft, anew=True)) as db:
            _fill(db, versions, report)
            db.execute("pragma journal_mode = delete")
        workspace.database.with_name(f"{workspace.database.name}-wal").unlink(missing_ok=True)
        workspace.database.with_name(f"{workspace.database.name}-shm").unlink(missing_ok=True)
        draft.replace(workspace.database)
    finally:
        _remove(draft)
    with closing(open_store(workspace.database, anew=True)):
        pass  # the note beside it, that there is a database
    return report


def _remove(database: Path) -> None:
    for name in (database.name, f"{database.name}-wal", f"{database.name}-shm", f".{database.name}.made"):
        database.with_name(name).unlink(missing_ok=True)


def _read_version(path: Path) -> tuple[Version, dict[str, bytes], dict[str, Any]]:
    """Read a version's folder and compare its files with the hash that it was frozen with."""
    try:
        described = json.loads(path.read_bytes())
        version = Version(
            name=str(described["name"]),
            number=int(described["number"]),
            folder=path.parent,
            sha256=str(described["sha256"]),
            rows={split: len(rows) for split, rows in described["rows"].items()},
            categories={},
            created_at=str(described["created_at"]),
            author=str(described["author"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableFile(
            say("version.json 无法读取。", "version.json cannot be read."),
            remedy=say("请从备份恢复这个文件夹。", "Restore the folder from a backup."),
        ) from error
    return version, version.files, described


def _fill(
    db: Store, versions: list[tuple[Version, dict[str, bytes], dict[str, Any]]], report: Rebuilt
) -> None:
    with writing(db):
        batch_id = db.execute(
            "insert into batches (source, author) values (?, ?)",
            [stored(message("source_rebuilt")), login_name("command line")],
        ).lastrowid
        assert batch_id is not None
        known = _Known(batch_id)
        for version, files, described in sorted(versions, key=lambda found: found[0].created_at):
            _add_version(db, version, _rows(files, described), known)
            report.versions.append(version.ref)
        title_ids = sorted(known.keys.values())
        keys = {title_id: key for key, title_id in known.keys.items()}
        for first in range(0, len(title_ids), _PORTION):
            portion = title_ids[first : first + _PORTION]
            sign(db, portion, [keys[title_id] for title_id in portion])
        group_new(db, title_ids)
    report.titles, report.decisions = len(known.keys), len(known.decisions)


def _rows(files: Mapping[str, bytes], described: Mapping[str, Any]) -> Iterator[_Row]:
    prompt = _prompt_of(files)
    for split, origins in described["rows"].items():
        samples = json.loads(files[f"{split}.json"])
        for row, (sample, origin) in enumerate(zip(samples, origins, strict=True)):
            question, reply = (turn["value"] for turn in sample["conversations"][-2:])
            answer = read_answer(reply)
            yield _Row(
                split=split,
                row=row,
                text=read_question(question, prompt)[0],
                category=answer.label,
                chain=answer.chain or None,
                origin=origin,
            )


def _prompt_of(files: Mapping[str, bytes]) -> str:
    return str(tomllib.loads(files["categories.toml"].decode()).get("prompt") or load_scheme().prompt)


class _Known:
    """Titles and decisions that a rebuild has put down, by what tells them apart."""

    def __init__(self, batch_id: int) -> None:
        self.batch_id = batch_id
        self.keys: dict[str, int] = {}
        self.ids: set[int] = set()
        self.decisions: dict[tuple[int, int], int] = {}
        self.decision_ids: set[int] = set()
        self.last: dict[int, int] = {}


def _add_version(db: Store, version: Version, rows: Iterator[_Row], known: _Known) -> None:
    version_id = db.execute(
        "insert into versions (name, number, sha256, author, created_at) values (?, ?, ?, ?, ?)",
        [version.name, version.number, version.sha256, version.author, version.created_at],
    ).lastrowid
    for row in rows:
        title_id = _add_title(db, row, known)
        decision_id = _add_decision(db, title_id, row, version, known)
        db.execute(
            "insert into version_rows (version_id, split, row, title_id, decision_id, category)"
            " values (?, ?, ?, ?, ?, ?)",
            [version_id, row.split, row.row, title_id, decision_id, row.category],
        )


def _add_title(db: Store, row: _Row, known: _Known) -> int:
    key = title_key(row.text)
    if key not in known.keys:
        wanted = row.origin.get("title_id")
        title_id = wanted if isinstance(wanted, int) and wanted not in known.ids else None
        added = db.execute(
            "insert into titles (id, text, key, split, source, batch_id) values (?, ?, ?, ?, ?, ?)",
            [
                title_id,
                row.text,
                key,
                row.origin.get("split"),
                row.origin.get("source") or "",
                known.batch_id,
            ],
        ).lastrowid
        assert added is not None
        known.keys[key] = added
        known.ids.add(added)
    return known.keys[key]


def _add_decision(db: Store, title_id: int, row: _Row, version: Version, known: _Known) -> int:
    """Append the decision that counted when the version was frozen, unless an earlier version had it."""
    wanted = row.origin.get("decision_id")
    wanted = wanted if isinstance(wanted, int) else 0
    if (title_id, wanted) not in known.decisions:
        author = str(row.origin.get("author") or IMPORTED)
        added = db.execute(
            "insert into decisions (id, title_id, follows, author, action, status, category, chain, note, at)"
            " values (?, ?, ?, ?, ?, 'decided', ?, ?, ?, ?)",
            [
                wanted if wanted and wanted not in known.decision_ids else None,
                title_id,
                known.last.get(title_id),
                author,
                "import" if author == IMPORTED else "relabel",
                row.category,
                row.chain,
                stored(message("rebuilt_from_version", ref=version.ref)),
                version.created_at,
            ],
        ).lastrowid
        assert added is not None
        known.decisions[title_id, wanted] = known.last[title_id] = added
        known.decision_ids.add(added)
    return known.decisions[title_id, wanted]
