"""Draw the sealed sets of a dataset: who opened them, and open one."""

import streamlit as st

from pages.sections.release.progress import job_progress
from pages.shared import session
from pages.shared.elements import table
from pages.shared.feedback import notify, report_errors
from pages.shared.text import answer_name, local_time, plain, state_name
from studio import runs
from studio.contract import AnswerMode
from studio.datasets.sealed_sets import SealedSet, list_sealed_sets
from studio.errors import StudioError
from studio.gate import sentences
from studio.gate.evidence import list_openings, sealed_scores
from studio.gate.sealed_evaluation import open_sealed
from studio.language import say
from studio.releases import ledger
from studio.releases.models import SealedOpening
from studio.runs import Job, Run
from studio.store import Store

ANSWERS: tuple[AnswerMode, ...] = ("direct", "chain")


def sealed_box(db: Store, candidate: Run, *, may_open: bool) -> None:
    """Draw the sealed sets and their openings, and the form that opens one for the candidate."""
    sets = list_sealed_sets(db)
    with st.expander(
        say(f"封存的评估集（{len(sets)}）", f"Sealed sets ({len(sets)})"),
        key="release-sealed",
        icon=":material/lock:",
    ):
        st.caption(
            say(
                "封存的标题不训练、不评估、不比较，只在发布前答一次，只看总分。每次打开都记入台账。",
                "Sealed titles are neither trained, evaluated nor compared on: a candidate answers them "
                "before its release, and only the totals are shown. Every opening goes into the ledger.",
            )
        )
        if not sets:
            st.caption(
                say(
                    "还没有：在“数据集”页冻结时填“封存比例”。",
                    "There is none: give a sealed share when freezing on the Datasets page.",
                )
            )
            session.link("datasets", say("去冻结", "Freeze"))
            return
        _openings(db)
        running = _running(db)
        if running is not None:
            job_progress(running.id)
        elif may_open:
            _form(db, sets, candidate)


def _running(db: Store) -> Job | None:
    jobs = {job.id: job for job in runs.list_unfinished(session.workspace())}
    found = (jobs.get(each.job) for each in reversed(list_openings(db)))
    return next((job for job in found if job is not None and not job.is_over), None)


def _openings(db: Store) -> None:
    entries = ledger.read(db, "sealed_opened")
    if not entries:
        return
    table(
        [
            _opening(opening, entry)
            for opening, entry in zip(reversed(list_openings(db)), reversed(entries), strict=True)
        ],
        hide_index=True,
        height="content",
        alt=say("打开的记录", "Openings"),
    )


def _opening(opening: SealedOpening, entry: ledger.LedgerEntry) -> dict[str, object]:
    return {
        say("封存集", "set"): f"{opening.dataset}#{opening.number}",
        say("第几次", "opening"): opening.opening,
        say("运行", "run"): opening.run,
        say("准确率", "accuracy"): _accuracy(opening),
        say("谁", "who"): entry.author,
        say("何时", "when"): local_time(entry.at.isoformat()),
        say("原因", "reason"): opening.reason,
    }


def _accuracy(opening: SealedOpening) -> str:
    try:
        job = runs.get_job(session.workspace(), opening.job)
        scores = sealed_scores(job, opening.answer)
    except StudioError:
        return "–"
    if scores is None:
        return state_name(job.state)
    low, high = scores.accuracy_interval
    return f"{scores.accuracy:.1%} [{low:.1%}, {high:.1%}] n = {scores.n}"


def _form(db: Store, sets: list[SealedSet], candidate: Run) -> None:
    names = {
        each.dataset: say("{ref}（{n} 条）", "{ref} ({n} titles)", ref=each.ref, n=each.rows)
        for each in reversed(sets)
    }
    with st.form("sealed-form", border=False):
        left, right = st.columns(2)
        dataset = left.selectbox(
            say("数据集", "Dataset"),
            list(names),
            format_func=names.__getitem__,
            key="sealed-dataset",
        )
        answer = right.selectbox(
            say("回答方式", "Way of answering"),
            ANSWERS,
            format_func={each: answer_name(each) for each in ANSWERS}.__getitem__,
            key="sealed-answer",
        )
        reason = st.text_input(
            say("为什么打开", "Why it is opened"),
            key="sealed-reason",
            placeholder=say("发布前的最后检查", "the last check before the release"),
        )
        before = [each for each in list_openings(db) if each.dataset == dataset]
        if before:
            so_far = say("到现在：{count}", "So far: {count}", count=sentences.openings(len(before)))
            st.caption(plain(so_far))
        if st.form_submit_button(
            say("为这个候选打开", "Open for this candidate"), key="sealed-open", icon=":material/lock_open:"
        ):
            with report_errors():
                opening, _ = open_sealed(
                    db,
                    session.workspace(),
                    dataset,
                    candidate.id,
                    reason=reason,
                    author=session.annotator(),
                    answer=answer,
                )
                notify(plain(sentences.openings(opening.opening)))
                st.rerun()
