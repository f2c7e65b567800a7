"""Remember the answers that people reported as wrong: m026."""

from sqlite_utils import Database

from studio.store._migrations.base import append_only, migrations


@migrations()
def m026_reported_answers(db: Database) -> None:
    """Create the table of reported answers, one beside each decision `wrong` that a report made."""
    # model: the name it is served under. category: null where none could be read from the answer.
    db.execute(
        """create table reported_answers (
            decision_id integer primary key references decisions(id),
            model text not null,
            category text,
            chain text
        )"""
    )
    append_only(db, "reported_answers")
