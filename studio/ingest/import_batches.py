"""List imports and their row reports, and undo one.

A batch that is undone stays in the list. Its rows say nothing any more; titles that only
it brought and that nobody has worked on are withdrawn, and come back when the file is
imported again.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from studio.corpus.titles import Decision, Title, append_decision, get_title
from studio.errors import InputError
from studio.ingest._merging import KeptRow, rows_of, settle, stricter
from studio.ingest._staging import only_importer, titles_of_batch
from studio.ingest.label_mapping import labels_mapped_by, settle_labels
from studio.language import say
from studio.messages import message, shown, stored
from studio.samples.title_text import Split
from studio.store import Store, writing
from studio.system.csv_export import Cell, csv_bytes, write_csv
from studio.team.rights import require_right

RowOutcome = Literal["added", "merged", "refused"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ImportBatch:
    """One import: rows = added + merged + refused; `decided` and `near` count new titles as they arrived."""

    id: int
    source: str
    author: str
    imported_at: str
    state: Literal["open", "staged", "done", "cancelled", "undoing", "undone"]
    rows: int
    added: int
    merged: int
    refused: int
    decided: int
    near: int
    undone_by: str | None
    undone_at: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the element of `news-studio import --list --json`."""
        return {**asdict(self), "source": shown(self.source)}


