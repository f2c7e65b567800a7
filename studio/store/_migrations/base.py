"""What every migration needs."""

from sqlite_utils import Database, Migrations

migrations = Migrations("news_studio")

NOW = "(strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))"
"""UTC with milliseconds, as text that sorts."""


def append_only(db: Database, table: str) -> None:
    """Have SQLite refuse to change or delete a row of the table."""
    for verb in ("update", "delete"):
        db.execute(
            f"create trigger {table}_no_{verb} before {verb} on {table}"
            f" begin select raise(abort, '{table} is append-only'); end"
        )
