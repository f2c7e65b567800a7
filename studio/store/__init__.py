"""Open, write and migrate the SQLite database of a workspace.

_database    Open the database in one way, and write to it in one way.
_migrations  Create and migrate the tables, views and triggers.
"""

from studio.store._database import Store as Store
from studio.store._database import open_store as open_store
from studio.store._database import writing as writing
