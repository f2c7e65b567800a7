"""Draw the forgetting probe of a run's model: base against tuned, by kind, and the items lost and gained."""

from collections.abc import Sequence

import streamlit as st

from pages.shared import session
from pages.shared.elements import choose_one, table
from pages.shared.feedback import live_fragment, report_errors, show_failure
from pages.shared.run_controls import run_controls
from pages.shared.text import plain, state_name
from studio import runs
from studio.contract import CountCode, ForgettingFile, ProbeAnswer, ProbeCount, ProbedItem
from studio.evaluation.forgetting.probe import probe_items
from studio.evaluation.forgetting.probe_jobs import last_probe, start_probe
from studio.evaluation.forgetting.verdict import count_line, count_verdict, kind_name, verdict_sentence
from studio.jobs import queue
from studio.language import say
from studio.runs import Run

SHOWN = 40
_COLORS: dict[CountCode, str] = {"red": "red", "green": "green", "unclear": "orange", "blind": "gray"}
_ICONS = {"red": ":material/trending_down:", "green": ":material/check_circle:", "unclear": ":material/help:"}


def forgetting_section(run: Run) -> None:
    """Draw the last probe of this run's model and the button that starts another."""
    st.caption(
        say(
            "微调可能让模型忘掉别的本事。同样的 300 道中文题（常识、按要求作答、算术、该拒与不该拒），"
            "基础模型和微调后的模型各答一遍，逐题对照；批改是确定的，不靠别的模型。",
            "Fine-tuning can cost a model what it could do before. Base and tuned model answer the same 300 "
            "Chinese items (knowledge, instructions, arithmetic, refusals), compared item by item; grading "
            "is deterministic, no other model is asked.",
        )
    )
    last = last_probe(session.workspace(), run)
    job = last.job if last else None
    if job is None or job.is_over:
        _start_button(run, again=last is not None)
    elif job:
        _live(run.id)
        return
    if job and job.failure:
        show_failure(*job.failure)
    elif last and last.found:
        _result(last.found)
    elif job:
        st.info(state_name(job.state))


def _start_button(run: Run, *, again: bool) -> None:
    label = say("再查一次", "Probe again") if again else say("检查遗忘", "Start the probe")
    if st.button(label, key="forgetting-start", type="secondary" if again else "primary"):
        with report_errors():
            start_probe(session.workspace(), run)
            st.rerun()


@live_fragment
def _live(run_id: str) -> None:
    """Draw the progress; when the probe is over, the page once more."""
    workspace = session.workspace()
    last = last_probe(workspace, runs.get_run(workspace, run_id))
    if last is None or last.job is None or last.job.is_over:
        st.rerun()
    queue.ensure_job_process(workspace)
    now = runs.progress(last.job)
    count = f" · {now.done} / {now.total}" if now.total else ""
    st.progress(now.fraction, text=f"{state_name(last.job.state)}{count}")
    run_controls(last.job)


def _result(found: ForgettingFile) -> None:
    """Draw the verdict, the counts by kind, and the items whose grade changed."""
    draw = {"red": st.error, "green": st.success, "unclear": st.warning}[found.code]
    draw(plain(verdict_sentence(found)), icon=_ICONS[found.code])
    for kind, each in found.kinds.items():
        color = _COLORS[each.code]
        st.markdown(f":{color}-badge[{count_verdict(each)}] {plain(kind_name(kind))}")
    table(
        [_row(kind_name(kind), each) for kind, each in found.kinds.items()]
        + [_row(say("题库合计", "the probe in all"), found.all)],
        hide_index=True,
        height="content",
        alt=say("各类题目微调前后", "Each kind before and after fine-tuning"),
    )
    _changed(found)


def _row(name: str, each: ProbeCount) -> dict[str, object]:
    return {
        say("题目", "items"): name,
        say("题数", "n"): each.n,
        say("基础模型答对", "base right"): each.base,
        say("微调后答对", "tuned right"): each.tuned,
        say("丢了", "lost"): each.lost,
        say("新会", "gained"): each.gained,
        say("差（点，95% 区间）", "difference (points, 95 %)"): count_line(each),
        "p": f"{each.p_value:.3g}",
        say("结论", "verdict"): count_verdict(each),
    }


def _changed(found: ForgettingFile) -> None:
    """Draw the choice of what changed, and these items with both answers."""
    groups = {
        "lost": [item for item in found.items if item.base.right and not item.tuned.right],
        "gained": [item for item in found.items if item.tuned.right and not item.base.right],
        "all": list(found.items),
    }
    names = {
        "lost": say("丢了的题", "Lost"),
        "gained": say("新会的题", "Gained"),
        "all": say("所有的题", "All items"),
    }
    labels = {each: f"{name} ({len(groups[each])})" for each, name in names.items()}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = choose_one(
            say("看哪些题", "Items"),
            list(groups),
            key="choose-forgetting-items",
            format_func=labels.__getitem__,
        )
        kinds = {"": say("全部", "All")} | {each: kind_name(each) for each in found.kinds}
        kind = st.selectbox(
            say("哪一类", "Kind"),
            list(kinds),
            format_func=kinds.__getitem__,
            key="choose-forgetting-kind",
            width=220,
        )
    _items([item for item in groups[chosen] if kind in ("", item.kind)])


def _items(items: Sequence[ProbedItem]) -> None:
    if not items:
        st.caption(say("没有这样的题。", "There is no such item."))
        return
    prompts = {item.id: item for item in probe_items()}
    with st.container(height=420 if len(items) > 4 else "content", border=False, gap="small"):
        for item in items[:SHOWN]:
            known = prompts.get(item.id)
            asked = known.prompt if known else item.id
            options = " / ".join(known.choices) if known else ""
            st.markdown(
                f"**{plain(asked)}**"
                + (f"  \n:gray[{plain(options)}]" if options else "")
                + f"  \n{say('基础', 'base')} {_answer(item.base)}"
                + f"  \n{say('微调', 'tuned')} {_answer(item.tuned)}"
            )
    if len(items) > SHOWN:
        st.caption(say(f"只显示前 {SHOWN} 题。", f"The first {SHOWN} are shown."))


def _answer(answer: ProbeAnswer) -> str:
    mark = ":green[✓]" if answer.right else ":red[✗]"
    shown = answer.text if len(answer.text) <= 200 else f"{answer.text[:200]}…"
    return f"{mark} {plain(' '.join(shown.split())) or say('（空）', '(empty)')}"
