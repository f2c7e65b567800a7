"""Draw the choice of a model, and classify titles with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import streamlit as st

from pages.sections.try_it.answers import answer_table, direct_answer, download, report_wrong
from pages.shared import charts, session
from pages.shared.elements import choose_one
from pages.shared.feedback import notify, report_errors, reporting
from pages.shared.files import uploaded_path
from pages.shared.text import answer_name, category_mark, plain, run_option
from studio import runs
from studio.contract import AnswerMode, TemplateName
from studio.errors import InputError
from studio.ingest.title_sheets import sheet_titles
from studio.language import say
from studio.models.catalog import find_models
from studio.models.default_model import choose_default, chosen_default, default_model
from studio.samples.title_text import split_lines
from studio.serving import servers
from studio.serving.client import Classification, classify
from studio.system.limited import call_limited

BASE = "base-"
MOST_CARDS = 5
"""More answers than these make a table of bounded height."""
MOST_TITLES = 20_000
PORTION = 64
SHEET_TYPES = ["csv", "tsv", "xlsx", "txt", "json", "jsonl", "parquet"]
ANSWER_MODES: tuple[AnswerMode, ...] = ("chain", "direct")


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A model to talk to: base or tuned."""

    name: str
    label: str
    model: Path
    adapter: Path | None
    template: TemplateName

    @property
    def is_run(self) -> bool:
        """Whether it was trained here."""
        return not self.name.startswith(BASE)

    @property
    def target(self) -> str:
        """What a command calls it: the id of its run, or the name of the base model."""
        return self.name.removeprefix(BASE)


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
        _default_button(choices, name, default)
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
    """Draw the button that makes the model on screen the default, or, on the chosen default, undoes that."""
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
    titles = [line.strip() for line in split_lines(text) if line.strip()]
    with st.expander(
        say("或上传表格", "Or upload a sheet"), key="classify-sheet-box", icon=":material/table:"
    ):
        sheet = st.file_uploader(
            say(
                "标题表：csv、xlsx、txt、jsonl 或 parquet",
                "A sheet of titles: csv, xlsx, txt, jsonl or parquet",
            ),
            type=SHEET_TYPES,
            key="classify-sheet",
        )
        sheet_pressed = st.button(
            say("给整张表分类", "Classify the sheet"), key="classify-sheet-now", disabled=sheet is None
        )
    with report_errors():
        if sheet_pressed and sheet is not None:
            with uploaded_path(sheet) as path:
                _classify_all(choice, call_limited(sheet_titles, path, session.scheme()), answer_mode)
        elif pressed and titles:
            _classify_all(choice, titles, answer_mode)
        elif pressed:
            st.caption(say("先粘贴一个标题。", "Paste a title first."))
    name, answers = st.session_state.get("classified", (None, []))
    if name != choice.name:
        return
    if len(answers) > MOST_CARDS:
        answer_table(answers, name)
        return
    for index, classification in enumerate(answers):
        _card(classification, index, name, with_bars=len(answers) == 1)
    if len(answers) > 1:
        download(answers)


def _classify_all(choice: Choice, titles: Sequence[str], answer_mode: AnswerMode) -> None:
    """Classify in portions, so that progress shows; what is done stays when it breaks off."""
    if len(titles) > MOST_TITLES:
        raise InputError(
            say(
                f"一次最多 {MOST_TITLES:,} 个标题，这里有 {len(titles):,} 个。",
                f"At most {MOST_TITLES:,} titles at a time, here are {len(titles):,}.",
            ),
            remedy=say("请把表格分成几份。", "Split the sheet."),
        )
    url = server_url(choice)
    done: list[Classification] = []
    st.session_state["classified"] = (choice.name, done)
    with st.spinner(say("正在分类…", "Classifying…")):
        bar = st.progress(0.0) if len(titles) > PORTION else None
        for start in range(0, len(titles), PORTION):
            done += classify(url, titles[start : start + PORTION], answer=answer_mode)
            if bar:
                bar.progress(len(done) / len(titles), text=f"{len(done):,} / {len(titles):,}")
        if bar:
            bar.empty()


def _card(answer: Classification, index: int, model: str, *, with_bars: bool) -> None:
    """Draw one classified title; a single one with all its probabilities, several in short."""
    with st.container(border=True, gap="small"):
        head, result, button = st.columns([3.4, 1.3, 1], vertical_alignment="center")
        head.markdown(f"**{plain(answer.title)}**")
        result.markdown(_result(answer))
        if button.button(
            say("不对？", "Wrong?"), key=f"wrong-{index}", icon=":material/thumb_down:", width="stretch"
        ):
            report_wrong([answer], model)
        if answer.ways_disagree:
            st.caption(
                say(
                    "两种回答方式不一致：思维链得出“{chain}”，直接打分是 {direct}。这样的标题请自己看一眼。",
                    "The two ways disagree: the think chain says {chain}, direct scoring {direct}. "
                    "Have a look at such a title yourself.",
                    chain=plain(answer.category or ""),
                    direct=direct_answer(answer),
                )
            )
        reason = plain(answer.chain or "") or say("没有写思维链。", "No think chain was written.")
        if not with_bars:
            with st.expander(say("理由", "Reason"), key=f"reason-{index}", type="compact"):
                st.markdown(f":small[{reason}]")
            return
        words, bars = st.columns([1.2, 1], gap="large")
        words.caption(say("理由", "Reason"))
        words.markdown(reason)
        if answer.probabilities:
            bars.caption(say("直接打分的概率", "Probabilities of direct scoring"))
            bars.altair_chart(
                charts.probability_bars(answer.probabilities, session.scheme()),
                alt=say("各类别的概率", "Probabilities"),
            )


def _result(answer: Classification) -> str:
    if answer.category is None:
        return f":orange[{say('无法读出类别', 'no category')}]"
    if answer.ways_disagree:
        other = say("直接打分", "direct scoring")
        return f"**{category_mark(answer.category)}**  \n:orange[{other}: {direct_answer(answer)}]"
    share = "" if answer.confidence is None else f" :gray[{answer.confidence:.0%}]"
    return f"**{category_mark(answer.category)}**{share}"
