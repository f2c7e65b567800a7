"""Import annotation files: answers with their authors and times, joined to the titles by their key.

What is there already (same title, person and time) is left out, so that a file can be imported twice. A
title that waits moves on by its answers as it would have by itself: agreed, disputed, flagged. A title
that does not wait any more keeps where it stands, and the answers join its history.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

from studio.annotation import annotations
from studio.annotation.annotation_files import UNREADABLE, is_true, number
from studio.corpus.titles import get_title
from studio.language import say
from studio.messages import MESSAGES, fields_of, message, stored
from studio.samples.scheme import Scheme
from studio.samples.title_text import title_key
from studio.store import Store, writing
from studio.system.portions import portions
from studio.team import people

PORTION = 100
"""Titles under one lock, a fraction of a second: others label in between."""
SHOWN = 100
"""Rows that the report names, of each kind."""


@dataclass(kw_only=True, slots=True)
class AnnotationImport:
    """What an import did, counted by rows; `unmatched` and `refused` name the first of them.

    `moved` counts the titles that waited and no longer do; `authors` are those of the answers added.
    """

    rows: int = 0
    added: int = 0
    already_there: int = 0
    moved: int = 0
    unmatched_rows: int = 0
    refused_rows: int = 0
    authors: set[str] = field(default_factory=set)
    unmatched: list[tuple[int, str]] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, for the command line."""
        return {
            "rows": self.rows,
            "added": self.added,
            "already_there": self.already_there,
            "moved": self.moved,
            "unmatched_rows": self.unmatched_rows,
            "refused_rows": self.refused_rows,
            "unmatched": [{"row": row, "title": title} for row, title in self.unmatched],
            "refused": [{"row": row, "reason": reason} for row, reason in self.refused],
        }


def import_annotations(db: Store, rows: Iterable[Mapping[str, Any]], scheme: Scheme) -> AnnotationImport:
    """Add answers from a file to the titles of the workspace, and report what did not fit.

    Authors who are not known yet are registered as annotators.
    """
    done = AnnotationImport()
    db.execute("drop table if exists temp.incoming")
    db.execute("create temp table incoming (key text, round integer, at text, number integer, value text)")
    try:
        for portion in portions(_checked(rows, scheme, done), PORTION):
            with writing(db):
                db.conn.executemany("insert into incoming values (?, ?, ?, ?, ?)", portion)
        found = db.execute("select key, value from incoming order by key, round, at, number")
        titles = (
            (key, [json.loads(value) for _, value in each]) for key, each in groupby(found, itemgetter(0))
        )
        for answers in portions(titles, PORTION):
            with writing(db):
                for key, given in answers:
                    _add(db, key, given, done)
    finally:
        db.execute("drop table if exists temp.incoming")
    return done


def _checked(
    rows: Iterable[Mapping[str, Any]], scheme: Scheme, done: AnnotationImport
) -> Iterable[tuple[str, int, str, int, str]]:
    """Check each row; what cannot be used is counted and named."""
    for done.rows, row in enumerate(rows, start=1):
        try:
            answer = _answer(row, scheme)
        except ValueError as error:
            done.refused_rows += 1
            if len(done.refused) < SHOWN:
                done.refused.append((done.rows, str(error)))
            continue
        answer["number"] = done.rows
        key = title_key(answer["title"])
        yield key, answer["round"], answer["at"], done.rows, json.dumps(answer, ensure_ascii=False)


