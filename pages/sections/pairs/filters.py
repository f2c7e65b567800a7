"""Draw the filters, which the address keeps, and the runs that are held against each other."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import streamlit as st

from pages.shared import session
from pages.shared.address import Filters, any_text, one_of
from pages.shared.text import category_name, local_time, run_option
from studio import runs
from studio.contract import SampleSpec
from studio.language import say
from studio.preferences.pairs import KINDS, Form, kind_name
from studio.preferences.run_pairs import MOST
from studio.preferences.selection import PairFilter
from studio.runs import Job
from studio.store import Store
from studio.team.people import list_people

FORMS = ("chain", "direct")
RUNS_KEY = "pairs-runs"
SAMPLES_KEY = "pairs-samples"
FILTERS = Filters(
    page="pairs",
    readers={
        "text": any_text,
        "kind": one_of(KINDS),
        "chosen": any_text,
        "rejected": any_text,
        "person": any_text,
        "form": one_of(FORMS),
    },
)


def filter_bar(db: Store) -> tuple[PairFilter, list[str], list[str]]:
    """Draw the filters; return what is wanted, the runs to hold against each other, and sampling jobs."""
    FILTERS.read()
    categories = list(session.scheme().names)
    with st.grid(6, min_column_width=140):
        st.text_input(
            say("文字", "Text"),
            key=FILTERS.key("text"),
            placeholder=say("标题里的字", "words in the title"),
        )
        _choice("kind", say("来自", "From"), list(KINDS), kind_name)
        _choice("chosen", say("选中", "Chosen"), categories, category_name)
        _choice("rejected", say("落选", "Rejected"), categories, category_name)
        _choice("person", say("谁定的", "Preferred by"), [person.name for person in list_people(db)], str)
        _choice("form", say("比较什么", "Compared"), list(FORMS), form_name)
    left, right = st.columns(2)
    with left:
        run_ids = _choose_runs()
    with right:
        sample_ids = _choose_samples()
    return _wanted(), run_ids, sample_ids


def form_name(form: str) -> str:
    """Name what the two answers of a pair are compared with."""
    return say("思维链和类别", "chains and categories") if form == "chain" else say("只有类别", "categories")


def _choice(name: str, label: str, options: Sequence[str], shown: Callable[[Any], str]) -> None:
    key = FILTERS.key(name)
    if st.session_state.get(key) not in (None, *options):
        st.session_state[key] = None
    st.selectbox(
        label,
        options,
        key=key,
        index=None,
        format_func=shown,
        placeholder=say("全部", "all"),
    )


def _wanted() -> PairFilter:
    values = {name: str(FILTERS.value(name) or "") for name in FILTERS.readers}
    kinds = [kind for kind in KINDS if kind == values["kind"]]
    return PairFilter(
        kinds=frozenset(kinds),
        category=values["chosen"],
        rejected=values["rejected"],
        person=values["person"],
        form=cast(Form, values["form"]) if values["form"] else None,
        text=values["text"].strip(),
    )


def _choose_runs() -> list[str]:
    """Draw the choice of runs whose chains are held against each other; fewer than two are none."""
    scored = {
        run.id: run
        for run in runs.list_runs(session.workspace())
        if run.state == "done" and (run.folder / "predictions.jsonl").is_file()
    }
    if len(scored) < 2:
        return []
    kept = st.session_state.get(RUNS_KEY)
    if kept and not set(kept) <= set(scored):
        st.session_state[RUNS_KEY] = [run_id for run_id in kept if run_id in scored]
    chosen = st.multiselect(
        say("再加上几个运行答得不同的标题", "Also titles that these runs answer differently"),
        list(scored),
        format_func=lambda run_id: run_option(scored[run_id]),
        key=RUNS_KEY,
        max_selections=MOST,
        placeholder=say("选两个或更多：答对的胜过答错的", "two or more: the right answer over the wrong one"),
    )
    return chosen if len(chosen) > 1 else []


def _choose_samples() -> list[str]:
    """Draw the choice of finished sampling jobs, whose right answers win over the wrong ones."""
    jobs = {
        job.id: job
        for job in runs.list_jobs(session.workspace())
        if job.state == "done" and isinstance(job.spec, SampleSpec)
    }
    if not jobs:
        return []
    kept = st.session_state.get(SAMPLES_KEY)
    if kept and not set(kept) <= set(jobs):
        st.session_state[SAMPLES_KEY] = [job_id for job_id in kept if job_id in jobs]
    return st.multiselect(
        say("再加上采样的回答", "Also sampled answers"),
        list(jobs),
        format_func=lambda job_id: f"{jobs[job_id].label or job_id} · {local_time(_made(jobs[job_id]))}",
        key=SAMPLES_KEY,
        placeholder=say("news-studio sample 采样得到", "made by news-studio sample"),
    )


def _made(job: Job) -> str:
    return job.created_at.isoformat()
