"""Every page opens, empty and filled, in both languages, and does what its buttons say."""

import gc
import io
import re
import zipfile
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.sections.label.put_aside import REASONS
from pages.shared import annotation_download
from studio import runs
from studio.annotation import annotations, requeue
from studio.annotation.leases import find_lease, offer
from studio.annotation.queue_order import change_settings
from studio.corpus.titles import count_by_status, find_title, find_titles
from studio.datasets.versions import list_versions
from studio.formats.conversations import RawRow
from studio.ingest._staging import open_import_batch, stage
from studio.ingest.importer import import_path, import_rows, import_text
from studio.messages import message, stored
from studio.samples.scheme import BUNDLED_DATA, load_scheme
from studio.serving import servers
from studio.store import open_store, writing
from studio.team import people
from studio.team.settings import LabelSettings
from studio.validation.rows import judge_each
from studio.workspace import BUNDLED_DATASET, SAMPLE_RUN, open_workspace
from tests.support.pages import APP, PAGES, open_page, words
from tests.support.samples import sample, write_json
from tests.support.tiny_runs import TINY_SERVER
from tests.support.titles import next_waiting
from tests.support.workspaces import answered, fill

TITLES = "央行下调存款准备金率\n主队补时绝杀夺冠\n新药进入三期临床"
SCHEME_FILE = BUNDLED_DATA / "categories.toml"


@pytest.fixture
def db(workspace):
    return open_store(workspace.database)


@pytest.fixture
def waiting(db):
    """Three titles that wait for a label."""
    import_text(db, TITLES, load_scheme())
    return next_waiting(db, limit=3)


@pytest.fixture
def filled_run(db, workspace):
    return fill(db, workspace)


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("name", PAGES)
def test_an_empty_page_opens(workspace, name, lang):
    app = open_page(name, lang)
    assert not app.exception
    assert app.title[0].value


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("name", PAGES)
def test_a_filled_page_opens(filled_run, name, lang):
    app = open_page(name, lang)
    assert not app.exception
    assert not app.error


@pytest.mark.parametrize("name", ["label", "check", "datasets"])
def test_an_empty_page_says_what_to_do(workspace, name):
    app = open_page(name)
    assert app.info or app.success or app.warning


@pytest.mark.parametrize("name", PAGES)
def test_an_english_page_has_no_chinese_word_but_the_scheme(workspace, name):
    scheme = SCHEME_FILE.read_text(encoding="utf-8")
    if (
        name == "compare"
    ):  # titles and chains of the recorded run, and training rows near them, are shown there
        scheme += (SAMPLE_RUN / "predictions.jsonl").read_text(encoding="utf-8")
        scheme += (BUNDLED_DATASET / "train.json").read_text(encoding="utf-8")
    app = open_page(name, "en")
    # On Evaluate the markdown is the titles and chains of the recorded run.
    shown = words(app) + words(app, kinds=() if name == "evaluate" else ("markdown",))
    assert not [text for text in re.findall(r"[\u4e00-\u9fff]+", shown) if text not in scheme]


@pytest.mark.parametrize("name", PAGES[:-1])
def test_a_broken_database_is_one_message_with_the_remedy(workspace, name):
    workspace.database.write_bytes(b"this is no database" * 100)
    app = open_page(name)
    assert not app.exception
    assert "studio.db" in app.error[0].value.replace("\\", "")


def test_what_a_page_brings_is_left_out_of_later_garbage_collections(workspace):
    open_page("label")
    # Streamlit collects after every press; over all modules that takes a tenth of a second.
    assert gc.get_freeze_count() > 10_000


def test_the_language_comes_from_the_setting(workspace, monkeypatch):
    monkeypatch.setenv("STUDIO_LANG", "en")
    assert AppTest.from_file(str(APP), default_timeout=120).run().title[0].value == "Who are you?"


