"""Record which comparisons an evaluation set has served: m019."""

from sqlite_utils import Database

from studio.store._migrations.base import NOW, append_only, migrations


@migrations()
def m019_comparisons(db: Database) -> None:
    """Create the table of comparisons that somebody looked at, each once."""
    # a and b name evaluations: ids of runs, joined by + where they are seeds, and the way of answering.
    db.execute(
        f"""create table comparisons (
            id integer primary key,
            rows_sha256 text not null,
            a text not null,
            b text not null,
            author text not null,
            at text not null default {NOW},
            unique (rows_sha256, a, b)
        )"""
    )
    append_only(db, "comparisons")
