"""Draw how answers are sampled: system prompt, temperature, top-p, length, seed, thinking."""

from typing import Any

import streamlit as st

from studio.chats.conversation import ChatSettings
from studio.language import say

_KEYS = {name: f"chat-set-{name}" for name in ChatSettings.model_fields}
SHOW_THOUGHTS = "chat-show-thoughts"


def load_settings(settings: ChatSettings) -> None:
    """Set the widgets to the settings of a conversation; for a callback, or before they are drawn."""
    for name, key in _KEYS.items():
        st.session_state[key] = getattr(settings, name)


def settings_button() -> ChatSettings:
    """Draw the button with the settings; returns what they are set to."""
    for name, key in _KEYS.items():
        st.session_state.setdefault(key, getattr(ChatSettings(), name))
    with st.popover(say("设置", "Settings"), icon=":material/tune:", key="chat-settings"):
        _text(_KEYS["system"])
        left, right = st.columns(2)
        with left:
            st.number_input(
                say("温度", "Temperature"),
                min_value=0.0,
                max_value=2.0,
                step=0.1,
                key=_KEYS["temperature"],
                persist_state="session",
                help=say("0：每次都取最可能的词。", "0: always the likeliest token."),
            )
            _whole(say("最多词元", "Max tokens"), _KEYS["max_tokens"], lowest=1, highest=32_768)
        with right:
            st.number_input(
                "Top-p",
                min_value=0.05,
                max_value=1.0,
                step=0.05,
                key=_KEYS["top_p"],
                persist_state="session",
                help=say(
                    "只从概率合计达到它的那些词里抽取；温度为 0 时没有作用。",
                    "Samples from the likeliest tokens that make up this share; no effect at temperature 0.",
                ),
            )
            _whole(
                say("随机种子", "Seed"),
                _KEYS["seed"],
                lowest=0,
                highest=2**48 - 1,
                placeholder=say("每次不同", "another each time"),
            )
        st.toggle(say("写思维链", "Write a think chain"), key=_KEYS["thinks"], persist_state="session")
        st.toggle(say("展开思考", "Show the thought"), key=SHOW_THOUGHTS, persist_state="session")
    return ChatSettings(**{name: st.session_state[key] for name, key in _KEYS.items()})


def shows_thoughts() -> bool:
    """Return whether thoughts are shown unfolded."""
    return bool(st.session_state.get(SHOW_THOUGHTS))


def _text(key: str) -> None:
    st.text_area(
        say("系统提示", "System prompt"),
        key=key,
        height=100,
        max_chars=20_000,
        persist_state="session",
        placeholder=say("留空则没有", "none where it is empty"),
    )


def _whole(label: str, key: str, *, lowest: int, highest: int, **options: Any) -> None:
    st.number_input(
        label, min_value=lowest, max_value=highest, step=1, key=key, persist_state="session", **options
    )
