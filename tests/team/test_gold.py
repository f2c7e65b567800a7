"""Gold titles, whose category is certain, measure each person's accuracy."""

import csv
import io
import json

import pytest

from studio.annotation import annotations, bulk_edits
from studio.annotation.leases import offer, release
from studio.corpus.titles import get_title
from studio.errors import NotAllowed
from studio.team import gold, people
from tests.support.team import ALONE, label, team


@pytest.fixture
def db(tmp_path):
    """Mark two titles as gold, 经济 and 社会."""
    db = team(tmp_path / "home")
    label(db, "wang", "经济")
    label(db, "wang", "社会")
    assert gold.mark_gold(db, [1, 2, 3], author="zhao") == 2
    return db


def meet(db, author, title_id, category):
    """Answer a gold title as if it had come up."""
    db.execute("delete from leases where author = ?", [author])
    db.execute(
        "insert into leases (author, title_id, is_gold, expires_at) values (?, ?, 1, '2999')",
        [author, title_id],
    )
    title = get_title(db, title_id)
    annotations.annotate(db, title_id, category=category, author=author, seen_revision=title.revision)


def test_people_are_measured_by_category(db):
    meet(db, "chen", 1, "经济")
    meet(db, "chen", 2, "经济")
    meet(db, "li", 1, "经济")
    chen, li = gold.accuracies(db)
    assert (chen.name, chen.overall.right, chen.overall.n) == ("chen", 1, 2)
    assert {name: (part.right, part.n) for name, part in chen.per_category.items()} == {
        "经济": (1, 1),
        "社会": (0, 1),
    }
    assert li.overall.rate == 1.0
    low, high = chen.overall.interval
    assert low < 0.5 < high


def test_the_exports_have_each_person_overall_and_by_category(db):
    people.sign_in(db, "=cmd|'/c calc'!A1")
    meet(db, "=cmd|'/c calc'!A1", 1, "经济")
    meet(db, "chen", 2, "经济")
    found = gold.accuracies(db)
    rows = list(csv.DictReader(io.StringIO(gold.to_csv(found).decode("utf-8-sig"))))
    assert {(row["name"], row["category"], row["right"]) for row in rows} == {
        ("'=cmd|'/c calc'!A1", "", "1"),
        ("'=cmd|'/c calc'!A1", "经济", "1"),
        ("chen", "", "0"),
        ("chen", "社会", "0"),
    }
    assert json.loads(gold.to_json(found))[0]["n"] == 1


def test_the_last_answer_that_is_not_retracted_counts(db):
    meet(db, "chen", 1, "社会")
    meet(db, "chen", 1, "经济")
    assert gold.accuracies(db)[0].overall.right == 1
    annotations.undo(db, author="chen")
    assert gold.accuracies(db)[0].overall.right == 0


def test_the_list_counts_the_answers_to_each_title(db):
    meet(db, "chen", 1, "社会")
    meet(db, "li", 1, "经济")
    found = {title.title_id: (title.answers, title.right) for title in gold.list_gold(db)}
    assert found == {1: (2, 1), 2: (0, 0)}


def test_a_title_off_the_list_measures_nobody(db):
    meet(db, "chen", 1, "社会")
    gold.unmark_gold(db, [1], author="zhao")
    assert gold.accuracies(db) == []
    assert gold.count_gold(db) == 1


def test_a_title_marked_again_gets_its_current_category(db):
    bulk_edits.relabel(db, {1: get_title(db, 1).revision}, category="体育", author="zhao")
    assert gold.mark_gold(db, [1], author="zhao") == 0
    assert next(title.category for title in gold.list_gold(db) if title.title_id == 1) == "体育"


def test_gold_comes_up_and_the_trash_does_not(db):
    bulk_edits.trash(db, {2: get_title(db, 2).revision}, author="zhao")
    golden = ALONE.model_copy(update={"gold_share": 0.5})
    shown = set()
    for number in range(40):
        shown.add(offer(db, author=f"p{number}", settings=golden).title.id)
        release(db, f"p{number}")
    assert 1 in shown and 2 not in shown


def test_the_list_is_for_reviewers(db):
    with pytest.raises(NotAllowed):
        gold.mark_gold(db, [1], author="wang")
    with pytest.raises(NotAllowed):
        gold.unmark_gold(db, [1], author="wang")
