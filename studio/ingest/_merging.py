"""Merge what all imported rows of a title say into one decision.

The same rows give the same state, in whatever order they came; what a person decided
stays, whatever a file says later. Rows of an import that was undone say nothing.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.corpus.titles import Decision, append_decision, append_decisions
from studio.language import say
from studio.messages import message, parsed, stored
from studio.samples.canonical import proposed_category
from studio.samples.label_matching import proposal
from studio.samples.scheme import Scheme
from studio.samples.title_text import Split
from studio.store import Store
from studio.validation.rows import Judged

AUTHOR = "import"
"""Who decides titles that arrive with a usable answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowAnswer:
    """What one row says about its title; `label` and `means` are None for a plain title.

    `means` is the category that the label is or safely stands for, else the label.
    """

    label: str | None
    means: str | None
    category: str | None
    chain: str | None
    note: str | None
    proposal: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptRow:
    """A row of some import, as the store keeps it."""

    batch_id: int
    split: Split | None
    answer: RowAnswer


def row_answer(item: Judged, scheme: Scheme) -> RowAnswer:
    """Reduce a judged row to what it says about its title."""
    answer, errors = item.answer, item.errors
    # Also what is no error may be why a title waits: the label that a tool's user rejected.
    reasons = [problem.reason for problem in item.problems if problem.reason]
    note = stored(*reasons) if reasons else None
    if answer is None:
        return RowAnswer(label=None, means=None, category=None, chain=None, note=note, proposal=None)
    return RowAnswer(
        label=answer.label,
        means=item.category or proposed_category(answer.label, scheme.names) or answer.label,
        category=None if errors else item.category,
        chain=answer.chain or None,
        note=note,
        proposal=item.category or proposal(answer.label, scheme),
    )


def stricter(one: Split | None, other: Split | None) -> Split | None:
    """Combine two splits; evaluation wins, as a title that is learned must not be tested."""
    return "eval" if "eval" in (one, other) else one or other


def conclude(rows: Sequence[RowAnswer]) -> Decision:
    """Merge all rows of a title into one decision."""
    answers = [answer for answer in rows if answer.label is not None]
    if not answers:
        note = next((answer.note for answer in rows if answer.note), None)
        return Decision(author=AUTHOR, action="import", status="waiting", note=note)
    usable = [answer for answer in answers if answer.category is not None]
    best = next((answer for answer in usable if answer.chain), usable[0] if usable else answers[0])
    meant = {answer.means for answer in answers}
    if usable and len(meant) == 1:
        return Decision(
            author=AUTHOR, action="import", status="decided", category=best.category, chain=best.chain
        )
    if len(meant) == 1:
        note = best.note
    else:
        labels = [label[:30] for label in dict.fromkeys(answer.means or "" for answer in answers)]
        note = stored(message("imported_rows_disagree", labels=labels))
    return Decision(
        author=AUTHOR, action="import", status="waiting", chain=best.chain, note=note, proposal=best.proposal
    )


def settle(db: Store, title_ids: Sequence[int], batch_id: int) -> Counter[str]:
    """Give titles the state that their rows conclude, inside a `writing` block; count what changed.

    Titles without a state get their first; those that only imports have decided on are
    concluded anew; a person's decision stands.
    """
    ids = json.dumps(title_ids)
    kept = rows_of(db, ids)
    states = {
        row["id"]: row
        for row in db.query(
            "select current_titles.*, action from current_titles join decisions on decisions.id = decision_id"
            " where current_titles.id in (select value from json_each(?))",
            [ids],
        )
    }
    fresh = [title_id for title_id in title_ids if title_id not in states]
    tally = _decide_fresh(db, fresh, kept)
    tally += _settle_known(db, states.values(), kept)
    tally["moved"] = _fix_splits(db, title_ids, kept, states)
    return tally + _meetings(title_ids, kept, batch_id)


def _decide_fresh(db: Store, fresh: Iterable[int], kept: Mapping[int, Sequence[KeptRow]]) -> Counter[str]:
    moves = [(title_id, conclude([row.answer for row in kept[title_id]]), None) for title_id in fresh]
    append_decisions(db, moves)
    return Counter(decided=sum(decision.status == "decided" for _, decision, _ in moves))


