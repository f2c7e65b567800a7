"""Train and predict in a background process while people label.

It retrains a small model on the labelled titles again and again, stores its predictions
for the titles at the head of the queue and, in active order, reorders the queue. Where the
settings name a tuned run, its probabilities are shown instead; the order stays the small
model's, which trains within seconds. It may be killed at any moment: the database has
either the old suggestions or the new ones.
"""

import logging
import os
import time
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime

import numpy as np

from studio import runs
from studio.annotation import queue_order
from studio.corpus.near_duplicates import near_representatives
from studio.errors import StudioError
from studio.language import say
from studio.samples.scheme import load_scheme
from studio.serving import client, servers
from studio.store import Store, open_store
from studio.suggestions.classifier import Mix, Suggester, can_learn, most_teaching
from studio.suggestions.records import (
    SuggesterState,
    Suggestion,
    is_wanted,
    state_path,
    suggester_process,
    write_suggestions,
)
from studio.system.background import parse_arguments
from studio.system.ownership import is_orphan
from studio.team.settings import LabelSettings, load_settings
from studio.workspace import Workspace, open_workspace

log = logging.getLogger(__name__)

TRAINED_ON = 20_000
"""The latest labelled titles, on which the model is trained: some seconds on one core."""
POOL = 20_000
"""Waiting titles among which the most informative ones are sought; of more, a random sample of this size."""
PRIORITIZED = 300
"""Titles that one training moves to the front of the queue."""
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
    """Train the small classifier on the labelled titles; None where they are too few.

    `beside` are unlabelled titles whose n-grams the vectorizer learns as well.
    """
    known = load_scheme().names
    rows = [
        (text, category)
        for text, category in db.execute(
            "select titles.text, states.category from states join titles on titles.id = states.title_id"
            " where states.status = 'decided' order by states.revision desc limit ?",
            [TRAINED_ON],
        )
        if category in known
    ]
    categories = [category for _, category in rows]
    if not can_learn(categories):
        return None
    return Suggester([text for text, _ in rows], categories, beside=[text for _, text in beside])


def prioritize(
    db: Store, model: Suggester, pool: Waiting, settings: LabelSettings, draw: np.random.Generator
) -> int:
    """Move the most informative titles of the pool to the front of the queue; returns how many."""
    chosen = most_teaching(
        model,
        [text for _, text in pool],
        mix=Mix(uncertain=settings.uncertain_share, diverse=settings.diverse_share),
        count=PRIORITIZED,
        draw=draw,
    )
    return queue_order.place_in_order(db, [pool[position][0] for position in chosen])


def find_pool(db: Store) -> Waiting:
    """Select the pool for active learning: waiting titles without an answer, from the front of the queue.

    Behind those that were prioritized before, the queue is in random order. Deduplicated:
    one title of each near-duplicate group, and none of a group that has a labelled title.
    """
    waiting = db.execute(
        "select states.title_id, titles.text from states join titles on titles.id = states.title_id"
        f" where states.status = 'waiting' and states.rank = 1 and {queue_order.UNANSWERED}"
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
    """List the titles at the head of the queue: sent back first; shared ones are left out.

    Titles that several people label are shown without any suggestion.
    """
    return db.execute(
        "select states.title_id, titles.text from states join titles on titles.id = states.title_id"
        " where status = 'waiting' and wanted = 1 order by rank, place limit ?",
        [count],
    ).fetchall()


def suggest(db: Store, model: Suggester) -> int:
    """Predict the next titles and store the suggestions; returns how many."""
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
    """Predict the next titles with a tuned model, except those it has predicted; returns how many.

    Raises:
        StudioError: there is no such run, or its model cannot be served.
    """
    predicted = {
        title_id for (title_id,) in db.execute("select title_id from suggestions where source = ?", [run_id])
    }
    waiting = next_titles(db, NEXT_TUNED)
    keep = predicted & {title_id for title_id, _ in waiting}
    missing = [title for title in waiting if title[0] not in keep]
    if not missing:
        return 0
    run = runs.get_run(workspace, run_id)
    model, adapter = runs.trained_model(run)
    url = servers.ensure_server(
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
    """Retrain whenever something was labelled, until nobody labels or the settings need no model."""
    draw = np.random.default_rng()
    last: tuple[int, ...] | None = None
    changed_at = time.monotonic()
    rest_until = 0.0
    while time.monotonic() - changed_at < IDLE_SECONDS and workspace.database.exists():
        if is_orphan():
            return
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
    """Return a value that changes with every label, title or setting."""
    row = db.execute(
        "select (select coalesce(max(id), 0) from decisions),"
        " (select coalesce(max(id), 0) from label_settings)"
    ).fetchone()
    return tuple(row)


def one_round(
    db: Store, workspace: Workspace, settings: LabelSettings, draw: np.random.Generator
) -> SuggesterState:
    """Train once; then reorder and suggest by the settings, and write state.json."""
    began, problem, source = time.monotonic(), "", "tfidf"
    is_tuned = settings.suggestions and settings.suggestion_model != "tfidf"
    pool = find_pool(db) if settings.order == "active" else []
    model = train(db, beside=pool)
    placed = prioritize(db, model, pool, settings, draw) if model and pool else 0
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
    state = SuggesterState(
        at=datetime.now(UTC),
        seconds=round(time.monotonic() - began, 2),
        labelled=0 if model is None else int(model.labelled.shape[0]),
        suggested=suggested,
        placed=placed,
        source=source,
        problem=problem,
    )
    unfinished = state_path(workspace).with_suffix(".unfinished")
    unfinished.write_text(state.model_dump_json() + "\n", encoding="utf-8")
    unfinished.replace(state_path(workspace))
    return state


def main() -> None:
    """Work beside the annotators of one workspace, unless another process does."""
    options = parse_arguments("studio.suggestions._process", main.__doc__)
    os.nice(NICE)
    workspace = open_workspace(options.home)
    with suggester_process(workspace).held(options.lock) as lock:
        if lock is None:
            log.info("a suggester of %s runs already", workspace.home)
            return
        with closing(open_store(workspace.database)) as db:
            work(db, workspace)


if __name__ == "__main__":
    main()
