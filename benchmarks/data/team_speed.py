"""Measure the queries of the team's pages: at 10 k, 100 k, 1 M titles and as many answers.

    python -m benchmarks.data.team_speed [--titles 1000000] [--repeats 7] [--trigram]

Works on a throw-away workspace of ten people: eight in ten titles answered, a quarter of
these by two, of whom one in ten differs. Prints the median and the slowest of the
repeats in milliseconds. `--trigram` also builds the FTS5 index that the search does
without. Exit code 1 when something that a press or an opened page waits for takes 50 ms
or more; a search and the measuring of agreement are on demand and may take a second.
"""

import argparse
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from studio.annotation import annotations, bulk_edits, review
from studio.annotation.history import history
from studio.annotation.leases import offer
from studio.corpus.search import Query, search
from studio.corpus.titles import get_title
from studio.samples.scheme import load_scheme
from studio.store import Store, open_store, writing
from studio.team import agreement_data, gold, people, progress
from studio.team.agreement import measure_agreement
from studio.team.settings import LabelSettings
from studio.workspace import open_workspace

PRESS_MS, ON_DEMAND_MS = 50, 1500
PORTION = 20_000
NAMES = [f"p{number}" for number in range(10)]
SETTINGS = LabelSettings(review_rate=0.1)
PLACES = (
    "临江市",
    "云岭县",
    "海湾新区",
    "青石镇",
    "北原省",
    "南屏区",
    "白鹭湖",
    "松花街道",
    "长桥港",
    "望城",
)
EVENTS = (
    "公交线路调整",
    "小学运动会开幕",
    "新药进入试验",
    "球队客场取胜",
    "菜价小幅回落",
    "影展公布片单",
    "河道整治完工",
)


