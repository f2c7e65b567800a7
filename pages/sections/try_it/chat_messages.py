"""Draw the messages of a conversation, and what can be done with each: copy, edit, ask again, prompt."""

import json
from collections.abc import Callable, Mapping

import streamlit as st

from pages.sections.try_it.chat_settings import shows_thoughts
from pages.sections.try_it.classify import Choice, server_of
from pages.shared.feedback import report_errors, reporting
from pages.shared.text import plain, plain_lines
from studio.chats.conversation import ChatMessage, ChatSettings, Conversation, Pane, prompt_messages
from studio.language import say
from studio.serving.client import apply_template, chat_fields

AVATARS = {"user": ":material/person:", "assistant": ":material/newspaper:"}
Change = Callable[[Conversation], Conversation]
Apply = Callable[[Change, tuple[int, ...]], None]
"""Changes the conversation on screen, stores it, and has the panes of these numbers answer."""


def draw_pane(
    conversation: Conversation, number: int, choices: Mapping[str, Choice], apply: Apply | None
) -> None:
    """Draw the messages of a pane; `apply` None: only to read, while an answer is written."""
    pane = conversation.panes[number]
    for message in pane.messages:
        with st.chat_message(message.role, avatar=AVATARS[message.role]):
            draw_message(message)
            if apply is not None:
                _actions(conversation, number, message, choices, apply)


def draw_message(message: ChatMessage) -> None:
    """Draw a question, or an answer with its thought and how it ended."""
    if message.reasoning:
        with st.expander(thought_label(message.thought_seconds), expanded=shows_thoughts(), type="compact"):
            st.markdown(plain_lines(message.reasoning))
    st.markdown(plain_lines(message.content) or ":gray[…]")
    notes = {
        "stopped": say("已停止", "stopped"),
        "failed": say("中途断开", "broken off"),
        "length": say("到了长度上限", "cut off at the limit"),
    }
    said = [notes[message.ended]] if message.ended in notes else []
    said += [say("改过", "edited")] if message.edited else []
    if said:
        st.caption(" · ".join(said))


def thought_label(seconds: float | None) -> str:
    """Name a thought by how long it took; None: it never came to an answer."""
    if seconds is None:
        return say("思考", "thought")
    return say(f"思考了 {seconds:.1f} 秒", f"thought for {seconds:.1f} s")


def _actions(
    conversation: Conversation,
    number: int,
    message: ChatMessage,
    choices: Mapping[str, Choice],
    apply: Apply,
) -> None:
    """Draw what can be done with a message."""
    pane, key = conversation.panes[number], f"{number}-{message.turn}-{message.role}"
    is_last = message is pane.messages[-1]
    with st.container(horizontal=True, gap="small"):
        if message.role == "assistant":
            if is_last:
                st.button(
                    say("重新生成", "Regenerate"),
                    key=f"chat-again-{key}",
                    icon=":material/refresh:",
                    type="tertiary",
                    on_click=_regenerate,
                    args=(apply, number),
                )
            if st.button(
                say("提示", "Prompt"), key=f"chat-prompt-{key}", icon=":material/code:", type="tertiary"
            ):
                _show_prompt(pane, message, choices)
        elif is_last:
            st.button(
                say("再问一次", "Ask again"),
                key=f"chat-again-{key}",
                icon=":material/refresh:",
                type="tertiary",
                on_click=_regenerate,
                args=(apply, number),
            )
        # What is in it is drawn once it is opened: a long conversation has many.
        more = st.popover(
            say("复制、修改", "Copy, edit"),
            icon=":material/more_horiz:",
            type="tertiary",
            key=f"chat-more-{key}",
            on_change="rerun",
        )
        if more.open:
            with more:
                _copy_and_edit(message, number, key, apply)


def _copy_and_edit(message: ChatMessage, number: int, key: str, apply: Apply) -> None:
    st.caption(say("复制（右上角的按钮）", "Copy (the button on the right)"))
    st.code(message.content or " ", language=None, wrap_lines=True)
    if message.reasoning:
        st.caption(say("思考", "thought"))
        st.code(message.reasoning, language=None, wrap_lines=True)
    st.text_area(say("修改", "Edit"), value=message.content, key=f"chat-edit-{key}", height=120)
    if message.role == "user":
        label = say("改写并重新提问", "Save and ask again")
        help_text = say(
            "这一问之后的内容会去掉；可以撤销。", "What follows this question is dropped; that can be undone."
        )
    else:
        label = say("保存修改", "Save")
        help_text = say("模型接下来会以改过的内容为前文。", "The model goes on from the edited text.")
    st.button(
        label,
        key=f"chat-edit-save-{key}",
        type="primary",
        help=help_text,
        on_click=_edit,
        args=(apply, message, number, key),
    )


@reporting
def _regenerate(apply: Apply, number: int) -> None:
    apply(lambda conversation: conversation.regenerating(number), (number,))


@reporting
def _edit(apply: Apply, message: ChatMessage, number: int, key: str) -> None:
    text = str(st.session_state.get(f"chat-edit-{key}", "")).strip()
    # Closed, so that the answer can be seen.
    st.session_state[f"chat-more-{key}"] = False
    if not text or text == message.content:
        return
    if message.role == "assistant":
        apply(lambda conversation: conversation.edited_answer(number, message.turn, text), ())
        return
    apply(lambda conversation: conversation.edited_question(message.turn, text), ALL)


ALL = (-1,)
"""Every pane whose last question has no answer."""


def _show_prompt(pane: Pane, message: ChatMessage, choices: Mapping[str, Choice]) -> None:
    """Open a dialog with the request, and the text that the model read, mark for mark."""
    settings = message.settings or ChatSettings()
    messages = prompt_messages(pane, message.turn, settings)

    # Here: its title is said in the language of the moment.
    @st.dialog(say("发送的提示", "The prompt that was sent"), width="large")
    def show() -> None:
        choice = choices.get(message.model or pane.model)
        thinks = settings.thinks or (choice is not None and choice.endpoint is not None)
        if choice is None:
            st.caption(
                say("这个模型已经不在了，只能看请求。", "That model is gone; only the request is known.")
            )
        elif choice.endpoint is not None:
            st.caption(
                say(
                    "接口用它自己的对话模板排成提示，这里只知道请求。",
                    "The endpoint makes the prompt with a chat template of its own; the request is known.",
                )
            )
        else:
            with report_errors():
                server = server_of(choice)
                assert isinstance(server, str), choice.name
                rendered = apply_template(server, messages, thinks=settings.thinks)  # type: ignore[arg-type]
                st.caption(
                    say(
                        f"模型读到的原文，共 {rendered.tokens:,} 个词元。",
                        f"The text as the model read it, {rendered.tokens:,} tokens.",
                    )
                )
                st.code(rendered.prompt, language=None, wrap_lines=True)
        st.caption(say("请求", "Request"))
        fields = chat_fields(**settings.model_dump(exclude={"system", "thinks"}), thinks=thinks)
        st.code(
            json.dumps({"messages": messages, **fields}, ensure_ascii=False, indent=2),
            language="json",
            wrap_lines=True,
        )

    show()


def model_label(name: str, choices: Mapping[str, Choice]) -> str:
    """Name a model of a conversation, also one that is gone."""
    return plain(choices[name].label) if name in choices else plain(name)
