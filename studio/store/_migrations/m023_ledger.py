"""Keep a hash-chained ledger of releases, and the sealed evaluation sets: m023 and m024."""

from sqlite_utils import Database

from studio.store._migrations.base import NOW, append_only, migrations


@migrations()
def m023_ledger(db: Database) -> None:
    """Create the ledger: gates, openings of sealed sets, judgements, releases, which release is in force."""
    # sha256 is over the entry and the sha256 before it, so that SQLite's guard is not the only one.
    db.execute(
        """create table ledger (
            id integer primary key,
            kind text not null,
            body text not null,
            author text not null,
            at text not null,
            sha256 text not null unique
        )"""
    )
    append_only(db, "ledger")
    db.execute("create index ledger_by_kind on ledger (kind)")


@migrations()
def m024_sealed_sets(db: Database) -> None:
    """Create the sealed evaluation sets of datasets, and which titles they hold."""
    # content: the files of a dataset folder, compressed. Here and in no file, so that nothing reads it
    # that was not made to.
    db.execute(
        f"""create table sealed_sets (
            id integer primary key,
            dataset text not null,
            number integer not null,
            rows integer not null,
            sha256 text not null,
            content blob not null,
            author text not null,
            created_at text not null default {NOW},
            unique (dataset, number)
        )"""
    )
    db.execute(
        """create table sealed_titles (
            set_id integer not null references sealed_sets(id),
            title_id integer not null references titles(id),
            decision_id integer not null references decisions(id),
            primary key (set_id, title_id)
        ) without rowid"""
    )
    db.execute("create index sealed_titles_by_title on sealed_titles (title_id)")
    append_only(db, "sealed_sets")
    append_only(db, "sealed_titles")
