"""Measure what a pause in typing costs: the near-duplicate check of a think chain among many.

    python -m benchmarks.data.chain_check [--chains 10000]

All chains are of one category, which is the worst case. Exit code 1 when the median
check takes more than 50 ms.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path

from studio.annotation.annotations import annotate
from studio.annotation.chain_index import WrittenChains
from studio.ingest.importer import import_text
from studio.samples.scheme import load_scheme
from studio.store import Store, open_store, writing
from studio.workspace import open_workspace
from tests.support.titles import next_waiting

TARGET_MS = 50
COMMON_CHARACTERS = [chr(code) for code in range(0x4E00, 0x4E00 + 2000)]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--chains", type=int, default=10_000)
    arguments = parser.parse_args()
    draw, scheme = random.Random(1), load_scheme()
    with tempfile.TemporaryDirectory() as folder:
        db = open_store(open_workspace(Path(folder)).database)
        fill(db, arguments.chains, draw)
        written, times = WrittenChains(), []
        for _ in range(31):
            began = time.perf_counter()
            written.findings(db, 0, words(draw, 160), scheme.names[0], scheme)
            times.append(1000 * (time.perf_counter() - began))
        db.close()
    report("first check, ms", times[0])
    report("then, median ms", statistics.median(times[1:]))
    report("then, slowest ms", max(times[1:]))
    return int(statistics.median(times[1:]) > TARGET_MS)


def fill(db: Store, count: int, draw: random.Random) -> None:
    scheme = load_scheme()
    import_text(db, "\n".join(words(draw, 20) for _ in range(count)), scheme)
    with writing(db):
        for title in next_waiting(db, limit=count):
            annotate(
                db,
                title.id,
                category=scheme.names[0],
                chain=words(draw, 160),
                author="a",
                seen_revision=title.revision,
            )


def words(draw: random.Random, length: int) -> str:
    return "".join("，" if n % 20 == 19 else draw.choice(COMMON_CHARACTERS) for n in range(length))


def report(name: str, value: float) -> None:
    sys.stdout.write(f"{name:26s} {value:9.2f}\n")


if __name__ == "__main__":
    sys.exit(main())
