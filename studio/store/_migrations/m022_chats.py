"""Keep conversations, the endpoints one talks to, and blind comparisons with their votes: m022."""

from sqlite_utils import Database

from studio.store._migrations.base import NOW, append_only, migrations


@migrations()
def m022_chats(db: Database) -> None:
    """Create the tables of conversations, chat endpoints, blind rounds and votes."""
    # document: the conversation whole, JSON; revision: how often it was saved. It is a person's own, so
    # that it can be deleted for good.
    db.execute(
        f"""create table conversations (
            id integer primary key,
            owner text not null,
            name text not null default '',
            document text not null,
            revision integer not null default 0,
            created_at text not null default {NOW},
            changed_at text not null default {NOW}
        )"""
    )
    db.execute("create index conversations_by_owner on conversations (owner, changed_at)")
    # Never a key: those are in teacher.key, by address.
    db.execute(
        f"""create table chat_endpoints (
            id integer primary key,
            base_url text not null,
            model text not null,
            author text not null,
            at text not null default {NOW},
            unique (base_url, model)
        )"""
    )
    # models: in the order that was drawn for this question, JSON list; answers: in the same order.
    db.execute(
        f"""create table blind_rounds (
            id integer primary key,
            models text not null,
            question text not null,
            settings text not null,
            answers text not null,
            author text not null,
            at text not null default {NOW}
        )"""
    )
    append_only(db, "blind_rounds")
    # choice: number of the answer that is better than the others, 'tie' or 'bad'.
    db.execute(
        f"""create table blind_votes (
            id integer primary key,
            round_id integer not null unique references blind_rounds (id),
            choice text not null,
            author text not null,
            at text not null default {NOW}
        )"""
    )
    append_only(db, "blind_votes")
