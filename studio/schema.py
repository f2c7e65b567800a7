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


BY_PERSON = "action in ('annotate', 'skip', 'flag')"
"""What an author does to one title and can take back; queries must say it in these words to use its index."""

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
    db.execute(
        f"""create table annotations (
            id integer primary key,
            title_id integer not null references titles(id),
            author text not null,
            kind text not null check (kind in ('category', 'skip', 'flag')),
            category text,
            chain text,
            reason text,
            active_seconds real,
            at text not null default {NOW},
            check ((kind = 'category') = (category is not null))
        )"""
    )
    db.execute("create index annotations_by_author on annotations (author, id)")
    _append_only(db, "annotations")
    # follows: the decision that was current before; unique, so a title's history is one line.
    # restores: for an undo, the decision that counts again; such a row has no state of its own.
    # rank: place in the queue; 0 before 1.
    db.execute(
        f"""create table decisions (
            id integer primary key,
            title_id integer not null references titles(id),
            follows integer references decisions(id),
            author text not null,
            action text not null
                check (action in ('import', 'annotate', 'skip', 'flag', 'send_back', 'wrong', 'undo')),
            status text check (status in ('waiting', 'decided', 'skipped', 'flagged')),
            category text,
            chain text,
            note text,
            proposal text,
            rank integer not null default 1,
            annotation_id integer references annotations(id),
            undoes integer references decisions(id),
            restores integer references decisions(id),
            at text not null default {NOW},
            check ((action = 'undo') = (undoes is not null)),
            check ((action = 'undo') = (restores is not null)),
            check ((action = 'undo') = (status is null)),
            check ((status is 'decided') = (category is not null))
        )"""
    )
    db.execute("create unique index decisions_first on decisions (title_id) where follows is null")
    db.execute("create unique index decisions_next on decisions (follows) where follows is not null")
    db.execute("create unique index decisions_undone on decisions (undoes) where undoes is not null")
    # Behind each author stands, unwritten, the row id: the latest decision is the last entry.
    db.execute(f"create index decisions_of_author on decisions (author) where {BY_PERSON}")
    db.execute(f"create index decisions_of_day on decisions (author, at) where {BY_PERSON}")
    db.execute("create index undos_of_author on decisions (author, undoes) where action = 'undo'")
    _append_only(db, "decisions")
    _create_states(db)


def _create_states(db: Database) -> None:
    db.execute(
        """create table states (
            title_id integer primary key references titles(id),
            revision integer not null references decisions(id),
            decision_id integer not null references decisions(id),
            status text not null,
            category text,
            rank integer not null,
            has_chain integer not null
        )"""
    )
    db.execute("create index states_queue on states (status, rank, title_id)")
    db.execute("create index states_category on states (status, category, title_id)")
    db.execute(
        "create index states_without_chain on states (title_id) where status = 'decided' and not has_chain"
    )
    db.execute(
        """create trigger decisions_move_the_title after insert on decisions begin
            insert into states (title_id, revision, decision_id, status, category, rank, has_chain)
            select new.title_id, new.id, id, status, category, rank, chain is not null
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
               decisions.proposal, decisions.author, states.rank, states.decision_id
        from states
        join titles on titles.id = states.title_id
        join decisions on decisions.id = states.decision_id"""
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
