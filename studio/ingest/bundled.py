"""Import the bundled samples: 400 with their answers, and 50 titles that wait for a label."""

from dataclasses import replace
from pathlib import Path

from studio.formats.conversations import RawRow
from studio.ingest.importer import ImportReport, import_path, import_rows
from studio.samples.scheme import Scheme
from studio.store import Store
from studio.workspace import BUNDLED_DATASET, BUNDLED_NAME, BUNDLED_UNDECIDED

_TITLES = BUNDLED_UNDECIDED / "titles.txt"


def is_bundled(path: Path) -> bool:
    """Return whether a path means the bundled samples: their folder, or the word `bundled`."""
    return path.resolve() == BUNDLED_DATASET.resolve() or (str(path) == BUNDLED_NAME and not path.exists())


def import_samples(db: Store, scheme: Scheme, *, author: str) -> ImportReport:
    """Import the samples, then the titles to try labelling with; report both as one.

    Raises:
        StudioError: as `import_path` does; what came in before stays.
    """
    decided = import_path(db, BUNDLED_DATASET, scheme, author=author)
    lines = enumerate(_TITLES.read_text(encoding="utf-8").splitlines(), start=1)
    rows = [
        RawRow(file=_TITLES.name, row=number, split=None, kind="title", record=line, title=line)
        for number, line in lines
    ]
    waiting = import_rows(db, rows, scheme, source=BUNDLED_UNDECIDED.name, author=author)
    return replace(
        decided,
        rows=decided.rows + waiting.rows,
        added=decided.added + waiting.added,
        merged=decided.merged + waiting.merged,
        decided=decided.decided + waiting.decided,
        waiting=decided.waiting + waiting.waiting,
    )
