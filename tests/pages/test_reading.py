"""A file whose form is uncertain is asked about where it is given, and foreign labels are mapped there."""

import pytest
from streamlit.testing.v1 import AppTest

from studio.store import open_store
from studio.workspace import open_workspace
from tests.support.pages import APP

UNCLEAR = "女排夺冠，体育\n央行宣布降准，股市大涨\n孩子发烧，健康\n高考放榜，分数线公布，教育\n台风，停课\n"
FOREIGN = "标题,类别\n降准消息一则,财经\n股市今日大涨,财经\n瓜田里的故事,瓜田\n"


@pytest.fixture
def db(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "home"))
    store = open_store(open_workspace().database)
    yield store
    store.close()


def opened(page, lang, key, name, content):
    app = AppTest.from_file(str(APP), default_timeout=120)
    app.query_params["lang"] = lang
    app.query_params["annotator"] = "ann"
    app.run()
    app.switch_page(f"../pages/{page}.py").run()
    app.file_uploader(key=key).upload(name, content.encode()).run()
    assert not app.exception
    return app


def titles(db):
    return {row["text"]: row["category"] for row in db.query("select text, category from current_titles")}


def question(app):
    (radio,) = [radio for radio in app.radio if str(radio.key).startswith("reading-")]
    return radio


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_home_asks_how_an_unclear_file_is_read(db, lang):
    app = opened("home", lang, "upload", "a.txt", UNCLEAR)
    assert app.button(key="import-file").disabled
    question(app).set_value(0).run()
    app.button(key="import-file").click().run()
    assert not app.exception
    assert titles(db) == {
        "女排夺冠": "体育",
        "央行宣布降准": None,
        "孩子发烧": "健康",
        "高考放榜，分数线公布": "教育",
        "台风": None,
    }


def test_home_takes_the_other_answer_too(db):
    app = opened("home", "zh", "upload", "a.txt", UNCLEAR)
    question(app).set_value(1).run()
    app.button(key="import-file").click().run()
    assert list(titles(db)) == UNCLEAR.splitlines()


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_check_asks_and_checks_anew(db, lang):
    app = opened("check", lang, "check-file", "a.txt", UNCLEAR)
    question(app).set_value(0).run()
    app.button(key="check-reading").click().run()
    assert not app.exception
    assert "**5**" in "".join(block.value for block in app.markdown)


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_home_maps_foreign_labels_once_for_all_titles(db, lang):
    app = opened("home", lang, "upload", "a.csv", FOREIGN)
    app.button(key="import-file").click().run()
    assert app.selectbox(key="meaning-财经").value == "经济"
    assert app.selectbox(key="meaning-瓜田").value is None
    app.button(key="map-labels-submit").click().run()
    assert not app.exception
    assert titles(db) == {"降准消息一则": "经济", "股市今日大涨": "经济", "瓜田里的故事": None}
    assert [box.key for box in app.selectbox if str(box.key).startswith("meaning-")] == ["meaning-瓜田"]


def test_a_separator_can_be_chosen_against_what_was_found(db):
    app = opened("home", "zh", "upload", "a.csv", "标题,类别\n女排夺冠,体育\n")
    (separator,) = [box for box in app.selectbox if str(box.key).startswith("separator-")]
    separator.set_value("").run()
    app.button(key="import-file").click().run()
    assert list(titles(db)) == ["标题,类别", "女排夺冠,体育"]
