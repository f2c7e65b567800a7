"""What the data side costs at 100,000 titles: import, one label, the queue, a freeze.

    python benchmarks/store_speed.py [--titles 100000] [--labels 1000]

Works on a throw-away workspace. Exit code 1 when saving a label takes 10 ms or more.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from studio import annotations
from studio.categories import load_scheme
from studio.importing import import_text
from studio.store import Store, open_store, writing
from studio.titles import count_by_status, next_waiting
from studio.versions import freeze
from studio.workspace import open_workspace

TARGET_MS = 10
COMMON_CHARACTERS = [chr(code) for code in range(0x4E00, 0x4E00 + 3000)]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--titles", type=int, default=100_000)
    parser.add_argument("--labels", type=int, default=1000)
    arguments = parser.parse_args()
    scheme, draw = load_scheme(), random.Random(1)
    lines = ("".join(draw.choices(COMMON_CHARACTERS, k=20)) for _ in range(arguments.titles))
    text = "\n".join(lines)
    with tempfile.TemporaryDirectory() as folder:
        workspace = open_workspace(Path(folder))
        db = open_store(workspace.database)

        def label() -> None:
            title = next_waiting(db)[0]
            annotations.annotate(
                db, title.id, category=draw.choice(scheme.names), author="a", seen_revision=title.revision
            )

        report("import, seconds", seconds(lambda: import_text(db, text, scheme)))
        first = [1000 * seconds(label) for _ in range(arguments.labels)]
        label_the_rest(db, label, keep=arguments.labels)
        last = [1000 * seconds(label) for _ in range(arguments.labels - 1)]
        for name, times in (("first labels", first), ("last labels", last)):
            report(f"{name}, median ms", statistics.median(times))
            report(f"{name}, slowest ms", max(times))
        report("pace line, ms", 1000 * seconds(lambda: annotations.pace(db, "a")))
        report("recent decisions, ms", 1000 * seconds(lambda: annotations.recent(db, author="a")))
        report("counts, ms", 1000 * seconds(lambda: count_by_status(db)))
        report("freeze, seconds", seconds(lambda: freeze(db, workspace, "all", author="a", scheme=scheme)))
        db.close()
    return int(statistics.median(first + last) >= TARGET_MS)


def label_the_rest(db: Store, label: Callable[[], None], *, keep: int) -> None:
    """Label until `keep` titles wait, in one transaction, so that it takes seconds."""
    with writing(db):
        for _ in range(count_by_status(db)["waiting"] - keep):
            label()


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def report(name: str, value: float) -> None:
    sys.stdout.write(f"{name:26s} {value:9.2f}\n")


if __name__ == "__main__":
    sys.exit(main())
