"""Titles, what people said about them, where they stand, and frozen versions."""

from sqlite_utils import Database

from studio.store._migrations.base import NOW, append_only, migrations


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
    append_only(db, "imported_rows")
    append_only(db, "batches")


@migrations()
def m002_decisions(db: Database) -> None:
    """Create annotations (answers), decisions (what counts) and states (where a title stands)."""
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
    append_only(db, "annotations")
    db.execute(
        f"""create table retractions (
            annotation_id integer primary key references annotations(id),
            author text not null,
            at text not null default {NOW}
        )"""
    )
    append_only(db, "retractions")
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
    append_only(db, "steps")
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
    append_only(db, "decisions")
    _create_states(db)
    _create_counts(db)


def _create_states(db: Database) -> None:
    # place: order in the queue; wanted: how many people are asked. Both are the queue's own
    # (studio.annotation.queue_order) and outlive decisions.
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
    append_only(db, "versions")
    append_only(db, "version_rows")
