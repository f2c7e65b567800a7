"""Open, write and migrate the SQLite database of a workspace.

_database    Open the database in one way, and write to it in one way.
_condition   Tell what is wrong with the file of a database, before anything is written to it.
_snapshot    Copy the database while others write to it.
_migrations  Create and migrate the tables, views and triggers.
"""

from studio.store._condition import database_errors as database_errors
from studio.store._condition import integrity_problem as integrity_problem
from studio.store._condition import read_only as read_only
from studio.store._condition import require_usable as require_usable
from studio.store._database import Store as Store
from studio.store._database import open_store as open_store
from studio.store._database import writing as writing
from studio.store._snapshot import BACKUPS as BACKUPS
from studio.store._snapshot import keep_newest as keep_newest
from studio.store._snapshot import snapshot as snapshot
from studio.store._snapshot import snapshot_name as snapshot_name
