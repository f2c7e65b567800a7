"""Classify: one answer with its own confidence, many in a table, the best finished run, all of it remembered."""

from datetime import UTC, datetime

import pytest
from streamlit.testing.v1 import AppTest

from pages.sections.try_it.classify import MOST_TITLES
from studio import runs
from studio.annotation.leases import offer
from studio.corpus.titles import find_title, find_titles
from studio.messages import shown
from studio.models.default_model import chosen_default, default_model
from studio.quality.findings import Evidence, Finding, ScanFile, deciding_words, result_path
from studio.serving import servers
from studio.store import open_store
from studio.team.settings import LabelSettings
from studio.workspace import BUNDLED_NAME
from tests.support.pages import open_page
from tests.support.tiny_runs import TINY_SERVER
from tests.support.workspaces import fill


@pytest.fixture
def run(workspace):
    return fill(open_store(workspace.database), workspace)


@pytest.fixture
def page(run, workspace):
    model, adapter = runs.trained_model(run)
    servers.ensure_server(
        workspace, model=model, adapter=adapter, template="auto", name=run.id, command=TINY_SERVER
    )
    return open_page("try_it", run=run.id)


def classified(app, text):
    app.text_area(key="classify-text").set_value(text)
    app.button(key="classify-now").click().run()
    assert not app.exception
    return app


def all_text(app):
    return "\n".join(each.value for kind in ("markdown", "caption", "error") for each in app.get(kind))


def test_two_ways_that_disagree_are_said_and_share_no_confidence(page):
    shown = all_text(classified(page, "这个标题有分歧"))
    assert "两种回答方式不一致" in shown
    assert "经济" in shown
    assert "体育 75%" in shown
    assert "经济 75%" not in shown


def test_two_hundred_titles_are_one_table_of_bounded_height(page):
    app = classified(page, "\n".join(f"第{number}个标题" for number in range(200)))
    (table,) = app.dataframe
    assert len(table.value) == 200
    assert not [button for button in app.button if "wrong-" in str(button.key)]
    assert app.get("download_button")


def test_wrong_answers_of_a_list_go_back(page, workspace):
    app = classified(page, "\n".join(f"第{number}个标题" for number in range(9)))
    app.multiselect(key="classify-wrong-titles").select(3).run()
    app.button(key="classify-wrong").click().run()
    db = open_store(workspace.database)
    assert offer(db, author="ann", settings=LabelSettings()).title.text == "第3个标题"


def test_a_wrong_answer_asks_which_category_is_right_and_can_be_taken_back(page, workspace):
    title = "主队补时绝杀夺冠"
    app = classified(page, title)
    app.button(key="wrong-0").click().run()
    place = f"0-{title}"
    app.selectbox(key=f"report-category-{place}").set_value("娱乐")
    app.text_input(key=f"report-note-{place}").set_value("说的是综艺")
    app.button(key=f"report-send-{place}").click().run()
    assert not app.exception
    db = open_store(workspace.database)
    found = find_title(db, title)
    assert (found.status, found.proposal) == ("waiting", "娱乐")
    assert "说的是综艺" in shown(found.note)
    app.button(key=f"report-undo-{place}").click().run()
    assert not app.exception and find_title(db, title).status == "trashed"


def test_too_many_titles_are_a_sentence(page):
    app = classified(page, "题\n" * (MOST_TITLES + 1))
    assert f"{MOST_TITLES:,}" in app.error[0].value.replace("\\", "")


def test_the_page_remembers_model_text_and_results(page, run):
    classified(page, "主队补时绝杀夺冠")
    page.switch_page("../pages/home.py").run()
    page.switch_page("../pages/try_it.py").run()
    assert page.selectbox(key="choose-try-model").value == run.id
    assert page.text_area(key="classify-text").value == "主队补时绝杀夺冠"
    assert "体育" in all_text(page)
    assert page.query_params["run"] in (run.id, [run.id])


def option(app):
    return app.selectbox(key="choose-try-model")


