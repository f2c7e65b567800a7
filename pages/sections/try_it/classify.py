"""Draw the choice of a model, and classify titles with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from pages.sections.try_it.answers import answer_table, download
from pages.sections.try_it.card import card
from pages.sections.try_it.endpoints import endpoint_button
from pages.sections.try_it.offered import offered_runs
from pages.shared import session
from pages.shared.elements import choose_one
from pages.shared.feedback import notify, report_errors, reporting
from pages.shared.text import answer_name, plain
from studio import runs
from studio.chats.classifying import classify_by_chat
from studio.chats.endpoints import SavedEndpoint, list_endpoints, open_endpoint
from studio.contract import AnswerMode, TemplateName
from studio.errors import InputError
from studio.language import say
from studio.models.catalog import find_models
from studio.models.default_model import choose_default, chosen_default, default_model, released_default
from studio.samples.title_text import split_lines
from studio.serving import servers
from studio.serving.client import ChatEndpoint, Classification, classify
from studio.workspace import BUNDLED_MODEL

BASE = "base-"
MOST_CARDS = 5
"""More answers than these make a table of bounded height."""
MOST_TITLES = 20_000
PORTION = 64
ANSWER_MODES: tuple[AnswerMode, ...] = ("chain", "direct")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A model to talk to: base or tuned, served here, or one at an endpoint, which has no files."""

    name: str
    label: str
    model: Path | None = None
    adapter: Path | None = None
    template: TemplateName = "auto"
    calibration_file: Path | None = None
    endpoint: SavedEndpoint | None = None

    @property
    def is_run(self) -> bool:
        """Whether it was trained here."""
        return self.endpoint is None and not self.name.startswith(BASE)

    @property
    def is_demonstration(self) -> bool:
        """Whether it is the small bundled model, or tuned from it."""
        return self.model == BUNDLED_MODEL

    @property
    def target(self) -> str:
        """What a command calls it: the id of its run, or the name of the base model."""
        return self.name.removeprefix(BASE)


def choose_model() -> Choice | None:
    """Draw the choice: the release, candidates, base models; None, with a hint, where there is none."""
    choices = all_choices()
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
    asked = st.query_params.get("run")
    if asked in choices and st.session_state.get("try-asked") != asked:
        st.session_state["try-asked"] = st.session_state["choose-try-model"] = asked
    default = default_choice(choices)
    if st.session_state.get("choose-try-model") not in choices:
        st.session_state["choose-try-model"] = default
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(
            say("模型", "Model"),
            [default, *(each for each in choices if each != default)],
            format_func=lambda key: choices[key].label,
            key="choose-try-model",
            persist_state="session",
        )
        if choices[name].endpoint is None:
            _default_button(choices, name, default)
        endpoint_button()
    if name in {choice.name for choice in choices.values() if choice.is_run}:
        st.query_params["run"] = st.session_state["try-asked"] = name
    elif "run" in st.query_params:
        del st.query_params["run"]
    return choices[name]


def default_choice(choices: Mapping[str, Choice]) -> str:
    """Return the default model where it is among the choices, else the first base model."""
    target = default_model(session.workspace())
    found = next((name for name, choice in choices.items() if choice.target == target), None)
    return found or next((name for name in choices if name.startswith(BASE)), next(iter(choices)))


def _default_button(choices: Mapping[str, Choice], name: str, default: str) -> None:
    """Draw the button that makes the model on screen the default, or, on the chosen default, undoes that.

    Where something is released that is the default, and the way to another one is its page.
    """
    if released_default(session.workspace()) is not None:
        session.link("release", say("发布", "Release"), icon=":material/rocket_launch:")
        return
    chosen = chosen_default(session.workspace())
    if name == default and chosen == choices[name].target:
        label, target = say("不再作为默认", "Not the default"), None
        hint = say(
            "这是选定的默认模型：打开本页和 news-studio serve 时先用它。按一下改回“评估最好的一次运行”。",
            "The chosen default: this page and news-studio serve begin with it. Press to go back to the run "
            "with the best evaluation.",
        )
    else:
        label, target = say("设为默认", "Make default"), choices[name].target
        hint = say(
            "以后打开本页和 news-studio serve 时先用这个模型。现在的默认：{label}",
            "This page and news-studio serve will begin with this model. The default now: {label}",
            label=choices[default].label,
        )
    st.button(
        label,
        key="make-default-model",
        icon=":material/star:" if target is None else ":material/star_border:",
        help=plain(hint),
        on_click=_make_default,
        args=(target,),
    )


@reporting
def _make_default(target: str | None) -> None:
    """Store the default model."""
    choose_default(session.workspace(), target)
    notify(say("默认模型已保存。", "The default model is saved."))


