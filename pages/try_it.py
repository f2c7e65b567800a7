"""Classify and chat: paste a title, or talk; report wrong answers."""

import streamlit as st

from pages.sections.try_it.chat import chat_section
from pages.sections.try_it.classify import address_line, choose_model, classify_section
from pages.sections.try_it.sheet import sheet_section
from pages.shared import session
from pages.shared.elements import header
from studio.language import say

header(
    say("分类与对话", "Classify and chat"),
    say(
        "粘贴标题，看类别、概率和理由；答错的点一下，就会回到标注队列。",
        "Paste titles to see category, probabilities and reason; wrong answers go back to the label queue.",
    ),
)
model = choose_model()
if model is not None:
    address = st.empty()
    address.caption(address_line(model))
    classify_tab, sheet_tab, chat_tab = st.tabs(
        [say("分类", "Classify"), say("整张表", "A sheet"), say("对话", "Chat")],
        key="try_tab",
        on_change="rerun",
        default=say("整张表", "A sheet") if "sheet" in st.query_params else None,
    )
    if classify_tab.open:
        with classify_tab:
            classify_section(model)
    if sheet_tab.open:
        with sheet_tab:
            sheet_section(model)
    if chat_tab.open:
        with chat_tab:
            chat_section(model)
    # Once more: by now the server may have been started.
    address.caption(address_line(model))
session.link(
    "guides", say("产品同事指南", "Guide for product staff"), icon=":material/menu_book:", guide="product"
)
