"""What is done to a conversation: nothing is lost that cannot be undone, every pane keeps its own answers."""

from hypothesis import given
from hypothesis import strategies as st

from studio.chats.conversation import (
    MOST_PANES,
    MOST_UNDO,
    ChatMessage,
    ChatSettings,
    Conversation,
    prompt_messages,
)
from tests.support.chats import answer, held_with, talked


def said(conversation, number=0):
    return [each.content for each in conversation.panes[number].messages]


def test_every_pane_is_asked_and_keeps_its_own_answers():
    conversation = talked("一", "二")
    assert said(conversation, 0) == ["一", "a:一", "二", "a:二"]
    assert said(conversation, 1) == ["一", "b:一", "二", "b:二"]
    assert conversation.turns == 2 and conversation.first_question == "一"


def test_an_edited_question_drops_what_came_after_in_every_pane_and_can_be_undone():
    before = talked("一", "二", "三")
    edited = before.edited_question(1, "二改")
    assert [said(edited, number) for number in (0, 1)] == [["一", "a:一", "二改"], ["一", "b:一", "二改"]]
    assert all(pane.waits for pane in edited.panes)
    assert edited.undone().panes == before.panes


def test_another_answer_is_asked_for_in_one_pane_alone():
    before = talked("一", "二")
    again = before.regenerating(1)
    assert again.panes[1].waits and not again.panes[0].waits
    assert again.undone().panes == before.panes
    assert again.regenerating(1) is again  # it has no answer to drop


def test_an_edited_answer_is_marked_and_gone_on_from():
    edited = talked("一", models=("a",)).edited_answer(0, 0, "改过")
    assert edited.panes[0].messages[1].edited
    asked = edited.asked("二")
    assert prompt_messages(asked.panes[0], 1, ChatSettings(system="短")) == [
        {"role": "system", "content": "短"},
        {"role": "user", "content": "一"},
        {"role": "assistant", "content": "改过"},
        {"role": "user", "content": "二"},
    ]


def test_a_question_without_an_answer_is_not_sent_again():
    conversation = held_with("a").asked("没人答").asked("第二问")
    assert prompt_messages(conversation.panes[0], 1, ChatSettings()) == [
        {"role": "user", "content": "第二问"}
    ]


def test_thoughts_are_not_sent_back():
    message = ChatMessage(role="assistant", turn=0, content="体育", reasoning="想了很久")
    conversation = held_with("a").asked("一").answered(0, message).asked("二")
    assert "想了很久" not in str(prompt_messages(conversation.panes[0], 1, ChatSettings()))


def test_a_model_that_comes_in_goes_on_from_what_was_said_and_one_that_leaves_comes_back_by_undo():
    conversation = talked("一", models=("a", "b")).with_models(("a", "c")).asked("二")
    assert [said(conversation, number) for number in (0, 1)] == [["一", "a:一", "二"], ["一", "b:一", "二"]]
    assert [each.model for each in conversation.panes[1].messages] == [None, "b", None]
    assert said(talked("一", models=("a",)).with_models(("a", "c")), 1) == ["一", "a:一"]
    left = conversation.with_models(("c",))
    assert [pane.model for pane in left.panes] == ["c"]
    assert left.undone().panes == conversation.panes
    assert held_with("a", "a").panes == held_with("a").panes
    assert len(held_with("a", "b", "c", "d").panes) == MOST_PANES


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["ask", "answer", "edit", "edit_answer", "again", "undo"]), st.integers(0, 4)),
    max_size=25,
)


@given(ACTIONS)
def test_whatever_is_done_every_answer_follows_its_question_and_it_can_be_stored(actions):
    conversation = held_with("a", "b")
    for action, number in actions:
        pane = number % 2
        if action == "ask":
            conversation = conversation.asked(f"问{number}")
        elif action == "answer" and conversation.panes[pane].waits:
            turn = conversation.panes[pane].messages[-1].turn
            conversation = conversation.answered(pane, answer(turn, f"答{number}"))
        elif action == "edit":
            conversation = conversation.edited_question(number, "改")
        elif action == "edit_answer":
            conversation = conversation.edited_answer(pane, number, "改答")
        elif action == "again":
            conversation = conversation.regenerating(pane)
        elif action == "undo":
            conversation = conversation.undone()
        for each in conversation.panes:
            keys = [(message.turn, message.role == "assistant") for message in each.messages]
            assert keys == sorted(set(keys))
            asked = {turn for turn, is_answer in keys if not is_answer}
            assert {turn for turn, is_answer in keys if is_answer} <= asked
        assert len(conversation.undo) <= MOST_UNDO
    assert Conversation.model_validate_json(conversation.model_dump_json()) == conversation
