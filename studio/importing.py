"""Files to titles: every row is kept, repeats are merged and counted, nothing is guessed.

A row whose answer is one of the categories arrives decided, by the author "import";
any other waits in the label queue with the reason. A title that several rows bring is
one title: where their answers differ, it waits. What a person decided stays decided,
whatever a file says later.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from studio.categories import Scheme
from studio.conversations import RawRow
from studio.judging import Judged, judge_rows
from studio.label_settings import load_settings
from studio.language import say
from studio.ordering import arrange
from studio.proposals import proposal
from studio.reading import read_rows
from studio.sample import proposed_category
from studio.store import Store, writing
from studio.titles import INSERT_DECISION, Decision, Split, append_decision, decision_values, title_key

PORTION = 5000
"""Titles that are written under one lock; about half a second on a slow machine."""

AUTHOR = "import"
"""Who decides titles that arrive with a usable answer."""


@dataclass(frozen=True, kw_only=True)
class ImportReport:
    """What an import did: rows = added + merged + refused.

    `added` counts new titles, `decided` and `waiting` how they arrived. `merged`
    counts rows whose title was there, in the store or earlier in the file.
    """

    batch_id: int
    rows: int
    added: int
    merged: int
    decided: int
    waiting: int
    refused: Sequence[Mapping[str, Any]]
    notes: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """The document of `news-studio import --json`."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Said:
    """What one row says about its title; `label` and `means` are None for a plain title.

    `means` is the category that the label is or safely stands for, else the label.
    """

    label: str | None
    means: str | None
    category: str | None
    chain: str | None
    note: str | None
    proposal: str | None


@dataclass(kw_only=True, slots=True)
class _Incoming:
    """One title of this import: its rows, and its place in the store."""

    text: str
    key: str
    split: Split | None = None
    rows: list[tuple[str, int, Split | None, _Said]] = field(default_factory=list)
    title_id: int = 0


def import_path(db: Store, path: Path, scheme: Scheme, *, source: str | None = None) -> ImportReport:
    """Take in a file, or a folder with dataset_info.json.

    Raises:
        UnreadableFile: nothing is imported when a file cannot be read.
    """
    reading = read_rows(path)
    remarks = [remark.message for remark in reading.remarks if remark.severity != "hint"]
    return import_rows(db, reading.rows, scheme, source=source or path.name, notes=remarks)