@pytest.mark.parametrize("page", ["home", "label", "team"])
def test_nobody_is_anybody_before_they_say_who_they_are(db, waiting, page):
    app = AppTest.from_file(str(APP), default_timeout=120).run()
    if page != "home":
        app.switch_page(f"../pages/{page}.py").run()
    assert app.title[0].value == "您是谁？"
    assert people.list_people(db) == []
    app.text_input(key="who-name").set_value("  ")
    app.button(key="who-start").click().run()
    assert "名字" in app.toast[0].value and people.list_people(db) == []
    app.text_input(key="who-name").set_value("li")
    app.button(key="who-start").click().run()
    assert app.title[0].value != "您是谁？" and not app.exception
    assert [(each.name, each.role) for each in people.list_people(db)] == [("li", "admin")]
    assert app.query_params["annotator"] in ("li", ["li"])


def test_a_newcomer_is_an_annotator_and_a_known_one_is_chosen(db, waiting):
    people.sign_in(db, "li")
    app = AppTest.from_file(str(APP), default_timeout=120).run()
    app.text_input(key="who-name").set_value("新来的")
    app.button(key="who-start").click().run()
    assert people.find_person(db, "新来的").role == "annotator"
    app.button(key="who-else").click().run()
    assert app.title[0].value == "您是谁？"
    app.button(key="who-0").click().run()
    assert app.selectbox(key="annotator").value == "li"
    assert [each.name for each in people.list_people(db)] == ["li", "新来的"]


@pytest.mark.parametrize("name", ["home", "train", "evaluate", "try_it"])
def test_the_name_of_a_run_is_text_wherever_it_is_drawn(filled_run, name):
    runs.change_record(filled_run.folder, label="![x](http://127.0.0.1:9/x.png) **bold**")
    kinds = ("caption", "markdown", "info", "success", "warning", "error", "subheader")
    drawn = words(open_page(name), kinds=kinds)
    assert "![x](" not in drawn and "**bold**" not in drawn


def test_home_imports_the_bundled_samples(workspace, db):
    app = open_page("home")
    app.button(key="import-samples").click().run()
    assert "450" in app.success[0].value
    assert count_by_status(db)["decided"] == 400
    assert count_by_status(db)["waiting"] == 50
    assert any("去标注（50 条待标注）" in link.label for link in app.get("page_link"))


def test_home_compares_the_answers_to_the_bundled_titles_with_ours(workspace, db):
    app = open_page("home")
    app.button(key="import-samples").click().run()
    for title in next_waiting(db, limit=2):
        annotations.annotate(
            db, title.id, category="政治", author="ann", seen_revision=title.revision, active_seconds=1
        )
    app.run()
    shown = "\n".join(element.value for element in app.markdown)
    assert "已定 2 条，其中 **0** 条与我们一致" in shown
    assert [box.label for box in app.expander if "不一致" in box.label] == ["不一致的 2 条"]
    app.button(key=f"sample-{find_title(db, title.text).id}").click().run()
    assert app.query_params["title"] == str(title.id)
    app = open_page("home", annotator="an annotator")
    app.button(key=f"sample-{title.id}").click().run()
    assert title.text in "\n".join(element.value for element in [*app.subheader, *app.header, *app.markdown])


def test_the_recorded_run_is_not_shown_as_if_one_had_trained_it(workspace, db):
    shown = "\n".join(element.value for element in [*open_page("home").subheader, *open_page("home").caption])
    assert "示例：内置运行的得分" in shown
    assert "不是您训练的" in shown
    assert "还没有自己的得分" in shown


def test_home_imports_pasted_titles(workspace, db):
    app = open_page("home")
    app.text_area(key="pasted").set_value(TITLES)
    app.button(key="import-pasted").click().run()
    assert count_by_status(db)["waiting"] == 3


def test_home_says_why_an_upload_cannot_be_read(workspace):
    app = open_page("home")
    app.file_uploader(key="upload").upload("broken.json", b'[{"conversations": [').run()
    assert app.button(key="import-file").disabled
    assert "broken.json" in app.error[0].value.replace("\\", "")
    assert not app.exception


