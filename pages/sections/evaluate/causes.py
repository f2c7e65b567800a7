"""Draw the causes of errors, what can be done about each, and which earlier actions paid."""

from collections.abc import Sequence

import streamlit as st

from pages.sections.evaluate.category_errors import cause_filter
from pages.sections.evaluate.rows import FILTERS
from pages.sections.evaluate.titles import SHOWN, tick_titles
from pages.sections.evaluate.views import VIEW
from pages.shared import session
from pages.shared.elements import table
from pages.shared.feedback import report_errors, reporting
from pages.shared.text import plain
from studio.contract import Prediction
from studio.evaluation.attribution import ACTION_NAMES, CAUSES, Cause, attribute, by_cause
from studio.evaluation.cohorts import SMALLEST, CohortSearch, find_cohorts
from studio.evaluation.error_actions import Acted, Payoff, act, acted_on, payoff
from studio.evaluation.row_tags import TagFile
from studio.language import say
from studio.runs import Run
from studio.samples.title_text import title_key


def causes_section(run: Run, predictions: Sequence[Prediction], tags: TagFile) -> None:
    """Draw what earlier actions brought, and the errors of this evaluation by their cause."""
    if not predictions:
        return
    answer = predictions[0].answer
    _payoff(payoff(session.store(), session.workspace(), run, predictions, answer))
    causes = attribute(predictions, tags.tags)
    if not causes:
        st.success(say("没有答错的标题。", "No title was answered wrong."), icon=":material/check_circle:")
        return
    _cohorts(run, predictions, tags)
    label = cause_filter(predictions)
    shown = [row for row in predictions if label is None or row.label == label]
    grouped = by_cause(shown, causes)
    _overview(grouped, sum(map(len, grouped.values())))
    done = acted_on(session.store(), run, answer)
    for cause, rows in grouped.items():
        _cause_box(run, cause, rows, tags, done)


def _cohorts(run: Run, predictions: Sequence[Prediction], tags: TagFile) -> None:
    """Draw the groups of titles in which errors gather, each with the way to its titles."""
    search = _search(run.id, tags.made_of, predictions, tags)
    with st.container(border=True):
        st.markdown(f"**{say('错误集中在哪里', 'Where errors gather')}**")
        if not search.found:
            st.markdown(search.nothing_sentence)
        for number, cohort in enumerate(search.found):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(plain(cohort.sentence), width="stretch")
                st.button(
                    say("看这些标题", "Show the titles"),
                    key=f"cohort-{number}",
                    type="tertiary",
                    icon=":material/filter_alt:",
                    on_click=_show_rows,
                    args=(cohort.tags,),
                )
        if search.found:
            st.caption(
                say(
                    f"比较了 {search.compared} 组，每组至少 {SMALLEST} 条，近似的标题只算一条；p 值已校正。",
                    f"{search.compared} groups of at least {SMALLEST} titles were compared, near copies "
                    "counted once; the p-values are corrected for that.",
                )
            )


@st.cache_resource(max_entries=16, show_spinner=False)
def _search(run_id: str, made_of: str, _predictions: Sequence[Prediction], _tags: TagFile) -> CohortSearch:
    """Cache by run and by what its tags were made of."""
    return find_cohorts(_predictions, _tags.tags)


@reporting
def _show_rows(tags: Sequence[str]) -> None:
    """Open the rows with these tags."""
    FILTERS.open(tags=list(tags))
    st.session_state[VIEW] = "rows"


def _overview(grouped: dict[Cause, list[Prediction]], errors: int) -> None:
    """Draw how many errors each cause explains."""
    table(
        [
            {
                say("原因", "cause"): say(*CAUSES[cause].name),
                say("条数", "errors"): len(rows),
                say("占错误的", "share of errors"): f"{len(rows) / errors:.0%}",
                say("办法", "action"): say(*ACTION_NAMES[CAUSES[cause].action]),
            }
            for cause, rows in grouped.items()
        ],
        hide_index=True,
        height="content",
        alt=say("错因一览", "Causes of errors"),
    )
    st.caption(
        say(
            "从上到下逐条判断，第一个说得通的原因就是它；多数答对的标题也有的特征，不算原因。",
            "Each error gets the first cause in this list that applies; what most right titles have as well "
            "explains nothing.",
        )
    )


