"""The chat over real sockets: kept, edited, asked again, side by side, blind; in both languages."""

import json
import re

import pytest

from studio import runs
from studio.chats import blind, endpoints, records
from studio.language import current_language
from studio.serving import servers
from studio.store import open_store
from studio.workspace import BUNDLED_MODEL, BUNDLED_NAME
from tests.support.pages import open_page, words
from tests.support.tiny_runs import TINY_SERVER
from tests.support.workspaces import fill

BASE = f"base-{BUNDLED_NAME}"


@pytest.fixture
def run(workspace):
    return fill(open_store(workspace.database), workspace)


@pytest.fixture
def served(run, workspace):
    """Serve the run and the base by servers that load no model; returns the base's address."""
    model, adapter = runs.trained_model(run)
    servers.ensure_server(
        workspace, model=model, adapter=adapter, template="auto", name=run.id, command=TINY_SERVER
    )
    return servers.ensure_server(workspace, model=BUNDLED_MODEL, name=BASE, command=TINY_SERVER)


@pytest.fixture
def db(workspace):
    return open_store(workspace.database)


def open_chat(run, lang="zh", **query):
    current_language.set(lang)  # the test names options as the page does
    app = open_page("try_it", lang, run=run.id, **query)
    app.session_state["try_tab"] = "对话" if lang == "zh" else "Chat"
    return app.run()


def ask(app, text):
    app.chat_input(key="chat-input").set_value(text).run()
    assert not app.exception
    return app


def messages(app):
    return [(each.name, each.markdown[-1].value) for each in app.chat_message]


def open_more(app, key):
    app.session_state[f"chat-more-{key}"] = True
    return app.run()


def test_a_conversation_is_kept_with_its_address_and_goes_on_elsewhere(served, run, db):
    app = ask(open_chat(run), "新闻分类：某事")
    assert messages(app) == [("user", "新闻分类：某事"), ("assistant", "新闻分类：某事")]
    (kept,) = records.list_conversations(db, "ann")
    (answer,) = [each for each in kept.conversation.panes[0].messages if each.role == "assistant"]
    assert (answer.reasoning, answer.ended, answer.model) == ("想一想", "stop", run.id)
    assert app.query_params["chat"] in (str(kept.id), [str(kept.id)])
    other = open_chat(run, chat=str(kept.id))
    assert len(messages(ask(other, "第二问"))) == 4
    stranger = open_page("try_it", run=run.id, chat=str(kept.id), annotator="li")
    stranger.session_state["try_tab"] = "对话"
    assert not stranger.run().chat_message


def test_a_question_is_edited_asked_again_and_the_edit_undone(served, run, db):
    app = ask(ask(open_chat(run), "第一问"), "第二问")
    open_more(app, "0-0-user")
    app.text_area(key="chat-edit-0-0-user").set_value("改过的问")
    app.button(key="chat-edit-save-0-0-user").click().run()
    assert messages(app) == [("user", "改过的问"), ("assistant", "改过的问")]
    app.button(key="chat-undo").click().run()
    assert [text for _, text in messages(app)] == ["第一问", "第一问", "第二问", "第二问"]
    app.button(key="chat-again-0-1-assistant").click().run()
    assert len(messages(app)) == 4 and not app.exception
    open_more(app, "0-1-assistant")
    app.text_area(key="chat-edit-0-1-assistant").set_value("人改的回答")
    app.button(key="chat-edit-save-0-1-assistant").click().run()
    assert messages(app)[-1][1] == "人改的回答" and "改过" in app.chat_message[-1].caption[-1].value


def test_what_was_sent_is_one_click_away(served, run, db):
    app = open_chat(run)
    app.text_area(key="chat-set-system").set_value("只回答类别").run()
    ask(app, "新闻分类：某事")
    app.button(key="chat-prompt-0-0-assistant").click().run()
    prompt, request = (each.value for each in app.code)
    assert prompt == "<system>只回答类别<user>新闻分类：某事<think>"
    assert json.loads(request)["messages"][0] == {"role": "system", "content": "只回答类别"}
    assert json.loads(request)["temperature"] == 0


def test_two_models_answer_side_by_side_each_in_its_pane(served, run, db):
    app = open_chat(run)
    app.multiselect(key="chat-beside").set_value([BASE]).run()
    ask(app, "新闻分类：某事")
    assert [name for name, _ in messages(app)] == ["user", "assistant"] * 2
    (kept,) = records.list_conversations(db, "ann")
    assert [pane.model for pane in kept.conversation.panes] == [run.id, BASE]


