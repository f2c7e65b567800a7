"""The tables of a workspace's database, and the guards that SQLite itself holds.

What people decided is history: rows are appended, never changed, and SQLite itself
refuses anything else. `states` is the one derived table: a trigger keeps in it, for
every title, which decision counts now, so that the label queue is an index lookup
at any size; the view `current_titles` reads through it. A migration that was released
is never edited. This module knows only SQL.
"""

from sqlite_utils import Database, Migrations

migrations = Migrations("news_studio")


def _append_only(db: Database, table: str) -> None:
    for verb in ("update", "delete"):
        db.execute(
            f"create trigger {table}_no_{verb} before {verb} on {table}"
            f" begin select raise(abort, '{table} is append-only'); end"
        )


NOW = "(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))"
"""UTC with milliseconds, as text that sorts."""


@migrations()
def m001_titles(db: Database) -> None:
    """Titles, each once, and every imported row that brought one."""
    db.execute(
        f"""create table batches (
            id integer primary key,
            source text not null,
            author text not null,
            imported_at text not null default {NOW}
        )"""
    )
    db.execute(
        f"""create table titles (
            id integer primary key,
            text text not null check (text <> ''),
            key text not null unique,
            split text check (split in ('train', 'eval')),
            source text not null,
            batch_id integer not null references batches(id),
            created_at text not null default {NOW}
        )"""
    )
    db.execute(
        "create trigger titles_keep_their_text before update of id, text, key, source, batch_id, created_at"
        " on titles begin select raise(abort, 'a title never changes, its decisions do'); end"
    )
    db.execute(
        "create trigger titles_no_delete before delete on titles"
        " begin select raise(abort, 'a title is never deleted'); end"
    )
    # label: what the row's answer said, word for word; means: what it safely stands for, the
    # label itself if nothing; category: set only where the row may decide.
    db.execute(
        """create table imported_rows (
            id integer primary key,
            batch_id integer not null references batches(id),
            title_id integer not null references titles(id),
            file text not null,
            row integer not null,
            split text,
            label text,
            means text,
            category text,
            chain text,
            note text,
            proposal text
        )"""
    )
    db.execute("create index imported_rows_by_title on imported_rows (title_id)")
    _append_only(db, "imported_rows")
    _append_only(db, "batches")


@migrations()
def m002_decisions(db: Database) -> None:
    """What people said (annotations), what counts (decisions), and where a title stands (states)."""
    # decision_id: the decision that counted when it was said. A title that waits for several
    # people collects what they say about that one decision; the last of them moves it on.
    # suggestion: the category that was shown as a suggestion; is_gold: the answer was known.
    db.execute(
        f"""create table annotations (
            id integer primary key,
            title_id integer not null references titles(id),
            decision_id integer not null references decisions(id),
            author text not null,
            kind text not null check (kind in ('category', 'skip', 'flag')),
            category text,
            chain text,
            reason text,
            active_seconds real,
            suggestion text,
            suggestion_source text,
            is_gold integer not null default 0,
            at text not null default {NOW},
            check ((kind = 'category') = (category is not null))
        )"""
    )
    db.execute("create index annotations_by_author on annotations (author, id)")
    db.execute("create index annotations_of_day on annotations (author, at)")
    db.execute("create index annotations_by_title on annotations (title_id, decision_id, author)")
    _append_only(db, "annotations")
    db.execute(
        f"""create table retractions (
            annotation_id integer primary key references annotations(id),
            author text not null,
            at text not null default {NOW}
        )"""
    )
    _append_only(db, "retractions")
    # One press of a reviewer or an admin that moved many titles, undoable as one.
    db.execute(
        f"""create table steps (
            id integer primary key,
            author text not null,
            action text not null,
            note text,
            at text not null default {NOW}
        )"""
    )
    _append_only(db, "steps")
    # follows: the decision that was current before; unique, so a title's history is one line.
    # restores: for an undo or a restore, the decision that counts again; such a row has no state
    # of its own. rank: place in the queue; 0 before 1. addressee: who should look at it again.
    db.execute(
        f"""create table decisions (
            id integer primary key,
            title_id integer not null references titles(id),
            follows integer references decisions(id),
            author text not null,
            action text not null check (action in (
                'import', 'annotate', 'agree', 'dispute', 'skip', 'flag', 'send_back', 'wrong',
                'review', 'relabel', 'trash', 'withdraw', 'restore', 'undo'
            )),
            status text check (status in
                ('waiting', 'decided', 'skipped', 'flagged', 'disputed', 'trashed')),
            category text,
            chain text,
            note text,
            proposal text,
            rank integer not null default 1,
            annotation_id integer references annotations(id),
            undoes integer references decisions(id),
            restores integer references decisions(id),
            addressee text,
            step_id integer references steps(id),
            at text not null default {NOW},
            check ((action = 'undo') = (undoes is not null)),
            check ((action in ('undo', 'restore')) = (restores is not null)),
            check ((action in ('undo', 'restore')) = (status is null)),
            check ((status is 'decided') = (category is not null))
        )"""
    )
    db.execute("create unique index decisions_first on decisions (title_id) where follows is null")
    db.execute("create unique index decisions_next on decisions (follows) where follows is not null")
    db.execute("create unique index decisions_undone on decisions (undoes) where undoes is not null")
    db.execute("create index decisions_by_step on decisions (step_id) where step_id is not null")
    _append_only(db, "decisions")
    _create_states(db)
    _create_counts(db)


