"""The tab of sheets: upload, question, job, rows with filters and pages, the file, reports of wrong answers."""

import csv
import io

import pytest

from studio import runs
from studio.annotation.leases import offer
from studio.classification.jobs import list_classifications
from studio.corpus.titles import find_title
from studio.jobs import queue
from studio.language import current_language
from studio.messages import shown
from studio.store import open_store
from studio.team.settings import LabelSettings
from tests.support.classified_sheets import SCHEME, answer, answered, prepared
from tests.support.pages import open_page, words
from tests.support.tiny_runs import wait_until

COUNT = 60
HEADING = "编号,标题,备注\n"


@pytest.fixture
def job(workspace, tmp_path):
    """A classified sheet of sixty rows: the tenth without a title, the twentieth without an answer."""
    rows = [f"{n},第{n}条*标题*,x\n" if n != 10 else "10,,x\n" for n in range(1, COUNT + 1)]
    (tmp_path / "早报.csv").write_text(HEADING + "".join(rows), encoding="utf-8")
    made = prepared(workspace, tmp_path / "早报.csv")
    answers = {n: answer(n, SCHEME.names[n % 3], 0.4 + n / 100) for n in range(COUNT - 1)}
    answers[18] = answer(18, None, problem="接口说：*不行*")
    return answered(workspace, made, answers)


def opened(job, lang="zh", **query):
    current_language.set(lang)  # AppTest formats options here, not in the page
    app = open_page("try_it", lang, sheet=job.id, **query)
    assert not app.exception
    return app


def lines(app):
    return [each.value for each in app.markdown if "标题" in each.value and "　" in each.value]


def test_the_rows_come_in_pages_and_each_says_what_it_was_answered(job):
    app = opened(job)
    assert len([button for button in app.button if str(button.key).startswith("sheet-wrong-")]) == 23
    text = words(app, kinds=("markdown",))
    assert "第1条\\*标题\\*" in text and "这一行没有标题" in text and "接口说：\\*不行\\*" in text
    assert {metric.label: metric.value for metric in app.metric}["出错"] == "2"
    assert {metric.label: metric.value for metric in app.metric}["行"] == "60"


def test_filters_narrow_the_rows_and_are_in_the_address(job):
    app = opened(job)
    app.selectbox(key="choose-sheet-outcome").set_value("error").run()
    assert "**2** 行" in words(app, kinds=("markdown",))
    assert app.query_params["outcome"] in ("error", ["error"])
    app.button(key="sheet-clear").click().run()
    app.text_input(key="choose-sheet-text").set_value("第5").run()
    assert "**11** 行" in words(app, kinds=("markdown",))
    app.selectbox(key="choose-sheet-category").set_value(SCHEME.names[0]).run()
    app.selectbox(key="choose-sheet-order").set_value("sure").run()
    assert not app.exception
    again = opened(job, category=SCHEME.names[1])
    assert "**20** 行" in words(again, kinds=("markdown",))


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_wrong_row_is_reported_with_the_right_category_and_taken_back(job, workspace, lang):
    app = opened(job, lang)
    app.button(key="sheet-wrong-3").click().run()
    place = f"{job.id}-3"
    app.selectbox(key=f"report-category-{place}").set_value("娱乐")
    app.text_input(key=f"report-note-{place}").set_value("看主角")
    app.button(key=f"report-send-{place}").click().run()
    assert not app.exception
    db = open_store(workspace.database)
    title = offer(db, author="ann", settings=LabelSettings()).title
    assert (title.text, title.proposal) == ("第3条*标题*", "娱乐")
    assert SCHEME.names[2] in shown(title.note) and "看主角" in shown(title.note)
    app.button(key=f"report-undo-{place}").click().run()
    assert not app.exception and find_title(db, title.text).status == "trashed"


