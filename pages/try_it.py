"""Classify and chat: paste a title, or talk; say when it is wrong."""

import streamlit as st

from pages.sections.try_it import chat as chat_view
from pages.sections.try_it import classify as classify_view
from pages.shared import shell
from studio.language import say

shell.header(
    say("分类与对话", "Classify and chat"),
    say(
        "粘贴标题，看类别、概率和理由；不对就按一下，它会回到标注队列。",
        "Paste titles to see category, probabilities and reason; what is wrong goes back to the label queue.",
    ),
)
model = classify_view.choose_model()
if model is not None:
    address = st.empty()
    address.caption(classify_view.address_line(model))
    classify, chat = st.tabs([say("分类", "Classify"), say("对话", "Chat")], key="try_tab", on_change="rerun")
    if classify.open:
        with classify:
            classify_view.classify_section(model)
    if chat.open:
        with chat:
            chat_view.chat_section(model)
    # Once more: by now the server may have been started.
    address.caption(classify_view.address_line(model))
