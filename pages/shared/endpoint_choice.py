"""Draw the choice of a model at an OpenAI-compatible endpoint."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from pages.shared import session
from studio.contract import EndpointSpec
from studio.language import say
from studio.teacher.endpoints import endpoint_spec, travels_in_the_clear
from studio.teacher.key import key_place

AT_ENDPOINT = "@endpoint"
"""The option of the models that stands for one at an endpoint."""


@dataclass(frozen=True, kw_only=True)
class EndpointChoice:
    """What was typed; `served` is the option of the local model that the endpoint serves, if it is one."""

    base_url: str
    model: str
    concurrency: int
    served: str | None

    def spec(self) -> EndpointSpec:
        """Build the endpoint's spec.

        Raises:
            InputError: the address or the model cannot be used.
        """
        return endpoint_spec(
            session.workspace(), base_url=self.base_url, model=self.model, concurrency=self.concurrency
        )


def endpoint_choice(options: Sequence[str], *, key: str) -> EndpointChoice:
    """Draw address, model, and which of the local models it is, with a note on the key.

    Args:
        options: the local models.
        key: prefix of the widgets' keys.
    """
    with st.grid(4, min_column_width=150):
        base_url = st.text_input(
            say("接口地址", "Endpoint"), key=f"{key}-endpoint-url", placeholder="http://127.0.0.1:8000/v1"
        )
        model = st.text_input(say("接口上的模型名", "Model's name there"), key=f"{key}-endpoint-model")
        unknown = say("不是这里的模型", "none of these")
        served = st.selectbox(
            say("它是这里的哪个模型", "Which model of here it is"),
            ["", *options],
            format_func=lambda option: option or unknown,
            key=f"{key}-endpoint-served",
            help=say(
                "知道是哪个，提示就由这里按它的模板写成词元：思考会被打开并按时收尾，也能直接打分。"
                "不知道时用接口自己的对话模板。",
                "If known, the prompts are written here with its template: the thought is opened and closed "
                "in time, and categories can be scored. Otherwise the endpoint's own template is used.",
            ),
        )
        concurrency = st.number_input(
            say("同时几条", "At once"), min_value=1, max_value=256, value=4, key=f"{key}-endpoint-concurrency"
        )
    _notes(base_url)
    return EndpointChoice(base_url=base_url, model=model, concurrency=int(concurrency), served=served or None)


def _notes(base_url: str) -> None:
    if base_url.strip() and travels_in_the_clear(base_url):
        st.warning(
            say(
                "这个地址没有加密：密钥和标题会以明文传输。",
                "This address is not encrypted: the key and the titles are sent in plain text.",
            ),
            icon=":material/lock_open:",
        )
    if base_url.strip() and key_place(session.workspace().teacher_key, base_url) is None:
        st.caption(
            say(
                "这个地址没有密钥。需要的话，在教师草稿页为它填写；密钥只发给它所属的地址。",
                "There is no key for this address. If it needs one, enter it on the Teacher drafts page; "
                "a key is sent to its own address only.",
            )
        )