def test_an_error_names_its_pane_and_the_other_answer_stays(served, run, db):
    gone = endpoints.add_endpoint(db, "http://127.0.0.1:9/v1", "x", author="ann")
    app = open_chat(run)
    app.multiselect(key="chat-beside").set_value([f"{gone.model} @ {gone.base_url}"]).run()
    ask(app, "新闻分类：某事")
    assert [name for name, _ in messages(app)] == ["user", "assistant", "user"]
    assert "127.0.0.1:9" in app.error[0].value.replace("\\", "")
    assert app.button(key="chat-again-1-0-user")


def test_conversations_are_renamed_exported_and_deleted(served, run, db):
    app = ask(open_chat(run), "新闻分类：某事")
    (kept,) = records.list_conversations(db, "ann")
    app.text_input(key=f"chat-name-{kept.id}").set_value("降准").run()
    assert "降准" in app.selectbox(key="choose-chat").options[1]
    assert {"JSON", "Markdown"} <= {each.proto.label for each in app.get("download_button")}
    app.button(key="chat-delete").click().run()
    assert records.list_conversations(db, "ann") == [] and not app.chat_message and not app.exception


def test_an_endpoint_is_added_talked_to_and_says_why_it_has_no_evidence(served, run, db):
    app = open_page("try_it", run=run.id)
    app.text_input(key="endpoint-url").set_value("gopher://x").run()
    app.text_input(key="endpoint-model").set_value(BASE).run()
    app.button(key="endpoint-add").click().run()
    assert endpoints.list_endpoints(db) == [] and app.toast
    app.text_input(key="endpoint-url").set_value(f"{served}/v1").run()
    app.button(key="endpoint-add").click().run()
    (one,) = endpoints.list_endpoints(db)
    assert app.selectbox(key="choose-try-model").value == f"{BASE} @ {served}/v1"
    app.text_area(key="classify-text").set_value("主队夺冠")
    app.button(key="classify-now").click().run()
    assert not app.exception and not app.error
    said = "\n".join(each.value for each in app.caption)
    assert "不给出各类别的概率，所以没有逐词的依据" in said
    app.button(key=f"remove-endpoint-{one.id}").click().run()
    assert endpoints.list_endpoints(db) == [] and not app.exception


def open_blind(run, lang="zh"):
    app = open_chat(run, lang)
    app.segmented_control(key="choose-chat-mode").set_value("blind").run()
    return app


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_a_blind_question_is_named_after_the_vote_and_tallied(served, run, db, lang):
    app = open_blind(run, lang)
    assert app.chat_input(key="blind-input").disabled
    app.multiselect(key="blind-models").set_value([run.id, BASE]).run()
    app.chat_input(key="blind-input").set_value("新闻分类：某事").run()
    assert not app.exception and not app.error
    (one,) = blind.list_rounds(db)
    drawn = [each.value for each in app.markdown]
    assert "**A**" in drawn and "**B**" in drawn
    names = app.multiselect(key="blind-models").options
    shown = "\n".join(drawn + [each.value for each in app.caption])
    assert not any(name in shown for name in names)  # still blind
    assert app.chat_input(key="blind-input").disabled
    app.button(key="blind-vote-1").click().run()
    (one,) = blind.list_rounds(db)
    assert one.vote == 1 and not app.exception
    assert any(each.value.startswith("**B: ") for each in app.markdown)
    (table,) = app.dataframe
    assert sum(table.value.iloc[0, 2:4]) == 1
    assert not app.chat_input(key="blind-input").disabled
    if lang == "en":  # the question, its echo and the tiny thought are data
        left = re.findall(r"[\u4e00-\u9fff]+", words(app, kinds=("markdown", "caption", "subheader")))
        assert set(left) <= {"新闻分类", "某事", "想一想", "中文"}


def test_a_model_that_fails_makes_the_question_count_for_nobody(served, run, db):
    gone = endpoints.add_endpoint(db, "http://127.0.0.1:9/v1", "x", author="ann")
    app = open_blind(run)
    app.multiselect(key="blind-models").set_value([run.id, f"{gone.model} @ {gone.base_url}"]).run()
    app.chat_input(key="blind-input").set_value("新闻分类：某事").run()
    assert "这一题不计入" in app.error[0].value
    assert blind.list_rounds(db) == []


def test_an_open_question_waits_until_it_is_voted_on_or_skipped(served, run, db):
    app = open_blind(run)
    app.multiselect(key="blind-models").set_value([run.id, BASE]).run()
    app.chat_input(key="blind-input").set_value("新闻分类：某事").run()
    again = open_blind(run)
    assert again.button(key="blind-vote-tie")
    again.button(key="blind-skip").click().run()
    assert not [each for each in again.button if str(each.key).startswith("blind-vote")]
    assert blind.list_rounds(db)[0].vote is None
