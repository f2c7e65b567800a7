"""The Evaluate page filters rows by tags, and its address opens the same cell and the same rows."""

import shutil
from datetime import timedelta

import pytest

from studio import runs
from studio.corpus.titles import find_title
from studio.store import open_store
from tests.support.pages import open_page
from tests.support.workspaces import answered, fill, scored_run


@pytest.fixture
def db(workspace):
    return open_store(workspace.database)


@pytest.fixture
def run(db, workspace):
    return fill(db, workspace)


def listed(app):
    return [box for box in app.checkbox if str(box.key).startswith("pick-rows-")]


def counted(app):
    return next(
        each.value for each in app.markdown if each.value.startswith("**") and "共 20 条" in each.value
    )


def test_tags_are_listed_with_accuracy_and_lift(run):
    app = open_page("evaluate", evaluation=run.id, view="rows")
    table = next(each.value for each in app.dataframe if "错误倍数" in each.value)
    assert {"条数", "准确率", "含义"} <= set(table.columns) and len(table) > 3
    assert any("其中 0 个只有种子不同" in each.value for each in app.caption)


def test_rows_are_filtered_and_the_address_keeps_it(run):
    app = open_page("evaluate", evaluation=run.id, outcome="wrong", label="体育")
    assert len(listed(app)) == 1 and counted(app).startswith("**1** 条")
    assert app.selectbox(key="choose-rows-outcome").value == "wrong"
    app.multiselect(key="choose-rows-tags").set_value(["no_near_row"]).run()
    assert app.query_params["tags"] in ("no_near_row", ["no_near_row"])
    app.button(key="rows-clear").click().run()
    assert len(listed(app)) == 20 and "outcome" not in app.query_params
    assert not app.exception


@pytest.mark.parametrize(
    "query", [{"tags": "nonsense|x"}, {"label": "没有", "outcome": "x"}, {"view": "rows"}]
)
def test_an_address_of_nothing_is_no_filter(run, query):
    app = open_page("evaluate", evaluation=run.id, **query)
    assert not app.exception and not app.error and len(listed(app)) == 20


@pytest.mark.parametrize("query", [{"cell": "a,b"}, {"view": "x"}, {"cell": "体育"}])
def test_an_address_of_no_cell_opens_the_worst(run, query):
    app = open_page("evaluate", evaluation=run.id, **query)
    assert not app.exception and app.checkbox and not listed(app)


def test_the_address_opens_a_cell_of_the_matrix(run):
    app = open_page("evaluate", evaluation=run.id, cell="体育,健康")
    assert app.selectbox(key="choose-cell-true").value == "体育"
    wrong = next(each for each in answered("chain") if each.label == "体育" and each.predicted != "体育")
    app.selectbox(key="choose-cell-pred").set_value(wrong.predicted).run()
    asked = app.query_params["cell"]
    assert asked in (f"体育,{wrong.predicted}", [f"体育,{wrong.predicted}"])
    assert app.checkbox(key=f"pick-{run.id}-chain-{wrong.row}").label


def test_a_row_found_by_its_tags_is_sent_back(db, run):
    app = open_page("evaluate", evaluation=run.id, outcome="wrong", label="体育")
    (box,) = listed(app)
    box.check().run()
    app.button(key="rows-send-back").click().run()
    wrong = next(each for each in answered("chain") if each.label == "体育" and each.predicted != "体育")
    assert find_title(db, wrong.title).status == "waiting" and not app.exception


def test_a_cause_is_acted_on_and_the_next_evaluation_says_what_paid(db, workspace, run):
    app = open_page("evaluate", evaluation=run.id, view="causes")
    assert not app.exception
    button = next(each for each in app.button if str(each.key).startswith("act-") and not each.disabled)
    button.click().run()
    assert app.success and not app.exception
    newer = scored_run(workspace)
    runs.change_record(newer.folder, created_at=newer.created_at + timedelta(hours=1))
    app = open_page("evaluate", evaluation=newer.id, view="causes")
    table = next(each.value for each in app.dataframe if "有用吗" in each.value)
    assert list(table["有用吗"]) == ["还看不出"]


def test_errors_that_gather_nowhere_are_said_to(run):
    app = open_page("evaluate", evaluation=run.id, view="causes")
    assert any("没有找到错误特别集中的一组" in each.value for each in app.markdown)


def test_a_cohort_opens_its_titles(workspace, run):
    """Forty digit titles wrong, forty others right: the cohort is found and its rows are opened."""
    rows = [
        answered("chain")[0].model_copy(
            update={
                "row": number,
                "title": f"{'7' if number < 40 else ''}{chr(0x4E00 + 97 * number)}{chr(0x6E00 + 31 * number)}事",
                "label": "体育",
                "predicted": "国际" if number < 40 else "体育",
            }
        )
        for number in range(80)
    ]
    text = "\n".join(row.model_dump_json() for row in rows)
    (run.folder / "predictions.jsonl").write_text(text + "\n")
    app = open_page("evaluate", evaluation=run.id, view="causes")
    assert any("有数字的标题：40 条错 40 条" in each.value for each in app.markdown)
    app.button(key="cohort-0").click().run()
    assert not app.exception and app.query_params["tags"] in ("digits", ["digits"])
    assert len(listed(app)) == 30  # a page of the forty


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_chain_and_direct_are_compared_where_both_answered(run, lang):
    app = open_page("evaluate", lang, evaluation="sample_run", view="chains")
    assert not app.exception
    verdict = "看不出差别" if lang == "zh" else "No difference is visible"
    assert any(verdict in each.value for each in app.markdown)
    assert len(app.dataframe) == 2 and len(app.dataframe[1].value) == 11


def test_one_way_alone_says_how_to_compare(run):
    file = run.folder / "predictions.jsonl"
    lines = [line for line in file.read_text().splitlines() if '"answer":"chain"' in line]
    file.write_text("\n".join(lines) + "\n")
    app = open_page("evaluate", evaluation=run.id, view="chains")
    assert any("只用一种方式回答过" in each.value for each in app.info) and not app.exception


def test_a_run_whose_checkpoint_is_gone_is_no_choice_and_no_error(workspace, run):
    shutil.rmtree(run.folder / "checkpoints")
    app = open_page("evaluate", evaluation=run.id)
    assert not app.exception and not app.error
    assert not [each for each in app.selectbox(key="choose-new-subject").options if "scored" in each]
