"""Keep accounts, sessions, invitations and refused sign-ins: m028."""

from sqlite_utils import Database

from studio.store._migrations.base import NOW, migrations


@migrations()
def m028_accounts(db: Database) -> None:
    """Create the tables of accounts; a secret is there as its hash alone."""
    # password: an Argon2id hash; null: who signs in by other means.
    db.execute(
        f"""create table accounts (
            name text primary key references people(name),
            password text,
            created_at text not null default {NOW},
            changed_at text not null default {NOW}
        )"""
    )
    # id: SHA-256 of the token in the cookie. Times are seconds since 1970.
    db.execute(
        """create table sessions (
            id text primary key,
            name text not null references accounts(name),
            began real not null,
            seen real not null,
            address text not null,
            agent text not null
        )"""
    )
    db.execute("create index sessions_by_name on sessions (name)")
    # code: SHA-256 of the code in the link. name: of the person who may choose a password with it; null: an
    # invitation for somebody new, with their role.
    db.execute(
        """create table invitations (
            code text primary key,
            name text references people(name),
            role text not null check (role in ('annotator', 'reviewer', 'analyst', 'admin')),
            author text not null,
            made real not null,
            expires real not null,
            used real
        )"""
    )
    # who: a name, an address, or both. until: before that nothing is compared.
    db.execute(
        """create table refused_sign_ins (
            who text primary key,
            failures integer not null,
            until real not null
        ) without rowid"""
    )
