"""Answers to findings of a quality scan, and drafts of a teacher."""

from sqlite_utils import Database

from studio.store._migrations.base import NOW, append_only, migrations


@migrations()
def m011_quality(db: Database) -> None:
    """Create the answers to the findings of a quality scan; see studio.quality.findings.Finding.key."""
    db.execute(
        f"""create table quality_verdicts (
            id integer primary key,
            finding text not null,
            verdict text not null check (verdict in ('right', 'relabel', 'merge', 'dismiss')),
            author text not null,
            at text not null default {NOW}
        )"""
    )
    db.execute("create index quality_verdicts_by_finding on quality_verdicts (finding)")
    append_only(db, "quality_verdicts")


@migrations()
def m012_drafts(db: Database) -> None:
    """Think chains that a teacher drafted, what people said to them, and text that is not saved yet.

    A draft is no decision: it counts only when a person accepts or edits it, which
    writes an annotation like any other.
    """
    # remarks: codes of the chain lint as a JSON list.
    db.execute(
        f"""create table drafts (
            id integer primary key,
            title_id integer not null references titles(id),
            decision_id integer not null references decisions(id),
            category text not null,
            chain text not null check (chain <> ''),
            model text not null,
            endpoint text not null,
            run_id text not null,
            remarks text not null,
            at text not null default {NOW},
            unique (run_id, title_id)
        )"""
    )
    db.execute("create index drafts_by_title on drafts (title_id)")
    append_only(db, "drafts")
    db.execute(
        f"""create table draft_verdicts (
            id integer primary key,
            draft_id integer not null references drafts(id),
            author text not null,
            verdict text not null check (verdict in ('accepted', 'edited', 'rejected')),
            annotation_id integer references annotations(id),
            at text not null default {NOW},
            check ((verdict = 'rejected') = (annotation_id is null))
        )"""
    )
    db.execute("create index draft_verdicts_by_draft on draft_verdicts (draft_id)")
    append_only(db, "draft_verdicts")
    # How far the lines of each run were taken in; bytes.
    db.execute("create table draft_intakes (run_id text primary key, bytes integer not null) without rowid")
    db.execute(
        f"""create table typed_drafts (
            author text not null,
            title_id integer not null references titles(id),
            category text,
            text text not null,
            at text not null default {NOW},
            primary key (author, title_id)
        ) without rowid"""
    )
    _create_pending_drafts(db)


def _create_pending_drafts(db: Database) -> None:
    """Derive the draft that waits for a person, at most one a title, so that the next is a lookup.

    It was drafted for the decision that counts, the title has no chain, and no verdict
    on it stands; a verdict falls with its annotation when that is taken back.
    """
    db.execute(
        "create table pending_drafts"
        " (title_id integer primary key references titles(id), draft_id integer not null)"
    )

    def look_again(title: str) -> str:
        return (
            f"delete from pending_drafts where title_id = {title};"
            " insert into pending_drafts select drafts.title_id, max(drafts.id) from drafts"
            " join states on states.title_id = drafts.title_id and states.decision_id = drafts.decision_id"
            f" where drafts.title_id = {title} and states.status = 'decided' and not states.has_chain"
            " and not exists (select 1 from draft_verdicts as said where said.draft_id = drafts.id"
            " and not exists (select 1 from retractions where annotation_id = said.annotation_id))"
            " group by drafts.title_id;"
        )

    for name, moment, title in (
        ("drafts_wait", "insert on drafts", "new.title_id"),
        (
            "drafts_are_judged",
            "insert on draft_verdicts",
            "(select title_id from drafts where id = new.draft_id)",
        ),
        ("drafts_follow_the_title", "update of decision_id on states", "new.title_id"),
        (
            "drafts_follow_retractions",
            "insert on retractions",
            "(select title_id from annotations where id = new.annotation_id)",
        ),
    ):  # fmt: skip
        db.execute(f"create trigger {name} after {moment} begin {look_again(title)} end")