def bomb():
    """A workbook of four megabytes that would unpack to six hundred."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as parts,
        parts.open("xl/worksheets/sheet1.xml", "w") as sheet,
    ):
        for _ in range(600):
            sheet.write(bytes(1 << 20))
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("bomb.xlsx", bomb, "600 MiB"),
        ("lies.csv", lambda: b"PK\x03\x04rest", "Excel"),
        ("page.csv", lambda: b"<html><script>alert(1)</script>", "HTML"),
        ("cut.xlsx", lambda: bomb()[:5000], "cut.xlsx"),
    ],
)
def test_home_refuses_a_bad_file_in_words_and_takes_nothing_in(workspace, db, name, content, words):
    app = open_page("home")
    app.file_uploader(key="upload").upload(name, content()).run()
    assert app.button(key="import-file").disabled
    assert not app.exception
    assert words in app.error[0].value.replace("\\", "")
    assert find_titles(db) == []


def test_a_million_characters_pasted_are_refused_and_the_rest_comes_in(workspace, db):
    app = open_page("home")
    app.text_area(key="pasted").set_value(
        f"女排夺冠\n{'长' * 1_000_000}\n\u202e<script>央行</script>\x00降息🏆"
    )
    app.button(key="import-pasted").click().run()
    assert not app.exception
    assert [title.text for title in find_titles(db)] == ["女排夺冠", "<script>央行</script>降息🏆"]
    assert any("500" in str(table.value.to_dict()) for table in app.dataframe)


def test_home_shows_the_first_rows_and_takes_the_chosen_columns(workspace, db):
    app = open_page("home")
    table = "编号,甲,类别\n1,女排夺冠,体育\n2,央行降息,经济\n".encode("gbk")
    app.file_uploader(key="upload").upload("a.csv", table).run()
    boxes = {box.label: box for box in app.selectbox}
    assert any("GB18030" in caption.value for caption in app.caption)
    assert (boxes["标题列"].value, boxes["类别列"].value) == ("甲", "类别")
    boxes["标题列"].set_value("编号").run()
    assert list(app.dataframe[0].value["标题"]) == ["1", "2"]
    next(box for box in app.selectbox if box.label == "标题列").set_value("甲").run()
    assert list(app.dataframe[0].value["标题"]) == ["女排夺冠", "央行降息"]
    app.button(key="import-file").click().run()
    assert not app.exception
    assert [title.text for title in find_titles(db, status="decided")] == ["女排夺冠", "央行降息"]


def test_no_cell_of_a_table_is_a_formula_for_whoever_saves_it_as_csv(workspace):
    app = open_page("home")
    app.file_uploader(key="upload").upload("a.csv", b"title,source\n=cmd|' /C calc'!A0,@sum\n").run()
    shown = app.dataframe[0].value
    assert shown.iloc[0].tolist()[1:4] == ["'=cmd|' /C calc'!A0", "", "'@sum"]
    pages = Path(APP).parent.parent / "pages"
    direct = [path for path in pages.rglob("*.py") if "st.dataframe(" in path.read_text(encoding="utf-8")]
    assert [path.name for path in direct] == ["elements.py"]
    code = [
        path for folder in ("pages", "studio", "backend") for path in (pages.parent / folder).rglob("*.py")
    ]
    writers = [
        path.name
        for path in code
        if re.search(r"csv\.(Dict)?[wW]riter|DataFrame.*to_csv|\.to_csv\(\)", path.read_text("utf-8"))
    ]
    # _sinks.py hands a sheet back with its own cells as they were, and escapes what it adds.
    assert sorted(writers) == ["_sinks.py", "csv_export.py"]


def test_a_column_can_be_left_out(workspace, db):
    app = open_page("home")
    app.file_uploader(key="upload").upload("a.csv", "标题,类别\n女排夺冠,体育\n".encode()).run()
    next(box for box in app.selectbox if box.label == "类别列").set_value("").run()
    app.button(key="import-file").click().run()
    assert count_by_status(db)["waiting"] == 1


def test_home_lists_imports_and_undoes_one(workspace, db):
    report = import_text(db, TITLES, load_scheme())
    app = open_page("home")
    app.button(key=f"undo-batch-{report.batch_id}").click().run()
    assert "撤下 3 条" in app.success[0].value
    assert count_by_status(db)["trashed"] == 3
    assert not [button for button in app.button if str(button.key).startswith("undo-batch")]


def test_home_shows_near_repeats_and_refused_rows(workspace, db):
    app = open_page("home")
    lines = "今年高考报名人数创下历史新高\n今年高考报名人数创下历史新低\n" + "长" * 600
    app.text_area(key="pasted").set_value(lines)
    app.button(key="import-pasted").click().run()
    assert [expander.label for expander in app.expander][-2:] == [
        "1 条与更早的标题近似，已归组",
        "1 行没有导入",
    ]


def test_home_brings_an_import_to_its_end_that_died_on_the_way(workspace, db):
    batch = open_import_batch(db, "a", "li")
    judged = judge_each(
        [RawRow(file="a", row=1, split=None, kind="title", record="", title="女排夺冠")], load_scheme()
    )
    stage(db, judged, load_scheme(), source="a", batch_id=batch)
    open_page("home")
    assert count_by_status(db)["waiting"] == 1


@pytest.mark.parametrize("page", ["home", "label", "datasets"])
def test_markup_in_a_title_and_in_a_source_stays_text(workspace, db, page):
    nasty = "<script>alert(1)</script><img src=x onerror=alert(1)> [点](javascript:alert(1)) **粗**"
    rows = [RawRow(file=nasty, row=1, split=None, kind="title", record="", title=nasty, source=nasty)]
    import_rows(db, rows, load_scheme(), source=nasty, author=nasty)
    app = open_page(page)
    assert not app.exception
    shown = [*app.markdown, *app.header, *app.caption, *app.subheader]
    assert not any("<script>" in element.value.replace("\\<", "") for element in shown)
    assert not any("](javascript" in element.value for element in shown)


def test_a_digit_labels_the_title_and_brings_the_next(waiting, db):
    app = open_page("label")
    app.button(key=f"digit-2-{waiting[0].id}-{waiting[0].revision}").click().run()
    assert [title.text for title in find_titles(db, category="经济")] == [waiting[0].text]
    assert app.header[0].value == waiting[1].text


def test_a_press_for_a_title_that_moved_on_changes_nothing(waiting, db):
    app = open_page("label")
    title = waiting[0]
    annotations.annotate(db, title.id, category="社会", author="other", seen_revision=title.revision)
    app.button(key=f"digit-2-{title.id}-{title.revision}").click().run()
    assert find_title(db, title.text).category == "社会"
    assert "太快" in app.toast[0].value
    assert app.header[0].value == waiting[1].text


def test_undo_brings_the_title_back(waiting, db):
    app = open_page("label")
    app.button(key=f"digit-2-{waiting[0].id}-{waiting[0].revision}").click().run()
    app.button(key="undo").click().run()
    assert count_by_status(db)["waiting"] == 3
    assert app.header[0].value == waiting[0].text


@pytest.mark.parametrize(("button", "status"), [("skip", "skipped"), ("flag", "flagged")])
def test_a_title_can_be_put_aside(waiting, db, button, status):
    app = open_page("label")
    version = f"{waiting[0].id}-{waiting[0].revision}"
    app.button(key=f"{button}-{version}").click().run()
    assert count_by_status(db)[status] == 0
    app.button(key=f"reason-{button}-2-{version}").click().run()
    assert count_by_status(db)[status] == 1
    assert find_title(db, waiting[0].text).note == stored(message(REASONS[button][1]))
    assert app.header[0].value == waiting[1].text


def test_an_own_reason_is_kept_and_an_empty_one_asked_for(waiting, db):
    app = open_page("label")
    version = f"{waiting[0].id}-{waiting[0].revision}"
    app.button(key=f"flag-{version}").click().run()
    app.button(key=f"reason-own-flag-{version}").click().run()
    assert "原因" in app.toast[0].value
    app.text_input(key=f"reason-text-{waiting[0].id}").set_value("地名有歧义")
    app.button(key=f"reason-own-flag-{version}").click().run()
    assert find_title(db, waiting[0].text).note == "地名有歧义"


def test_the_reasons_can_be_left_again(waiting, db):
    app = open_page("label")
    version = f"{waiting[0].id}-{waiting[0].revision}"
    app.button(key=f"skip-{version}").click().run()
    app.button(key=f"reason-back-{version}").click().run()
    app.button(key=f"digit-2-{version}").click().run()
    assert find_title(db, waiting[0].text).category == "经济"


def test_a_suggestion_is_accepted_by_enter_and_written_down(waiting, db):
    suggest(db, waiting[0].id, "经济", 0.9)
    app = open_page("label")
    button = app.button(key=f"accept-{waiting[0].id}-{waiting[0].revision}")
    assert button.proto.shortcut == "enter"
    button.click().run()
    row = db.execute("select category, suggestion, suggestion_source from annotations").fetchone()
    assert row == ("经济", "经济", "tfidf")


def test_another_answer_than_the_suggested_one_is_written_down_too(waiting, db):
    suggest(db, waiting[0].id, "经济", 0.9)
    open_page("label").button(key=f"digit-1-{waiting[0].id}-{waiting[0].revision}").click().run()
    assert db.execute("select category, suggestion from annotations").fetchone() == ("政治", "经济")


def test_the_rule_is_shown_where_two_suggestions_are_close(waiting, db):
    suggest(db, waiting[0].id, "经济", 0.45, "科技", 0.4)
    app = open_page("label")
    assert any(load_scheme().rule("经济", "科技")[:12] in info.value.replace("\\", "") for info in app.info)


def test_suggestions_can_be_switched_off_and_never_lead_a_shared_title(waiting, db):
    suggest(db, waiting[0].id, "经济", 0.9)
    change_settings(db, LabelSettings(suggestions=False), author="ann")
    assert accept_buttons(open_page("label")) == []
    change_settings(db, LabelSettings(overlap_share=1), author="ann")
    assert accept_buttons(open_page("label")) == []


def test_leaving_the_page_gives_the_title_to_others(waiting, db):
    app = open_page("label")
    people.sign_in(db, "wang")
    assert offer(db, author="wang", settings=LabelSettings()).title.id == waiting[1].id
    app.switch_page("../pages/home.py").run()
    assert find_lease(db, "ann").title_id is None
    assert offer(db, author="zhao", settings=LabelSettings()).title.id == waiting[0].id


def test_who_waits_for_others_is_told_so(waiting, db):
    for name in ("wang", "zhao", "qian"):
        offer(db, author=name, settings=LabelSettings())
    assert "别人屏幕上" in open_page("label").info[0].value


def suggest(db, title_id, category, probability, runner_up=None, runner_up_probability=None):
    with writing(db):
        db.execute(
            "insert into suggestions"
            " (title_id, category, probability, runner_up, runner_up_probability, source)"
            " values (?, ?, ?, ?, ?, 'tfidf')",
            [title_id, category, probability, runner_up, runner_up_probability],
        )


def accept_buttons(app):
    return [button.key for button in app.button if str(button.key).startswith("accept-")]


def test_a_recent_decision_can_be_reopened_and_changed(waiting, db):
    app = open_page("label")
    app.button(key=f"digit-2-{waiting[0].id}-{waiting[0].revision}").click().run()
    labelled = find_title(db, waiting[0].text)
    app.button(key=f"reopen-{labelled.id}-{labelled.revision}").click().run()
    app.button(key=f"digit-5-{labelled.id}-{labelled.revision}").click().run()
    assert find_title(db, waiting[0].text).category == "体育"
    assert app.header[0].value == waiting[1].text


def test_annotations_are_offered_as_files(waiting, db):
    people.sign_in(db, "li")
    app = open_page("label")
    app.button(key=f"digit-2-{waiting[0].id}-{waiting[0].revision}").click().run()
    assert not app.exception
    database = Path(db.execute("pragma database_list").fetchone()[2])
    files = {
        name: annotation_download._file(database, name, "csv", "en").decode("utf-8-sig")
        for name in ("li", "ann")
    }
    assert files["li"].count("\n") == 2 and files["ann"].splitlines()[1].endswith(",,")
    assert [button.label for button in app.get("download_button")] == ["CSV", "JSONL", "Parquet"]


@pytest.mark.parametrize("mode", ["quick", "chain"])
@pytest.mark.parametrize("first", [True, False])
def test_a_blind_title_shows_nothing_of_the_import(db, tmp_path, mode, first):
    change_settings(db, LabelSettings(overlap_share=1, gold_share=0), author="li")
    import_path(db, write_json(tmp_path / "a.json", [sample(category="体育类")]), load_scheme())
    [title] = next_waiting(db)
    assert title.note and title.proposal == "体育" and title.chain
    if not first:
        people.sign_in(db, "bo")
        annotations.annotate(db, title.id, category="社会", author="bo", seen_revision=title.revision)
    app = open_page("label")
    app.segmented_control(key="choose-label-mode").set_value(mode).run()
    assert app.header[0].value == title.text
    shown = "".join(each.value for each in [*app.markdown, *app.caption, *app.info, *app.warning])
    assert [part for part in ("体育类", "可能", "应是", "模型建议", "导入时") if part in shown] == []
    assert accept_buttons(app) == []
    if mode == "chain":
        version = f"{title.id}-{title.revision}"
        assert app.text_area(key=f"chain-{version}").value == ""
        assert app.pills(key=f"choose-category-{version}").value is None


@pytest.mark.parametrize("mode", ["quick", "chain"])
def test_a_title_that_was_sent_back_says_so_by_whom_and_what_was_answered(waiting, db, mode):
    app = open_page("label")
    app.button(key=f"digit-2-{waiting[0].id}-{waiting[0].revision}").click().run()
    people.register(db, "zhao", role="reviewer")
    requeue.send_back(db, [waiting[0].id], reason="看 [主角](x)", author="zhao", addressee="ann")
    app = open_page("label")
    app.segmented_control(key="choose-label-mode").set_value(mode).run()
    assert app.header[0].value == waiting[0].text
    [box] = app.warning
    assert all(part in box.value for part in ("退回", "zhao", "看 \\[主角", "您当时的答案", "经济"))
    assert any("退回给您 1 条" in each.value for each in app.caption)
    assert accept_buttons(app) == []
    title = find_title(db, waiting[0].text)
    if mode == "quick":
        button = app.button(key=f"keep-{title.id}-{title.revision}")
        assert (button.proto.type, "★" in "".join(each.label for each in app.button)) == ("secondary", False)
        button.click().run()
        assert find_title(db, title.text).category == "经济"
        assert db.execute("select suggestion from annotations order by id desc limit 1").fetchone() == (None,)


def test_a_link_opens_its_title(waiting):
    app = open_page("label", title=str(waiting[2].id))
    assert app.header[0].value == waiting[2].text


def test_the_keys_of_the_label_page_are_distinct(filled_run, db):
    requeue.send_back(db, [find_titles(db, limit=1)[0].id], reason="look", author="ann")
    shortcuts = [button.proto.shortcut for button in open_page("label").button if button.proto.shortcut]
    assert len(shortcuts) == 14
    assert len(set(shortcuts)) == 14


def test_a_chain_is_saved_with_its_category(waiting, db):
    app, version = chain_page(waiting[0])
    app.pills(key=f"choose-category-{version}").set_value("经济").run()
    app.text_area(key=f"chain-{version}").set_value("写“准备金率”，是经济。")
    app.button(key=f"save-{version}").click().run()
    assert find_title(db, waiting[0].text).chain == "写“准备金率”，是经济。"
    assert app.header[0].value == waiting[1].text


def test_a_chain_without_category_is_kept_as_a_draft(waiting, db):
    app, version = chain_page(waiting[0])
    app.text_area(key=f"chain-{version}").set_value("先写下来")
    app.button(key=f"save-{version}").click().run()
    assert count_by_status(db)["decided"] == 0
    assert app.text_area(key=f"chain-{version}").value == "先写下来"
    assert "类别" in app.toast[0].value


def chain_page(title):
    app = open_page("label")
    app.segmented_control(key="choose-label-mode").set_value("chain").run()
    return app, f"{title.id}-{title.revision}"


def test_datasets_freezes_a_version(filled_run, db, workspace):
    app = open_page("datasets")
    app.text_input(key="freeze-name").set_value("second")
    app.button(key="freeze-now").click().run()
    assert [version.ref for version in list_versions(db, workspace)] == ["second@1", "news@1"]
    assert "second@1" in app.success[0].value


def test_datasets_says_why_a_name_is_refused(filled_run):
    app = open_page("datasets")
    app.text_input(key="freeze-name").set_value("../up")
    app.button(key="freeze-now").click().run()
    assert "../up" in app.error[0].value.replace("\\", "")


def test_train_starts_a_run_with_the_values_on_screen(filled_run, workspace):
    app = open_page("train")
    app.selectbox(key="choose-train-preset").set_value("quick_look").run()
    app.number_input(key="spec-quick_look-lora_rank").set_value(4).run()
    app.button(key="train-start").click().run()
    started = runs.list_runs(workspace)[0]
    assert not app.error
    assert (started.spec.lora_rank, started.spec.max_steps, started.version) == (4, 30, "news@1")


def test_train_shows_a_wrong_setting_as_a_sentence(filled_run, workspace):
    app = open_page("train")
    app.number_input(key="spec-sound_default-learning_rate").set_value(2.0).run()
    app.button(key="train-start").click().run()
    assert "应小于 1" in app.error[0].value.replace("\\", "")
    assert [run.id for run in runs.list_runs(workspace) if not run.recorded] == [filled_run.id]


def test_evaluate_lists_the_titles_of_a_cell(filled_run):
    app = cell_page("政治", "经济")
    [checkbox] = app.checkbox
    assert checkbox.label == answer_of("政治", "经济").title


def test_evaluate_keeps_a_column_for_answers_that_cannot_be_read(filled_run):
    assert len(cell_page("社会", "unparsed").checkbox) == 1


def test_evaluate_sends_a_title_back_to_the_queue(filled_run, db):
    app = cell_page("政治", "经济")
    app.checkbox[0].check().run()
    app.button(key="send-back").click().run()
    [title] = next_waiting(db, limit=5)
    assert title.text == answer_of("政治", "经济").title
    assert (title.proposal, "经济" in title.note) == ("政治", True)


def cell_page(true, pred):
    app = open_page("evaluate")
    app.selectbox(key="choose-cell-true").set_value(true)
    return app.selectbox(key="choose-cell-pred").set_value(pred).run()


def answer_of(label, predicted):
    return next(p for p in answered("chain") if (p.label, p.predicted) == (label, predicted))


def test_evaluate_starts_another_evaluation(filled_run, workspace):
    app = open_page("evaluate")
    app.number_input(key="new-limit").set_value(10).run()
    app.button(key="new-start").click().run()
    spec = runs.list_runs(workspace)[0].spec
    assert (spec.kind, spec.limit, spec.run) == ("evaluate", 10, filled_run.id)


@pytest.fixture
def server(filled_run, workspace):
    """A server for the scored run that answers without a model; the page finds it running."""
    model, adapter = runs.trained_model(filled_run)
    return servers.ensure_server(
        workspace, model=model, adapter=adapter, template="auto", name=filled_run.id, command=TINY_SERVER
    )


def test_a_pasted_title_is_classified(server):
    app = classified("主队补时绝杀夺冠")
    assert any("体育" in element.value and "75%" in element.value for element in app.markdown)
    assert any(server in element.value for element in app.caption)


def test_a_wrong_answer_goes_to_the_label_queue(server, db):
    app = classified("主队补时绝杀夺冠\n另一个标题")
    app.button(key="wrong-1").click().run()
    app.button(key="report-send-1-另一个标题").click().run()
    [title] = next_waiting(db, limit=5)
    assert (title.text, "体育" in title.note) == ("另一个标题", True)


def test_a_server_that_refuses_is_told(server):
    app = classified("能不能答?")
    assert "question mark" in app.error[0].value
    assert not app.exception


def open_try_it():
    """Open the page on the run whose server the tests start; by itself it chooses the best one."""
    return open_page("try_it", run=runs.list_runs(open_workspace())[0].id)


def classified(text):
    app = open_try_it()
    app.text_area(key="classify-text").set_value(text)
    return app.button(key="classify-now").click().run()


def test_a_chat_shows_thought_and_answer(server):
    app = open_try_it()
    app.session_state["try_tab"] = "对话"
    app.run()
    app.chat_input(key="chat-input").set_value("新闻分类：某事").run()
    assert not app.exception
    assert [message.name for message in app.chat_message] == ["user", "assistant"]
    assert "新闻分类：某事" in app.chat_message[1].markdown[-1].value


def test_an_answer_that_breaks_off_is_kept_and_told(server):
    app = open_try_it()
    app.session_state["try_tab"] = "对话"
    app.run()
    app.chat_input(key="chat-input").set_value("break").run()
    assert "out of memory" in app.error[0].value
    app.run()
    assert "break" in app.chat_message[1].markdown[-1].value
