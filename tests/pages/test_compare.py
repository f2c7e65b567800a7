"""The Compare page: verdict first, every number opens its titles, refusals have a way out, addresses keep all."""

import re

import pytest

from studio.evaluation.compared import compare_entries
from studio.evaluation.entries import entries_of, list_entries, seed_groups
from studio.ingest.importer import import_text
from studio.samples.scheme import load_scheme
from studio.store import open_store
from studio.workspace import SAMPLE_RUN
from tests.support.evaluations import finished, predictions, titles
from tests.support.pages import open_page, words

TITLES = titles(120)


@pytest.fixture
def two(workspace):
    a = finished(
        workspace, predictions(TITLES, lambda row: row < 60, chain="先看“央行”，归经济。"), label="earlier"
    )
    b = finished(
        workspace,
        predictions(TITLES, lambda row: 3 <= row < 90, chain="先看“女排”，归体育。"),
        label="**later**",
    )
    return a, b


def compare_page(two, lang="zh", **query):
    a, b = two
    return open_page("compare", lang, **{"a": f"{a.id}:chain", "b": f"{b.id}:chain", **query})


def texts(app):
    return "\n".join(element.value for kind in ("markdown", "caption") for element in app.get(kind))


def listed(app):
    return [button for button in app.button if re.match(r"compare-(changes|cell)-", button.key or "")]


@pytest.mark.parametrize(("lang", "verdict"), [("zh", "比 earlier 好"), ("en", "is better than earlier")])
def test_the_verdict_comes_first_and_names_are_text(two, lang, verdict):
    app = compare_page(two, lang)
    assert not app.exception and not app.error
    assert verdict in app.subheader[0].value and r"\*\*later\*\*" in app.subheader[0].value
    values = [metric.value for metric in app.metric]
    assert {"50.0%", "72.5%", "+22.5", "30 / 3"} <= set(values)


def test_fixed_and_broken_open_exactly_their_titles_with_both_chains(two):
    app = compare_page(two)
    assert "**30 条标题**" in texts(app)
    app.segmented_control(key="choose-compare-kind").set_value("broken").run()
    assert len(listed(app)) == 3 and app.query_params["show"] in ("broken", ["broken"])
    last = listed(app)[-1]
    last.click().run()
    shown = texts(app)
    assert TITLES[2] in shown and ":orange-background[央行]" in shown and ":orange-background[女排]" in shown


def test_every_cell_opens_as_many_titles_as_the_matrix_prints(two, workspace):
    found = compare_entries([entries_of(run)[0] for run in two])
    came, left = found.cell_changes(1)
    app = compare_page(two, view="matrix")
    columns = app.selectbox(key="choose-change-pred").options
    checked = 0
    for i, label in enumerate(found.aligned.categories):
        for j in range(len(columns)):
            if not came[i][j] and not left[i][j]:
                continue
            before, after = (
                set(found.cell(side, label, (*found.aligned.categories, "unparsed")[j]).tolist())
                for side in (0, 1)
            )
            assert (len(after - before), len(before - after)) == (came[i][j], left[i][j])
            if checked < 2:
                app.selectbox(key="choose-change-true").set_value(label)
                app.selectbox(key="choose-change-pred").set_value(
                    (*found.aligned.categories, "unparsed")[j]
                ).run()
                control = app.segmented_control(key="choose-change-kind")
                control.set_value("came" if came[i][j] else "left").run()
                assert f"**{came[i][j] or left[i][j]} 条标题**" in texts(app)
                checked += 1
    assert checked == 2 and app.query_params["cell"]


def test_an_address_opens_the_comparison_its_view_and_its_cell(two):
    app = compare_page(two, view="matrix", cell="体育|教育")
    assert app.selectbox(key="choose-change-true").value == "体育"
    assert app.selectbox(key="choose-change-pred").value == "教育"
    app = compare_page(two, show="broken", category="政治")
    assert app.segmented_control(key="choose-compare-kind").value == "broken"
    assert app.selectbox(key="choose-compare-category").value == "政治"
    assert len(listed(app)) == 1


