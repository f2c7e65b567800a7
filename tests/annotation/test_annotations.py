"""Labels are saved once, never over somebody else's, and can be taken back."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from studio.annotation import annotations
from studio.annotation import requeue as second_look
from studio.corpus.titles import count_by_status, get_title
from studio.errors import StalePress
from studio.ingest.importer import import_path, import_text
from studio.team import progress
from tests.support.samples import CHAIN, SCHEME, new_store, sample, write_json
from tests.support.titles import next_waiting

TITLES = "央行宣布降息\n女排逆转夺冠\n孩子发烧怎么办"


@pytest.fixture
def db(tmp_path):
    store, _ = new_store(tmp_path / "home")
    import_text(store, TITLES, SCHEME)
    return store


def label(db, title_id, category="经济", author="li", **more):
    seen = get_title(db, title_id).revision
    return annotations.annotate(db, title_id, category=category, author=author, seen_revision=seen, **more)


def history(db):
    return db.execute("select count(*) from decisions").fetchone()[0]


def test_a_label_is_saved_and_the_queue_moves_on(db):
    title = label(db, 1, chain=f" {CHAIN}\n")
    assert (title.status, title.category, title.chain, title.author) == ("decided", "经济", CHAIN, "li")
    assert next_waiting(db)[0].id == 2


def test_a_press_for_a_title_that_moved_on_writes_nothing(db):
    seen = get_title(db, 1).revision
    label(db, 1)
    before = history(db)
    with pytest.raises(StalePress, match="没有生效"):
        annotations.annotate(db, 1, category="社会", author="wang", seen_revision=seen)
    assert (get_title(db, 1).category, history(db)) == ("经济", before)


@pytest.mark.parametrize("press", [annotations.skip, annotations.flag])
def test_skip_and_flag_are_guarded_too(db, press):
    with pytest.raises(StalePress):
        press(db, 1, reason="不清楚", author="li", seen_revision=999)
    assert count_by_status(db)["waiting"] == 3


def test_three_fast_presses_label_one_title(db):
    title = next_waiting(db)[0]
    outcomes = []
    for category in ("科技", "经济", "政治"):
        try:
            annotations.annotate(db, title.id, category=category, author="li", seen_revision=title.revision)
            outcomes.append("saved")
        except StalePress:
            outcomes.append("stale")
    assert outcomes == ["saved", "stale", "stale"]
    assert count_by_status(db)["decided"] == 1


def test_skip_and_flag_keep_the_reason(db):
    skipped = annotations.skip(db, 1, reason="不是新闻", author="li", seen_revision=get_title(db, 1).revision)
    flagged = annotations.flag(
        db, 2, reason="国内还是社会？", author="li", seen_revision=get_title(db, 2).revision
    )
    assert (skipped.status, skipped.note) == ("skipped", "不是新闻")
    assert (flagged.status, flagged.note) == ("flagged", "国内还是社会？")


def test_a_quick_label_keeps_the_chain_of_the_same_category(db):
    label(db, 1, chain=CHAIN)
    assert label(db, 1).chain == CHAIN
    assert label(db, 1, category="社会").chain is None


def test_confirming_a_proposal_keeps_its_draft(db, tmp_path):
    row = sample("国足备战世预赛", "“体育”")
    import_path(db, write_json(tmp_path / "a.json", [row]), SCHEME)
    title = next_waiting(db, after=3)[0]
    assert (title.proposal, title.chain) == ("体育", CHAIN)
    assert label(db, title.id, category="体育").chain == CHAIN


def test_undo_goes_back_step_by_step(db):
    label(db, 1)
    label(db, 2, category="体育")
    label(db, 2, category="社会")
    assert annotations.undo(db, author="li").category == "体育"
    assert annotations.undo(db, author="li").status == "waiting"
    assert annotations.undo(db, author="li").id == 1
    assert annotations.undo(db, author="li") is None
    assert count_by_status(db)["waiting"] == 3


def test_undo_appends_and_changes_the_revision(db):
    before = history(db)
    seen = label(db, 1).revision
    title = annotations.undo(db, author="li")
    assert history(db) == before + 2
    assert title.revision > seen


def test_a_title_can_be_labelled_again_after_undo(db):
    label(db, 1)
    annotations.undo(db, author="li")
    assert label(db, 1, category="社会").category == "社会"
    assert annotations.undo(db, author="li").status == "waiting"


def test_undo_leaves_others_alone(db):
    label(db, 1, author="li")
    label(db, 2, author="wang")
    assert annotations.undo(db, author="li").id == 1
    assert get_title(db, 2).status == "decided"


def test_undo_of_a_title_that_someone_moved_on_is_refused(db):
    label(db, 1, author="li")
    label(db, 1, category="社会", author="wang")
    with pytest.raises(StalePress, match="不能撤销"):
        annotations.undo(db, author="li")
    assert get_title(db, 1).category == "社会"


def test_undo_works_once_the_other_has_taken_theirs_back(db):
    label(db, 1, author="li")
    label(db, 1, category="社会", author="wang")
    annotations.undo(db, author="wang")
    assert annotations.undo(db, author="li").status == "waiting"


def test_recent_lists_what_stands_the_latest_first(db):
    for title_id in (1, 2, 3):
        label(db, title_id)
    annotations.undo(db, author="li")
    label(db, 1, category="社会")
    assert [own.title_id for own in annotations.recent(db, author="li")] == [1, 2]
    assert [own.category for own in annotations.recent(db, author="li", limit=1)] == ["社会"]
    assert annotations.recent(db, author="wang") == []


def test_titles_sent_back_come_first_with_their_proposal(db):
    label(db, 2, category="体育", chain=CHAIN)
    moved = second_look.send_back(db, [2, 2, 3], reason="模型答为社会", author="wang")
    title = next_waiting(db)[0]
    assert moved == 1
    assert (title.id, title.note, title.proposal, title.chain) == (2, "模型答为社会", "体育", CHAIN)
    assert [t.id for t in next_waiting(db, after=2, limit=9)] == [1, 3]


def test_wrong_takes_in_a_new_title_and_puts_it_first(db):
    title = second_look.add_wrong(db, "  火箭发射\n成功 ", "体育", "zhao").title
    assert (title.text, title.status, title.proposal) == ("火箭发射 成功", "waiting", None)
    assert "体育" in title.note
    assert "zhao" in title.note
    assert next_waiting(db)[0].id == title.id


def test_wrong_sends_a_known_title_back(db):
    label(db, 1)
    title = second_look.add_wrong(db, "央行 宣布降息！", None, "zhao").title
    assert (title.id, title.status, title.proposal) == (1, "waiting", "经济")
    assert count_by_status(db)["waiting"] == 3


def test_pace_counts_what_stands(db):
    for title_id, seconds in ((1, 2.0), (2, 4.0), (3, 9.0)):
        label(db, title_id, active_seconds=seconds)
    annotations.undo(db, author="li")
    pace = progress.pace(db, "li")
    assert (pace.today, pace.total, pace.waiting, pace.median_seconds) == (2, 2, 1, 4.0)
    assert progress.pace(db, "wang").median_seconds is None


def test_pace_of_tomorrow_starts_at_nothing(db):
    label(db, 1)
    pace = progress.pace(db, "li", now=datetime.now(UTC) + timedelta(days=1))
    assert (pace.today, pace.total) == (0, 1)


LABEL_UNTIL_KILLED = """
import sys
from pathlib import Path
from studio.annotation import annotations
from studio.annotation.leases import offer
from studio.store import open_store
from studio.team.settings import load_settings

while True:
    db = open_store(Path(sys.argv[1]))
    title = offer(db, author="li", settings=load_settings(db)).title
    annotations.annotate(db, title.id, category="社会", author="li", seen_revision=title.revision)
    print(title.id, flush=True)
"""


def test_every_label_that_was_saved_survives_a_kill(tmp_path):
    db, workspace = new_store(tmp_path)
    import_text(db, "\n".join(f"第{number}条新闻" for number in range(5000)), SCHEME)
    command = [sys.executable, "-c", LABEL_UNTIL_KILLED, str(workspace.database)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as labeller:
        saved = [int(labeller.stdout.readline()) for _ in range(50)]
        labeller.kill()
        saved += [int(line) for line in labeller.stdout.read().splitlines()]
    assert {get_title(db, title_id).status for title_id in saved} == {"decided"}
    assert count_by_status(db)["decided"] - len(saved) in (0, 1)
    assert db.execute("pragma integrity_check").fetchone()[0] == "ok"
