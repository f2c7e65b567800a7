"""Train and predict in a process of its own while people label.

While people label it trains a small model on what is labelled, in the background and again
and again, writes down what that model thinks of the titles that come next and, in active
order, which titles come next. Where the settings name a tuned run, its probabilities are
shown instead; the order stays the small model's, which learns within seconds. It may be
killed at any moment: the database has either the old suggestions or the new ones.
"""

import argparse
import logging
import os
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from studio import runs
from studio.annotation import queue_order as ordering
from studio.corpus.near_duplicates import near_representatives
from studio.errors import StudioError
from studio.language import say
from studio.samples.scheme import load_scheme
from studio.serving import client
from studio.serving import servers as serving
from studio.store import Store, open_store
from studio.suggestions.classifier import Mix, Suggester, can_learn, most_teaching
from studio.suggestions.records import (
    Standing,
    Suggestion,
    is_wanted,
    lock_path,
    state_path,
    write_suggestions,
)
from studio.system import locks
from studio.team.settings import LabelSettings, load_settings
from studio.workspace import Workspace, open_workspace

log = logging.getLogger(__name__)

LEARNED_FROM = 20_000
"""The latest labelled titles, of which the model is trained: some seconds on one core."""
POOL = 20_000
"""Waiting titles among which the most teaching ones are sought; of more, so many drawn at random."""
PLACED = 300
"""Titles that one training puts in front of the queue."""
NEXT, NEXT_TUNED = 2_000, 200
"""Titles from the head of the queue that get a suggestion; of a tuned model, which takes longer."""
BATCH = 32
POLL_SECONDS = 1.0
IDLE_SECONDS = 180.0
"""Without a new label for this long the process ends; the Label page starts it again."""
PATIENCE = 3.0
"""A training is followed by a pause of so many times what it took: a quarter of one core at most."""
NICE = 10

Waiting = Sequence[tuple[int, str]]


def train(db: Store, *, beside: Waiting = ()) -> Suggester | None:
    """A model of what is labelled now; None where that is too little."""
    known = load_scheme().names
    rows = [
        (text, category)
        for text, category in db.execute(
            "select titles.text, states.category from states join titles on titles.id = states.title_id"
            " where states.status = 'decided' order by states.revision desc limit ?",
            [LEARNED_FROM],
        )
        if category in known
    ]
    categories = [category for _, category in rows]
    if not can_learn(categories):
        return None
    return Suggester([text for text, _ in rows], categories, beside=[text for _, text in beside])


def place(
    db: Store, model: Suggester, pool: Waiting, settings: LabelSettings, draw: np.random.Generator
) -> int:
    """Active order: put the titles of the pool that teach most in front of the queue; how many."""
    chosen = most_teaching(
        model,
        [text for _, text in pool],
        mix=Mix(uncertain=settings.uncertain_share, diverse=settings.diverse_share),
        count=PLACED,
        draw=draw,
    )
    return ordering.place_in_order(db, [pool[position][0] for position in chosen])


def find_pool(db: Store) -> Waiting:
    """Waiting titles that nobody has answered: what is in front now, then the others, which stand at random.

    One of each near-duplicate group, and none of a group that has a labelled title already.
    """
    waiting = db.execute(
        "select states.title_id, titles.text from states join titles on titles.id = states.title_id"
        f" where states.status = 'waiting' and states.rank = 1 and {ordering.UNANSWERED}"
        " order by states.place limit ?",
        [POOL],
    ).fetchall()
    near_groups = near_representatives(db, [title_id for title_id, _ in waiting])
    seen = {
        near_group
        for (near_group,) in db.execute(
            "select distinct group_id from near_groups join states using (title_id) where status = 'decided'"
        )
    }
    kept: list[tuple[int, str]] = []
    for title_id, text in waiting:
        if near_groups[title_id] not in seen:
            seen.add(near_groups[title_id])
            kept.append((title_id, text))
    return kept


def next_titles(db: Store, count: int) -> Waiting:
    """What people will see next: sent back first, then from the head of the queue; shared ones apart.

    Titles that several people are asked about are shown without any suggestion.
    """
    return db.execute(
        "select states.title_id, titles.text from states join titles on titles.id = states.title_id"
        " where status = 'waiting' and wanted = 1 order by rank, place limit ?",
        [count],
    ).fetchall()


def suggest(db: Store, model: Suggester) -> int:
    """Write down what the model thinks of the next titles; how many."""
    waiting = next_titles(db, NEXT)
    found: list[tuple[int, Suggestion]] = []
    if waiting:
        rows = model.probabilities(model.features([text for _, text in waiting]))
        for (title_id, _), row in zip(waiting, rows, strict=True):
            ranked = dict(zip(model.names, row.tolist(), strict=True))
            found.append((title_id, _suggestion(ranked, "tfidf")))
    write_suggestions(db, found)
    return len(found)


