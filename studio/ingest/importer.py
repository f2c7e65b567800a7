"""Import files and texts: every row is kept, duplicates are merged and counted.

A row whose answer is one of the categories arrives decided, by the author "import";
any other waits in the label queue with the reason. A title that several rows bring is
one title: where their answers differ, it waits. What a person decided stays decided,
whatever a file says later. An import comes in whole or not at all.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from studio.annotation.queue_order import arrange
from studio.corpus.near_duplicates import NearPair, group_new, sign
from studio.errors import InputError, StudioError, WorkspaceBusy
from studio.formats.choices import UNDECIDED, FileChoices
from studio.formats.conversations import RawRow
from studio.formats.reader import read_rows
from studio.ingest._merging import AUTHOR, notes_on, settle
from studio.ingest._staging import (
    Refusal,
    Staged,
    discard_staged,
    only_importer,
    open_import_batch,
    refusal_shown,
    stage,
    titles_of_batch,
)
from studio.ingest.import_batches import finish_undo
from studio.ingest.label_mapping import (
    UnknownLabel,
    remember,
    renew_mappings,
    require_categories,
    unknown_labels,
)
from studio.language import say
from studio.messages import message, stored
from studio.samples.scheme import Scheme
from studio.samples.title_text import split_lines
from studio.store import Store, writing
from studio.team.settings import load_settings
from studio.validation.rows import judge_each

SHOWN_PAIRS = 100
"""Near repeats that a report shows; all of them are grouped."""


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """What an import did: rows = added + merged + refused.

    `added` counts new titles, `decided` and `waiting` how they arrived. `merged`
    counts rows whose title was there, in the store or earlier in the file. `near`
    counts new titles that are nearly the same as an earlier one; `near_pairs` shows some.
    `unknown_labels` are answers that are no category, which `map_labels` maps once for all
    titles; `read_as` says how the files were read, where that was not plain.
    """

    batch_id: int
    rows: int
    added: int
    merged: int
    decided: int
    waiting: int
    refused: Sequence[Refusal]
    notes: Sequence[str]
    near: int = 0
    near_pairs: Sequence[NearPair] = field(default_factory=list)
    unknown_labels: Sequence[UnknownLabel] = field(default_factory=list)
    read_as: Sequence[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return the document of `news-studio import --json`."""
        return {**asdict(self), "refused": self.refused_rows}

    @property
    def refused_rows(self) -> list[Refusal]:
        """The refused rows, in the language of their reader."""
        return [refusal_shown(refusal) for refusal in self.refused]


def import_path(
    db: Store,
    path: Path,
    scheme: Scheme,
    *,
    source: str | None = None,
    choices: FileChoices = UNDECIDED,
    means: Mapping[str, str | None] | None = None,
    author: str = AUTHOR,
) -> ImportReport:
    """Take in a file, or a folder with dataset_info.json.

    Args:
        choices: what a person said about the form of the file.
        means: the category that a foreign label means; remembered, and undone with this import.

    Raises:
        UnreadableFile: nothing is imported when a file cannot be read.
        UnclearFile: a file can be read in several ways, and a person must say which.
        InputError: not a single row is a title.
        WorkspaceBusy: another import is running.
    """
    reading = read_rows(path, choices, scheme)
    remarks = [remark.message for remark in reading.remarks if remark.severity != "hint"]
    report = import_rows(
        db, reading.rows, scheme, source=source or path.name, notes=remarks, means=means, author=author
    )
    return replace(report, read_as=reading.read_as)


def import_text(db: Store, text: str, scheme: Scheme, *, author: str = AUTHOR) -> ImportReport:
    """Take in a pasted list, one title a line."""
    lines = [(number, line.strip()) for number, line in enumerate(split_lines(text), start=1)]
    source = stored(message("source_pasted"))
    rows = [
        RawRow(file=source, row=number, split=None, kind="title", record=line, title=line)
        for number, line in lines
        if line
    ]
    return import_rows(db, rows, scheme, source=source, author=author)


def import_rows(
    db: Store,
    rows: Iterable[RawRow],
    scheme: Scheme,
    *,
    source: str,
    notes: Sequence[str] = (),
    means: Mapping[str, str | None] | None = None,
    author: str = AUTHOR,
) -> ImportReport:
    """Take in rows, which are iterated twice, in portions, so that labelling goes on meanwhile.

    Raises:
        WorkspaceBusy: another import is running.
        StudioError: whatever reading or writing met; then nothing has come in, or, once
            every row is there, the rest follows with the next import.
    """
    require_categories(means or {}, scheme)
    with only_importer(db):
        _finish_all(db)
        batch_id = open_import_batch(db, source, author)
        try:
            if means:
                remember(db, means, batch_id=batch_id, author=author)
            staged = stage(db, judge_each(rows, scheme), scheme, source=source, batch_id=batch_id)
            if staged.rows and len(staged.refused) == staged.rows:
                raise _nothing_usable(staged)
        except BaseException:
            _try_to_sweep(db, batch_id)
            raise
        tally, pairs = _publish(db, batch_id)
    report = _report(batch_id, staged, tally, pairs, notes)
    return replace(report, unknown_labels=unknown_labels(db, scheme, batch_id) if report.waiting else [])


