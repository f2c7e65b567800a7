"""Draw the choice of a model, and classify titles with it."""

from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from pages.shared import charts, session
from pages.shared.elements import choose_one
from pages.shared.feedback import report_errors
from pages.shared.text import answer_name, category_mark, plain, run_option
from studio import runs
from studio.annotation import requeue
from studio.contract import AnswerMode, TemplateName
from studio.language import say
from studio.models.catalog import find_models
from studio.serving import servers
from studio.serving.client import Classification, classify

ANSWER_MODES: tuple[AnswerMode, ...] = ("chain", "direct")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A model to talk to: base or tuned."""

    name: str
    label: str
    model: Path
    adapter: Path | None
    template: TemplateName


def choose_model() -> Choice | None:
    """Draw the choice: tuned runs first, then base models; None, with a hint, where there is none."""
    choices = {choice.name: choice for choice in _choices()}
    if not choices:
        st.info(
            say(
                "还没有模型可用。先训练一次，或放一个基座模型进工作区。",
                "There is no model yet. Train one, or put a base model into the workspace.",
            ),
            icon=":material/forum:",
        )
        session.link("train", say("去训练", "Train"))
        return None
    name = st.selectbox(
        say("模型", "Model"),
        list(choices),
        format_func=lambda key: choices[key].label,
        key="choose-try-model",
    )
    return choices[name]


def address_line(choice: Choice) -> str:
    """Format where the choice's server listens, or that it is still to be started."""
    url = st.session_state.get("served", {}).get(choice.name)
    if url is None:
        return say(
            "第一次提问时会启动本机的模型服务，需要几秒。",
            "The first question starts the local model server, which takes a few seconds.",
        )
    return say(f"本机的 OpenAI 兼容接口：`{url}/v1`", f"OpenAI-compatible API on this computer: `{url}/v1`")


def _choices() -> list[Choice]:
    workspace = session.workspace()
    tuned = []
    for run in runs.list_runs(workspace):
        if run.spec.kind == "train" and run.result and run.result.checkpoint:
            model, adapter = runs.trained_model(run)
            tuned.append(
                Choice(
                    name=run.id,
                    label=say("微调：", "tuned: ") + run_option(run),
                    model=model,
                    adapter=adapter,
                    template=run.spec.template,
                )
            )
    bases = [
        Choice(
            name=f"base-{base.name}",
            label=say("基座：", "base: ")
            + (say("内置小模型", "bundled small model") if base.bundled else base.name),
            model=base.path,
            adapter=None,
            template="auto",
        )
        for base in find_models(workspace)
        if base.ok
    ]
    return tuned + bases


def server_url(choice: Choice) -> str:
    """Return the address of the choice's server, started when it does not run."""
    with st.spinner(say("正在启动模型服务…", "Starting the model server…"), show_time=True):
        url = servers.ensure_server(
            session.workspace(),
            model=choice.model,
            adapter=choice.adapter,
            template=choice.template,
            name=choice.name,
        )
    st.session_state.setdefault("served", {})[choice.name] = url
    return url


def classify_section(choice: Choice) -> None:
    """Draw the box for titles, and their categories."""
    st.session_state.setdefault("choose-classify-answer", "chain")
    with st.form("classify", border=False):
        text = st.text_area(
            say("标题，一行一个", "Titles, one per line"),
            key="classify-text",
            height=100,
            placeholder="央行下调存款准备金率，释放长期资金",
        )
        with st.container(horizontal=True, vertical_alignment="center"):
            pressed = st.form_submit_button(
                say("分类", "Classify"), key="classify-now", type="primary", shortcut="Ctrl+Enter"
            )
            answer_mode = choose_one(
                say("回答方式", "Way of answering"),
                ANSWER_MODES,
                key="choose-classify-answer",
                format_func=answer_name,
                label_visibility="collapsed",
            )
    titles = [line.strip() for line in text.splitlines() if line.strip()]
    if pressed and not titles:
        st.caption(say("先粘贴一个标题。", "Paste a title first."))
    if pressed and titles:
        with report_errors(), st.spinner(say("正在分类…", "Classifying…")):
            answers = classify(server_url(choice), titles, answer=answer_mode)
            st.session_state["classified"] = (choice.name, answers)
    name, answers = st.session_state.get("classified", (None, []))
    if name == choice.name:
        for index, classification in enumerate(answers):
            _card(classification, index, with_bars=len(answers) == 1)


def _card(answer: Classification, index: int, *, with_bars: bool) -> None:
    """Draw one classified title; a single one with all its probabilities, several in short."""
    with st.container(border=True, gap="small"):
        head, result, button = st.columns([3.4, 1.3, 1], vertical_alignment="center")
        head.markdown(f"**{plain(answer.title)}**")
        result.markdown(_result(answer))
        if button.button(
            say("不对？", "Wrong?"), key=f"wrong-{index}", icon=":material/thumb_down:", width="stretch"
        ):
            _report_wrong(answer)
        reason = plain(answer.chain or "") or say("没有写思维链。", "No think chain was written.")
        if not with_bars:
            with st.expander(say("理由", "Reason"), key=f"reason-{index}", type="compact"):
                st.markdown(f":small[{reason}]")
            return
        words, bars = st.columns([1.2, 1], gap="large")
        words.caption(say("理由", "Reason"))
        words.markdown(reason)
        if answer.probabilities:
            bars.altair_chart(
                charts.probability_bars(answer.probabilities, session.scheme()),
                alt=say("各类别的概率", "Probabilities"),
            )


def _result(answer: Classification) -> str:
    if answer.category is None:
        return f":orange[{say('无法读出类别', 'no category')}]"
    share = "" if answer.confidence is None else f" :gray[{answer.confidence:.0%}]"
    return f"**{category_mark(answer.category)}**{share}"


def _report_wrong(answer: Classification) -> None:
    with report_errors():
        requeue.add_wrong(session.store(), answer.title, answer.category, session.annotator())
        st.toast(say("已放进标注队列。", "Added to the label queue."), icon=":material/check:")
