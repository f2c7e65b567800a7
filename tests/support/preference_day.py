"""A scripted day: two hundred decisions by a small team, as people make them through the services.

Wang labels with a chain; Chen shares every title and disagrees on some; Zhao settles the disputes, edits
chains and corrects categories; readers report wrong answers, which the team then labels.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from studio.annotation import annotations, requeue, review
from studio.annotation.queue_order import change_settings
from studio.corpus.titles import Title, get_title
from studio.ingest.importer import import_text
from studio.samples.scheme import Scheme
from studio.store import Store
from studio.team import people
from studio.team.settings import LabelSettings


@dataclass(frozen=True)
class DayTitle:
    """A title of the day with its right answer and a wrong one that somebody gives, chains included."""

    text: str
    category: str
    chain: str
    wrong: str
    wrong_chain: str


def sign_in_team(db: Store) -> None:
    """Sign four people in: li is admin, zhao reviews, wang and chen annotate."""
    for name in ("li", "wang", "chen", "zhao"):
        people.sign_in(db, name)
    people.change_person(db, "zhao", by="li", role="reviewer")


def work_a_day(db: Store, titles: Sequence[DayTitle], scheme: Scheme) -> int:
    """Decide on every title in one of four ways, by turns; return how many decisions people made."""
    sign_in_team(db)
    reported, labelled = titles[3::4], [title for n, title in enumerate(titles) if n % 4 != 3]
    import_text(db, "\n".join(title.text for title in labelled), scheme)
    two = LabelSettings(gold_share=0, review_rate=1, overlap_share=1, overlap_people=2)
    before = _count(db)
    ways = [_dispute, _correct, _edit]
    for number, title in enumerate(labelled):
        if number == 0:
            change_settings(db, two, author="li")
        ways[number % 3](db, title)
    for title in reported:
        _report(db, title)
    return _count(db) - before


def _count(db: Store) -> int:
    """Count what people decided: answers, reviews and reports."""
    [(count,)] = db.execute(
        "select (select count(*) from annotations) + (select count(*) from reviews)"
        " + (select count(*) from reported_answers)"
    ).fetchall()
    return int(count)


def _title(db: Store, text: str) -> Title:
    [(title_id,)] = db.execute("select id from titles where text = ?", [text]).fetchall()
    return get_title(db, title_id)


def _answer(db: Store, text: str, author: str, category: str, chain: str) -> Title:
    title = _title(db, text)
    return annotations.annotate(
        db, title.id, category=category, chain=chain, author=author, seen_revision=title.revision
    )


def _settle(db: Store, day: DayTitle, note: str | None = None) -> None:
    title = _title(db, day.text)
    review.decide(
        db,
        title.id,
        category=day.category,
        chain=day.chain,
        author="zhao",
        seen_revision=title.revision,
        note=note,
    )


def _dispute(db: Store, day: DayTitle) -> None:
    _answer(db, day.text, "wang", day.category, day.chain)
    _answer(db, day.text, "chen", day.wrong, day.wrong_chain)
    _settle(db, day, note="看主角")


def _correct(db: Store, day: DayTitle) -> None:
    for author in ("wang", "chen"):
        _answer(db, day.text, author, day.wrong, day.wrong_chain)
    _settle(db, day)


def _edit(db: Store, day: DayTitle) -> None:
    for author in ("wang", "chen"):
        _answer(db, day.text, author, day.category, day.wrong_chain)
    _settle(db, day, note="要引原文")


def _report(db: Store, day: DayTitle) -> None:
    requeue.add_wrong(db, day.text, day.wrong, "li", chain=day.wrong_chain, model="released")
    _answer(db, day.text, "wang", day.category, day.chain)
