"""Ten people at once, some of them killed: every title is answered exactly as often as asked."""

import asyncio
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from studio.annotation.queue_order import change_settings
from studio.corpus.titles import count_by_status
from studio.ingest.importer import import_text
from studio.team import people
from studio.team.settings import LabelSettings
from tests.support.annotators import account, fill, work
from tests.support.browser import CHROMIUM
from tests.support.samples import SCHEME, new_store

ANNOTATOR = Path(__file__).parent.parent / "support" / "annotator_process.py"
TITLES, PEOPLE, KILLED = 300, 10, (2, 5)

STANDING = (
    "select states.title_id, states.status, states.wanted, count(said.id), count(distinct said.author)"
    " from states join decisions on decisions.id = states.decision_id"
    " join decisions as before on before.id = coalesce(decisions.follows, decisions.id)"
    " left join annotations as said on said.title_id = states.title_id and said.kind = 'category'"
    " and said.decision_id = coalesce(before.restores, before.id)"
    " and not exists (select 1 from retractions where annotation_id = said.id)"
    " where states.status in ('decided', 'disputed') group by states.title_id"
)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """The database after ten people have worked the queue to its end, and what each of them printed."""
    db, workspace = new_store(tmp_path_factory.mktemp("crowd"))
    import_text(db, "\n".join(f"{n} 号台风在第 {n * 7} 个港口登陆" for n in range(TITLES)), SCHEME)
    names = [f"p{number}" for number in range(PEOPLE)]
    for name in names:
        people.sign_in(db, name)
    change_settings(db, LabelSettings(overlap_share=0.3, order="random", lease_minutes=0.02), author="p0")
    lines = defaultdict(list)
    started = [start(workspace, name, seed) for seed, name in enumerate(names)]
    for number in KILLED:
        process = started[number]
        lines[names[number]] += [process.stdout.readline().strip() for _ in range(12)]
        process.kill()
        lines[names[number]] += process.communicate()[0].splitlines()
        started[number] = start(workspace, names[number], 100 + number)
    for name, process in zip(names, started, strict=True):
        lines[name] += process.communicate(timeout=240)[0].splitlines()
        assert process.returncode == 0
    # What was on a killed screen waits for its lease, and is then anybody's.
    last = start(workspace, "p0", 999)
    lines["p0"] += last.communicate(timeout=120)[0].splitlines()
    return db, lines


def start(workspace, name, seed):
    command = [sys.executable, str(ANNOTATOR), str(workspace.database), name, str(seed)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_every_title_is_answered_as_often_as_asked(crowd):
    db, _ = crowd
    rows = db.execute(STANDING).fetchall()
    wrong = [row for row in rows if row[1] == "decided" and not row[2] == row[3] == row[4]]
    assert wrong == []
    counts = count_by_status(db)
    assert counts["decided"] + counts["disputed"] + counts["skipped"] + counts["waiting"] == TITLES
    assert counts["decided"] > TITLES * 0.6


def test_nothing_saved_was_lost(crowd):
    db, lines = crowd
    for name, said in lines.items():
        saved = [(int(line.split()[1]), line.split()[2]) for line in said if line.startswith("saved")]
        kept = db.execute(
            "select title_id, category from annotations where author = ? and kind = 'category' order by id",
            [name],
        ).fetchall()
        # A kill may fall between the commit and the line that tells of it.
        assert len(kept) - len(saved) in (0, 1), name
        assert set(saved) <= set(kept), name


def test_no_answer_went_to_a_title_that_was_not_on_screen(crowd):
    db, lines = crowd
    for name, said in lines.items():
        pressed = {(int(line.split()[1]), line.split()[2]) for line in said if line.startswith("press")}
        kept = db.execute(
            "select title_id, category from annotations where author = ? and kind = 'category'", [name]
        ).fetchall()
        assert set(kept) <= pressed, name


def test_the_counters_say_what_is_there(crowd):
    db, _ = crowd
    counted = dict(db.execute("select status, sum(titles) from counts group by status having sum(titles)"))
    assert counted == dict(db.execute("select status, count(*) from states group by status"))
    answers = dict(db.execute("select author, answers from answer_counts").fetchall())
    standing = db.execute(
        "select author, count(*) from annotations where not exists"
        " (select 1 from retractions where annotation_id = annotations.id) group by author"
    ).fetchall()
    assert answers == dict(standing)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed (apt-get install chromium)")
def test_browsers_a_killed_server_and_a_killed_browser(tmp_path):
    db = fill(tmp_path, 36, 3)
    crowd = asyncio.run(work(tmp_path, 3, 36, CHROMIUM, think_seconds=0.1))
    assert account(db, crowd, finished=False) == []
    assert count_by_status(db)["decided"] > 12
