"""The pages for several people: who sees what, and that their buttons do what they say."""

import re

import pytest

from studio.annotation import annotations, bulk_edits, review
from studio.annotation.leases import find_lease, offer
from studio.annotation.queue_order import change_settings
from studio.corpus.titles import count_by_status, get_title
from studio.ingest.importer import import_text
from studio.samples.scheme import BUNDLED_DATA
from studio.team import gold, people
from studio.team.settings import LabelSettings, load_settings
from tests.support.pages import open_page, words
from tests.support.samples import SCHEME
from tests.support.team import ALONE, TWO, dispute, flag, label, share, team

FOREIGN = re.compile(r"[\u4e00-\u9fff]+")


@pytest.fixture
def db(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("STUDIO_LANG", raising=False)
    return team(tmp_path / "home")


def version(title):
    return f"{title.id}-{title.revision}"


def menu(app):
    return [name for name in ("review", "titles", "team") if not refused(app, name)]


def refused(app, name):
    shown = app.switch_page(f"../pages/{name}.py").run()
    assert not shown.exception
    return any("角色" in box.value for box in shown.info if "管理员" in box.value)


@pytest.mark.parametrize(
    ("name", "role", "pages"),
    [
        ("li", "admin", ["review", "titles", "team"]),
        ("zhao", "reviewer", ["review", "titles", "team"]),
        ("chen", "analyst", ["titles", "team"]),
        ("wang", "annotator", ["team"]),
    ],
)
def test_each_role_has_its_pages(db, name, role, pages):
    if people.find_person(db, name).role != role:
        people.change_person(db, name, by="li", role=role)
    assert menu(open_page("home", annotator=name)) == pages


def test_who_rests_has_an_annotators_pages(db):
    people.change_person(db, "zhao", by="li", is_active=False)
    app = open_page("home", annotator="zhao")
    assert menu(app) == ["team"]
    assert any("休息中" in text.value for text in app.sidebar.markdown)


def test_a_new_name_is_signed_in_as_an_annotator(db):
    app = open_page("home", annotator="  新  来的")
    assert people.find_person(db, "新 来的").role == "annotator"
    assert any("标注员" in text.value for text in app.sidebar.markdown)
    assert app.query_params["annotator"] in ("新 来的", ["新 来的"])


def test_everybody_known_can_be_chosen(db):
    app = open_page("home", annotator="wang")
    assert app.selectbox(key="annotator").options == [person.name for person in people.list_people(db)]
    assert app.selectbox(key="annotator").value == "wang"


def test_who_goes_on_under_another_name_leaves_the_title_to_others(db):
    app = open_page("label", annotator="wang")
    assert find_lease(db, "wang").title_id == 1
    app.selectbox(key="annotator").set_value("chen").run()
    assert find_lease(db, "wang").title_id is None
    assert app.header[0].value == get_title(db, 1).text


def open_tab(name, tab, **query):
    app = open_page(name, **query)
    app.session_state[f"{name}_tab"] = tab
    return app.run()


def test_an_admin_changes_role_colour_and_rest(db):
    app = open_tab("team", "成员", annotator="li")
    app.selectbox(key="person-role-wang").set_value("reviewer").run()
    app.color_picker(key="person-color-wang").set_value("#112233").run()
    app.toggle(key="person-is_active-chen").set_value(False).run()
    wang, chen = people.find_person(db, "wang"), people.find_person(db, "chen")
    assert (wang.role, wang.color, chen.is_active) == ("reviewer", "#112233", False)


def test_the_last_admin_cannot_go(db):
    app = open_tab("team", "成员", annotator="li")
    app.selectbox(key="person-role-li").set_value("analyst").run()
    assert people.find_person(db, "li").role == "admin"
    assert app.selectbox(key="person-role-li").value == "admin"
    assert "管理员" in app.toast[0].value


def test_a_reviewer_changes_nobody(db):
    app = open_tab("team", "成员", annotator="zhao")
    assert app.selectbox(key="person-role-wang").disabled


def test_an_annotator_sees_only_their_own_pace(db):
    label(db, "wang")
    label(db, "chen")
    app = open_page("team", annotator="wang")
    assert list(app.dataframe[0].value["名字"]) == ["wang"]
    assert [metric.value for metric in app.metric][:3] == ["1", "1", "2"]
    assert not app.tabs


def test_a_daily_goal_shows_its_progress_on_label(db):
    db.execute("""insert into label_settings (value, author) values ('{"daily_goal": 4}', 'li')""")
    label(db, "wang")
    app = open_page("label", annotator="wang")
    assert not app.exception
    said = [each.proto.text for each in app.get("progress")]
    assert any("今天的目标：1 / 4 条（25%）" in text for text in said)
    assert not open_page("team", annotator="wang").exception


def test_the_others_see_everybody(db):
    label(db, "wang")
    app = open_page("team", annotator="zhao")
    assert list(app.dataframe[0].value["名字"]) == ["li", "wang", "chen", "zhao"]


def test_agreement_says_how_to_begin(db):
    app = open_tab("team", "一致性", annotator="li")
    assert "多人标注的比例" in app.info[0].value


def test_agreement_shows_what_differs(db):
    share(db)
    dispute(db)
    label(db, "wang", settings=TWO)
    label(db, "chen", settings=TWO)
    app = open_tab("team", "一致性", annotator="li")
    assert not app.exception
    assert not app.error
    assert [metric.value for metric in app.metric][:2] == ["2", "50.0%"]
    assert any("混淆 **1** 次" in text.value for text in app.markdown)
    assert len(app.get("download_button")) == 2


def test_gold_says_how_to_begin_and_lists(db):
    app = open_tab("team", "金标", annotator="li")
    assert "设为金标" in app.info[0].value
    title = label(db, "wang")
    gold.mark_gold(db, [title.id], author="li")
    app = open_tab("team", "金标", annotator="li")
    app.button(key=f"gold-remove-{title.id}").click().run()
    assert gold.count_gold(db) == 0


def test_every_setting_has_a_widget_with_its_help_and_is_saved(db):
    app = open_tab("team", "设置", annotator="li")
    drawn = {
        str(each.key).removeprefix("setting-"): each
        for kind in ("selectbox", "number_input", "toggle")
        for each in app.get(kind)
        if str(each.key).startswith("setting-")
    }
    assert drawn.keys() == LabelSettings.model_fields.keys()
    assert all(each.help and FOREIGN.search(each.help) for each in drawn.values())
    drawn["order"].set_value("active")
    drawn["uncertain_share"].set_value(60)
    drawn["overlap_share"].set_value(30)
    drawn["lease_minutes"].set_value(3.0)
    drawn["suggestions"].set_value(False)
    app.button(key="save-settings").click().run()
    assert not app.exception
    assert not app.error
    saved = load_settings(db)
    assert (saved.order, saved.uncertain_share, saved.diverse_share) == ("active", 0.6, 0.2)
    assert (saved.overlap_share, saved.lease_minutes, saved.suggestions) == (0.3, 3.0, False)
    assert {each.wanted for each in (get_title(db, n) for n in range(1, 5))} <= {1, 2}


def test_settings_that_do_not_fit_are_told_and_change_nothing(db):
    app = open_tab("team", "设置", annotator="li")
    app.number_input(key="setting-uncertain_share").set_value(90)
    app.button(key="save-settings").click().run()
    assert "不能超过 1" in app.error[0].value.replace("\\", "")
    assert load_settings(db) == LabelSettings()


def test_only_an_admin_changes_settings(db):
    app = open_tab("team", "设置", annotator="zhao")
    assert app.number_input(key="setting-gold_share").disabled
    assert any("只有管理员" in text.value for text in app.caption)


def test_the_acceptance_rate_is_shown(db):
    for category, suggested in (("经济", "经济"), ("体育", "社会")):
        title = offer(db, author="wang", settings=ALONE).title
        annotations.annotate(
            db,
            title.id,
            category=category,
            author="wang",
            seen_revision=title.revision,
            suggested=annotations.Suggested(category=suggested, source="tfidf"),
        )
    app = open_tab("team", "设置", annotator="zhao")
    assert app.dataframe[0].value.iloc[0].tolist() == ["本机小模型（TF-IDF）", 2, 1, "50.0%"]


@pytest.fixture
def disputed(db):
    return dispute(share(db), wang="写“降息”，是经济。", chen="讲民生，是社会。")


def review_page(name="zhao", queue=None):
    app = open_page("review", annotator=name)
    if queue:
        app.segmented_control(key="choose-review-queue").set_value(queue).run()
    return app


def test_a_dispute_shows_both_answers_with_names_and_chains(disputed):
    app = review_page()
    shown = "\n".join(text.value for text in app.markdown)
    assert app.header[0].value == disputed.text
    for part in ("wang", "chen", "降息", "讲民生"):
        assert part in shown


def test_the_keys_of_the_review_page_are_distinct(disputed):
    shortcuts = [button.proto.shortcut for button in review_page().button if button.proto.shortcut]
    assert len(shortcuts) == len(set(shortcuts)) == 2 + 10 + 3


def test_taking_an_answer_settles_with_its_chain(db, disputed):
    answer = review.case_of(db, disputed.id).answers[1]
    app = review_page()
    app.button(key=f"take-{answer.annotation_id}-{version(disputed)}").click().run()
    title = get_title(db, disputed.id)
    assert (title.category, title.chain, title.author) == ("社会", "讲民生，是社会。", "zhao")
    assert "没有等待裁定" in app.success[0].value


def test_a_digit_sets_the_category(db, disputed):
    app = review_page()
    app.button(key=f"digit-5-{version(disputed)}").click().run()
    assert (get_title(db, disputed.id).category, get_title(db, disputed.id).chain) == ("体育", None)


def test_a_press_on_what_moved_on_changes_nothing(db, disputed):
    app = review_page()
    review.decide(
        db,
        disputed.id,
        category="健康",
        chain=None,
        author="li",
        seen_revision=disputed.revision,
    )
    app.button(key=f"digit-5-{version(disputed)}").click().run()
    assert get_title(db, disputed.id).category == "健康"
    assert "太快" in app.toast[0].value


def test_a_sampled_title_is_approved(db):
    title = label(db, "wang", chain="写“降息”。")
    set_rate(db)
    app = review_page(queue="spot_check")
    app.button(key=f"approve-{version(title)}").click().run()
    assert review.verdicts(db, "zhao") == {"approve": 1}
    assert get_title(db, title.id).chain == "写“降息”。"


def set_rate(db):
    change_settings(db, ALONE, author="li")


def test_an_edit_saves_category_and_chain(db):
    title = label(db, "wang")
    set_rate(db)
    app = review_page(queue="spot_check")
    app.session_state[f"edit-{version(title)}"] = True
    app.run()
    app.pills(key=f"review-category-{version(title)}").set_value("社会")
    app.text_area(key=f"review-chain-{version(title)}").set_value("主角是居民。")
    app.button(key=f"review-save-{version(title)}").click().run()
    assert (get_title(db, title.id).category, get_title(db, title.id).chain) == ("社会", "主角是居民。")


def test_sending_back_asks_for_a_comment_and_reaches_the_annotator(db, disputed):
    app = review_page()
    app.button(key=f"back-{version(disputed)}").click().run()
    app.button(key=f"send-{version(disputed)}").click().run()
    assert get_title(db, disputed.id).status == "disputed"
    app.text_area(key=f"review-comment-{version(disputed)}").set_value("看看主角是谁")
    app.pills(key=f"review-addressee-{version(disputed)}").set_value("wang")
    app.button(key=f"send-{version(disputed)}").click().run()
    back = offer(db, author="wang", settings=TWO).title
    assert (back.id, back.note) == (disputed.id, "看看主角是谁")


def test_next_leaves_the_title_and_undo_brings_it_back(db):
    first, second = flag(db), flag(db)
    app = review_page()
    app.button(key=f"next-{version(first)}").click().run()
    assert app.header[0].value == second.text
    app.button(key=f"digit-5-{version(second)}").click().run()
    app.button(key="review-undo").click().run()
    assert (get_title(db, second.id).status, app.header[0].value) == ("flagged", second.text)


def test_undo_with_nothing_to_undo_says_so(db):
    app = review_page()
    app.button(key="review-undo").click().run()
    assert "没有可以撤销" in app.toast[0].value


def titles_page(name="zhao", **query):
    return open_page("titles", annotator=name, **query)


def tick(app, db, *title_ids):
    for title_id in title_ids:
        app.checkbox(key=f"tick-{version(get_title(db, title_id))}").check().run()
    return app


def test_titles_are_found_and_relabelled_and_the_step_undone(db):
    app = tick(titles_page(), db, 1, 2)
    app.selectbox(key="choose-titles-relabel").set_value("社会").run()
    app.button(key="titles-relabel").click().run()
    assert [get_title(db, each).category for each in (1, 2, 3)] == ["社会", "社会", None]
    assert "改动了 2 条" in app.toast[0].value
    app.button(key=f"undo-step-{bulk_edits.recent_edits(db)[0].id}").click().run()
    assert count_by_status(db)["waiting"] == 4


def test_a_ticked_title_that_moved_on_is_left_alone(db):
    app = tick(titles_page(), db, 1, 2)
    label(db, "wang")
    app.button(key="titles-trash").click().run()
    assert [get_title(db, each).status for each in (1, 2)] == ["decided", "trashed"]
    assert "1 条没有改" in app.toast[0].value


def test_the_trash_is_shown_and_emptied_back(db):
    app = tick(titles_page(), db, 1)
    app.button(key="titles-trash").click().run()
    app.selectbox(key="choose-titles-status").set_value("trashed").run()
    app.button(key="titles-tick-page").click().run()
    app.button(key="titles-restore").click().run()
    assert count_by_status(db)["trashed"] == 0


def test_tags_and_gold_from_the_list(db):
    title = label(db, "wang")
    app = tick(titles_page(), db, 1, 2)
    app.text_input(key="titles-tag-name").set_value("难题").run()
    app.button(key="titles-tag").click().run()
    assert bulk_edits.tags_of(db, 2) == ["难题"]
    app = tick(titles_page(), db, 1, 2)
    app.button(key="titles-gold").click().run()
    assert [each.title_id for each in gold.list_gold(db)] == [title.id]


def test_the_search_narrows_and_turns_pages(db):
    import_text(db, "\n".join(f"第 {number} 条消息" for number in range(60)), SCHEME)
    app = titles_page()
    assert len(app.checkbox) == 25
    app.button(key="titles-next").click().run()
    app.button(key="titles-next").click().run()
    assert len(app.checkbox) == 14
    app.text_input(key="titles-text").set_value("台风").run()
    assert len(app.checkbox) == 1


def test_an_analyst_reads_and_moves_nothing(db):
    people.change_person(db, "chen", by="li", role="analyst")
    app = titles_page("chen")
    assert not app.checkbox
    assert any("台风" in text.value for text in app.markdown)


@pytest.mark.parametrize("name", ["team", "review", "titles"])
def test_filled_pages_speak_english(db, disputed, name):
    flag(db, "li", reason="odd")
    bulk_edits.tag(db, [2], "hard", author="li")
    scheme = (BUNDLED_DATA / "categories.toml").read_text(encoding="utf-8")
    app = open_page(name, "en", annotator="li")
    known = scheme + "\n".join(get_title(db, each).text for each in range(1, 5))
    known += "写“降息”，是经济。讲民生，是社会。"
    shown = words(app, kinds=("title", "caption", "subheader", "info", "success", "warning", "markdown"))
    assert not app.exception
    assert not app.error
    assert not [text for text in FOREIGN.findall(shown) if text not in known]
