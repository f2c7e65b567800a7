"""Count what was sent back to each person without reading every decision: m018."""

from sqlite_utils import Database

from studio.store._migrations.base import migrations


@migrations()
def m018_sent_back(db: Database) -> None:
    """Index the decisions that sent a title back to somebody."""
    db.execute(
        "create index decisions_sent_back on decisions (addressee)"
        " where action = 'send_back' and addressee is not null"
    )