def test_the_file_is_the_sheet_with_columns_added(job, workspace):
    from pages.sections.try_it.sheet_job import _written

    rows = list(csv.DictReader(io.StringIO(_written(job, ".csv").decode())))
    assert len(rows) == COUNT and list(rows[0])[:3] == ["编号", "标题", "备注"]
    assert rows[0]["类别"] == SCHEME.names[0] and rows[9]["问题"] and not rows[9]["类别"]
    assert opened(job).get("download_button")


def upload(app, name, content):
    app.file_uploader(key="sheet-upload").upload(name, content).run()
    assert not app.exception
    return app


def test_a_sheet_is_queued_with_the_model_and_the_way_that_were_chosen(workspace):
    app = open_page("try_it", sheet="new")
    upload(app, "早报.csv", f"{HEADING}1,央行降准,x\n2,绝杀夺冠,y\n".encode("gb18030"))
    app.segmented_control(key="choose-sheet-answer").set_value("chain").run()
    app.button(key="sheet-start").click().run()
    assert not app.exception and not app.error
    (job,) = list_classifications(workspace)
    assert (job.label, job.spec.answer, job.spec.categories_only) == ("早报.csv", "chain", True)
    assert (job.folder / "source.csv").read_bytes().decode("gb18030").endswith("2,绝杀夺冠,y\n")
    queue.ensure_job_process(workspace)
    wait_until(lambda: runs.get_job(workspace, job.id).is_over)
    # The tiny worker answers nothing: every row is still open.
    after = opened(job)
    assert "还没有回答" in words(after, kinds=("markdown",))


def test_an_uncertain_column_is_asked_about_before_anything_starts(workspace):
    app = open_page("try_it", sheet="new")
    rows = "".join(f"第{n}条很像标题的一句话,另一句也像标题的第{n}句\n" for n in range(9))
    upload(app, "a.csv", f"甲,乙\n{rows}".encode())
    assert app.button(key="sheet-start").disabled and "哪一列" in app.warning[0].value
    app.radio[0].set_value(1).run()
    assert not app.button(key="sheet-start").disabled
    app.button(key="sheet-start").click().run()
    (job,) = list_classifications(workspace)
    assert "另一句" in (job.folder / "titles.jsonl").read_text()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_sheet_can_be_answered_at_an_endpoint_and_what_cannot_be_asked_is_said(workspace, lang):
    current_language.set(lang)
    app = upload(open_page("try_it", lang, sheet="new"), "a.csv", "标题\n央行降准\n绝杀夺冠\n".encode())
    app.toggle(key="sheet-endpoint").set_value(True).run()
    app.text_input(key="sheet-endpoint-url").set_value("http://127.0.0.1:9/v1")
    app.text_input(key="sheet-endpoint-model").set_value("qwen-max")
    app.button(key="sheet-start").click().run()
    assert app.error and not list_classifications(workspace)  # scores need the model's tokenizer
    app.segmented_control(key="choose-sheet-answer").set_value("chain").run()
    app.button(key="sheet-start").click().run()
    (job,) = list_classifications(workspace)
    assert (job.spec.endpoint.model, job.spec.model_name_or_path, job.needs_device) == (
        "qwen-max",
        None,
        False,
    )


def test_a_sheet_goes_to_the_trash_and_comes_back(job, workspace):
    app = opened(job)
    app.button(key=f"sheet-delete-sure-{job.id}").click().run()
    assert not app.exception and not list_classifications(workspace)
    runs.restore(workspace, job.id)
    assert [one.id for one in list_classifications(workspace)] == [job.id]


def test_what_was_answered_before_a_kill_is_shown_and_can_be_gone_on_with(job, workspace):
    lines = (job.folder / "answers.jsonl").read_text().splitlines(keepends=True)
    (job.folder / "answers.jsonl").write_text("".join(lines[:30]) + lines[30][:9])
    (job.folder / "result.json").unlink()
    app = opened(job)
    assert app.error and "继续" in app.error[0].value
    assert {metric.label: metric.value for metric in app.metric}["还没有回答"] == "29"
    app.button(key=f"resume-{job.id}").click().run()
    assert not app.exception and runs.get_job(workspace, job.id).state in ("queued", "running", "done")