def _create_states(db: Database) -> None:
    # place: order in the queue; wanted: how many people are asked. Both are the queue's own
    # (studio.ordering) and outlive decisions.
    db.execute(
        """create table states (
            title_id integer primary key references titles(id),
            revision integer not null references decisions(id),
            decision_id integer not null references decisions(id),
            status text not null,
            category text,
            rank integer not null,
            place integer not null,
            wanted integer not null default 1,
            has_chain integer not null
        )"""
    )
    db.execute("create index states_queue on states (status, rank, place, title_id)")
    db.execute("create index states_category on states (status, category, title_id)")
    db.execute(
        "create index states_without_chain on states (title_id) where status = 'decided' and not has_chain"
    )
    db.execute(
        """create trigger decisions_move_the_title after insert on decisions begin
            insert into states (title_id, revision, decision_id, status, category, rank, place, has_chain)
            select new.title_id, new.id, id, status, category, rank, new.title_id, chain is not null
            from decisions where id = coalesce(new.restores, new.id)
            on conflict (title_id) do update set
                revision = excluded.revision, decision_id = excluded.decision_id,
                status = excluded.status, category = excluded.category, rank = excluded.rank,
                has_chain = excluded.has_chain;
        end"""
    )
    db.execute(
        # One column for each field of titles.Title.
        """create view current_titles as
        select states.title_id as id, titles.text, titles.split, titles.source, titles.batch_id,
               states.status, states.category, decisions.chain, states.revision, decisions.note,
               decisions.proposal, decisions.author, states.rank, states.decision_id,
               states.wanted, decisions.addressee
        from states
        join titles on titles.id = states.title_id
        join decisions on decisions.id = states.decision_id"""
    )


def _create_counts(db: Database) -> None:
    """Counters that a key press reads: a count over a million rows would take longer than the press."""
    db.execute(
        """create table counts (
            status text not null,
            category text not null,
            titles integer not null,
            primary key (status, category)
        ) without rowid"""
    )
    add = (
        "insert into counts values (new.status, coalesce(new.category, ''), 1)"
        " on conflict do update set titles = titles + 1;"
    )
    remove = (
        "update counts set titles = titles - 1"
        " where status = old.status and category = coalesce(old.category, '');"
    )
    db.execute(f"create trigger states_are_counted after insert on states begin {add} end")
    db.execute(
        "create trigger states_are_counted_anew after update of status, category on states"
        " when old.status is not new.status or old.category is not new.category"
        f" begin {remove} {add} end"
    )
    db.execute("create table answer_counts (author text primary key, answers integer not null) without rowid")
    db.execute(
        "create trigger annotations_are_counted after insert on annotations begin"
        " insert into answer_counts values (new.author, 1)"
        " on conflict do update set answers = answers + 1; end"
    )
    db.execute(
        "create trigger retractions_are_counted after insert on retractions begin"
        " update answer_counts set answers = answers - 1"
        " where author = (select author from annotations where id = new.annotation_id); end"
    )


@migrations()
def m003_versions(db: Database) -> None:
    """Frozen dataset versions and their rows."""
    db.execute(
        f"""create table versions (
            id integer primary key,
            name text not null,
            number integer not null,
            sha256 text not null,
            author text not null,
            created_at text not null default {NOW},
            unique (name, number)
        )"""
    )
    db.execute(
        """create table version_rows (
            version_id integer not null references versions(id),
            split text not null check (split in ('train', 'eval')),
            row integer not null,
            title_id integer not null references titles(id),
            decision_id integer not null references decisions(id),
            category text not null,
            primary key (version_id, split, row)
        ) without rowid"""
    )
    db.execute("create index version_rows_by_title on version_rows (title_id)")
    _append_only(db, "versions")
    _append_only(db, "version_rows")