def main() -> int:
    """Fill a workspace, measure, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--titles", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--trigram", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = open_workspace(Path(folder)).database
        db = open_store(path)
        began = time.perf_counter()
        fill(db, arguments.titles)
        report("fill, s", [time.perf_counter() - began])
        slow = 0
        for limit, cases in ((PRESS_MS, press_cases(db)), (ON_DEMAND_MS, on_demand_cases(db))):
            for name, work in cases:
                times = [milliseconds(work) for _ in range(arguments.repeats)]
                report(name, times)
                slow += statistics.median(times) >= limit
        if arguments.trigram:
            trigram(db, path)
        db.close()
    return int(slow > 0)


def fill(db: Store, count: int) -> None:
    """Insert titles and answers as if ten people had worked for a while, a transaction for each batch."""
    for name in NAMES:
        people.sign_in(db, name)
    draw, categories = random.Random(1), load_scheme().names
    with writing(db):
        db.execute("insert into batches (source, author) values ('benchmark', 'p0')")
    for start in range(1, count + 1, PORTION):
        with writing(db):
            numbers = range(start, min(start + PORTION, count + 1))
            db.conn.executemany(
                "insert into titles (id, text, key, source, batch_id) values (?, ?, ?, 'benchmark', 1)",
                [(n, f"{PLACES[n % 10]}{EVENTS[n % 7]}，本周第 {n} 条消息", f"k{n}") for n in numbers],
            )
            first = db.execute("select coalesce(max(id), 0) + 1 from decisions").fetchone()[0]
            db.conn.executemany(
                "insert into decisions (id, title_id, author, action, status)"
                " values (?, ?, 'import', 'import', 'waiting')",
                [(first + n - start, n) for n in numbers],
            )
            answer(db, numbers, first, draw, categories)


def answer(db: Store, numbers: range, first: int, draw: random.Random, categories: tuple[str, ...]) -> None:
    """Answer eight in ten titles of a batch; the ids of their import decisions start at `first`."""
    answers, decided = [], []
    for n in numbers:
        if n % 10 >= 8:
            continue
        about, who, category = first + n - numbers[0], draw.sample(NAMES, 2), draw.choice(categories)
        answers.append((n, about, who[0], category, draw.uniform(1, 9)))
        shared, agrees = draw.random() < 0.25, draw.random() < 0.9
        if shared:
            other = category if agrees else draw.choice(categories)
            answers.append((n, about, who[1], other, draw.uniform(1, 9)))
            agrees = other == category
        action = "annotate" if not shared else "agree" if agrees else "dispute"
        status = "disputed" if action == "dispute" else "decided"
        decided.append((n, about, who[0], action, status, None if status == "disputed" else category))
    db.conn.executemany(
        "insert into annotations (title_id, decision_id, author, kind, category, active_seconds)"
        " values (?, ?, ?, 'category', ?, ?)",
        answers,
    )
    db.conn.executemany(
        "insert into decisions (title_id, follows, author, action, status, category)"
        " values (?, ?, ?, ?, ?, ?)",
        decided,
    )


def press_cases(db: Store) -> Iterator[tuple[str, Callable[[], object]]]:
    """List the queries that a press or an opened page waits for."""
    yield "annotate: offer and save", lambda: label(db)
    yield "review: next dispute", lambda: review_next(db, "adjudicate")
    yield "review: next spot check", lambda: review_next(db, "spot_check")
    yield "review: decide and next", lambda: decide(db)
    yield "review: undo", lambda: review.undo(db, author="p0", settings=SETTINGS)
    yield "review: lengths of the queues", lambda: review.waiting(db, author="p0", settings=SETTINGS)
    yield "history of a title", lambda: history(db, 1)
    yield "pace of everybody", lambda: progress.team_pace(db)
    yield "answers per day", lambda: progress.per_day(db)
    yield "coverage", lambda: progress.coverage(db, load_scheme().names, 40)
    yield "tags", lambda: bulk_edits.list_tags(db)
    yield "gold accuracies", lambda: gold.accuracies(db)
    yield "search: first page", lambda: search(db, Query())
    yield "search: page at the end", lambda: search(db, Query(), after=last_title(db) - 40)
    yield "search: status", lambda: search(db, Query(status="disputed"))
    yield "search: status and category", lambda: search(db, Query(status="decided", category="体育"))
    yield "search: common word", lambda: search(db, Query(text="运动会"))


def on_demand_cases(db: Store) -> Iterator[tuple[str, Callable[[], object]]]:
    """List the queries on demand, for which a person waits a moment."""
    seen = {n: get_title(db, n).revision for n in range(100, 200)}
    made = [bulk_edits.tag(db, [last_title(db)], "rare", author="p0")]
    yield "search: rare tag", lambda: search(db, Query(tag="rare"))
    yield "search: word nowhere", lambda: search(db, Query(text="火星"), seconds=60)
    yield "search: word nowhere, cut short", lambda: search(db, Query(text="火星"))
    yield "search: author nobody is", lambda: search(db, Query(author="nobody"), seconds=60)
    yield "step: relabel 100 and undo", lambda: relabel(db, seen)
    yield "agreement: read 20,000", lambda: agreement_data.load_shared(db)
    titles = agreement_data.load_shared(db)
    yield "agreement: measure", lambda: measure_agreement(titles, load_scheme().names)
    assert made


def label(db: Store) -> None:
    found = offer(db, author="p1", settings=SETTINGS)
    assert found is not None
    annotations.annotate(
        db, found.title.id, category="经济", author="p1", seen_revision=found.title.revision, active_seconds=2
    )


def review_next(db: Store, queue: review.Queue) -> None:
    review.pass_on(db, queue=queue, author="p0")
    assert review.next_case(db, queue=queue, author="p0", settings=SETTINGS) is not None


def decide(db: Store) -> None:
    case = review.next_case(db, queue="spot_check", author="p0", settings=SETTINGS)
    assert case is not None
    title = case.title
    review.decide(
        db, title.id, category="经济", chain=None, author="p0", seen_revision=title.revision, active_seconds=3
    )
    review.next_case(db, queue="spot_check", author="p0", settings=SETTINGS)


def relabel(db: Store, seen: dict[int, int]) -> None:
    current = {n: get_title(db, n).revision for n in seen}
    outcome = bulk_edits.relabel(db, current, category="社会", author="p0")
    assert outcome.step_id is not None
    bulk_edits.undo_edit(db, outcome.step_id, author="p0")


def last_title(db: Store) -> int:
    return int(db.execute("select max(title_id) from states").fetchone()[0])


def trigram(db: Store, path: Path) -> None:
    """Measure what a trigram index would cost, and what it cannot find."""
    before = path.stat().st_size
    began = time.perf_counter()
    db.execute(
        "create virtual table words using"
        " fts5(text, content='titles', content_rowid='id', tokenize='trigram')"
    )
    db.execute("insert into words (words) values ('rebuild')")
    report("trigram: build, s", [time.perf_counter() - began])
    db.execute("pragma wal_checkpoint(truncate)")
    report("trigram: file grows, MiB", [(path.stat().st_size - before) / 2**20])
    for word in ("新药进入", "新药"):
        found = db.execute(
            "select count(*) from (select 1 from words where text match ? limit 50)", [f'"{word}"']
        )
        report(f"trigram: hits for {len(word)} characters", [found.fetchone()[0]])


def milliseconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def report(name: str, values: list[float]) -> None:
    sys.stdout.write(f"{name:36s} {statistics.median(values):10.2f} {max(values):10.2f}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
