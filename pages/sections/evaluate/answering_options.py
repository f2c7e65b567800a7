"""Draw how answers are written in an evaluation: length, sampling, several samples a title."""

from typing import Any

import streamlit as st

from studio.contract import AnswerMode
from studio.language import say

MOST_SAMPLES = 101


def answering_options(answer: AnswerMode, *, at_endpoint: bool) -> dict[str, Any]:
    """Draw the options of written answers, folded; return the fields of the spec that were changed.

    Args:
        answer: scores of the categories have none of these.
        at_endpoint: of a model elsewhere, which is not held to the categories.
    """
    if answer == "direct":
        return {}
    with (
        st.popover(say("怎样写回答", "How answers are written"), icon=":material/tune:"),
        st.grid(2, min_column_width=150),
    ):
        longest = st.number_input(
            say("最长词元数", "Longest answer in tokens"),
            value=None,
            min_value=8,
            max_value=32768,
            placeholder=say("默认", "default"),
            key="new-longest",
            help=say(
                "到了这个长度，思考就被收尾，直接给出类别。词元是模型读写的最小单位，大约一个字或词。",
                "At this length the thought is closed and the category follows. A token is the smallest piece"
                " that a model reads and writes, about a character or a word.",
            ),
        )
        temperature = st.number_input(
            say("温度", "Temperature"),
            value=0.0,
            min_value=0.0,
            max_value=2.0,
            step=0.1,
            key="new-temperature",
            help=say("0：每步取最可能的词。", "0: the likeliest token at every step."),
        )
        samples = st.number_input(
            say("每条标题答几次", "Answers to each title"),
            value=1,
            min_value=1,
            max_value=MOST_SAMPLES,
            key="new-samples",
            disabled=temperature == 0,
            help=say(
                "多次采样，取多数答的类别；要先把温度调到 0 以上。",
                "Sampled several times, and what most of them name counts; needs a temperature above 0.",
            ),
        )
        top_p = st.number_input(
            "top-p",
            value=1.0,
            min_value=0.01,
            max_value=1.0,
            step=0.05,
            key="new-top-p",
            disabled=temperature == 0,
        )
        top_k = st.number_input(
            "top-k", value=0, min_value=0, max_value=1000, key="new-top-k", disabled=temperature == 0
        )
        seed = st.number_input(
            say("采样种子", "Seed of the samples"),
            value=0,
            min_value=0,
            max_value=2**31,
            key="new-sampling-seed",
            disabled=temperature == 0,
        )
        only = st.toggle(
            say("只许答这些类别", "Categories only"),
            key="new-categories-only",
            disabled=at_endpoint,
            help=say(
                "打开后，模型答不出别的东西；关着时，答成别的就算错。",
                "When on, the model cannot answer anything else; when off, anything else counts as wrong.",
            ),
        )
    fields: dict[str, Any] = {"categories_only": only and not at_endpoint}
    if longest is not None:
        fields["max_new_tokens"] = longest
    if temperature:
        sampling = {"temperature": temperature, "samples": samples, "top_p": top_p, "top_k": top_k}
        fields |= sampling | {"sampling_seed": seed}
    return fields
