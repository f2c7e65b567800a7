"""Find near-duplicate titles, and merge them into near-duplicate groups on import.

`studio.samples.similarity` defines similarity. The id of a group is that of its first title;
a title without near duplicates is in none. Withdrawn titles stay in their group.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.store import Store, writing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PORTION = 5000
"""Titles that are regrouped under one lock."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NearPair:
    """A new title, the earlier one of which it is a near duplicate, and their similarity (0 to 100)."""

    title_id: int
    text: str
    earlier_id: int
    earlier_text: str
    similarity: float


def near_representatives(db: Store, title_ids: Iterable[int]) -> dict[int, int]:
    """Map each of these titles to the representative of its group: the smallest id, or itself if in none."""
    ids = list(title_ids)
    groups = _groups(db, ids)
    return {title_id: groups.get(title_id, title_id) for title_id in ids}


def _groups(db: Store, title_ids: Sequence[int]) -> dict[int, int]:
    """Look up the groups of these titles; those in none are omitted."""
    groups: dict[int, int] = {}
    for start in range(0, len(title_ids), PORTION):
        portion = json.dumps(title_ids[start : start + PORTION])
        groups.update(
            db.execute(
                "select title_id, group_id from near_groups"
                " where title_id in (select value from json_each(?))",
                [portion],
            )
        )
    return groups


def sign(db: Store, title_ids: Sequence[int], keys: Sequence[str]) -> None:
    """Store the signatures of titles that have none yet, inside a `writing` block."""
    import numpy as np

    from studio.samples.similarity import key_signatures

    if title_ids:
        db.execute(
            "insert into near_signatures (title_id, title_ids, words) values (?, ?, ?)",
            [
                title_ids[0],
                np.array(title_ids, dtype="<i8").tobytes(),
                key_signatures(keys).astype("<u4", copy=False).tobytes(),
            ],
        )


def group_new(db: Store, new_ids: Iterable[int], shown: int = 100) -> list[NearPair]:
    """Group signed titles with each other and with all earlier ones; returns the first pairs, in order."""
    import numpy as np

    from studio.samples.similarity import pairs_among

    new = np.fromiter(new_ids, dtype=np.int64)
    if not len(new):
        return []
    ids, words = _signatures(db)
    is_new = np.isin(ids, new)
    if not np.all(is_new[len(ids) - len(new) :]):  # someone's single title came in between
        order = np.argsort(is_new, kind="stable")
        ids, words = ids[order], words[order]
    since = len(ids) - len(new)
    left, right, scores = pairs_among(words, lambda positions: _keys(db, ids[positions]), since=since)
    pairs = list(zip(ids[left].tolist(), ids[right].tolist(), scores.tolist(), strict=True))
    _merge_groups(db, [(one, other) for one, other, _ in pairs])
    return _described(db, sorted((max(pair[:2]), min(pair[:2]), pair[2]) for pair in pairs)[:shown])


def _signatures(db: Store) -> "tuple[NDArray[np.int64], NDArray[np.uint32]]":
    """Load the ids of all signed titles and their signatures, a row each: about 85 MiB for a million."""
    import numpy as np

    from studio.samples.similarity import LENGTH

    ids, words = bytearray(), bytearray()
    for title_ids, portion in db.execute("select title_ids, words from near_signatures order by title_id"):
        ids += title_ids
        words += portion
    return np.frombuffer(ids, dtype="<i8"), np.frombuffer(words, dtype="<u4").reshape(-1, LENGTH + 1)


def _keys(db: Store, title_ids: "NDArray[np.int64]") -> list[str]:
    wanted = title_ids.tolist()
    keys: dict[int, str] = {}
    for start in range(0, len(wanted), PORTION):
        portion = json.dumps(wanted[start : start + PORTION])
        keys.update(
            db.execute("select id, key from titles where id in (select value from json_each(?))", [portion])
        )
    return [keys[title_id] for title_id in wanted]


def _merge_groups(db: Store, pairs: Sequence[tuple[int, int]]) -> None:
    """Merge both titles of every pair into one group, with the groups that they are in already."""
    import numpy as np

    from studio.samples.similarity import merge_groups

    if not pairs:
        return
    members = {title_id for pair in pairs for title_id in pair}
    before = _groups(db, list(members))
    ids, ends = np.unique(np.array([*pairs, *before.items()]), return_inverse=True)
    left, right = ends.reshape(-1, 2).T
    # The id of a group is its smallest title, and ids are in order: the first member is the smallest.
    names = ids[merge_groups(np.arange(len(ids)), left, right)]
    group_of = dict(zip(ids.tolist(), names.tolist(), strict=True))
    renamed = [(group_of[old], old) for old in set(before.values()) if group_of[old] != old]
    _write_in_portions(db, "update near_groups set group_id = ? where group_id = ?", renamed)
    _write_in_portions(
        db,
        "insert into near_groups (title_id, group_id) values (?, ?)"
        " on conflict (title_id) do update set group_id = excluded.group_id",
        [(title_id, group_of[title_id]) for title_id in members],
    )


def _write_in_portions(db: Store, statement: str, rows: Sequence[tuple[int, int]]) -> None:
    for start in range(0, len(rows), PORTION):
        with writing(db):
            db.conn.executemany(statement, rows[start : start + PORTION])


def _described(db: Store, pairs: Sequence[tuple[int, int, float]]) -> list[NearPair]:
    texts: dict[int, str] = defaultdict(str)
    ids = json.dumps([title_id for pair in pairs for title_id in pair[:2]])
    texts.update(
        db.execute("select id, text from titles where id in (select value from json_each(?))", [ids])
    )
    return [
        NearPair(
            title_id=title_id,
            text=texts[title_id],
            earlier_id=earlier_id,
            earlier_text=texts[earlier_id],
            similarity=round(score, 1),
        )
        for title_id, earlier_id, score in pairs
    ]