def test_the_default_is_chosen_stored_and_shown_first(page, workspace, run):
    page.query_params.clear()
    option(page).set_value(f"base-{BUNDLED_NAME}").run()
    page.button(key="make-default-model").click().run()
    assert not page.exception
    assert chosen_default(workspace) == BUNDLED_NAME
    other = open_page("try_it")
    assert option(other).value == f"base-{BUNDLED_NAME}"
    assert "小模型" in option(other).options[0]
    assert other.button(key="make-default-model").label == "不再作为默认"
    other.button(key="make-default-model").click().run()
    assert default_model(workspace) == run.id


def test_evidence_is_highlighted_in_the_title_and_said_in_numbers(page):
    shown = all_text(classified(page, "主队补时绝杀夺冠"))
    assert "**:green-background[主队]补时绝杀夺冠**" in shown
    assert ":green-background[主队]　体育 75% → 35%" in shown


def test_a_title_that_no_word_decides_says_so_and_markup_in_a_title_stays_text(page):
    assert "没有哪个词单独起决定作用" in all_text(classified(page, "夺冠"))
    shown = all_text(classified(page, "**粗** <b>![x](http://127.0.0.1:9)"))
    assert "![x](" not in shown and "<b>" not in shown and "**粗**" not in shown


def test_a_model_that_is_unsure_abstains_with_the_top_3_and_a_threshold_overrides_it(page):
    shown = all_text(classified(page, "这个标题拿不准"))
    assert "请人工判断" in shown and "社会 :gray[30%]" in shown and "国内 :gray[12%]" in shown
    page.number_input(key="classify-threshold").set_value(0)
    shown = all_text(classified(page, "这个标题拿不准"))
    assert "请人工判断" not in shown and ":gray[41%]" in shown


def test_a_list_says_which_titles_are_left_to_a_person(page):
    app = classified(page, "\n".join(f"第{number}个标题{'拿不准' * (number == 3)}" for number in range(8)))
    (table,) = app.dataframe
    assert list(table.value["决定"]).index("请人工判断") == 3
    assert "1 个低于门槛" in all_text(app)


def test_a_reason_that_takes_nothing_from_the_title_is_folded_and_called_free_text(page):
    app = classified(page, "主队补时绝杀夺冠")  # the tiny server's chain is "chain"
    (reason,) = [box for box in app.expander if "理由" in box.label]
    assert "自由文本，不是依据" in reason.label


def test_a_quotation_is_marked_by_whether_the_title_has_it():
    def draw():
        from pages.sections.try_it.card import card
        from studio.serving.client import Classification

        chain = "“夺冠”是赛事结果，“加息”与此无关，所以归“体育”。"
        answer = Classification(title="主队补时绝杀夺冠", category="体育", chain=chain, evidence=())
        card(answer, 0, model="m", alone=True, demonstration=False)

    app = AppTest.from_function(draw, default_timeout=120).run()
    shown = all_text(app)
    assert ":green-background[夺冠]" in shown and ":orange-background[加息]" in shown
    assert "标题里没有：加息" in shown and "background[体育]" not in shown


def test_the_words_that_the_quality_scan_goes_by_are_said_beside(page, workspace, run):
    db = open_store(workspace.database)
    title = find_titles(db, status="decided")[0]
    evidence = Evidence(
        given=title.category,
        suggested="体育",
        margin=0.6,
        right=0.2,
        probabilities={"体育": 0.8},
        nearest=(),
        for_given=(),
        for_suggested=(title.text[1:3],),
    )
    finding = Finding(kind="suspect", titles=(title.id,), decisions=(title.decision_id,), evidence=evidence)
    scan = ScanFile(
        revision=1,
        made_at=datetime.now(UTC),
        seconds=1,
        titles=1,
        findings=(finding,),
        found={"suspect": 1},
        patterns=0,
        left_out=(),
        problems={},
    )
    result_path(workspace).write_text(scan.model_dump_json(), encoding="utf-8")
    assert deciding_words(db, workspace, title.text, "体育") == (title.text[1:3],)
    assert deciding_words(db, workspace, title.text, "健康") == ()
    assert f"“错标与缺口”里的分类器也看中：{title.text[:2]}" in all_text(classified(page, title.text))
