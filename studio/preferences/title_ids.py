"""Look up titles by their keys, many at once."""

from collections.abc import Sequence

from studio.store import Store

_AT_ONCE = 500


def title_ids(db: Store, keys: Sequence[str]) -> dict[str, int]:
    """Map the keys of titles that the workspace has to their ids."""
    found: dict[str, int] = {}
    for start in range(0, len(keys), _AT_ONCE):
        part = keys[start : start + _AT_ONCE]
        marks = ", ".join("?" * len(part))
        found.update(db.execute(f"select key, id from titles where key in ({marks})", part).fetchall())
    return found
