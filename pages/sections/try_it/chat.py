"""Draw a conversation with one to three models, kept by name; what arrived is kept however an answer ends."""

from collections.abc import Mapping
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.sections.try_it.blind import blind_section
from pages.sections.try_it.chat_messages import ALL, Change, draw_pane, model_label
from pages.sections.try_it.chat_settings import load_settings, settings_button
from pages.sections.try_it.chat_stream import answer_panes, finish_stopped
from pages.sections.try_it.classify import Choice, all_choices
from pages.shared import session
from pages.shared.elements import choose_one
from pages.shared.feedback import report_errors, reporting, show_failure
from studio.chats.conversation import MOST_PANES, ChatSettings, Conversation
from studio.chats.export import conversation_json, conversation_markdown
from studio.chats.records import (
    Kept,
    delete_conversation,
    get_conversation,
    list_conversations,
    new_conversation,
    rename_conversation,
    save_conversation,
)
from studio.language import say

NEW = 0
"""The number of a conversation that begins with the next question."""
CHOSEN, MADE, ANSWERING, FAILED = "choose-chat", "chat-made", "chat-answering", "chat-failed"
BESIDE = "chat-beside"


def chat_section(choice: Choice) -> None:
    """Draw the chat: a conversation, or a blind comparison."""
    choices = all_choices()
    st.session_state.setdefault("choose-chat-mode", "talk")
    mode = choose_one(
        say("方式", "Mode"),
        ("talk", "blind"),
        key="choose-chat-mode",
        format_func=lambda each: say("对话", "Conversation") if each == "talk" else say("盲测", "Blind test"),
        label_visibility="collapsed",
    )
    with report_errors():
        if mode == "blind":
            blind_section(choices)
        else:
            _talk(choice, choices)


def _talk(choice: Choice, choices: Mapping[str, Choice]) -> None:
    finish_stopped(session.store())
    kept = _chosen_conversation()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        settings = settings_button()
        others = [name for name in choices if name != choice.name]
        # One that became the first, or is gone, is no option any more.
        st.session_state[BESIDE] = [name for name in st.session_state.get(BESIDE, []) if name in others]
        beside = st.multiselect(
            say("并排比较", "Side by side with"),
            others,
            format_func=lambda name: choices[name].label,
            key=BESIDE,
            max_selections=MOST_PANES - 1,
            persist_state="session",
            placeholder=say("再选一两个模型", "one or two more models"),
        )
        if kept is not None:
            _conversation_buttons(kept, choices)
    prompt = session.scheme().prompt
    st.caption(
        say(
            f"微调过的模型用“{prompt}标题”的形式提问效果最好。",
            f"Tuned models expect questions of the form “{prompt}<title>”.",
        )
    )
    stop = st.empty()
    panes = st.container()
    asked = st.chat_input(f"{prompt}…", key="chat-input", submit_mode="disable")
    if asked:
        kept = _ask(kept, asked, settings, (choice.name, *beside))
        st.session_state[ANSWERING] = ALL
    if kept is None:
        return
    with panes:
        _draw_and_answer(kept, choices, stop)


def _chosen_conversation() -> Kept | None:
    """Draw the choice of a conversation; None: a new one."""
    db, owner = session.store(), session.annotator()
    found = {kept.id: kept for kept in list_conversations(db, owner)}
    made = st.session_state.pop(MADE, None)
    if made is not None:
        st.session_state[CHOSEN] = made
    session.follow_address("chat", CHOSEN, {str(number) for number in found})
    chosen = st.session_state.get(CHOSEN, NEW)
    # An address is text, and a conversation may have been deleted in another window.
    st.session_state[CHOSEN] = int(chosen) if str(chosen) in map(str, found) else NEW
    new = say("新对话", "New conversation")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        number = st.selectbox(
            say("对话", "Conversation"),
            [NEW, *found],
            format_func=lambda each: f"{found[each].label} · {each}" if each in found else new,
            key=CHOSEN,
            persist_state="session",
            on_change=_opened,
        )
        st.button(new, key="chat-new", icon=":material/add:", on_click=_begin)
    if number in found:
        session.keep_address("chat", str(number))
        return found[number]
    if "chat" in st.query_params:
        del st.query_params["chat"]
    return None


@reporting
def _opened() -> None:
    """Take over models and settings of the conversation that was chosen."""
    _open(int(st.session_state.get(CHOSEN) or NEW))


@reporting
def _begin() -> None:
    """Leave the conversation for a new one."""
    _open(NEW)


