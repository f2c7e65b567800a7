"""Map foreign labels to categories: once for all rows, remembered, and undone with the import.

A label that is no category of the scheme, 财经 or news_finance or a class index, waits on
each of its titles. A person says once what it means; every title that waits for nothing
else is decided then, here and in later imports.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from studio.errors import InputError
from studio.ingest._merging import remembered_labels, settle
from studio.language import say
from studio.samples.label_matching import proposal
from studio.samples.scheme import Scheme
from studio.store import Store, writing

_PORTION = 5000
_IS_UNKNOWN = "json_extract(note, '$.code') like 'unknown_category%'"


@dataclass(frozen=True, kw_only=True, slots=True)
class UnknownLabel:
    """A label that is no category: how many waiting titles have it, and what it probably means."""

    label: str
    count: int
    proposal: str | None

    def to_json(self) -> dict[str, Any]:
        """Return an element of `unknown_labels` in `news-studio import --json`."""
        return asdict(self)


def unknown_labels(db: Store, scheme: Scheme, batch_id: int | None = None) -> list[UnknownLabel]:
    """List the labels that titles wait with, the most frequent first; of one import, or of all."""
    rows = db.execute(
        "select imported_rows.label, count(distinct imported_rows.title_id) as titles from imported_rows"
        " join current_titles on current_titles.id = imported_rows.title_id"
        " where imported_rows.category is null and imported_rows.label is not null"
        f" and json_valid(imported_rows.note) and {_IS_UNKNOWN.replace('note', 'imported_rows.note')}"
        " and current_titles.status = 'waiting' and (:batch is null or imported_rows.batch_id = :batch)"
        " and imported_rows.batch_id not in (select batch_id from batch_undos)"
        " group by imported_rows.label order by titles desc, imported_rows.label",
        {"batch": batch_id},
    ).fetchall()
    known = remembered_labels(db)
    return [
        UnknownLabel(label=label, count=count, proposal=proposal(label, scheme))
        for label, count in rows
        if label not in known
    ]


def map_labels(
    db: Store, means: Mapping[str, str | None], scheme: Scheme, *, batch_id: int, author: str
) -> int:
    """Remember what labels mean, and decide the titles that wait for it; returns how many changed.

    Args:
        means: category by label; None: the label means nothing any more.
        batch_id: the import with which the mapping is undone.

    Raises:
        InputError: a category that the scheme does not have.
    """
    require_categories(means, scheme)
    remember(db, means, batch_id=batch_id, author=author)
    return settle_labels(db, list(means), batch_id)


def require_categories(means: Mapping[str, str | None], scheme: Scheme) -> None:
    """Require that a mapping leads to categories of the scheme.

    Raises:
        InputError: it leads elsewhere.
    """
    for label, category in means.items():
        if category is not None and category not in scheme.names:
            raise InputError(
                say(
                    f"“{category}”不是类别（{label} → {category}）。",
                    f"“{category}” is no category ({label}).",
                ),
                remedy=say(
                    f"请写 {len(scheme.names)} 个类别之一：{'、'.join(scheme.names)}。",
                    f"Name one of the {len(scheme.names)} categories: {', '.join(scheme.names)}.",
                ),
            )


def remember(db: Store, means: Mapping[str, str | None], *, batch_id: int, author: str) -> None:
    """Remember what labels mean; the titles that have them are concluded by whoever settles them next."""
    with writing(db):
        db.conn.executemany(
            "insert into label_mappings (label, category, batch_id, author) values (?, ?, ?, ?)",
            [(label, category, batch_id, author) for label, category in means.items()],
        )


def settle_labels(db: Store, labels: list[str], batch_id: int) -> int:
    """Conclude anew, in portions, what the titles with these labels are; returns how many changed."""
    ids = [
        title_id
        for (title_id,) in db.execute(
            "select distinct title_id from imported_rows where category is null"
            " and label in (select value from json_each(?)) order by title_id",
            [json.dumps(labels)],
        )
    ]
    changed = 0
    for at in range(0, len(ids), _PORTION):
        with writing(db):
            changed += settle(db, ids[at : at + _PORTION], batch_id)["changed"]
    return changed


def labels_mapped_by(db: Store, batch_id: int) -> list[str]:
    """List the labels that an import's mappings speak of."""
    rows = db.execute("select distinct label from label_mappings where batch_id = ?", [batch_id])
    return [label for (label,) in rows.fetchall()]


def renew_mappings(db: Store, batch_id: int, author: str) -> None:
    """Record the remembered mappings that an import uses as its own, so that they outlive an earlier one."""
    db.execute(
        "insert into label_mappings (label, category, batch_id, author)"
        " select label, category, :batch, :author from current_label_mappings"
        " where category is not null and batch_id <> :batch and label in"
        " (select label from imported_rows where batch_id = :batch and category is null)",
        {"batch": batch_id, "author": author},
    )