def import_text(db: Store, text: str, scheme: Scheme) -> ImportReport:
    """Take in a pasted list, one title a line."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
    source = say("粘贴", "pasted")
    rows = [
        RawRow(file=source, row=number, split=None, kind="title", record=line, title=line)
        for number, line in lines
        if line
    ]
    return import_rows(db, rows, scheme, source=source)


def import_rows(
    db: Store, rows: Iterable[RawRow], scheme: Scheme, *, source: str, notes: Sequence[str] = ()
) -> ImportReport:
    """Take in rows that were read, in portions, so that labelling goes on meanwhile.

    After an interruption the same import can simply be repeated: what is there is merged.
    """
    judged = judge_rows(rows, scheme)
    incoming = _group(judged, scheme)
    batch_id = _open_batch(db, source)
    tally: Counter[str] = Counter()
    settings = load_settings(db)
    for start in range(0, len(incoming), PORTION):
        with writing(db):
            first_id = db.execute("select coalesce(max(id), 0) + 1 from titles").fetchone()[0]
            tally += _take_in(db, incoming[start : start + PORTION], source, batch_id)
            arrange(db, settings, from_id=first_id)
    kept = sum(len(item.rows) for item in incoming)
    return ImportReport(
        batch_id=batch_id,
        rows=len(judged),
        added=tally["added"],
        merged=kept - tally["added"],
        decided=tally["decided"],
        waiting=tally["added"] - tally["decided"],
        refused=[_refusal(item) for item in judged if not item.title],
        notes=[*notes, *_notes(incoming, tally)],
    )


def _open_batch(db: Store, source: str) -> int:
    with writing(db):
        batch_id = db.execute(
            "insert into batches (source, author) values (?, ?)", [source, AUTHOR]
        ).lastrowid
    assert batch_id is not None
    return batch_id


def _take_in(db: Store, incoming: Sequence[_Incoming], source: str, batch_id: int) -> Counter[str]:
    """Write one portion, and count what it changed."""
    known = _find_known(db, incoming)
    fresh = [item for item in incoming if item.title_id == 0]
    _insert_titles(db, fresh, source, batch_id)
    _insert_rows(db, incoming, batch_id)
    tally = Counter(added=len(fresh), decided=_decide_fresh(db, fresh))
    tally += _settle_known(db, known)
    tally["moved"] = _fix_splits(db, known)
    return tally


def _refusal(item: Judged) -> dict[str, Any]:
    reason = "".join(problem.message for problem in item.errors) or say("没有标题。", "There is no title.")
    return {"file": item.row.file, "row": item.row.row, "reason": reason}


def _group(judged: Iterable[Judged], scheme: Scheme) -> list[_Incoming]:
    """One entry a title, in the order of first rows; a title that any row evaluates is for evaluation."""
    by_key: dict[str, _Incoming] = {}
    for item in judged:
        if not item.title:
            continue
        key = title_key(item.title)
        entry = by_key.setdefault(key, _Incoming(text=item.title, key=key))
        split = item.row.split
        entry.split = _stricter(entry.split, split)
        entry.rows.append((item.row.file, item.row.row, split, _said(item, scheme)))
    return list(by_key.values())


def _stricter(one: Split | None, other: Split | None) -> Split | None:
    """Evaluation wins: a title that is learned must not be tested."""
    return "eval" if "eval" in (one, other) else one or other


def _said(item: Judged, scheme: Scheme) -> _Said:
    answer, errors = item.answer, item.errors
    note = "".join(problem.message for problem in errors) or None
    if answer is None:
        return _Said(label=None, means=None, category=None, chain=None, note=note, proposal=None)
    return _Said(
        label=answer.label,
        means=item.category or proposed_category(answer.label, scheme.names) or answer.label,
        category=None if errors else item.category,
        chain=answer.chain or None,
        note=note,
        proposal=item.category or proposal(answer.label, scheme),
    )


def _find_known(db: Store, incoming: Sequence[_Incoming]) -> list[_Incoming]:
    """Set the ids of the titles that the store has, and return those."""
    by_key = {item.key: item for item in incoming}
    found = db.execute(
        "select id, key from titles where key in (select value from json_each(?))",
        [json.dumps(list(by_key))],
    )
    known = []
    for title_id, key in found.fetchall():
        by_key[key].title_id = title_id
        known.append(by_key[key])
    return known


def _insert_titles(db: Store, fresh: Sequence[_Incoming], source: str, batch_id: int) -> None:
    # Ids are handed out here: nobody else can write now, and executemany returns none.
    first_id = db.execute("select coalesce(max(id), 0) + 1 from titles").fetchone()[0]
    for title_id, item in enumerate(fresh, start=first_id):
        item.title_id = title_id
    db.conn.executemany(
        "insert into titles (id, text, key, split, source, batch_id) values (?, ?, ?, ?, ?, ?)",
        [(item.title_id, item.text, item.key, item.split, source, batch_id) for item in fresh],
    )


def _insert_rows(db: Store, incoming: Iterable[_Incoming], batch_id: int) -> None:
    db.conn.executemany(
        "insert into imported_rows (batch_id, title_id, file, row, split, label, means, category, chain, note, proposal)"
        " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                batch_id,
                item.title_id,
                file,
                row,
                split,
                said.label,
                said.means,
                said.category,
                said.chain,
                said.note,
                said.proposal,
            )
            for item in incoming
            for file, row, split, said in item.rows
        ],
    )


def _decide_fresh(db: Store, fresh: Sequence[_Incoming]) -> int:
    """The first decision of every new title; returns how many arrive decided."""
    decisions = [(item.title_id, _conclude([said for _, _, _, said in item.rows])) for item in fresh]
    db.conn.executemany(
        INSERT_DECISION,
        [decision_values(title_id, decision, None) for title_id, decision in decisions],
    )
    return sum(decision.status == "decided" for _, decision in decisions)


def _conclude(rows: Sequence[_Said]) -> Decision:
    """What all rows of a title say together: the same rows give the same decision, whenever they came."""
    answers = [said for said in rows if said.label is not None]
    if not answers:
        note = next((said.note for said in rows if said.note), None)
        return Decision(author=AUTHOR, action="import", status="waiting", note=note)
    usable = [said for said in answers if said.category is not None]
    best = next((said for said in usable if said.chain), usable[0] if usable else answers[0])
    meant = {said.means for said in answers}
    if usable and len(meant) == 1:
        return Decision(
            author=AUTHOR, action="import", status="decided", category=best.category, chain=best.chain
        )
    if len(meant) == 1:
        note = best.note
    else:
        shown = "、".join(f"“{label[:30]}”" for label in dict.fromkeys(said.means or "" for said in answers))
        note = say(f"导入的几行答案不一致：{shown}。", f"Imported rows disagree: {shown}.")
    return Decision(
        author=AUTHOR, action="import", status="waiting", chain=best.chain, note=note, proposal=best.proposal
    )


def _settle_known(db: Store, known: Sequence[_Incoming]) -> Counter[str]:
    """Conclude anew for titles that only imports have decided on; a person's decision stands."""
    ids = json.dumps([item.title_id for item in known])
    rows = _rows_of(db, ids)
    states = db.query(
        "select current_titles.*, action from current_titles join decisions on decisions.id = decision_id"
        " where current_titles.id in (select value from json_each(?))",
        [ids],
    )
    tally: Counter[str] = Counter()
    for state in list(states):
        said = rows[state["id"]]
        if state["action"] != "import":
            latest = said[-1].category
            tally["overruled"] += (
                latest is not None and state["status"] == "decided" and latest != state["category"]
            )
            continue
        decision = _conclude(said)
        if any(state[part] != getattr(decision, part) for part in ("status", "category", "chain", "note")):
            append_decision(db, state["id"], decision, follows=state["revision"])
            tally["changed"] += 1
    return tally


