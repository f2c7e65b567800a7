"""Errors are attributed to causes; acting on one fills the queue, and the next evaluation says what paid."""

import json
from datetime import timedelta

import pytest

from studio import runs
from studio.contract import Prediction
from studio.corpus.titles import find_title
from studio.evaluation.attribution import CAUSES, attribute, by_cause
from studio.evaluation.error_actions import act, acted_on, payoff
from studio.evaluation.row_tags import NearRow, TagFile
from studio.ingest.importer import import_text
from studio.messages import shown
from studio.samples.scheme import load_scheme
from studio.store import open_store
from tests.support.workspaces import fill, scored_run

SCHEME = load_scheme()


def row(number, predicted="国际", label="体育"):
    return Prediction(
        row=number, title=f"第{number}条标题", label=label, label_chain="", answer="chain",
        predicted=predicted, chain=None, text="",
    )  # fmt: skip


def cause_of(*tags, rows=(), **changed):
    rows = [row(0, **changed), *rows]
    return attribute(rows, {0: tags})[0]


@pytest.mark.parametrize(
    ("tags", "cause"),
    [
        (("suspect_label", "unparsed"), "label_wrong"),
        (("chain_right", "chain_contradicts", "no_near_row"), "chain_right"),
        (("chain_contradicts",), "chain_contradicts"),
        (("mode_flip", "no_near_row"), "chain_wrong"),
        (("forced", "quotes_absent"), "format"),
        (("no_near_row", "near_other_label"), "outside"),
        (("near_other_label",), "boundary"),
        (("digits",), "unexplained"),
    ],
)
def test_the_first_cause_that_applies_is_the_rows(tags, cause):
    assert cause_of(*tags) == cause


def test_right_rows_have_no_cause_and_what_they_have_explains_nothing():
    rows = [row(0), *(row(number, "体育") for number in range(1, 5))]
    usual = {number: ("quotes_absent",) for number in range(5)}
    assert attribute(rows, usual) == {0: "unexplained"}
    assert attribute(rows, {0: ("quotes_absent",)}) == {0: "chain_wrong"}


def test_two_categories_that_are_confused_both_ways_are_a_border():
    rows = [row(0), row(1), row(2, "体育", "国际"), row(3, "体育", "国际"), row(4, "政治")]
    causes = attribute(rows, {})
    assert causes == {0: "boundary", 1: "boundary", 2: "boundary", 3: "boundary", 4: "unexplained"}
    assert list(by_cause(rows, causes)) == ["boundary", "unexplained"]


@pytest.fixture
def db(workspace):
    return open_store(workspace.database)


@pytest.fixture
def run(db, workspace):
    return fill(db, workspace)


def wrong_of(run):
    return [each for each in runs.load_predictions(run, "chain") if each.predicted != each.label]


def tags_with(nearest=()):
    return TagFile(made_of="", tags={}, nearest=dict(nearest), runs=0, seeds=0, has_neighbours=True)


def do(db, run, rows, cause, tags=None):
    return act(db, run, rows, cause, tags or tags_with(), author="ann", scheme=SCHEME)


def test_a_doubted_label_waits_for_a_person(db, run):
    wrong = wrong_of(run)[0]
    done = do(db, run, [wrong], "label_wrong")
    assert (done.action, done.errors, done.queued) == ("relabel", 1, 1)
    assert find_title(db, wrong.title).status == "waiting"
    assert len(acted_on(db, run, "chain")) == 1 and not acted_on(db, run, "direct")


def test_chains_of_the_nearest_training_rows_are_rewritten(db, run):
    wrong = wrong_of(run)[0]
    text, other = (title for (title,) in db.execute("select text from titles where split = 'train' limit 2"))
    near = [
        NearRow(row=1, title=text, category=wrong.label, similarity=0.5),
        NearRow(row=2, title=other, category="没有", similarity=0.4),
    ]
    done = do(db, run, [wrong], "chain_wrong", tags_with({wrong.row: tuple(near)}))
    title = find_title(db, text)
    assert (done.queued, title.status) == (1, "waiting")
    assert wrong.title in shown(title.note) and title.chain
    assert find_title(db, other).status == "decided"


def test_similar_waiting_titles_come_first(db, run):
    wrong = wrong_of(run)[0]
    import_text(db, f"完全无关的一句话说别的\n{wrong.title}续报", SCHEME)
    done = do(db, run, [wrong], "outside")
    (first,) = db.execute(
        "select title_id from states where status = 'waiting' order by rank, title_id limit 1"
    ).fetchone()
    assert done.queued == 1 and first == find_title(db, f"{wrong.title}续报").id
    assert wrong.title in shown(find_title(db, f"{wrong.title}续报").note)


def test_a_cause_without_a_queue_is_remembered_all_the_same(db, run):
    done = do(db, run, wrong_of(run)[:2], "boundary")
    assert (done.action, done.queued) == ("merge_or_split", 0)
    assert len(acted_on(db, run, "chain")) == 2


def later(workspace, right):
    """Make a run an hour later that answers these titles rightly."""
    run = scored_run(workspace)
    runs.change_record(run.folder, created_at=run.created_at + timedelta(hours=1))
    lines = []
    for line in (run.folder / "predictions.jsonl").read_text().splitlines():
        fields = json.loads(line)
        if fields["title"] in right:
            fields["predicted"] = fields["label"]
        lines.append(json.dumps(fields, ensure_ascii=False))
    (run.folder / "predictions.jsonl").write_text("\n".join(lines) + "\n")
    return runs.get_run(workspace, run.id)


def test_the_next_evaluation_tells_what_paid_beside_what_was_left_alone(db, workspace, run):
    wrong = wrong_of(run)
    assert len(wrong) == 10
    do(db, run, wrong[:5], "label_wrong")
    do(db, run, wrong[5:6], "boundary")
    rows = runs.load_predictions(run, "chain")
    assert payoff(db, workspace, run, rows, "chain") is None
    new = later(workspace, {each.title for each in wrong[:5]})
    found = payoff(db, workspace, new, runs.load_predictions(new, "chain"), "chain")
    assert (found.by_action["relabel"].errors, found.by_action["relabel"].right) == (5, 5)
    assert (found.by_action["merge_or_split"].right, found.left_alone.errors, found.left_alone.right) == (
        0, 4, 0,
    )  # fmt: skip
    difference, (low, high) = found.gain("relabel")
    assert difference == 1 and 0 < low < 1 <= high
    assert found.gain("merge_or_split")[1][0] < 0 < found.gain("merge_or_split")[1][1]
    assert payoff(db, workspace, new, runs.load_predictions(new, "direct"), "direct") is None
    runs.delete(workspace, run.id)
    assert payoff(db, workspace, new, runs.load_predictions(new, "chain"), "chain").left_alone.errors == 0


def test_every_cause_has_both_languages():
    for text in CAUSES.values():
        assert all(text.name) and all(text.meaning)
