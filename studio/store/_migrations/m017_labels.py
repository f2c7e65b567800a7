"""Remember what foreign labels mean, and let titles that differ in a sign be two: m017."""

import re
import unicodedata

from sqlite_utils import Database

from studio.store._migrations.base import NOW, append_only, migrations


@migrations()
def m017_label_mappings(db: Database) -> None:
    """Create the table of foreign labels and the categories that people said they mean."""
    # One row for each import that brought the label: undoing an import takes its rows out of account.
    # category null: the label means nothing any more. The newest row of a label counts.
    db.execute(
        f"""create table label_mappings (
            id integer primary key,
            label text not null,
            category text,
            batch_id integer not null references batches(id),
            author text not null,
            at text not null default {NOW}
        )"""
    )
    append_only(db, "label_mappings")
    db.execute("create index label_mappings_by_label on label_mappings (label, id)")
    db.execute(
        "create view current_label_mappings as select label, category, batch_id, max(id) as id"
        " from label_mappings where batch_id not in (select batch_id from batch_undos) group by label"
    )
    db.execute("create index imported_rows_by_label on imported_rows (label) where category is null")


@migrations()
def m017_title_keys(db: Database) -> None:
    """Recompute the keys of titles: signs that carry meaning count.

    A new key is longer than the old one, so two titles never come to share one.
    """
    trigger = "titles_keep_their_text"
    (guard,) = db.execute("select sql from sqlite_master where name = ?", [trigger]).fetchone()
    rows = db.execute("select id, text, key from titles").fetchall()
    changes = [(new, title_id) for title_id, text, old in rows if (new := _key(text)) != old]
    if not changes:
        return
    taken = {key for _, _, key in rows}
    db.execute(f"drop trigger {trigger}")
    for key, title_id in changes:
        if key not in taken:
            db.execute("update titles set key = ? where id = ?", [key, title_id])
            taken.add(key)
    db.execute(guard)


def _key(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _PUNCTUATION.sub("", folded.replace("\u2212", "-")) or "".join(folded.split())


_PUNCTUATION = re.compile(
    r"(?<!\d)[.,:/]|[.,:/](?!\d)"
    r"|-(?!\d)|(?<=[a-z])-"
    r"|(?<![a-z])#(?!\d)"
    r"|\*(?![a-z])|(?<=\w)\*"
    r"|(?<![0-9a-z])&|&(?![0-9a-z])"
    r"|[^\w%‰+.,:/\-#*&$€£¥₩₽¢±×÷≠≤≥<>√°↑↓]|_"
    r"|(?<!\d)[<>](?!\d)"
)
