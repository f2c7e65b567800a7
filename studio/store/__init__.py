"""The database of a workspace."""

from studio.store._database import Store as Store
from studio.store._database import open_store as open_store
from studio.store._database import writing as writing
