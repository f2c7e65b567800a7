"""Remember what was done about the errors of an evaluation: m020."""

from sqlite_utils import Database

from studio.store._migrations.base import NOW, append_only, migrations


@migrations()
def m020_error_actions(db: Database) -> None:
    """Create the table of actions on errors, each about one answered title of one run."""
    # title_key: as `titles.key`, since the title need not be in the workspace. queued: ids of the titles
    # that were put into the label queue, a JSON list.
    db.execute(
        f"""create table error_actions (
            id integer primary key,
            run_id text not null,
            answer text not null check (answer in ('chain', 'direct')),
            title_key text not null,
            title text not null,
            label text not null,
            predicted text,
            cause text not null,
            action text not null,
            queued text not null,
            author text not null,
            at text not null default {NOW}
        )"""
    )
    append_only(db, "error_actions")
    db.execute("create index error_actions_by_run on error_actions (run_id, answer)")