def _cause_box(run: Run, cause: Cause, rows: Sequence[Prediction], tags: TagFile, done: set[str]) -> None:
    """Draw the errors of a cause, and the button of its action."""
    text = CAUSES[cause]
    left = [row for row in rows if title_key(row.title) not in done]
    name = say(f"{text.name[0]}（{len(rows)}）", f"{text.name[1]} ({len(rows)})")
    with st.expander(name, key=f"cause-{cause}"):
        st.markdown(say(*text.meaning))
        if len(left) < len(rows):
            count = len(rows) - len(left)
            st.caption(
                say(
                    f"其中 {count} 条已经处理过，下一次评估会说有没有用。",
                    f"{count} of them are being dealt with; the next evaluation says whether it paid.",
                )
            )
        if not left:
            return
        picked = tick_titles(run, left[:SHOWN], tags, place=f"{cause}-", ticked=text.action != "leave")
        label = say(*ACTION_NAMES[text.action])
        if text.action == "leave":
            return
        if st.button(
            f"{label}{say(f'（{len(picked)}）', f' ({len(picked)})')}",
            key=f"act-{cause}",
            type="primary",
            icon=":material/playlist_add:",
            disabled=not picked,
        ):
            _act(run, picked, cause, tags)


def _act(run: Run, picked: Sequence[Prediction], cause: Cause, tags: TagFile) -> None:
    with report_errors():
        done = act(
            session.store(),
            run,
            picked,
            cause,
            tags,
            author=session.annotator(),
            scheme=session.scheme(),
        )
        st.success(_acted_text(done), icon=":material/check_circle:")
        if done.queued:
            session.link("label", say("去标注", "Label titles"))


def _acted_text(done: Acted) -> str:
    if done.action == "merge_or_split":
        return say(
            f"已记下 {done.errors} 条。请在类别文件里定清这两类的界线；下一次评估会说有没有用。",
            f"{done.errors} noted. Settle the border in the category file; the next evaluation says whether "
            "it paid.",
        )
    if not done.queued:
        return say(
            f"已记下 {done.errors} 条，但工作区里没有可以排队的标题：请导入更多相近的标题。",
            f"{done.errors} noted, but the workspace has no title to queue for them: import more like these.",
        )
    return say(
        f"为 {done.errors} 条错误，把 {done.queued} 条标题排到了标注队列前面；下一次评估会说有没有用。",
        f"For {done.errors} errors, {done.queued} titles are at the front of the label queue; the next "
        "evaluation says whether it paid.",
    )


def _payoff(found: Payoff | None) -> None:
    """Draw which earlier actions paid, beside the errors that were left alone."""
    if found is None:
        return
    lines = []
    for action, fixed in found.by_action.items():
        difference, (low, high) = found.gain(action)
        lines.append(
            {
                say("办法", "action"): say(*ACTION_NAMES[action]),
                say("处理过的错误", "errors acted on"): fixed.errors,
                say("现在答对", "right now"): f"{fixed.right} ({fixed.share:.0%})",
                say("比没处理的多", "more than left alone"): f"{difference:+.0%} ({low:+.0%} – {high:+.0%})",
                say("有用吗", "did it pay"): _verdict(low, high),
            }
        )
    left = found.left_alone
    with st.container(border=True):
        st.markdown(f"**{say('之前的处理有没有用', 'Which earlier actions paid')}**")
        table(lines, hide_index=True, height="content", alt=say("处理的效果", "What the actions brought"))
        st.caption(
            say(
                f"没处理的 {left.errors} 条错误，现在答对 {left.right} 条；{found.relabelled} 条改了标签。",
                f"Of {left.errors} errors left alone, {left.right} are right now; {found.relabelled} titles "
                "have another label.",
            )
        )


def _verdict(low: float, high: float) -> str:
    if low > 0:
        return say("有用", "yes")
    if high < 0:
        return say("反而更差", "it hurt")
    return say("还看不出", "cannot be told yet")