@migrations()
def m004_people(db: Database) -> None:
    """Who works here, how labelling is organised, and who has which title on screen."""
    db.execute(
        f"""create table people (
            name text primary key check (name <> ''),
            role text not null check (role in ('annotator', 'reviewer', 'analyst', 'admin')),
            color text not null,
            is_active integer not null default 1,
            created_at text not null default {NOW}
        )"""
    )
    # value: a settings.LabelSettings as JSON; the last row counts.
    db.execute(
        f"""create table label_settings (
            id integer primary key,
            value text not null,
            author text not null,
            at text not null default {NOW}
        )"""
    )
    _append_only(db, "label_settings")
    # One row a person: the title on their screen until expires_at, and where in the queue they are.
    db.execute(
        """create table leases (
            author text primary key,
            title_id integer references titles(id),
            is_gold integer not null default 0,
            is_reopened integer not null default 0,
            place integer not null default -1,
            expires_at text not null
        )"""
    )
    db.execute("create index leases_by_title on leases (title_id) where title_id is not null")
    db.execute(
        f"""create table gold_titles (
            title_id integer primary key references titles(id),
            category text not null,
            author text not null,
            at text not null default {NOW}
        )"""
    )
    # What the model beside the annotators thinks of waiting titles; written anew after each training.
    db.execute(
        f"""create table suggestions (
            title_id integer primary key references titles(id),
            category text not null,
            probability real not null,
            runner_up text,
            runner_up_probability real,
            source text not null,
            at text not null default {NOW}
        )"""
    )


@migrations()
def m010_imports(db: Database) -> None:
    """Imports that are seen whole or not at all and can be undone, and which titles are nearly the same."""
    # open: rows are being put down; staged: all are there, and become visible; done; cancelled: taken
    # away again before anybody saw them; undoing: being taken back; undone.
    # A batch without a row here is no import. Numbers are of rows, but for added, decided and near.
    db.execute(
        """create table imports (
            batch_id integer primary key references batches(id),
            state text not null
                check (state in ('open', 'staged', 'done', 'cancelled', 'undoing', 'undone')),
            rows integer not null default 0,
            added integer not null default 0,
            refused integer not null default 0,
            decided integer not null default 0,
            near integer not null default 0
        )"""
    )
    db.execute(
        "create index imports_unfinished on imports (batch_id) where state in ('open', 'staged', 'undoing')"
    )
    db.execute(
        """create table refused_rows (
            id integer primary key,
            batch_id integer not null references batches(id),
            file text not null,
            row integer not null,
            reason text not null
        )"""
    )
    db.execute("create index refused_rows_by_batch on refused_rows (batch_id)")
    db.execute("create index imported_rows_by_batch on imported_rows (batch_id, title_id)")
    db.execute("alter table titles add column published_at text")
    # What never became visible may be taken away again: an import that was cancelled.
    is_open = "exists (select 1 from imports where batch_id = old.batch_id and state = 'open')"
    db.execute("drop trigger titles_no_delete")
    db.execute(
        "create trigger titles_no_delete before delete on titles"
        f" when not {is_open} or exists (select 1 from states where title_id = old.id)"
        " begin select raise(abort, 'a title is never deleted'); end"
    )
    db.execute("drop trigger imported_rows_no_delete")
    db.execute(
        f"create trigger imported_rows_no_delete before delete on imported_rows when not {is_open}"
        " begin select raise(abort, 'imported_rows is append-only'); end"
    )
    db.execute(
        f"""create table batch_undos (
            batch_id integer primary key references batches(id),
            author text not null,
            at text not null default {NOW}
        )"""
    )
    _append_only(db, "batch_undos")
    # One row for all titles of a portion, since a million are read at once: title_ids holds int64,
    # words uint32, both little-endian; title_id is the first of them.
    db.execute(
        """create table near_signatures (
            title_id integer primary key references titles(id),
            title_ids blob not null,
            words blob not null
        )"""
    )
    # Only titles that are nearly the same as another; group_id: the smallest title of the group.
    db.execute(
        """create table near_groups (
            title_id integer primary key references titles(id),
            group_id integer not null references titles(id)
        )"""
    )
    db.execute("create index near_groups_members on near_groups (group_id)")


@migrations()
def m011_quality(db: Database) -> None:
    """What people answered to the findings of a quality scan; see studio.quality.Finding.key."""
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
    _append_only(db, "quality_verdicts")


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
    _append_only(db, "drafts")
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
    _append_only(db, "draft_verdicts")
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
    """Derived: the draft that waits for a person, at most one a title, so that the next is a lookup.

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
        ("drafts_are_judged", "insert on draft_verdicts", "(select title_id from drafts where id = new.draft_id)"),
        ("drafts_follow_the_title", "update of decision_id on states", "new.title_id"),
        ("drafts_follow_retractions", "insert on retractions", "(select title_id from annotations where id = new.annotation_id)"),
    ):  # fmt: skip
        db.execute(f"create trigger {name} after {moment} begin {look_again(title)} end")


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
    _append_only(db, "reviews")
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
    _append_only(db, "undone_steps")
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
    _append_only(db, "tag_events")
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
