"""Reviews, tags, and the counters that pages read."""

from sqlite_utils import Database

from studio.store._migrations.base import NOW, append_only, migrations

DRAWN_FOR_REVIEW = "((({title_id}) * 2246822519 + 374761393) >> 9) & 1048575"
"""A title's lot among 2**20 for the review by sampling; unlike the lot that asks several people."""


@migrations()
def m014_review(db: Database) -> None:
    """Reviews, what waits for one, steps taken back, tags, and counters of who did how much when."""
    # verdict: what the reviewer thought of what was there; the decision says what came of it.
    db.execute(
        f"""create table reviews (
            decision_id integer primary key references decisions(id),
            author text not null,
            verdict text not null check (verdict in ('approve', 'edit', 'send_back')),
            active_seconds real,
            at text not null default {NOW}
        )"""
    )
    db.execute("create index reviews_by_author on reviews (author, decision_id)")
    append_only(db, "reviews")
    # One row a reviewer and queue: what is on their screen, and how far they are in the queue.
    db.execute(
        """create table review_leases (
            author text not null,
            queue text not null check (queue in ('adjudicate', 'sample')),
            title_id integer references titles(id),
            place integer not null default -1,
            expires_at text not null default '',
            primary key (author, queue)
        ) without rowid"""
    )
    db.execute("create index review_leases_by_title on review_leases (title_id) where title_id is not null")
    # Oldest first: a title enters with the decision that disputed or flagged it.
    db.execute(
        "create index states_in_question on states (decision_id) where status in ('disputed', 'flagged')"
    )
    db.execute(
        """create table undone_steps (
            step_id integer primary key references steps(id),
            by_step integer not null references steps(id)
        )"""
    )
    append_only(db, "undone_steps")
    db.execute("create index annotations_of_gold on annotations (title_id, author) where is_gold")
    _create_unreviewed(db)
    _create_tags(db)
    _create_hour_counts(db)
    _create_shared_answers(db)


def _create_unreviewed(db: Database) -> None:
    """Titles that a person decided and no reviewer has seen, each with its lot; derived from states."""
    db.execute(
        """create table unreviewed (
            author text not null,
            lot integer not null,
            title_id integer not null references titles(id),
            primary key (author, lot, title_id)
        ) without rowid"""
    )
    db.execute("create unique index unreviewed_by_title on unreviewed (title_id)")
    people = "status = 'decided' and action in ('annotate', 'agree')"
    db.execute(
        "create trigger states_are_drawn_for_review after update of decision_id on states"
        " when old.decision_id <> new.decision_id begin"
        " delete from unreviewed where title_id = new.title_id;"
        f" insert into unreviewed select author, {DRAWN_FOR_REVIEW.format(title_id='new.title_id')}, new.title_id"
        f" from decisions where id = new.decision_id and {people}; end"
    )
    db.execute(
        f"insert into unreviewed select decisions.author, {DRAWN_FOR_REVIEW.format(title_id='states.title_id')},"
        " states.title_id from states join decisions on decisions.id = states.decision_id"
        f" where decisions.{people.replace('and action', 'and decisions.action')}"
    )


def _create_tags(db: Database) -> None:
    """Tags are history, too: `tag_events` is what happened, `title_tags` what stands."""
    db.execute(
        f"""create table tag_events (
            id integer primary key,
            title_id integer not null references titles(id),
            tag text not null check (tag <> ''),
            is_on integer not null,
            author text not null,
            step_id integer references steps(id),
            at text not null default {NOW}
        )"""
    )
    db.execute("create index tag_events_by_step on tag_events (step_id) where step_id is not null")
    db.execute("create index tag_events_by_title on tag_events (title_id, tag, id)")
    append_only(db, "tag_events")
    db.execute(
        """create table title_tags (
            tag text not null,
            title_id integer not null references titles(id),
            primary key (tag, title_id)
        ) without rowid"""
    )
    db.execute("create index title_tags_by_title on title_tags (title_id)")
    db.execute(
        "create trigger tags_are_set after insert on tag_events when new.is_on begin"
        " insert or ignore into title_tags values (new.tag, new.title_id); end"
    )
    db.execute(
        "create trigger tags_are_removed after insert on tag_events when not new.is_on begin"
        " delete from title_tags where tag = new.tag and title_id = new.title_id; end"
    )


def _create_hour_counts(db: Database) -> None:
    """Answers per person and hour (UTC): the reader groups them into days of the local clock."""
    db.execute(
        """create table hour_counts (
            author text not null,
            hour text not null,
            answers integer not null,
            primary key (author, hour)
        ) without rowid"""
    )
    db.execute(
        "create trigger annotations_are_counted_by_hour after insert on annotations begin"
        " insert into hour_counts values (new.author, substr(new.at, 1, 13), 1)"
        " on conflict do update set answers = answers + 1; end"
    )
    db.execute(
        "create trigger retractions_are_counted_by_hour after insert on retractions begin"
        " update hour_counts set answers = answers - 1 where (author, hour) ="
        " (select author, substr(at, 1, 13) from annotations where id = new.annotation_id); end"
    )
    db.execute(
        "insert into hour_counts select author, substr(at, 1, 13), count(*) from annotations"
        " where id not in (select annotation_id from retractions) group by 1, 2"
    )


def _create_shared_answers(db: Database) -> None:
    """Decisions about which more than one person was heard: where agreement can be measured."""
    db.execute(
        """create table shared_answers (
            decision_id integer primary key references decisions(id),
            title_id integer not null references titles(id)
        )"""
    )
    db.execute(
        "create trigger annotations_are_shared after insert on annotations"
        " when new.kind = 'category' and not new.is_gold begin"
        " insert or ignore into shared_answers select new.decision_id, new.title_id"
        " where exists (select 1 from annotations where title_id = new.title_id"
        " and decision_id = new.decision_id and author <> new.author and kind = 'category' and not is_gold); end"
    )
    db.execute(
        "insert into shared_answers select decision_id, title_id from annotations"
        " where kind = 'category' and not is_gold group by title_id, decision_id having count(distinct author) > 1"
    )


@migrations()
def m015_suggestion_counts(db: Database) -> None:
    """How often suggestions were shown and accepted, by who made them and day (UTC)."""
    db.execute(
        """create table suggestion_counts (
            source text not null,
            day text not null,
            shown integer not null,
            accepted integer not null,
            primary key (source, day)
        ) without rowid"""
    )
    counted = "kind = 'category' and suggestion is not null and not is_gold"
    db.execute(
        "create trigger suggestions_are_counted after insert on annotations"
        " when new.kind = 'category' and new.suggestion is not null and not new.is_gold begin"
        " insert into suggestion_counts"
        " values (coalesce(new.suggestion_source, ''), substr(new.at, 1, 10), 1, new.suggestion = new.category)"
        " on conflict do update set shown = shown + 1, accepted = accepted + excluded.accepted; end"
    )
    db.execute(
        "create trigger retracted_suggestions_are_counted after insert on retractions begin"
        " update suggestion_counts set shown = shown - 1, accepted = accepted - (select suggestion = category"
        " from annotations where id = new.annotation_id) where (source, day) ="
        " (select coalesce(suggestion_source, ''), substr(at, 1, 10) from annotations"
        f" where id = new.annotation_id and {counted}); end"
    )
    db.execute(
        "insert into suggestion_counts select coalesce(suggestion_source, ''), substr(at, 1, 10), count(*),"
        f" sum(suggestion = category) from annotations where {counted}"
        " and id not in (select annotation_id from retractions) group by 1, 2"
    )
