"""Tags say what is special about a row, are computed once, and are counted with accuracy and lift."""

import pytest

from studio import runs
from studio.contract import Prediction
from studio.evaluation.neighbours import Neighbour, TitleIndex, TrainingRow
from studio.evaluation.row_tags import tag_rows
from studio.evaluation.tags import Knowledge, tag_counts, tags_of_row, with_tags
from studio.samples.scheme import load_scheme
from studio.store import open_store
from tests.support.workspaces import fill, scored_run

SCHEME = load_scheme()
TITLE = "国足3比0战胜对手“三连胜”"


def row(**changed):
    known = {
        "row": 0, "title": TITLE, "label": "体育", "label_chain": "", "answer": "chain",
        "predicted": "国际", "chain": None, "text": "",
    }  # fmt: skip
    return Prediction.model_validate(known | changed)


def tags(known=None, **changed):
    return tags_of_row(row(**changed), known or Knowledge(), SCHEME)


def near(category, similarity=0.5):
    return [Neighbour(row=TrainingRow(row=3, title="国足", category=category), similarity=similarity)]


@pytest.mark.parametrize(
    ("known", "changed", "tag"),
    [
        ({"direct": {TITLE: {"国际": 0.5, "体育": 0.3, "国内": 0.2}}}, {}, "in_top_3"),
        ({"other_runs": {TITLE: ["国际", None]}}, {}, "wrong_everywhere"),
        ({"other_seeds": {TITLE: ["体育"]}, "other_runs": {TITLE: ["体育"]}}, {}, "seed_flip"),
        ({"other_mode": {TITLE: "体育"}}, {}, "mode_flip"),
        ({}, {"chain": "比分与球队，归入体育。"}, "chain_contradicts"),
        ({}, {"forced": True}, "forced"),
        ({}, {"chain": "“篮球”和“三连胜”，归入国际。"}, "quotes_absent"),
        ({"nearest": {TITLE: near("国际")}}, {}, "near_other_label"),
        ({"nearest": {TITLE: near("体育", 0.01)}}, {}, "no_near_row"),
        ({"suspects": {TITLE: "国际"}}, {}, "suspect_label"),
        ({}, {"predicted": None}, "unparsed"),
        ({}, {"title": "A" * 40}, "long_title"),
        ({}, {"title": "央行降息"}, "short_title"),
        ({"sources": {TITLE: "新华网"}}, {}, "source=新华网"),
        ({"months": {TITLE: "2026-11"}}, {}, "month=2026-11"),
        ({}, {}, "digits"),
        ({}, {}, "quoted"),
    ],
)
def test_a_tag_is_given_where_it_is_true(known, changed, tag):
    assert tag in tags(Knowledge(**known), **changed)


@pytest.mark.parametrize(
    ("known", "changed", "tag"),
    [
        ({"direct": {TITLE: {"体育": 0.5, "国际": 0.5}}}, {"predicted": "体育"}, "in_top_3"),
        ({"other_runs": {TITLE: ["体育", "国际"]}}, {}, "wrong_everywhere"),
        ({}, {}, "wrong_everywhere"),
        ({"other_mode": {TITLE: "国际"}}, {}, "mode_flip"),
        ({}, {"chain": "比分与球队，归入国际。"}, "chain_contradicts"),
        ({}, {"chain": "“三连胜”说的是比赛，归入国际。"}, "quotes_absent"),
        ({"nearest": {TITLE: near("国际", 0.05)}}, {}, "near_other_label"),
        ({}, {}, "no_near_row"),
        # One signal alone is not enough to doubt a label.
        ({"nearest": {TITLE: near("国际")}}, {}, "suspect_label"),
        ({"suspects": {TITLE: "国际"}}, {"predicted": "体育"}, "suspect_label"),
    ],
)
def test_a_tag_is_not_given_where_it_is_not(known, changed, tag):
    assert tag not in tags(Knowledge(**known), **changed)


def test_two_signals_that_agree_make_a_label_suspect():
    known = Knowledge(
        direct={TITLE: {"国际": 0.9, "体育": 0.05}}, other_runs={TITLE: ["国际"] * 2}, nearest=None
    )
    assert "suspect_label" in tags(known)
    known = Knowledge(direct={TITLE: {"国际": 0.9, "体育": 0.05}}, nearest={TITLE: near("政治")})
    assert "suspect_label" not in tags(known)


def test_counts_have_accuracy_interval_and_lift():
    rows = [row(row=number, predicted="体育" if number else "国际") for number in range(4)]
    given = {0: ("digits", "in_top_3"), 1: ("digits",), 2: (), 3: ("source=a, b",)}
    counts = {each.tag: each for each in tag_counts(rows, given)}
    assert (counts["digits"].count, counts["digits"].accuracy, counts["digits"].lift) == (2, 0.5, 2.0)
    assert counts["digits"].interval[0] < 0.5 < counts["digits"].interval[1]
    assert counts["in_top_3"].lift is None and counts["source=a, b"].lift == 0
    assert [each.row for each in with_tags(rows, given, ["digits", "in_top_3"])] == [0]


def test_the_nearest_row_is_the_one_that_shares_rare_words():
    rows = [
        TrainingRow(row=number, title=title, category="体育")
        for number, title in enumerate(
            ["央行下调存款准备金率", "国足三连胜晋级", "新药进入三期临床", "降雨持续"]
        )
    ]
    index = TitleIndex(rows)
    first, *_ = index.nearest("国足又三连胜")
    assert first.row.row == 1 and 0.2 < first.similarity < 1
    assert index.nearest("央行下调存款准备金率")[0].similarity == pytest.approx(1)
    assert index.nearest("qxz") == [] and TitleIndex([]).nearest("央行") == []


def test_tags_are_computed_once_and_again_when_another_run_answers(workspace):
    db = open_store(workspace.database)
    run = fill(db, workspace)
    first = tag_rows(db, workspace, run, "chain", SCHEME)
    file = workspace.quality / "tags" / f"{run.id}-chain.json"
    written = file.stat().st_mtime_ns
    assert tag_rows(db, workspace, run, "chain", SCHEME) == first
    assert file.stat().st_mtime_ns == written
    assert first.has_neighbours and first.runs == 1  # the recorded one
    twin = scored_run(workspace)
    text = (twin.folder / "spec.json").read_text()
    (twin.folder / "spec.json").write_text(text.replace('"seed": 42', '"seed": 43'))
    lines = (twin.folder / "predictions.jsonl").read_text().splitlines()
    (twin.folder / "predictions.jsonl").write_text(
        "\n".join(line.replace('"predicted":"体育"', '"predicted":"国内"') for line in lines)
    )
    again = tag_rows(db, workspace, run, "chain", SCHEME)
    assert (again.runs, again.seeds) == (2, 1)
    by_row = {each.row: each for each in runs.load_predictions(run, "chain")}
    flipped = {number for number, names in again.tags.items() if "seed_flip" in names}
    assert flipped == {number for number, each in by_row.items() if each.predicted == "体育"}
    file.write_text("broken")
    assert tag_rows(db, workspace, run, "chain", SCHEME) == again
