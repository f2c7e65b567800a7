"""Simulate ten annotators in real browsers under failures; then account for every answer.

    python -m benchmarks.app.ten_annotators [--people 10] [--titles 2000] [--workspace-titles 0]
                                            [--chromium PATH]

Each person has a page of Chromium and labels by keyboard, with random skips, undos and
reloads; three tenths of the titles are asked of two people. A third of the way the web
server is killed and started again, at two thirds one browser is killed. Prints the time
from key to next title and checks the database: every title answered as often as asked, no
answer lost, none for a title that was not on that person's screen. Exit code 1 if not, or
if the median is above 200 ms or the 95th percentile above 400 ms.
"""

import argparse
import asyncio
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.support.annotators import TARGET_MEDIAN_MS, TARGET_P95_MS, Crowd, account, fill, work


def main(argv: Sequence[str] | None = None) -> int:
    """Run the crowd, print the table, return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=10)
    parser.add_argument("--titles", type=int, default=2000, help="titles that wait for a label")
    parser.add_argument(
        "--workspace-titles", type=int, default=0, help="titles beside them, in the queue as well"
    )
    parser.add_argument(
        "--think-seconds", type=float, default=2.5, help="mean time between a title and its press"
    )
    parser.add_argument("--chromium", default=shutil.which("chromium") or shutil.which("chromium-browser"))
    arguments = parser.parse_args(argv)
    if arguments.chromium is None:
        parser.error("Chromium was not found; name it with --chromium.")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        db = fill(home, arguments.titles + arguments.workspace_titles, arguments.people)
        crowd = asyncio.run(
            work(home, arguments.people, arguments.titles, arguments.chromium, arguments.think_seconds)
        )
        wrong = account(db, crowd, finished=not arguments.workspace_titles)
        db.close()
    return report(crowd, wrong)


def report(crowd: Crowd, wrong: list[str]) -> int:
    """Print the table; 0 when all is accounted for and quick enough."""
    ranked = sorted(crowd.times)
    median, p95 = statistics.median(ranked), ranked[int(0.95 * (len(ranked) - 1))]
    lines = [
        f"digits pressed    {crowd.count:>6}",
        f"key -> next title, median ms {median:>6.0f}  (target {TARGET_MEDIAN_MS})",
        f"key -> next title, p95 ms    {p95:>6.0f}  (target {TARGET_P95_MS})",
        f"unaccounted for   {len(wrong):>6}",
        *wrong[:20],
    ]
    sys.stdout.write("\n".join(lines) + "\n")
    return int(bool(wrong) or median > TARGET_MEDIAN_MS or p95 > TARGET_P95_MS)


if __name__ == "__main__":
    sys.exit(main())
