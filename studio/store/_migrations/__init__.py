"""The tables of a workspace's database, and the guards that SQLite itself holds.

What people decided is history: rows are appended, never changed, and SQLite itself
refuses anything else. `states` is the one derived table: a trigger keeps in it, for
every title, which decision counts now, so that the label queue is an index lookup
at any size; the view `current_titles` reads through it. A migration that was released
is never edited. This module knows only SQL.

One module a span of migrations; they are applied in the order of their numbers, which is
the order of the imports here.

    base            Hold the registry that migrations are added to.
    m001_titles     Create titles, annotations, decisions and versions: m001 to m003.
    m004_people     Create people, settings, leases and imports: m004 and m010.
    m011_quality    Create findings and drafts: m011 and m012.
    m014_review     Create review, tags and suggestion counts: m014 and m015.
    m016_messages   Turn stored sentences into codes with arguments: m016.
    m017_labels     Remember what foreign labels mean, and let signs tell titles apart: m017.
    m018_sent_back  Count what was sent back to each person: m018.
    m019_comparisons  Record which comparisons an evaluation set has served: m019.
    m020_evaluation  Remember what was done about the errors of an evaluation: m020.
    m022_chats      Keep conversations, chat endpoints, blind comparisons and their votes: m022.
    m023_ledger     Keep a hash-chained ledger of releases, and the sealed sets: m023 and m024.
    m026_reported    Remember the answers that people reported as wrong: m026.
    m028_accounts   Keep accounts, sessions, invitations and refused sign-ins: m028.
"""

from studio.store._migrations import (  # noqa: F401  (each registers its migrations)
    m001_titles,
    m004_people,
    m011_quality,
    m014_review,
    m016_messages,
    m017_labels,
    m018_sent_back,
    m019_comparisons,
    m020_evaluation,
    m022_chats,
    m023_ledger,
    m026_reported,
    m028_accounts,
)
from studio.store._migrations.base import migrations as migrations