def test_categories_are_marked_after_correction(two):
    app = compare_page(two, view="categories")
    table = app.dataframe[0].value
    assert len(table) == 10 and set(table["条数"]) == {12}
    assert table["修好"].sum() == 30 and table["弄错"].sum() == 3


def test_different_rows_are_refused_and_compared_on_the_common_ones(two, workspace):
    other = finished(workspace, predictions([*TITLES[:100], *titles(20, seed=5)], lambda row: row < 50))
    app = compare_page((two[0], other))
    assert "不能比较" in app.warning[0].value and not app.metric
    app.button(key="compare-common").click().run()
    assert not app.exception and app.metric and "100 条标题" in app.subheader[0].value


def test_several_runs_stand_in_columns_and_come_from_the_address(two, workspace):
    third = finished(workspace, predictions(TITLES, lambda row: row < 70), label="third")
    app = compare_page(two, c=f"{third.id}:chain")
    assert list(app.dataframe[0].value["运行"]) == ["earlier", "**later**", "third"]
    app.segmented_control(key="choose-compare-shown").set_value(2).run()
    assert "third" in app.subheader[0].value


def test_a_set_wears_with_each_comparison_and_looking_again_counts_once(two, workspace):
    compare_page(two)
    app = compare_page(two)
    assert "已用于 1 次比较" in texts(app)
    third = finished(workspace, predictions(TITLES, lambda row: row < 70), label="third")
    assert "已用于 2 次比较" in texts(compare_page((two[0], third)))


def test_a_title_leads_to_its_history_its_training_rows_and_the_queue(two, workspace):
    db = open_store(workspace.database)
    import_text(db, TITLES[60], load_scheme())
    app = compare_page(two)
    assert any((button.key or "").startswith("compare-history-") for button in app.button)
    send = next(button for button in app.button if (button.key or "").startswith("compare-send-"))
    send.click().run()
    assert "标注队列最前面" in app.success[0].value


def test_the_two_ways_of_answering_of_the_recorded_run_are_compared(workspace):
    app = open_page("compare", a=f"{SAMPLE_RUN.name}:chain", b=f"{SAMPLE_RUN.name}:direct")
    assert not app.exception and not app.error
    assert "100 条标题" in app.subheader[0].value or "100" in words(app)
    assert "最近的训练行" in [expander.label for expander in app.expander]


def test_one_run_chosen_twice_is_said(two):
    a, _ = two
    app = open_page("compare", a=f"{a.id}:chain", b=f"{a.id}:chain")
    assert "同一个" in app.info[0].value and not app.metric


def test_answers_of_other_programs_are_imported_on_the_page(two):
    app = compare_page(two)
    file = "title,label,predicted\n女排夺冠,体育,体育\n央行降息,经济,国内\n".encode()
    app.selectbox(key="choose-import-dataset").set_value("")
    app.file_uploader(key="import-predictions-file").upload("theirs.csv", file).run()
    app.button(key="import-predictions").click().run()
    assert not app.exception and "已导入 2 个回答" in app.success[0].value.replace("\\", "")
    app.file_uploader(key="import-predictions-file").upload("bad.csv", b"a,b\n1,2\n").run()
    app.button(key="import-predictions").click().run()
    assert not app.exception and app.error


def test_the_seeds_of_one_training_are_one_choice(two, workspace):
    for seed in (1, 2, 3):
        finished(
            workspace, predictions(TITLES, lambda row, n=seed: row < 50 + 4 * n), label="lora", training=seed
        )
    (group,) = seed_groups(workspace, list_entries(workspace))
    app = open_page("compare", a=group.key, b=f"{two[1].id}:chain")
    assert not app.exception and not app.error
    assert "lora（3 个种子）" in app.subheader[0].value.replace("\\", "")
    assert "只有一个随机种子" in texts(app) and any("± 3.3%" in (metric.delta or "") for metric in app.metric)
    assert "最近的训练行" in [expander.label for expander in app.expander]
