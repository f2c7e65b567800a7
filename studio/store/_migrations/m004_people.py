"""People, settings, leases, and what an import leaves behind."""

from sqlite_utils import Database

from studio.store._migrations.base import NOW, append_only, migrations


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
    append_only(db, "label_settings")
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
    """Create imports, which are seen whole or not at all and can be undone, and near-duplicate groups."""
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
    append_only(db, "batch_undos")
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
