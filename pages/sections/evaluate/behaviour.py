"""Draw the behavioural tests of an evaluated model: how often harmless changes flip its answer."""

from collections.abc import Sequence

import streamlit as st

from pages.shared import session
from pages.shared.elements import table
from pages.shared.feedback import live_fragment, report_errors, show_failure
from pages.shared.run_controls import run_controls
from pages.shared.text import category_mark, category_name, plain, state_name
from studio import runs
from studio.evaluation import behaviour_runs
from studio.evaluation.behaviour import BehaviourResult, Flip, FlipRate, change_name
from studio.jobs import queue
from studio.language import say
from studio.runs import Run

SHOWN = 50


def behaviour_section(run: Run) -> None:
    """Draw the last tests of this evaluation and the button that starts new ones."""
    st.caption(
        say(
            "把标题改得面目稍异而类别不变：全角半角、标点、繁简、前后缀、数字写法、错字、换名字。好的模型答案不变。"
            "都用直接打分回答，改法是确定的：同一条标题永远改成同一个样子。",
            "Titles are changed in ways that change no category: width, punctuation, script, prefix and "
            "suffix, numerals, a typo, a name. A good model's answer stays. Answered by direct scoring; the "
            "changes are deterministic.",
        )
    )
    last = behaviour_runs.last_test(session.workspace(), run)
    if last is None or last.job.is_over:
        _start_form(run, again=last is not None)
    if last is None:
        return
    if not last.job.is_over:
        _live(run.id)
        return
    if last.job.failure:
        show_failure(*last.job.failure)
    elif last.result is None:
        st.info(state_name(last.job.state))
    else:
        _result(last.result)


def _start_form(run: Run, *, again: bool) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        limit = st.number_input(
            say("最多几条标题", "Titles at most"),
            min_value=10,
            max_value=100_000,
            value=behaviour_runs.MOST_ROWS,
            step=50,
            key="behaviour-limit",
            width=180,
        )
        label = say("再测一次", "Test again") if again else say("开始行为测试", "Start the tests")
        if st.button(label, key="behaviour-start", type="secondary" if again else "primary"):
            with report_errors():
                behaviour_runs.start(session.workspace(), run, session.scheme(), limit=int(limit))
                st.rerun()


@live_fragment
def _live(run_id: str) -> None:
    """Draw the progress; when the tests are over, the page once more."""
    workspace = session.workspace()
    last = behaviour_runs.last_test(workspace, runs.get_run(workspace, run_id))
    if last is None or last.job.is_over:
        st.rerun()
    queue.ensure_job_process(workspace)
    now = runs.progress(last.job)
    count = f" · {now.done} / {now.total}" if now.total else ""
    st.progress(now.fraction, text=f"{state_name(last.job.state)}{count}")
    run_controls(last.job)


def _result(result: BehaviourResult) -> None:
    """Draw flip rates with intervals, by test and by category, and the titles that flipped."""
    table(
        [
            {
                say("改法", "change"): change_name(each.test),
                say("条数", "titles"): each.titles,
                say("答案变了", "flips"): each.flips,
                say("比例", "rate"): _rate(each),
                say("变错", "became wrong"): each.broken,
                say("变对", "became right"): each.fixed,
            }
            for each in result.rates
        ],
        hide_index=True,
        height="content",
        alt=say("各改法的翻转率", "Flip rate of each change"),
    )
    with st.expander(say("逐类别", "By category"), key="behaviour-categories"):
        _by_category(result)
    _flips(result)


def _rate(each: FlipRate) -> str:
    low, high = each.interval
    return f"{each.rate:.1%} ({low:.0%}–{high:.0%})"


def _by_category(result: BehaviourResult) -> None:
    rows: dict[str, dict[str, str]] = {}
    for each in result.by_category:
        line = rows.setdefault(each.category or "", {})
        line[change_name(each.test)] = f"{each.rate:.0%} ({each.flips}/{each.titles})"
    label = say("数据集的类别", "dataset category")
    table(
        [{label: category_name(name), **line} for name, line in rows.items()],
        hide_index=True,
        height="content",
        alt=say("逐类别的翻转率", "Flip rate by category"),
    )
    st.caption(
        say(
            "每一格的条数不多，区间很宽：别为一两条标题下结论。",
            "Each cell has few titles and a wide interval: one or two flips prove nothing.",
        )
    )


def _flips(result: BehaviourResult) -> None:
    """Draw the choice of a test, and the titles whose answer it flipped."""
    tests = [test for test, flips in result.flips.items() if flips]
    if not tests:
        st.success(say("没有一条标题的答案变了。", "No answer flipped."), icon=":material/check_circle:")
        return
    names = {test: f"{change_name(test)} ({len(result.flips[test])})" for test in tests}
    key = "choose-behaviour-test"
    if st.session_state.get(key) not in names:
        st.session_state[key] = tests[0]
    chosen = st.selectbox(
        say("看哪一种改法的标题", "Titles of which change"), tests, format_func=names.__getitem__, key=key
    )
    _titles(result.flips[chosen])


def _titles(flips: Sequence[Flip]) -> None:
    with st.container(height=360 if len(flips) > 5 else "content", border=False, gap="small"):
        for flip in flips[:SHOWN]:
            answers = f"{category_mark(flip.before)} → {category_mark(flip.after)}"
            truth = say("数据集", "dataset")
            st.markdown(
                f"{plain(flip.title)}  \n{plain(flip.changed)}  \n"
                f":small[{answers}　:gray[{truth}] {category_mark(flip.label)}]"
            )
    if len(flips) > SHOWN:
        st.caption(say(f"只显示前 {SHOWN} 条。", f"The first {SHOWN} are shown."))