def _nothing_usable(staged: Staged) -> InputError:
    shown = [refusal_shown(refusal) for refusal in staged.refused[:3]]
    reasons = " ".join(f"{row['file']}:{row['row']} {row['reason']}" for row in shown)
    return InputError(
        say(
            f"{staged.rows} 行里没有一行可以导入：{reasons}",
            f"None of the {staged.rows} rows can be imported: {reasons}",
        ),
        remedy=say(
            "没有导入任何内容。请用 --preview 查看文件是怎样读的，再选择形式或列。",
            "Nothing was imported. See with --preview how the file is read, and choose its form or columns.",
        ),
    )


def _try_to_sweep(db: Store, batch_id: int) -> None:
    """Take away what is there; where even that fails, on a full disk, the next import does it."""
    try:
        discard_staged(db, batch_id)
    except StudioError:
        return


def finish_interrupted(db: Store) -> int:
    """Bring imports to their end that died on the way; how many there were.

    One whose rows were all there becomes visible, any other is taken away, an undo goes
    on. One that is still at work is left alone.
    """
    if not _unfinished(db):
        return 0
    try:
        with only_importer(db, patience_seconds=0):
            return _finish_all(db)
    except WorkspaceBusy:
        return 0


def _unfinished(db: Store) -> list[tuple[int, str]]:
    return db.execute(
        "select batch_id, state from imports where state in ('open', 'staged', 'undoing') order by batch_id"
    ).fetchall()


def _finish_all(db: Store) -> int:
    unfinished = _unfinished(db)
    for batch_id, state in unfinished:
        if state == "open":
            discard_staged(db, batch_id)
        elif state == "staged":
            _publish(db, batch_id)
        else:
            finish_undo(db, batch_id)
    return len(unfinished)


def _publish(db: Store, batch_id: int) -> tuple[Counter[str], list[NearPair]]:
    """Let the titles of a staged batch be seen; goes on where an earlier attempt broke off."""
    tally: Counter[str] = Counter()
    settings = load_settings(db)
    with writing(db):
        renew_mappings(db, batch_id, AUTHOR)
    for title_ids in titles_of_batch(db, batch_id):
        with writing(db):
            new = _unseen(db, batch_id, title_ids)
            tally += settle(db, title_ids, batch_id)
            sign(db, list(new), list(new.values()))
            if new:
                arrange(db, settings, from_id=min(new))
    pairs = group_new(db, _new_ids(db, batch_id), shown=SHOWN_PAIRS)
    with writing(db):
        tally["near"] = _count_near(db, batch_id)
        db.execute(
            "update imports set state = 'done', decided = ?, near = ? where batch_id = ?",
            [tally["decided"], tally["near"], batch_id],
        )
    return tally, pairs


_NEW = (
    "select distinct title_id from imported_rows join titles on titles.id = title_id"
    " where imported_rows.batch_id = :batch and titles.batch_id = :batch"
)
"""Titles that a batch brought."""


def _unseen(db: Store, batch_id: int, title_ids: Sequence[int]) -> dict[int, str]:
    """Keys of the titles among these that have no state yet."""
    return dict(
        db.execute(
            "select id, key from titles where id between ? and ? and batch_id = ?"
            " and not exists (select 1 from states where title_id = titles.id)",
            [title_ids[0], title_ids[-1], batch_id],
        ).fetchall()
    )


def _new_ids(db: Store, batch_id: int) -> list[int]:
    return [title_id for (title_id,) in db.execute(_NEW, {"batch": batch_id})]


def _count_near(db: Store, batch_id: int) -> int:
    found = db.execute(
        f"select count(*) from near_groups where title_id in ({_NEW}) and title_id <> group_id",
        {"batch": batch_id},
    ).fetchone()
    return int(found[0])


def _report(
    batch_id: int, staged: Staged, tally: Counter[str], pairs: Sequence[NearPair], notes: Sequence[str]
) -> ImportReport:
    undated = say(f"{staged.undated} 个日期读不懂，没有保存。", f"{staged.undated} dates could not be read.")
    return ImportReport(
        batch_id=batch_id,
        rows=staged.rows,
        added=staged.added,
        merged=staged.rows - staged.added - len(staged.refused),
        decided=tally["decided"],
        waiting=staged.added - tally["decided"],
        refused=staged.refused,
        notes=[*notes, *notes_on(tally), *([undated] if staged.undated else [])],
        near=tally["near"],
        near_pairs=pairs,
    )
