"""Draw a streamed chat. What arrived is kept even when the answer is stopped half way."""

import time
from contextlib import closing
from typing import Any

import streamlit as st
from openai.types.chat import ChatCompletionMessageParam

from pages.sections.try_it.classify import Choice, server_url
from pages.shared import session
from pages.shared.feedback import report_errors
from pages.shared.text import plain
from studio.language import say
from studio.serving.client import stream_chat

Message = dict[str, Any]
AVATARS = {"user": ":material/person:", "assistant": ":material/newspaper:"}


def chat_section(choice: Choice) -> None:
    """Draw the conversation with this model, and below it the box for the next turn."""
    messages: list[Message] = st.session_state.setdefault("chats", {}).setdefault(choice.name, [])
    prompt = session.scheme().prompt
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.caption(
            say(
                f"微调过的模型用“{prompt}标题”的形式提问效果最好。",
                f"Tuned models expect questions of the form “{prompt}<title>”.",
            )
        )
        if st.button(say("清空对话", "Clear"), key="chat-clear", type="tertiary", icon=":material/delete:"):
            messages.clear()
    conversation = st.container()
    asked = st.chat_input(f"{prompt}…", key="chat-input", submit_mode="stop")
    with conversation:
        for message in messages:
            _show(message)
        if asked:
            messages.append({"role": "user", "content": asked})
            _show(messages[-1])
            with report_errors():
                _answer(choice, messages)


def _turn(message: Message) -> ChatCompletionMessageParam:
    """Convert a message for the API: without the thought, as chat templates expect."""
    if message["role"] == "user":
        return {"role": "user", "content": message["content"]}
    return {"role": "assistant", "content": message["content"]}


def _show(message: Message) -> None:
    with st.chat_message(message["role"], avatar=AVATARS[message["role"]]):
        if message.get("reasoning"):
            with st.expander(_thought(message.get("seconds")), type="compact"):
                st.markdown(plain(message["reasoning"]))
        st.markdown(plain(message["content"]) or ":gray[…]")


def _thought(seconds: float | None) -> str:
    if seconds is None:
        return say("思考已中止", "stopped while thinking")
    return say(f"思考了 {seconds:.1f} 秒", f"thought for {seconds:.1f} s")


def _answer(choice: Choice, messages: list[Message]) -> None:
    """Stream one answer into a message that is in the conversation from its first piece on."""
    url = server_url(choice)
    history = [_turn(message) for message in messages]
    answer: Message = {"role": "assistant", "content": "", "reasoning": "", "seconds": None}
    messages.append(answer)
    began = time.monotonic()
    with st.chat_message("assistant", avatar=AVATARS["assistant"]):
        thinking = st.status(f":shimmer[{say('思考中', 'Thinking')}]", type="compact", expanded=True)
        thought, words = thinking.empty(), st.empty()
        # Stop kills this run inside the loop; leaving the block ends the request then, too.
        with closing(stream_chat(url, history, max_tokens=512, temperature=0.0)) as pieces:
            for piece in pieces:
                answer[piece.kind] += piece.text
                if piece.kind == "content" and answer["seconds"] is None:
                    answer["seconds"] = time.monotonic() - began
                    thinking.update(label=_thought(answer["seconds"]), state="complete", expanded=False)
                place = words if piece.kind == "content" else thought
                place.markdown(plain(answer[piece.kind]))
        answer["seconds"] = answer["seconds"] or time.monotonic() - began
        thinking.update(label=_thought(answer["seconds"]), state="complete", expanded=False)
