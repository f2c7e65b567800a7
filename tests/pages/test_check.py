"""The Check page: problems lead to rows, rows can be edited, repairs are shown and never over the input."""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from studio.corpus.titles import count_by_status
from studio.ingest.check_session import rows_at, rows_for_people
from studio.store import open_store
from studio.validation.check import check_path
from studio.validation.repair import Edit
from studio.workspace import open_workspace
from tests.support.samples import CHAIN, SCHEME, TITLE, conversation, sample, write_json
from tests.support.titles import next_waiting

APP = Path(__file__).parent.parent.parent / "studio" / "app.py"
QUESTION = f"新闻分类：{TITLE}"
THINK = f"<think>\n{CHAIN}\n</think>\n\n"
ROWS = [
    sample("甲队客场取胜", chain=CHAIN),
    conversation(QUESTION, f"<think>{CHAIN}</think>“体育”"),
    conversation("新闻分类：两国举行联合演习", f"{THINK}军事"),
    conversation("新闻分类：某地发布通知", f"{THINK}流水常至"),
]


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "home"))
    return open_workspace()


@pytest.fixture
def db(workspace):
    return open_store(workspace.database)


def open_page(lang="zh"):
    app = AppTest.from_file(str(APP), default_timeout=120)
    app.query_params["lang"] = lang
    app.query_params["annotator"] = "ann"
    app.run()
    return app.switch_page("../pages/check.py").run()


def upload(rows=ROWS, lang="zh", name="some.json"):
    app = open_page(lang)
    app.file_uploader(key="check-file").upload(name, json.dumps(rows, ensure_ascii=False).encode()).run()
    assert not app.exception
    return app


def open_group(app, code):
    app.session_state[f"check-group-{code}"] = True
    return app.run()


def shown(app):
    return "\n".join(element.value for kind in ("markdown", "code", "caption") for element in app.get(kind))


def open_tab(app, name):
    app.session_state["check_tab"] = name
    return app.run()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_an_upload_is_counted_and_grouped(workspace, lang):
    app = upload(lang=lang)
    assert "**4**" in shown(app)
    assert "**1**" in shown(app)
    labels = [expander.label for expander in app.expander]
    assert "answer_not_category" in labels[0]  # errors first
    assert not app.error


def test_a_filter_leaves_only_what_is_asked_for(workspace):
    app = upload()
    app.button_group(key="choose-check-severity").set_value(["warning"]).run()
    labels = [expander.label for expander in app.expander]
    assert labels
    assert not [label for label in labels if "answer_not_category" in label]
    app.button_group(key="choose-check-group").set_value(["set"]).run()
    assert [("category_missing" in expander.label) for expander in app.expander] == [True]


def test_a_problem_opens_its_row_and_the_edit_goes_into_the_copy(workspace):
    app = open_group(upload(), "answer_not_category")
    assert "第 4 行" in shown(app).replace("\\", "")
    app.button(key="check-open-answer_not_category-2").click().run()
    box = app.text_area(key="check-answer-some.json-4")
    assert box.value.endswith("流水常至")
    box.set_value(f"{THINK}社会").run()
    app.button(key="check-keep-some.json-4").click().run()
    app = open_tab(app, "修复并对比")
    app.button(key="check-repair").click().run()
    assert not app.exception
    assert not app.error
    desk = app.session_state["check-desk"]
    rows = json.loads(desk.copy.out.read_text(encoding="utf-8"))
    assert rows[3] == conversation("新闻分类：某地发布通知", f"{THINK}社会")
    assert rows[1] == conversation(QUESTION, f"{THINK}体育")
    assert rows[2] == ROWS[2]  # a near-synonym is not applied
    assert json.loads(desk.path.read_text(encoding="utf-8")) == ROWS
    text = shown(app)
    assert f"<think>{CHAIN}</think>“体育”" in text
    assert f"{THINK}体育" in text
    assert desk.copy.changed == 2


def test_the_proposed_category_is_one_press(workspace):
    app = open_group(upload(), "answer_not_category")
    app.button(key="check-open-answer_not_category-1").click().run()
    app.button(key="check-propose-some.json-3").click().run()
    assert app.text_area(key="check-answer-some.json-3").value == f"{THINK}国际"
    assert not app.exception


