"""What happened under one language is read in the other: notes, reasons, reports and failures."""

import re

import pytest

from backend.worker import RunFolder, work_in
from studio.annotation import annotations
from studio.corpus.titles import find_title
from studio.errors import RunFailed
from studio.ingest.importer import import_path, import_text
from studio.language import current_language, say
from studio.messages import message, stored
from studio.runs import get_job, prepare_run
from studio.store import open_store
from studio.workspace import BUNDLED_DATA, BUNDLED_DATASET, SAMPLE_RUN
from tests.support.pages import PAGES, open_page, words
from tests.support.samples import SCHEME, conversation, write_json
from tests.support.tiny_runs import tiny_spec

CHINESE = re.compile(r"[\u3400-\u9fff]+")
KINDS = ("title", "caption", "subheader", "info", "success", "warning", "error", "markdown")
SCHEME_TEXT = (BUNDLED_DATA / "categories.toml").read_text(encoding="utf-8")
TITLES = ("央行下调存款准备金率", "小学开学第一课", "公交线路今日改道")


@pytest.fixture
def written_in_chinese(workspace, tmp_path):
    """Two rows that disagree, one that cannot be read, one pasted and put aside: all of it under Chinese."""
    current_language.set("zh")
    rows = [
        conversation(f"新闻分类：{TITLES[0]}", "经济"),
        conversation(f"新闻分类：{TITLES[0]}", "国内"),
        conversation(f"新闻分类：{TITLES[1]}", "<think>只有开头"),
        conversation("新闻分类：", "社会"),
    ]
    db = open_store(workspace.database)
    import_path(db, write_json(tmp_path / "rows.json", rows), SCHEME)
    import_text(db, TITLES[2], SCHEME)
    return db


@pytest.mark.parametrize("name", PAGES)
def test_rows_imported_in_chinese_are_explained_in_english(written_in_chinese, name):
    text = words(open_page(name, "en"), kinds=KINDS)
    recorded = (SAMPLE_RUN / "predictions.jsonl").read_text(encoding="utf-8")
    recorded += (BUNDLED_DATASET / "train.json").read_text(encoding="utf-8")  # near rows it was trained on
    known = SCHEME_TEXT + "中文" + "".join(TITLES) + "只有开头" + recorded
    assert [part for part in CHINESE.findall(text) if part not in known] == []


def test_the_label_page_says_why_a_title_waits_in_the_language_of_who_reads(written_in_chinese):
    assert "导入的几行答案不一致：“经济”、“国内”" in words(open_page("label", "zh"), kinds=KINDS)
    assert "Imported rows disagree: “经济”, “国内”" in words(open_page("label", "en"), kinds=KINDS).replace(
        "\\", ""
    )


def test_a_report_that_is_on_screen_follows_the_switch(workspace):
    app = open_page("home", "zh")
    app.text_area(key="pasted").set_value(f"{TITLES[0]}\n{TITLES[0]}").run()
    app.button(key="import-pasted").click().run()
    app.session_state["lang"] = "en"
    text = words(app.run(), kinds=KINDS)
    assert [
        part for part in CHINESE.findall(text) if part not in SCHEME_TEXT + "中文" + "".join(TITLES)
    ] == []


def test_a_reason_offered_in_english_is_read_in_chinese(written_in_chinese):
    db = written_in_chinese
    title = find_title(db, TITLES[2])
    current_language.set("en")
    annotations.flag(
        db, title.id, reason=stored(message("reason_no_rule")), author="ann", seen_revision=title.revision
    )
    assert "规则没有写到" in words(open_page("review", "zh", annotator="ann"), kinds=KINDS)


def test_a_failure_written_in_chinese_is_read_in_english(workspace):
    current_language.set("zh")
    run = prepare_run(workspace, tiny_spec())

    def fails(_):
        raise RunFailed(
            say("内存不足：{why}", "Out of memory: {why}", why=say("批太大", "the batch is too large")),
            remedy=say("请减小。", "Use less."),
        )

    (run.folder / "alive").touch()
    assert work_in(RunFolder(run.folder), fails) == 1
    assert get_job(workspace, run.id).failure == ("内存不足：批太大", "请减小。")
    text = words(open_page("train", "en"), kinds=KINDS).replace("\\", "")
    assert "Out of memory: the batch is too large" in text
    assert "内存" not in text