def _answer(row: Mapping[str, Any], scheme: Scheme) -> dict[str, Any]:
    """Read one row.

    Raises:
        ValueError: it cannot be used; the sentence says why.
    """
    if row.get(UNREADABLE):
        raise ValueError(say("这一行不是 JSON 对象。", "This line is no JSON object."))
    title, annotator = _text(row, "title"), " ".join((_text(row, "annotator") or "").split())
    if not title:
        raise ValueError(say("没有标题（title）。", "There is no title."))
    if not annotator or len(annotator) > people.LONGEST_NAME:
        raise ValueError(say("没有可用的标注员（annotator）。", "There is no usable annotator."))
    category = _text(row, "category")
    kind = _text(row, "kind") or ("category" if category else "")
    if kind not in ("category", "skip", "flag"):
        raise ValueError(say("不认识的类型（kind）“{kind}”。", "Unknown kind “{kind}”.", kind=kind[:40]))
    if (kind == "category") != (category is not None):
        raise ValueError(
            say("标注要有类别，跳过和存疑不能有。", "A label needs a category; a skip or a flag has none.")
        )
    if category is not None and category not in scheme.names:
        raise ValueError(
            say("“{name}”不在类别表中。", "“{name}” is none of the categories.", name=category[:40])
        )
    rounds = number(row.get("round"))
    suggestion = _text(row, "suggestion")
    return {
        "title": title,
        "annotator": annotator,
        "at": _moment(_text(row, "at")),
        "kind": kind,
        "category": category,
        "reason": _reason(row),
        "chain": _text(row, "chain"),
        "seconds": number(row.get("seconds")),
        "suggestion": suggestion,
        "suggestion_source": _text(row, "suggestion_source") if suggestion else None,
        "gold": is_true(row, "gold"),
        "retracted_at": _moment(_text(row, "retracted_at")) if _text(row, "retracted_at") else None,
        "round": int(rounds) if rounds and rounds < 1_000_000 else 1,
    }


def _text(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    return (value.strip() or None) if isinstance(value, str) else None


def _reason(row: Mapping[str, Any]) -> str | None:
    code = _text(row, "reason_code")
    if code is not None and code in MESSAGES and not fields_of(MESSAGES[code][0]):
        return stored(message(code))
    return _text(row, "reason")


def _moment(text: str | None) -> str:
    """Read a moment as the store writes it: UTC, milliseconds; without a zone it is local time."""
    for form in (None, "%Y/%m/%d %H:%M:%S", "%Y/%m/%d %H:%M"):
        try:
            found = (
                datetime.fromisoformat(text or "") if form is None else datetime.strptime(text or "", form)
            )
            utc = found.astimezone(UTC)
        except (ValueError, OverflowError):
            continue
        return utc.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    raise ValueError(say("没有可读的时间（at）。", "There is no readable time (at)."))


def _add(db: Store, key: str, given: Sequence[Mapping[str, Any]], done: AnnotationImport) -> None:
    """Add the answers to one title, round by round, and let it move on if it waits."""
    found = db.execute("select id from titles where key = ?", [key]).fetchone()
    if found is None:
        done.unmatched_rows += len(given)
        done.unmatched += [(each["number"], each["title"]) for each in given[: SHOWN - len(done.unmatched)]]
        return
    title_id = int(found[0])
    waits = get_title(db, title_id).status == "waiting"
    about = db.execute("select min(id) from decisions where title_id = ?", [title_id]).fetchone()[0]
    for _, answers in groupby(given, key=itemgetter("round")):
        if waits:
            about = get_title(db, title_id).decision_id
        added = [_insert(db, title_id, about, answer, done) for answer in answers]
        if waits and any(added):
            annotations.conclude(db, title_id)
    if waits and get_title(db, title_id).status != "waiting":
        done.moved += 1


def _insert(db: Store, title_id: int, about: int, answer: Mapping[str, Any], done: AnnotationImport) -> bool:
    """Insert one answer unless it is there; return whether it was added."""
    if db.execute(
        "select 1 from annotations where title_id = ? and author = ? and at = ?",
        [title_id, answer["annotator"], answer["at"]],
    ).fetchone():
        done.already_there += 1
        return False
    if answer["annotator"] not in done.authors:
        people.register(db, answer["annotator"], role="annotator")
        done.authors.add(answer["annotator"])
    if answer["kind"] == "category" and not answer["gold"] and answer["retracted_at"] is None:
        annotations.retract_standing(db, title_id, about, author=answer["annotator"], at=answer["at"])
    annotation_id = db.execute(
        "insert into annotations (title_id, decision_id, author, kind, category, chain, reason,"
        " active_seconds, suggestion, suggestion_source, is_gold, at)"
        " values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            title_id,
            about,
            *(answer[name] for name in ("annotator", "kind", "category", "chain", "reason", "seconds")),
            *(answer[name] for name in ("suggestion", "suggestion_source", "gold", "at")),
        ],
    ).lastrowid
    if answer["retracted_at"] is not None:
        db.execute(
            "insert into retractions (annotation_id, author, at) values (?, ?, ?)",
            [annotation_id, answer["annotator"], answer["retracted_at"]],
        )
    done.added += 1
    return True