def _settle_known(
    db: Store, states: Iterable[Mapping[str, Any]], kept: Mapping[int, Sequence[KeptRow]]
) -> Counter[str]:
    tally: Counter[str] = Counter()
    for state in states:
        answers = [row.answer for row in kept.get(state["id"], [])]
        if not answers:
            continue
        if state["action"] not in ("import", "withdraw"):
            latest = answers[-1].category
            tally["overruled"] += (
                latest is not None and state["status"] == "decided" and latest != state["category"]
            )
            continue
        decision = conclude(answers)
        if any(state[part] != getattr(decision, part) for part in ("status", "category", "chain", "note")):
            append_decision(db, state["id"], decision, follows=state["revision"])
            tally["returned" if state["status"] == "trashed" else "changed"] += 1
    return tally


def rows_of(db: Store, ids: str) -> dict[int, list[KeptRow]]:
    """Everything imports ever answered about the titles of a JSON list of ids, oldest first."""
    kept: dict[int, list[KeptRow]] = {}
    mapped = remembered_labels(db)
    for title_id, batch_id, split, *parts in db.execute(
        "select title_id, batch_id, split, label, means, category, chain, note, proposal from imported_rows"
        " where title_id in (select value from json_each(?))"
        " and batch_id not in (select batch_id from batch_undos) order by id",
        [ids],
    ):
        label, means, category, chain, note, proposed = parts
        if category is None and label in mapped and is_unknown_label(note):
            category = means = proposed = mapped[label]
            note = None
        answer = RowAnswer(
            label=label, means=means, category=category, chain=chain, note=note, proposal=proposed
        )
        kept.setdefault(title_id, []).append(KeptRow(batch_id=batch_id, split=split, answer=answer))
    return kept


def remembered_labels(db: Store) -> dict[str, str]:
    """Load what people said that foreign labels mean, without what came with an import that was undone."""
    return dict(
        db.execute("select label, category from current_label_mappings where category is not null").fetchall()
    )


def is_unknown_label(note: str | None) -> bool:
    """Return whether all that a row lacks is a category of the scheme."""
    messages = parsed(note) if note else None
    return bool(messages) and all(each.code.startswith("unknown_category") for each in messages or ())


def _fix_splits(
    db: Store,
    title_ids: Sequence[int],
    kept: Mapping[int, Sequence[KeptRow]],
    states: Mapping[int, Mapping[str, Any]],
) -> int:
    """Set the split that the rows of a title name, evaluation before training.

    Returns how many known ones moved from training to evaluation.
    """
    changes, moved = [], 0
    for title_id in title_ids:
        before = states[title_id]["split"] if title_id in states else None
        split = before
        for row in kept.get(title_id, []):
            split = stricter(split, row.split)
        if split != before:
            changes.append((split, title_id))
            moved += before == "train"
    db.conn.executemany("update titles set split = ? where id = ?", changes)
    return moved


def _meetings(title_ids: Sequence[int], kept: Mapping[int, Sequence[KeptRow]], batch_id: int) -> Counter[str]:
    """How rows of one import met each other: titles in both splits, titles with several answers."""
    tally: Counter[str] = Counter()
    for title_id in title_ids:
        rows = [row for row in kept.get(title_id, []) if row.batch_id == batch_id]
        tally["both"] += {"train", "eval"} <= {row.split for row in rows}
        tally["differing"] += len({row.answer.means for row in rows if row.answer.means is not None}) > 1
    return tally


def notes_on(tally: Counter[str]) -> list[str]:
    """Report rows that met each other or a known title, in sentences for a person."""
    remarks = (
        ("both", "个标题同时在训练集和评估集中，归入评估集", "titles in both splits are now for evaluation"),
        ("differing", "个标题的几行答案不一致，进入标注队列", "titles have rows that disagree, and wait"),
        ("moved", "个已有标题从训练集改为评估集", "known titles moved from training to evaluation"),
        ("changed", "个已有标题的状态因此改变", "known titles changed their state"),
        ("returned", "个撤销过的标题又回来了", "titles that had been withdrawn are back"),
        (
            "overruled",
            "个标题已由人确定为别的类别，保持不变",
            "titles were decided otherwise by a person, and stay",
        ),
    )
    return [say(f"{tally[key]} {zh}。", f"{tally[key]} {en}.") for key, zh, en in remarks if tally[key]]
