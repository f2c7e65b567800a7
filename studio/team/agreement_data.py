"""Read the answers that agreement is measured on, and export them.

Gold titles are excluded: they were picked by hand, and are no sample of the work.
"""

import json
from collections.abc import Iterable

from studio.store import Store
from studio.system.csv_export import csv_bytes
from studio.team.agreement import Agreement, SharedTitle

AT_MOST = 20_000
"""Latest titles that are measured; more would not narrow the intervals noticeably."""


def load_shared(db: Store, *, at_most: int = AT_MOST) -> list[SharedTitle]:
    """Load the latest titles with two or more answers about one decision, latest first.

    Retracted answers do not count.
    """
    rows = db.execute(
        "select answer.title_id, answer.decision_id, answer.author, answer.category, answer.at from"
        " (select decision_id, title_id from shared_answers order by decision_id desc limit ?) as shared"
        " cross join annotations as answer on answer.title_id = shared.title_id"
        " and answer.decision_id = shared.decision_id"
        " where answer.kind = 'category' and not answer.is_gold"
        " and not exists (select 1 from retractions where annotation_id = answer.id)"
        " order by answer.decision_id desc, answer.id",
        [at_most],
    )
    return list(_titles(rows.fetchall()))


def _titles(rows: Iterable[tuple[int, int, str, str, str]]) -> Iterable[SharedTitle]:
    found: dict[tuple[int, int], dict[str, str]] = {}
    last: dict[tuple[int, int], str] = {}
    for title_id, decision_id, author, category, at in rows:
        found.setdefault((title_id, decision_id), {})[author] = category
        last[title_id, decision_id] = at
    for key, answers in found.items():
        if len(answers) > 1:
            yield SharedTitle(title_id=key[0], answers=tuple(answers.items()), at=last[key])


def to_json(agreement: Agreement) -> bytes:
    """Export as JSON, for programs."""
    return json.dumps(agreement.to_json(), ensure_ascii=False, indent=2).encode()


def to_csv(agreement: Agreement) -> bytes:
    """Export as CSV, for spreadsheets."""
    rows = agreement.to_rows()
    return csv_bytes(list(rows[0]), [list(row.values()) for row in rows])