@dataclass(kw_only=True, slots=True)
class Undone:
    """What undoing an import did: titles withdrawn, kept since people worked on them, brought by others."""

    batch_id: int
    withdrawn: int = 0
    kept: list[Title] = field(default_factory=list)
    shared: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the document of `news-studio import --undo BATCH --json`."""
        return asdict(self)


_BATCHES = (
    "select batches.id, source, batches.author, imported_at, state, rows, added,"
    " rows - added - refused as merged, refused, decided, near,"
    " batch_undos.author as undone_by, batch_undos.at as undone_at"
    " from imports join batches on batches.id = imports.batch_id"
    " left join batch_undos on batch_undos.batch_id = imports.batch_id"
)


def list_import_batches(db: Store, limit: int = 100) -> list[ImportBatch]:
    """List the latest imports, newest first."""
    return [ImportBatch(**row) for row in db.query(f"{_BATCHES} order by batches.id desc limit ?", [limit])]


def get_import_batch(db: Store, batch_id: int) -> ImportBatch:
    """Find the import of that number.

    Raises:
        InputError: there is none.
    """
    row = next(db.query(f"{_BATCHES} where batches.id = ?", [batch_id]), None)
    if row is None:
        raise InputError(
            say(f"没有编号为 {batch_id} 的导入。", f"There is no import with number {batch_id}."),
            remedy=say(
                "news-studio import --list 列出所有导入。", "news-studio import --list shows them all."
            ),
        )
    return ImportBatch(**row)


def undo_import(db: Store, batch_id: int, author: str) -> Undone:
    """Take an import back, in portions; once begun, it is brought to its end even after an interruption.

    Raises:
        NotAllowed: the author may not, and it is not their own import of titles that all still wait.
        InputError: there is no such import, or it is not there any more.
        WorkspaceBusy: an import is running.
    """
    with only_importer(db):
        batch = get_import_batch(db, batch_id)
        if batch.author != author or _has_work_in_it(db, batch_id):
            require_right("undo_import", db, author)
        if batch.state not in ("done", "undoing"):
            raise InputError(
                say(
                    f"导入 {batch_id} 已经撤销或没有完成。",
                    f"Import {batch_id} is already undone or never finished.",
                ),
                remedy=say("无需再做什么。", "There is nothing left to do."),
            )
        with writing(db):
            db.execute(
                "insert into batch_undos (batch_id, author) values (?, ?) on conflict do nothing",
                [batch_id, author],
            )
            db.execute("update imports set state = 'undoing' where batch_id = ?", [batch_id])
        return finish_undo(db, batch_id)


def _has_work_in_it(db: Store, batch_id: int) -> bool:
    """Return whether any title of an import is more than one that waits: decided with it, or since."""
    sql = (
        "select 1 from imported_rows join states using (title_id)"
        " where batch_id = ? and status <> 'waiting' limit 1"
    )
    return db.execute(sql, [batch_id]).fetchone() is not None


def finish_undo(db: Store, batch_id: int) -> Undone:
    """Withdraw what an undone batch alone has brought, and conclude the rest anew without it."""
    author = db.execute("select author from batch_undos where batch_id = ?", [batch_id]).fetchone()[0]
    undone = Undone(batch_id=batch_id)
    for title_ids in titles_of_batch(db, batch_id):
        with writing(db):
            kept = rows_of(db, json.dumps(title_ids))
            shared = [title_id for title_id in title_ids if title_id in kept]
            undone.shared += len(shared)
            _free_splits(db, shared, kept)
            settle(db, shared, batch_id)
            for title_id in title_ids:
                if title_id not in kept:
                    _withdraw(db, title_id, author, undone)
    # What its mappings decided in other imports waits again, unless those have mapped it themselves.
    if labels := labels_mapped_by(db, batch_id):
        settle_labels(db, labels, batch_id)
    with writing(db):
        db.execute("update imports set state = 'undone' where batch_id = ?", [batch_id])
    return undone


def _free_splits(db: Store, title_ids: Sequence[int], kept: dict[int, list[KeptRow]]) -> None:
    """Reset each split to what the remaining rows name."""
    splits = []
    for title_id in title_ids:
        split: Split | None = None
        for row in kept[title_id]:
            split = stricter(split, row.split)
        splits.append((split, title_id, split))
    db.conn.executemany("update titles set split = ? where id = ? and split is not ?", splits)


def _withdraw(db: Store, title_id: int, author: str, undone: Undone) -> None:
    action, answers = db.execute(
        "select action, exists (select 1 from annotations where title_id = states.title_id"
        " and not exists (select 1 from retractions where annotation_id = annotations.id))"
        " from states join decisions on decisions.id = states.decision_id where states.title_id = ?",
        [title_id],
    ).fetchone()
    title = get_title(db, title_id)
    if title.status == "trashed":
        return
    if action != "import" or answers:
        undone.kept.append(title)
        return
    note = stored(message("import_undone", author=author))
    decision = Decision(
        author=author,
        action="withdraw",
        status="trashed",
        chain=title.chain,
        note=note,
        proposal=title.category or title.proposal,
    )
    append_decision(db, title_id, decision, follows=title.revision)
    undone.withdrawn += 1


def row_report(db: Store, batch_id: int) -> Iterator[tuple[str, int, RowOutcome, str | None, str | None]]:
    """Yield every row of an import in file order: file, row, outcome, title, and the reason or near copy."""
    rows = db.execute(
        "select file, row, imported_rows.id, title_id, titles.batch_id, text, null,"
        " (select text from near_groups join titles as first on first.id = group_id"
        "  where near_groups.title_id = titles.id and group_id <> titles.id)"
        " from imported_rows join titles on titles.id = title_id where imported_rows.batch_id = :batch"
        " union all select file, row, id, null, null, null, reason, null from refused_rows"
        " where batch_id = :batch"
        " order by file, row",
        {"batch": batch_id},
    )
    seen: set[int] = set()
    for file, row, _, title_id, brought_by, text, reason, near in rows:
        if title_id is None:
            yield shown(file) or "", row, "refused", None, shown(reason)
            continue
        is_new = brought_by == batch_id and title_id not in seen
        seen.add(title_id)
        remark = say(f"与“{near}”相近。", f"Nearly the same as “{near}”.") if is_new and near else None
        yield shown(file) or "", row, "added" if is_new else "merged", text, remark


def report_csv(db: Store, batch_id: int) -> bytes:
    """Export the rows of an import as CSV."""
    return csv_bytes(_header(), _cells(db, batch_id))


def write_report(db: Store, batch_id: int, path: Path) -> None:
    """Write the rows of an import as a CSV file.

    Raises:
        InputError: the file cannot be written.
    """
    try:
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            write_csv(file, _header(), _cells(db, batch_id))
    except OSError as error:
        raise InputError(
            say(f"无法写入 {path}：{error.strerror}。", f"Cannot write {path}: {error.strerror}."),
            remedy=say("请换一个位置。", "Choose another place."),
        ) from error


def _header() -> list[str]:
    return [
        say("文件", "file"),
        say("行", "row"),
        say("结果", "outcome"),
        say("标题", "title"),
        say("说明", "remark"),
    ]


def _cells(db: Store, batch_id: int) -> Iterator[tuple[Cell, ...]]:
    names = {
        "added": say("新增", "added"),
        "merged": say("合并", "merged"),
        "refused": say("拒收", "refused"),
    }
    for file, row, outcome, text, remark in row_report(db, batch_id):
        yield file, row, names[outcome], text, remark
