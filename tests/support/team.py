"""A small team, and titles that it labels, for the tests of reviews, bulk edits and agreement."""

from pathlib import Path

from studio.annotation import annotations
from studio.annotation.leases import offer
from studio.annotation.queue_order import change_settings
from studio.corpus.titles import Title, get_title
from studio.ingest.importer import import_text
from studio.store import Store
from studio.team import people
from studio.team.settings import LabelSettings
from tests.support.samples import SCHEME, new_store

ALONE = LabelSettings(gold_share=0, review_rate=1)
TWO = LabelSettings(gold_share=0, review_rate=1, overlap_share=1, overlap_people=2)
TITLES = "央行宣布降息\n女排逆转夺冠\n孩子发烧怎么办\n台风登陆东南沿海"


def team(folder: Path, titles: str = TITLES) -> Store:
    """Open a workspace with waiting titles: li is admin, zhao reviews, wang and chen annotate."""
    db, _ = new_store(folder)
    import_text(db, titles, SCHEME)
    for name in ("li", "wang", "chen", "zhao"):
        people.sign_in(db, name)
    people.change_person(db, "zhao", by="li", role="reviewer")
    return db


def share(db: Store) -> Store:
    """Change the settings so that two people label every title."""
    change_settings(db, TWO, author="li")
    return db


def label(
    db: Store, author: str, category: str = "经济", *, chain: str | None = None, settings=ALONE
) -> Title:
    """Label the title that the person has on screen."""
    title = offer(db, author=author, settings=settings).title
    return annotations.annotate(
        db,
        title.id,
        category=category,
        chain=chain,
        author=author,
        seen_revision=title.revision,
        active_seconds=2.0,
    )


def dispute(db: Store, one: str = "经济", other: str = "社会", **chains: str) -> Title:
    """Dispute the next shared title: wang and chen label it differently."""
    title = label(db, "wang", one, chain=chains.get("wang"), settings=TWO)
    label(db, "chen", other, chain=chains.get("chen"), settings=TWO)
    return get_title(db, title.id)


def flag(db: Store, author: str = "wang", reason: str = "看不懂") -> Title:
    """Flag the title that the person has on screen."""
    title = offer(db, author=author, settings=ALONE).title
    return annotations.flag(db, title.id, reason=reason, author=author, seen_revision=title.revision)
