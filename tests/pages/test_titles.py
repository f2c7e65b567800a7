"""The Titles page: what is found is counted, sorted, selected as a whole, opened, and in the address."""

import pytest

from studio.annotation import bulk_edits
from studio.corpus.titles import find_title, get_title
from studio.ingest.importer import import_text
from studio.team import people
from tests.support.pages import open_page
from tests.support.samples import SCHEME
from tests.support.team import label, team


@pytest.fixture
def db(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("STUDIO_LANG", raising=False)
    return team(tmp_path / "home")


@pytest.fixture
def many(db):
    """Sixty more titles than the four."""
    import_text(db, "\n".join(f"第 {number} 号台风的消息" for number in range(60)), SCHEME)
    return db


def titles(name="zhao", **query):
    app = open_page("titles", annotator=name)
    return app if not query else send(app, **query)


def send(app, **query):
    """Open the page again by a link with these parameters, in the same session."""
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception
    return app


def text(app):
    return "\n".join(element.value for element in [*app.markdown, *app.caption, *app.info, *app.warning])


def listed(app):
    return [
        int(button.key.removeprefix("open-")) for button in app.button if str(button.key).startswith("open-")
    ]


def test_what_is_found_is_counted(many):
    bulk_edits.trash(many, {1: get_title(many, 1).revision}, author="li")
    app = titles()
    assert "找到 **63** 条，共 63 条，回收站里另有 1 条" in text(app)
    assert 1 not in listed(app)
    app.text_input(key="titles-text").set_value("台风").run()
    assert "找到 **61** 条，共 63 条" in text(app)
    assert "第 1 / 3 页" in text(app)
    app.button(key="titles-clear").click().run()
    assert "找到 **63** 条" in text(app)


def test_all_found_are_edited_not_only_those_on_screen(many):
    app = titles()
    app.text_input(key="titles-text").set_value("号台风").run()
    app.button(key="titles-tick-found").click().run()
    app.selectbox(key="choose-titles-relabel").set_value("国内").run()
    app.button(key="titles-relabel").click().run()
    assert "改动了 60 条" in app.toast[0].value
    assert get_title(many, 64).category == "国内"
    assert get_title(many, 4).status == "waiting"


def test_the_order_can_be_chosen(many):
    label(many, "wang")
    app = titles()
    assert listed(app)[:2] == [1, 2]
    app.selectbox(key="choose-titles-order").set_value("newest").run()
    assert listed(app)[:2] == [64, 63]
    app.selectbox(key="choose-titles-order").set_value("changed").run()
    assert listed(app)[:2] == [1, 64]


def test_filters_are_in_the_address_and_a_link_opens_the_same_view(many):
    label(many, "wang", "经济")
    app = titles()
    app.selectbox(key="choose-titles-category").set_value("经济").run()
    app.selectbox(key="choose-titles-chain").set_value(False).run()
    app.selectbox(key="choose-titles-order").set_value("newest").run()
    address = {key: value for key, value in app.query_params.items() if key not in ("lang", "annotator")}
    assert address == {"category": "经济", "chain": "no", "order": "newest"}
    other = titles("li", **address)
    assert listed(other) == listed(app) == [1]
    assert other.selectbox(key="choose-titles-category").value == "经济"
    english = open_page("titles", "en", annotator="li")
    assert listed(send(english, category="经济")) == [1]


@pytest.mark.parametrize(
    "query",
    [
        {"status": "no such"},
        {"category": "占卜"},
        {"batch": "９９"},
        {"batch": "99999999999999999999999"},
        {"batch": "77"},
        {"author": "<b>"},
        {"source": "x" * 3000},
        {"tag": "![](http://x)"},
        {"chain": "maybe"},
        {"order": "sideways"},
        {"text": "%_\x00"},
        {"title": "0"},
        {"title": "-1"},
        {"title": "١"},
        {"title": "9" * 40},
        {"title": "999"},
    ],
)
def test_a_link_that_names_nothing_there_ends_in_no_error(db, query):
    app = titles("li", **query)
    assert not app.exception
    assert not app.error


def test_a_title_is_opened_by_its_number_and_closed_again(db):
    app = titles("zhao", title="3")
    assert "孩子发烧怎么办" in text(app)
    assert not listed(app)
    app.button(key="title-close").click().run()
    assert listed(app) == [1, 2, 3, 4]
    app.button(key="open-2").click().run()
    assert app.query_params["title"] == "2"
    assert "女排逆转夺冠" in text(app)


def test_a_title_that_is_not_there_is_said_to_be_none(db):
    assert "没有编号为 99 的标题" in text(titles("zhao", title="99"))


def test_a_text_is_corrected_where_it_is_opened(db):
    app = titles("zhao", title="2")
    app.text_area[0].set_value("女排逆转夺得冠军").run()
    app.button(key="title-reword-save").click().run()
    new = find_title(db, "女排逆转夺得冠军")
    assert app.query_params["title"] == str(new.id)
    assert "女排逆转夺得冠军" in text(app)
    app.text_area[0].set_value("央行宣布降息").run()
    app.button(key="title-reword-save").click().run()
    assert "第 1 条已经是这个标题" in app.toast[0].value


def test_an_analyst_opens_a_title_and_changes_nothing(db):
    people.change_person(db, "chen", by="li", role="analyst")
    app = titles("chen", title="3")
    assert "孩子发烧怎么办" in text(app)
    assert [button.key for button in app.main.button] == ["title-close"]


def test_boxes_are_named_by_their_title(db):
    assert [box.label for box in titles().checkbox][:1] == ["选择：央行宣布降息"]