def _open(number: int) -> None:
    st.session_state[CHOSEN] = number
    st.session_state.pop(FAILED, None)
    if number == NEW:
        return
    conversation = get_conversation(session.store(), number, session.annotator()).conversation
    load_settings(conversation.settings)
    known = [pane.model for pane in conversation.panes if pane.model in all_choices()]
    if known:
        st.session_state["choose-try-model"] = known[0]
        st.session_state[BESIDE] = known[1:]


def _ask(kept: Kept | None, text: str, settings: ChatSettings, models: tuple[str, ...]) -> Kept:
    """Store a question, in a new conversation where none is open."""
    db = session.store()
    st.session_state.pop(FAILED, None)
    before = kept.conversation if kept else Conversation()
    asked = before.model_copy(update={"settings": settings}).with_models(models).asked(text)
    if kept is not None:
        return save_conversation(db, kept, asked)
    kept = new_conversation(db, asked, owner=session.annotator())
    # The widget is drawn already: it is set before the next run draws it.
    st.session_state[MADE] = kept.id
    return kept


def _draw_and_answer(kept: Kept, choices: Mapping[str, Choice], stop: DeltaGenerator) -> None:
    """Draw the panes side by side, and stream what is to be answered."""
    conversation = kept.conversation
    wanted = st.session_state.pop(ANSWERING, ())
    numbers = [
        number
        for number, pane in enumerate(conversation.panes)
        if pane.waits and (wanted == ALL or number in wanted)
    ]
    columns = st.columns(len(conversation.panes)) if len(conversation.panes) > 1 else [st.container()]
    apply = None if numbers else partial(_apply, kept.id)
    for number, (pane, column) in enumerate(zip(conversation.panes, columns, strict=True)):
        with column:
            if len(columns) > 1:
                st.markdown(f"**{model_label(pane.model, choices)}**")
            draw_pane(conversation, number, choices, apply)
            failed = st.session_state.get(FAILED, {}).get(number)
            if failed and not numbers:
                show_failure(*failed)
    if not numbers:
        return
    # Pressing it ends this run; the next one draws what arrived.
    stop.button(say("停止", "Stop"), key="chat-stop", icon=":material/stop_circle:", type="primary")
    errors = answer_panes(kept, numbers, columns, choices)
    st.session_state[FAILED] = {number: (error.problem, error.remedy) for number, error in errors.items()}
    st.rerun()


def _apply(number: int, change: Change, answering: tuple[int, ...]) -> None:
    """Change the conversation on screen, store it, and have panes answer in the run that follows."""
    db, owner = session.store(), session.annotator()
    kept = get_conversation(db, number, owner)
    st.session_state.pop(FAILED, None)
    save_conversation(db, kept, change(kept.conversation))
    if answering:
        st.session_state[ANSWERING] = answering


def _conversation_buttons(kept: Kept, choices: Mapping[str, Choice]) -> None:
    """Draw undo, and the menu of name, export and deletion."""
    if kept.conversation.undo:
        st.button(
            say("撤销", "Undo"),
            key="chat-undo",
            icon=":material/undo:",
            help=say(
                "撤销上一次修改、重新生成或换模型。",
                "Takes back the last edit, regeneration or change of models.",
            ),
            on_click=reporting(_apply),
            args=(kept.id, Conversation.undone, ()),
        )
    with st.popover(say("管理", "Manage"), icon=":material/more_vert:", key="chat-manage"):
        st.text_input(
            say("名称", "Name"),
            value=kept.label,
            key=f"chat-name-{kept.id}",
            on_change=_rename,
            args=(kept,),
        )
        names = {name: choice.label for name, choice in choices.items()}
        for label, extension, mime, content in (
            ("JSON", "json", "application/json", partial(conversation_json, kept.conversation, kept.label)),
            (
                "Markdown",
                "md",
                "text/markdown",
                partial(conversation_markdown, kept.conversation, kept.label, names),
            ),
        ):
            st.download_button(
                label,
                content,
                file_name=f"chat_{kept.id}.{extension}",
                mime=mime,
                key=f"chat-export-{extension}",
                icon=":material/download:",
                on_click="ignore",
            )
        st.button(
            say("删除这个对话", "Delete this conversation"),
            key="chat-delete",
            icon=":material/delete:",
            help=say("删除后不能恢复。", "It cannot be restored."),
            on_click=_delete,
            args=(kept,),
        )


@reporting
def _rename(kept: Kept) -> None:
    rename_conversation(session.store(), kept, str(st.session_state.get(f"chat-name-{kept.id}", "")))


@reporting
def _delete(kept: Kept) -> None:
    delete_conversation(session.store(), kept)
    _open(NEW)
