"""Evaluations joined by title: fixed, broken, verdict, refusal, seeds; read by columns, whole rows on demand."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from studio import runs
from studio.contract import UNPARSED, TrainSpec
from studio.errors import InputError, NotComparable, UnreadableFile
from studio.evaluation.alignment import near_groups
from studio.evaluation.compared import compare_entries
from studio.evaluation.entries import entries_of, find_entries, find_entry, list_entries, seed_groups
from studio.evaluation.predictions import read_columns
from studio.samples.scheme import load_scheme
from studio.workspace import BUNDLED_DATASET, SAMPLE_RUN, open_workspace
from tests.support.evaluations import finished, predictions, titles

NAMES = load_scheme().names
TITLES = titles(120)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return open_workspace(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def two(place):
    """A gets 60 of 120 right, B those and 30 more but for 3."""
    a = finished(place, predictions(TITLES, lambda row: row < 60), label="earlier")
    b = finished(place, predictions(TITLES, lambda row: 3 <= row < 90), label="later")
    return a, b


def compared(*runs, **options):
    return compare_entries([entries_of(run)[0] for run in runs], **options)


def test_two_runs_are_compared_title_by_title(two):
    found = compared(*two)
    (comparison,) = found.comparisons
    assert (comparison.fixed, comparison.broken, comparison.n) == (30, 3, 120)
    assert comparison.difference == pytest.approx(27 / 120)
    low, high = comparison.interval
    assert 0 < low < 27 / 120 < high and comparison.p_value < 0.001
    assert comparison.verdict.code == "better" and "later" in comparison.verdict.sentence
    assert compared(*reversed(two)).comparisons[0].verdict.code == "worse"
    said_b = found.sides[1].answers
    assert comparison.b.macro_f1 == pytest.approx(f1_score(found.aligned.label, said_b, average="macro"))
    assert sum(each.fixed for each in comparison.per_category) == 30
    assert all(each.p_holm >= each.p_value for each in comparison.per_category)


def test_every_cell_of_the_matrices_opens_as_many_titles_as_it_says(two):
    found = compared(*two)
    for side in (0, 1):
        confusion = found.scores[side].confusion
        for label, line in zip(confusion.rows, confusion.counts, strict=True):
            for answer, count in zip(confusion.columns, line, strict=True):
                rows = found.cell(side, label, answer)
                assert len(rows) == count
                for each in found.predictions(side, rows[:1].tolist()):
                    assert (each.label, each.predicted) == (label, None if answer == UNPARSED else answer)


def test_equal_answers_are_no_difference_and_something_could_still_hide(place, two):
    again = finished(place, predictions(TITLES, lambda row: row < 60), label="again")
    (comparison,) = compared(two[0], again).comparisons
    assert comparison.verdict.code == "no_difference" and comparison.p_value == 1
    assert comparison.verdict.hidden > 0.005
    assert comparison.verdict.notes == ("same_answers",)


def test_different_rows_are_refused_with_the_numbers_and_offered_on_the_common_ones(place, two):
    other = finished(place, predictions([*TITLES[:100], *titles(20, seed=9)], lambda row: row < 90))
    with pytest.raises(NotComparable, match=r"20.*--common") as refused:
        compared(two[0], other)
    assert refused.value.common == 100
    found = compared(two[0], other, common=True)
    assert len(found.aligned) == 100 and "common_rows" in found.comparisons[0].verdict.notes
    assert found.aligned.titles == TITLES[:100]


def test_a_title_whose_category_changed_is_no_shared_row_and_order_does_not_matter(place, two):
    answers = predictions(TITLES, lambda row: row < 60)
    answers[5] = answers[5].model_copy(update={"label": answers[6].label})
    shuffled = [each.model_copy(update={"row": row}) for row, each in enumerate(reversed(answers))]
    other = finished(place, shuffled)
    with pytest.raises(NotComparable, match="1 条标题的类别不同"):
        compared(two[0], other)
    found = compared(two[0], other, common=True)
    (comparison,) = found.comparisons
    assert (len(found.aligned), comparison.fixed, comparison.broken) == (119, 0, 0)
    assert found.predictions(1, [0])[0].title == found.aligned.titles[0]


def test_runs_without_a_common_title_cannot_be_compared(place, two):
    other = finished(place, predictions(titles(30, seed=4), lambda row: True))
    with pytest.raises(NotComparable):
        compared(two[0], other, common=True)


def test_several_runs_are_held_against_the_first_with_a_correction(place, two):
    third = finished(place, predictions(TITLES, lambda row: row < 66))
    alone = compared(two[0], third).comparisons[0]
    found = compared(two[0], two[1], third)
    assert [each.b.name for each in found.comparisons] == ["later", third.id]
    assert found.comparisons[1].p_value >= alone.p_value
    assert "several_runs" in found.comparisons[0].verdict.notes
    with pytest.raises(InputError, match="2 到 6"):
        compared(two[0])
    with pytest.raises(InputError, match="两次"):
        compared(two[0], two[0])


def test_runs_are_found_by_id_name_and_way_of_answering(place, two):
    assert find_entry(place, two[0].id).runs[0].id == two[0].id
    assert find_entry(place, "earlier").runs[0].id == two[0].id
    with pytest.raises(InputError, match="direct"):
        find_entry(place, "earlier:direct")
    with pytest.raises(InputError, match="news-studio runs"):
        find_entry(place, "nothing")
    both = find_entries(place, [SAMPLE_RUN.name, f"{SAMPLE_RUN.name}:direct"])
    assert [entry.answer for entry in both] == ["chain", "direct"]
    found = compare_entries(both)
    assert len(set(found.names)) == 2 and len(found.aligned) == 100
    finished(place, predictions(TITLES, lambda row: True), label="later")
    with pytest.raises(InputError, match=two[1].id):
        find_entry(place, "later")


def test_runs_that_differ_in_the_seed_alone_are_one_side(tmp_path):
    place = open_workspace(tmp_path / "home")
    rng = np.random.default_rng(1)

    def trained(seed, rate):
        right = rng.random(120) < rate
        return finished(place, predictions(TITLES, lambda row: right[row]), label="lora", training=seed)

    low = [trained(seed, 0.5) for seed in (1, 2, 3)]
    (group,) = seed_groups(place, list_entries(place))
    assert {run.id for run in group.runs} == {run.id for run in low} and "3 个种子" in group.name
    high = finished(place, predictions(TITLES, lambda row: row < 110), label="other")
    found = compare_entries([find_entry(place, group.key), find_entry(place, high.id)])
    (comparison,) = found.comparisons
    accuracies = [np.mean(said == found.aligned.label) for said in found.sides[0].said]
    assert comparison.a.accuracy == pytest.approx(np.mean(accuracies))
    assert (
        comparison.a.seeds.sd == pytest.approx(np.std(accuracies, ddof=1)) and comparison.b.seeds.sd is None
    )
    assert comparison.verdict.code == "better" and "one_seed" in comparison.verdict.notes
    single = compared(low[0], high).comparisons[0]
    assert "one_seed_each" in single.verdict.notes
    assert comparison.difference == pytest.approx(110 / 120 - np.mean(accuracies))


def test_the_id_of_a_sweep_stands_for_its_seeds(tmp_path):
    place = open_workspace(tmp_path / "home")
    spec = TrainSpec(model_name_or_path=Path("/models/small"), dataset_dir=BUNDLED_DATASET)
    members = [(f"seed {seed}", spec.model_copy(update={"seed": seed})) for seed in (1, 2)]
    sweep, trained = runs.prepare_sweep(place, members, field="seed")
    for run, right in zip(trained, (50, 60), strict=True):
        finished(place, predictions(TITLES, lambda row, n=right: row < n), of=run.id)
    entry = find_entry(place, sweep.id)
    assert len(entry.runs) == 2 and entry.accuracy == pytest.approx(55 / 120)
    joined = find_entry(place, "+".join(run.id for run in entry.runs))
    assert joined.key == entry.key and seed_groups(place, list_entries(place))[0].key.split(":")[1] == "chain"


@pytest.mark.parametrize("n", [1, 2, 11])
def test_a_handful_of_titles_is_compared_without_nonsense(place, n):
    few = TITLES[:n]
    wrong, right = (
        finished(place, predictions(few, lambda row, is_right=so: is_right)) for so in (False, True)
    )
    unparsed = finished(
        place, [each.model_copy(update={"predicted": None}) for each in predictions(few, bool)]
    )
    for other, fixed in ((right, n), (unparsed, 0)):
        (comparison,) = compared(wrong, other).comparisons
        assert comparison.fixed == fixed and -1 <= comparison.interval[0] < comparison.interval[1] <= 1
        json.dumps(comparison.to_json(), allow_nan=False)
        assert (comparison.verdict.code == "better") == (fixed == 11)
        assert "few_groups" in comparison.verdict.notes


def test_columns_are_what_whole_predictions_say_and_a_torn_line_is_left_out(two):
    file = two[0].folder / "predictions.jsonl"
    columns = read_columns(file, "chain", NAMES)
    assert columns.titles == TITLES
    whole = columns.read(range(120))
    assert [NAMES.index(each.label) for each in whole] == columns.label.tolist()
    torn = file.with_name("torn.jsonl")
    lines = file.read_bytes().splitlines(keepends=True)
    torn.write_bytes(
        b"".join([*lines[:3], b"[1]\n", b'{"row": 1}\n', lines[5], lines[4], lines[5], b'{"row": 9'])
    )
    found = read_columns(torn, "chain", NAMES)
    assert found.label.tolist() == columns.label[[0, 1, 2, 4, 5]].tolist()
    assert found.row.tolist() == [0, 1, 2, 4, 5] and found.read([3])[0].title == TITLES[4]


def test_lines_that_lie_are_left_out_and_one_that_is_half_right_is_named(two, tmp_path, monkeypatch):
    whole = json.loads((two[0].folder / "predictions.jsonl").read_bytes().splitlines()[0])
    lies = [{**whole, "row": 10**30}, {**whole, "row": -1}, {**whole, "row": 1.5}, {**whole, "title": None},
            {**whole, "label": 3}, {**whole, "predicted": ["政治"]}, [whole], "x"]  # fmt: skip
    half = {**whole, "row": 1, "chain": 5}
    file = tmp_path / "predictions.jsonl"
    file.write_text("".join(json.dumps(each) + "\n" for each in [whole, *lies, half]), encoding="utf-8")
    for large in (10**9, 0):
        monkeypatch.setattr("studio.evaluation.predictions.LARGE", large)
        columns = read_columns(file, "chain", NAMES)
        assert columns.row.tolist() == [0, 1] and columns.read([0])[0].title == whole["title"]
        with pytest.raises(UnreadableFile, match=r"predictions\.jsonl"):
            columns.read([1])


def test_near_duplicates_are_one_group_and_patterns_are_not():
    story = ["央行宣布下调存款准备金率零点五个百分点", "央行宣布下调存款准备金率0.5个百分点", "女排夺冠"]
    assert near_groups(story).tolist() == [0, 1, 2] or near_groups(story).tolist() == [0, 0, 1]
    twins = ["今年高考报名人数创下历史新高", "女排夺冠", "今年高考报名人数创下历史新低"]
    assert near_groups(twins).tolist() == [0, 1, 0]
    pattern = [f"全国彩票开奖公告第{number}期中奖号码已经公布请核对" for number in range(100, 130)]
    assert len(set(near_groups(pattern).tolist())) == 30


def test_a_large_file_is_read_to_the_same_columns(two, tmp_path, monkeypatch):
    file = tmp_path / "predictions.jsonl"
    rows = predictions(TITLES, lambda row: row % 3 > 0)
    rows[4] = rows[4].model_copy(update={"predicted": None, "title": '引号“"”和\\，😀'})
    rows[7] = rows[7].model_copy(update={"label": "旅游"})
    direct = predictions(TITLES, lambda row: True, "direct")
    lines = [each.model_dump_json() for pair in zip(rows, direct, strict=True) for each in pair]
    for text in (
        "\n".join(lines) + "\n",
        "\n".join([*lines[:9], "[1]", *lines[9:]]) + "\n",
        "\n".join(lines),
    ):
        file.write_text(text, encoding="utf-8")
        slow = read_columns(file, "chain", NAMES)
        monkeypatch.setattr("studio.evaluation.predictions.LARGE", 0)
        monkeypatch.setattr("studio.evaluation.predictions.PORTION", 5000)
        fast = read_columns(file, "chain", NAMES)
        monkeypatch.undo()
        assert fast.titles == slow.titles and fast.categories == slow.categories
        for name in ("row", "label", "predicted", "offset"):
            assert getattr(fast, name).tolist() == getattr(slow, name).tolist()
        assert fast.read([4])[0] == rows[4]
