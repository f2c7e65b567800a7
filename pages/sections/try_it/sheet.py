"""Draw the classification of a sheet: the upload that starts one, and the choice of an earlier one."""

import streamlit as st

from pages.sections.try_it.classify import ANSWER_MODES, Choice
from pages.sections.try_it.sheet_job import sheet_job
from pages.shared import session
from pages.shared.elements import choose_one
from pages.shared.endpoint_choice import EndpointChoice, endpoint_choice
from pages.shared.feedback import report_errors
from pages.shared.files import uploaded_path
from pages.shared.reading import choose_reading
from pages.shared.text import answer_name, state_name
from studio.classification.jobs import classify_spec, list_classifications, start
from studio.classification.openai_batch import is_batch
from studio.classification.sheets import SUFFIXES, titles_alone
from studio.contract import AnswerMode, ClassifySpec
from studio.formats.choices import UNDECIDED, FileChoices
from studio.language import say

JOB = "choose-sheet-job"


def sheet_section(choice: Choice) -> None:
    """Draw the form of a new classification, and below it one that is there."""
    _new(choice)
    jobs = {job.id: job for job in list_classifications(session.workspace())}
    if not jobs:
        return
    session.follow_address("sheet", JOB, jobs)
    if st.session_state.get(JOB) not in jobs:
        st.session_state[JOB] = next(iter(jobs))
    st.divider()
    names = {
        name: f"{job.label or job.id} · {state_name(job.state)} · {job.created_at:%m-%d %H:%M:%S}"
        for name, job in jobs.items()
    }
    chosen = st.selectbox(
        say("分类过的表", "Classified sheets"), list(jobs), format_func=names.__getitem__, key=JOB
    )
    session.keep_address("sheet", chosen)
    with report_errors():
        sheet_job(jobs[chosen])


def _new(choice: Choice) -> None:
    """Draw the upload; what it is read as, and which way it is answered, once there is a file."""
    file = st.file_uploader(
        say(
            "标题表：csv、tsv、xlsx、txt、json、jsonl、parquet，或 OpenAI 批处理文件",
            "A sheet of titles: csv, tsv, xlsx, txt, json, jsonl, parquet, or an OpenAI batch file",
        ),
        type=list(SUFFIXES),
        key="sheet-upload",
        help=say(
            "原有的列都保留，后面加上类别、置信度和前三类，以原来的格式下载。相同的标题只回答一次；"
            "任务可以暂停，中断后接着做。超过 200 MiB 的文件请用 news-studio classify。",
            "All columns are kept; category, confidence and top 3 are added behind them, in the format that "
            "came in. Equal titles are answered once; the job can be paused, and goes on where it stopped. "
            "For files over 200 MiB use news-studio classify.",
        ),
    )
    if file is None:
        return
    with uploaded_path(file) as path:
        choices: FileChoices | None = UNDECIDED
        if not is_batch(path):
            choices = choose_reading(path, file.file_id, titles_alone(UNDECIDED), parts=("title",))
        answer, endpoint = _way(choice)
        pressed = st.button(
            say("给整张表分类", "Classify the sheet"),
            key="sheet-start",
            type="primary",
            icon=":material/play_arrow:",
            disabled=choices is None,
        )
        if not pressed or choices is None:
            return
        with report_errors(), st.spinner(say("正在读表…", "Reading the sheet…")):
            job = start(
                session.workspace(),
                path,
                _spec(choice, answer, endpoint),
                session.scheme(),
                choices=choices,
                label=file.name,
            )
            st.session_state[JOB] = job.id
            st.query_params["sheet"] = st.session_state["followed-sheet"] = job.id


def _way(choice: Choice) -> tuple[AnswerMode, EndpointChoice | None]:
    """Draw the way of answering, and who answers: the model above, or one at an endpoint."""
    if choice.endpoint is not None:
        st.caption(
            say(
                "接口上的模型用思维链方式回答，没有置信度。",
                "The model at the endpoint answers with a chain, without confidence.",
            )
        )
        return "chain", EndpointChoice(
            base_url=choice.endpoint.base_url, model=choice.endpoint.model, concurrency=4, served=None
        )
    key = "choose-sheet-answer"
    st.session_state.setdefault(key, "direct")
    answer = choose_one(
        say("回答方式", "Way of answering"),
        ANSWER_MODES,
        key=key,
        format_func=answer_name,
        help=say(
            "直接打分快几十倍，并给出概率；思维链多一个理由。",
            "Direct scoring is dozens of times faster and gives probabilities; a think chain adds a reason.",
        ),
    )
    elsewhere = st.toggle(
        say("改用 OpenAI 兼容接口上的模型", "Answer at an OpenAI-compatible endpoint instead"),
        key="sheet-endpoint",
    )
    return answer, endpoint_choice([choice.target], key="sheet") if elsewhere else None


def _spec(choice: Choice, answer: AnswerMode, endpoint: EndpointChoice | None) -> ClassifySpec:
    workspace = session.workspace()
    if endpoint is None:
        return classify_spec(workspace, choice.target, answer=answer)
    return classify_spec(workspace, endpoint.served, endpoint.spec(), answer=answer)