def address_line(choice: Choice) -> str:
    """Format where the choice's server listens, or that it is still to be started."""
    if choice.endpoint is not None:
        return say(f"接口：`{choice.endpoint.base_url}`", f"Endpoint: `{choice.endpoint.base_url}`")
    url = st.session_state.get("served", {}).get(choice.name)
    if url is None:
        return say(
            "第一次提问时会启动本机的模型服务，需要几秒。",
            "The first question starts the local model server, which takes a few seconds.",
        )
    return say(f"本机的 OpenAI 兼容接口：`{url}/v1`", f"OpenAI-compatible API on this computer: `{url}/v1`")


def all_choices() -> dict[str, Choice]:
    """List whom one can talk to, by name: tuned runs, base models, endpoints."""
    return {choice.name: choice for choice in [*_choices(), *_endpoint_choices()]}


def _endpoint_choices() -> list[Choice]:
    return [
        Choice(
            name=f"{one.model} @ {one.base_url}",
            label=say("接口：", "endpoint: ") + f"{one.model} @ {one.base_url}",
            endpoint=one,
        )
        for one in list_endpoints(session.store())
    ]


def _choices() -> list[Choice]:
    workspace = session.workspace()
    tuned = []
    for run, label in offered_runs(workspace):
        model, adapter = runs.trained_model(run)
        tuned.append(
            Choice(
                name=run.id,
                label=label,
                model=model,
                adapter=adapter,
                template=run.spec.template,
                calibration_file=runs.calibration_file(workspace, run.id),
            )
        )
    bases = [
        Choice(
            name=f"{BASE}{base.name}",
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


def server_of(choice: Choice) -> str | ChatEndpoint:
    """Return what answers for a choice: the URL of its server, started if need be, or its endpoint."""
    if choice.endpoint is not None:
        return open_endpoint(session.workspace(), choice.endpoint)
    assert choice.model is not None, choice.name
    with st.spinner(say("正在启动模型服务…", "Starting the model server…"), show_time=True):
        url = servers.ensure_server(
            session.workspace(),
            model=choice.model,
            adapter=choice.adapter,
            template=choice.template,
            name=choice.name,
            calibration_file=choice.calibration_file,
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
            persist_state="session",
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
            threshold = _threshold_box(choice)
    titles = [line.strip() for line in split_lines(text) if line.strip()]
    with report_errors():
        if pressed and titles:
            _classify_all(choice, titles, answer_mode, threshold)
        elif pressed:
            st.caption(say("先粘贴一个标题。", "Paste a title first."))
    name, answers = st.session_state.get("classified", (None, []))
    if name != choice.name:
        return
    if len(answers) > MOST_CARDS:
        answer_table(answers, name)
        return
    for index, classification in enumerate(answers):
        card(
            classification,
            index,
            model=name,
            alone=len(answers) == 1,
            demonstration=choice.is_demonstration,
        )
    if len(answers) > 1:
        download(answers)


def _threshold_box(choice: Choice) -> float | None:
    """Draw the threshold that overrides the run's own; None: that of the run counts, if it has one."""
    if choice.endpoint is not None:
        return None
    percent: int | None = st.number_input(
        say("门槛（%）", "Threshold (%)"),
        min_value=0,
        max_value=100,
        value=None,
        step=5,
        key="classify-threshold",
        placeholder=say("按运行", "the run's"),
        width=150,
        help=say(
            "置信度低于门槛的标题不作答，请人工判断。留空：用评估页为这个运行选定的门槛；0：从不弃权。",
            "Titles answered with less confidence are left to you. Empty: the threshold that was chosen for "
            "this run on the Evaluate page; 0: answer all.",
        ),
    )
    return None if percent is None else percent / 100


def _classify_all(
    choice: Choice, titles: Sequence[str], answer_mode: AnswerMode, threshold: float | None
) -> None:
    """Classify in portions, so that progress shows; what is done stays when it breaks off.

    Few titles come with the words that carry the answer; of many, nobody would read them.
    """
    if len(titles) > MOST_TITLES:
        raise InputError(
            say(
                f"一次最多 {MOST_TITLES:,} 个标题，这里有 {len(titles):,} 个。",
                f"At most {MOST_TITLES:,} titles at a time, here are {len(titles):,}.",
            ),
            remedy=say("请存成文件，在“整张表”里分类。", "Save them as a file and classify that as a sheet."),
        )
    server = server_of(choice)
    done: list[Classification] = []
    st.session_state["classified"] = (choice.name, done)
    with st.spinner(say("正在分类…", "Classifying…")):
        bar = st.progress(0.0) if len(titles) > PORTION else None
        if not isinstance(server, str):
            done.extend(classify_by_chat(server, titles, session.scheme()))
            return
        for start in range(0, len(titles), PORTION):
            done += classify(
                server,
                titles[start : start + PORTION],
                answer=answer_mode,
                threshold=threshold,
                evidence=len(titles) <= MOST_CARDS,
            )
            if bar:
                bar.progress(len(done) / len(titles), text=f"{len(done):,} / {len(titles):,}")
        if bar:
            bar.empty()
