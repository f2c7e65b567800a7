"""Draw the endpoints that one can talk to beside the models of this computer: add one, remove one."""

import streamlit as st

from pages.shared import session
from pages.shared.feedback import notify, reporting
from pages.shared.text import plain
from studio.chats.endpoints import add_endpoint, list_endpoints, remove_endpoint
from studio.language import say
from studio.teacher.endpoints import travels_in_the_clear
from studio.teacher.key import key_place


def endpoint_button() -> None:
    """Draw the button that opens the list of endpoints."""
    with st.popover(say("接口", "Endpoints"), icon=":material/lan:", key="try-endpoints"):
        st.caption(
            say(
                "vLLM、Ollama、llama.cpp 或云端的 OpenAI 兼容接口，加进来就能对话和比较。",
                "Add an OpenAI-compatible endpoint (vLLM, Ollama, llama.cpp, hosted) to chat with it and "
                "compare it.",
            )
        )
        for one in list_endpoints(session.store()):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"{plain(one.model)}  \n:small[:gray[{plain(one.base_url)}]]")
                st.button(
                    say("移除", "Remove"),
                    key=f"remove-endpoint-{one.id}",
                    icon=":material/close:",
                    type="tertiary",
                    on_click=_remove,
                    args=(one.id,),
                )
        url = st.text_input(
            say("接口地址", "Endpoint"), key="endpoint-url", placeholder="http://127.0.0.1:11434/v1"
        )
        st.text_input(
            say("接口上的模型名", "Model's name there"), key="endpoint-model", placeholder="qwen3:8b"
        )
        if url.strip() and travels_in_the_clear(url):
            st.warning(
                say(
                    "这个地址没有加密：密钥和对话会以明文传输。",
                    "This address is not encrypted: the key and what you write are sent in plain text.",
                ),
                icon=":material/lock_open:",
            )
        if url.strip() and key_place(session.workspace().teacher_key, url) is None:
            st.caption(
                say(
                    "这个地址没有密钥。需要的话，在教师草稿页为它填写。",
                    "There is no key for this address. If it needs one, enter it on the Teacher drafts page.",
                )
            )
        st.button(say("加入", "Add"), key="endpoint-add", icon=":material/add:", on_click=_add)


@reporting
def _add() -> None:
    added = add_endpoint(
        session.store(),
        st.session_state.get("endpoint-url", ""),
        st.session_state.get("endpoint-model", ""),
        author=session.annotator(),
    )
    st.session_state["endpoint-url"] = st.session_state["endpoint-model"] = ""
    st.session_state["choose-try-model"] = f"{added.model} @ {added.base_url}"


@reporting
def _remove(number: int) -> None:
    remove_endpoint(session.store(), number, author=session.annotator())
    notify(say("接口已移除，和它的对话还在。", "The endpoint is removed; conversations with it stay."))