def test_a_row_can_be_left_out_and_taken_back(workspace):
    app = open_group(upload(), "answer_not_category")
    app.button(key="check-open-answer_not_category-2").click().run()
    app.button(key="check-drop-some.json-4").click().run()
    assert app.session_state["check-desk"].edits == {("some.json", 4): None}
    app.button(key="check-undo-some.json-4").click().run()
    assert app.session_state["check-desk"].edits == {}


def test_doubtful_rows_go_to_the_label_queue_with_the_proposal(workspace, db):
    app = open_tab(upload(), "交给标注")
    app.button(key="check-queue").click().run()
    assert not app.exception
    assert not app.error
    waiting = {title.text: title.proposal for title in next_waiting(db, limit=9)}
    assert waiting == {"两国举行联合演习": "国际", "某地发布通知": None}
    assert count_by_status(db)["decided"] == 0


def test_all_rows_come_in_from_the_copy(workspace, db):
    app = open_tab(upload(), "修复并对比")
    app.button(key="check-repair").click().run()
    app = open_tab(app, "交给标注")
    app.button(key="check-import").click().run()
    assert not app.exception
    assert not app.error
    assert (count_by_status(db)["decided"], count_by_status(db)["waiting"]) == (2, 2)


def test_a_folder_of_this_computer_is_repaired_elsewhere(workspace, tmp_path):
    write_json(tmp_path / "set" / "a.json", ROWS)
    write_json(tmp_path / "set" / "dataset_info.json", {"train": {"file_name": "a.json", "formating": "x"}})
    app = open_page()
    app.button_group(key="choose-check-way").set_value("path").run()
    app.text_input(key="check-path").set_value(str(tmp_path / "set"))
    app.button(key="check-path-now").click().run()
    assert [label for label in (each.label for each in app.expander) if "info_unknown_key" in label]
    app = open_tab(app, "修复并对比")
    app.text_input(key="check-out").set_value(str(tmp_path / "set")).run()
    app.button(key="check-repair").click().run()
    assert "已经存在" in app.error[0].value
    app.text_input(key="check-out").set_value(str(tmp_path / "out")).run()
    app.button(key="check-repair").click().run()
    assert not app.error
    assert (tmp_path / "out" / "dataset_info.json").is_file()


@pytest.mark.parametrize("content", [b"", b"[{", b"\xff\xfe\x00", b"{}"])
def test_an_unreadable_upload_is_a_problem_and_no_traceback(workspace, content):
    app = open_page()
    app.file_uploader(key="check-file").upload("some.json", content).run()
    assert not app.exception
    assert len(app.expander) == 1
    app = open_tab(app, "修复并对比")
    app.button(key="check-repair").click().run()
    assert app.error
    assert not app.exception


def test_names_of_an_upload_lead_nowhere():
    from pages.sections.check.source import _parts

    assert _parts("../../etc/passwd") == ("etc", "passwd")
    assert _parts("/a/b.json") == ("a", "b.json")
    assert _parts("C:\\x\\b.json") == ("x", "b.json")


def test_rows_are_found_behind_a_prefix_of_their_own(tmp_path):
    titles = ["甲队客场取胜", "乙队主场告负", "丙队战平"]
    rows = [conversation(f"请分类：{title}", f"{THINK}流水") for title in titles]
    path = write_json(tmp_path / "a.json", rows)
    report = check_path(path, SCHEME)
    assert report.prefix == "请分类："
    found = rows_at(path, {("a.json", 2)}, report.prefix, SCHEME)
    assert found["a.json", 2].title == titles[1]
    edits = {
        ("a.json", 1): None,
        ("a.json", 2): Edit(question=f"新闻分类：{titles[1]}", answer=f"{THINK}体育"),
    }
    assert [row.title for row in rows_for_people(path, SCHEME, edits)] == [titles[2]]


def test_all_proposals_of_a_kind_are_accepted_at_once(db):
    app = open_group(upload(), "answer_not_category")
    app.button(key="check-accept-answer_not_category").click().run()
    assert not app.exception
    desk = app.session_state["check-desk"]
    assert {row: edit.answer.rpartition("\n")[2] for (_, row), edit in desk.edits.items()} == {
        2: "体育",
        3: "国际",
    }