def _suggestion(probabilities: dict[str, float], source: str) -> Suggestion:
    best, second, *_ = sorted(probabilities.items(), key=lambda item: -item[1])
    return Suggestion(
        category=best[0],
        probability=round(best[1], 4),
        runner_up=second[0],
        runner_up_probability=round(second[1], 4),
        source=source,
    )


def suggest_by_run(db: Store, workspace: Workspace, run_id: str) -> int:
    """Ask a tuned model about the next titles that it has not been asked about; how many.

    Raises:
        StudioError: there is no such run, or its model cannot be served.
    """
    asked = {
        title_id for (title_id,) in db.execute("select title_id from suggestions where source = ?", [run_id])
    }
    waiting = next_titles(db, NEXT_TUNED)
    keep = asked & {title_id for title_id, _ in waiting}
    missing = [title for title in waiting if title[0] not in keep]
    if not missing:
        return 0
    run = runs.get_run(workspace, run_id)
    model, adapter = runs.trained_model(run)
    url = serving.ensure_server(
        workspace, model=model, adapter=adapter, template=run.spec.template, name=run.id
    )
    for start in range(0, len(missing), BATCH):
        titles = missing[start : start + BATCH]
        answers = client.classify(url, [text for _, text in titles], answer="direct")
        found = [
            (title_id, _suggestion(answer.probabilities, run_id))
            for (title_id, _), answer in zip(titles, answers, strict=True)
            if answer.probabilities and len(answer.probabilities) > 1
        ]
        write_suggestions(db, found, keep=keep)
        keep |= {title_id for title_id, _ in found}
    return len(missing)


def work(db: Store, workspace: Workspace) -> None:
    """Train whenever something was labelled, until nobody labels or the settings want nothing."""
    draw = np.random.default_rng()
    last: tuple[int, ...] | None = None
    changed_at = time.monotonic()
    rest_until = 0.0
    while time.monotonic() - changed_at < IDLE_SECONDS and workspace.database.exists():
        settings = load_settings(db)
        if not is_wanted(settings):
            return
        now = _change(db)
        if now != last and time.monotonic() >= rest_until:
            last, changed_at, began = now, time.monotonic(), time.monotonic()
            try:
                one_round(db, workspace, settings, draw)
            except StudioError as error:  # the database is held, the disk is full: the next round tries again
                log.warning("%s", error.problem)
            rest_until = time.monotonic() + PATIENCE * (time.monotonic() - began)
        time.sleep(POLL_SECONDS)


def _change(db: Store) -> tuple[int, ...]:
    """Another value whenever a label, a title or a setting has come."""
    row = db.execute(
        "select (select coalesce(max(id), 0) from decisions), (select coalesce(max(id), 0) from label_settings)"
    ).fetchone()
    return tuple(row)


def one_round(
    db: Store, workspace: Workspace, settings: LabelSettings, draw: np.random.Generator
) -> Standing:
    """Train once; then order and suggest as the settings say, and leave word of it."""
    began, problem, source = time.monotonic(), "", "tfidf"
    is_tuned = settings.suggestions and settings.suggestion_model != "tfidf"
    pool = find_pool(db) if settings.order == "active" else []
    model = train(db, beside=pool)
    placed = place(db, model, pool, settings, draw) if model and pool else 0
    suggested = 0
    if is_tuned:
        source = settings.suggestion_model
        try:
            suggested = suggest_by_run(db, workspace, source)
        except StudioError as error:
            problem = say(
                "{problem}{remedy}", "{problem} {remedy}", problem=error.problem, remedy=error.remedy
            )
            source = "tfidf"
            log.warning("%s cannot be asked: %s", settings.suggestion_model, problem)
    if settings.suggestions and source == "tfidf" and model:
        suggested = suggest(db, model)
    told = Standing(
        at=datetime.now(UTC),
        seconds=round(time.monotonic() - began, 2),
        labelled=0 if model is None else int(model.labelled.shape[0]),
        suggested=suggested,
        placed=placed,
        source=source,
        problem=problem,
    )
    unfinished = state_path(workspace).with_suffix(".unfinished")
    unfinished.write_text(told.model_dump_json() + "\n", encoding="utf-8")
    unfinished.replace(state_path(workspace))
    return told


def main(arguments: list[str] | None = None) -> None:
    """Work beside the annotators of one workspace, unless another process does."""
    parser = argparse.ArgumentParser(prog="python -m studio.suggestions._process", description=main.__doc__)
    parser.add_argument("home", type=Path, help="workspace folder")
    parser.add_argument(
        "--lock", type=int, help="descriptor of suggester.lock, locked by the starting process"
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    os.nice(NICE)
    workspace = open_workspace(options.home)
    path = lock_path(workspace)
    with path.open("a") if options.lock is None else os.fdopen(options.lock, "a") as lock:
        if options.lock is None and not locks.take_lock(lock):
            log.info("a suggester of %s runs already", workspace.home)
            return
        with closing(open_store(workspace.database)) as db:
            work(db, workspace)


if __name__ == "__main__":
    main()