def _rows_of(db: Store, ids: str) -> dict[int, list[_Said]]:
    """Everything imports ever said about the titles of a JSON list of ids, oldest first."""
    said: dict[int, list[_Said]] = {}
    for row in db.query(
        "select title_id, label, means, category, chain, note, proposal from imported_rows"
        " where title_id in (select value from json_each(?)) order by id",
        [ids],
    ):
        said.setdefault(row.pop("title_id"), []).append(_Said(**row))
    return said


def _fix_splits(db: Store, known: Sequence[_Incoming]) -> int:
    """A known title takes on the split that a file names, evaluation before training.

    Returns how many moved from training to evaluation.
    """
    ids = json.dumps([item.title_id for item in known])
    current = dict(
        db.execute(
            "select id, split from titles where id in (select value from json_each(?))", [ids]
        ).fetchall()
    )
    changes = [
        (_stricter(current[item.title_id], item.split), item.title_id)
        for item in known
        if _stricter(current[item.title_id], item.split) != current[item.title_id]
    ]
    db.conn.executemany("update titles set split = ? where id = ?", changes)
    return sum(current[title_id] == "train" for _, title_id in changes)


def _notes(incoming: Iterable[_Incoming], tally: Counter[str]) -> list[str]:
    """What a person should know about rows that met each other or a known title."""
    both = differing = 0
    for item in incoming:
        splits = {split for _, _, split, _ in item.rows}
        both += {"train", "eval"} <= splits
        differing += len({said.means for _, _, _, said in item.rows if said.means is not None}) > 1
    moved, changed, overruled = tally["moved"], tally["changed"], tally["overruled"]
    remarks = (
        (both, "个标题同时在训练集和评估集中，归入评估集", "titles in both splits are now for evaluation"),
        (differing, "个标题的几行答案不一致，进入标注队列", "titles have rows that disagree, and wait"),
        (moved, "个已有标题从训练集改为评估集", "known titles moved from training to evaluation"),
        (changed, "个已有标题的状态因此改变", "known titles changed their state"),
        (
            overruled,
            "个标题已由人确定为别的类别，保持不变",
            "titles were decided otherwise by a person, and stay",
        ),
    )
    return [say(f"{count} {zh}。", f"{count} {en}.") for count, zh, en in remarks if count]
