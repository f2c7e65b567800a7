"""Draw the training runs: all of them, and the chosen one live, beside others where wanted."""

from collections.abc import Sequence

import streamlit as st

from pages.sections.train.run_settings import run_settings
from pages.shared import colors, session
from pages.shared.elements import table
from pages.shared.feedback import failure_text, live_fragment, report_errors, show_failure
from pages.shared.run_controls import queue_view, run_controls
from pages.shared.run_curves import draw_curves, events_of
from pages.shared.run_names import data_name
from pages.shared.run_outcome import draw_outcome
from pages.shared.text import (
    PHASE_NAMES,
    answer_name,
    duration,
    plain,
    run_name,
    run_option,
    state_name,
    time_left,
)
from studio import runs
from studio.contract import Event, HeldOut, TrainSpec
from studio.jobs import queue
from studio.language import say
from studio.runs import Run, RunProgress
from studio.training.curve_health import concerns
from studio.workspace import BUNDLED_MODEL


def watch_runs() -> None:
    """Draw every training run, and the chosen one in detail, live while it is not over."""
    found = [run for run in runs.list_runs(session.workspace()) if run.spec.kind == "train"]
    st.subheader(say("运行", "Runs"), anchor=False)
    queue_view()
    if not found:
        st.info(
            say(
                "还没有训练过。选好上面的设置，点“开始训练”。",
                "No training run yet. Choose the settings above and start one.",
            ),
            icon=":material/model_training:",
        )
        return
    by_id = {run.id: run for run in found}
    session.follow_address("run", "choose-watched-run", by_id)
    if st.session_state.get("choose-watched-run") not in by_id:
        st.session_state["choose-watched-run"] = found[0].id
    left, right = st.columns([2, 3], vertical_alignment="bottom")
    chosen = left.selectbox(
        say("查看", "Watch"),
        list(by_id),
        format_func=lambda run_id: run_option(by_id[run_id]),
        key="choose-watched-run",
        label_visibility="collapsed",
    )
    session.keep_address("run", chosen)
    kept = st.session_state.get("compare-runs")
    if kept and not set(kept) <= set(by_id):
        st.session_state["compare-runs"] = [run_id for run_id in kept if run_id in by_id]
    others = right.multiselect(
        say("同图比较", "Compare on one chart"),
        [run_id for run_id in by_id if run_id != chosen],
        format_func=lambda run_id: run_option(by_id[run_id]),
        key="compare-runs",
        max_selections=len(colors.SERIES) - 1,
        placeholder=say("把其他运行画在同一张图上", "compare other runs on this chart"),
        label_visibility="collapsed",
        disabled=len(by_id) == 1,
    )
    if by_id[chosen].is_over:
        run_panel(by_id[chosen], others)
    else:
        live_panel(chosen, others)
    if len(found) > 1:
        title = say(f"全部 {len(found)} 次运行", f"All {len(found)} runs")
        with st.expander(title, key="all-runs"), report_errors():
            run_table(found)


@live_fragment
def live_panel(run_id: str, others: Sequence[str]) -> None:
    """Draw a run that goes on; when it is over, the page once more, without the clock."""
    run = runs.get_run(session.workspace(), run_id)
    if run.is_over:
        st.rerun()
    queue.ensure_job_process(session.workspace())
    run_panel(run, others)


def run_panel(run: Run, others: Sequence[str] = ()) -> None:
    """Draw state, progress, concerns, curves and log of one run; the same files give the same elements."""
    now, events = runs.progress(run), events_of(run)
    if run.failure:
        show_failure(*run.failure)
    if not run.is_over:
        _progress_line(run, now)
    run_controls(run)
    _numbers(run, now, events)
    _damaged(run)
    _concerns(run, events)
    _rows_and_best(run)
    draw_outcome(run)
    draw_curves(run, events, others)
    if (run.folder / "scores.json").exists():
        session.link("evaluate", say("看评估结果", "See scores"), evaluation=run.id)
    if run.is_over:
        run_settings(run)
    with st.expander(say("日志", "Log"), key=f"log-{run.id}"):
        st.code(
            runs.read_log(run, tail=200) or say("还没有内容。", "Nothing yet."), language=None, height=260
        )


def _damaged(run: Run) -> None:
    """Say which checkpoints could not be used any more, and where the training went on."""
    found = runs.damaged_checkpoints(run)
    if found is None:
        return
    names = ", ".join(found.damaged)
    where = found.resumed or say("从头开始", "the start")
    st.warning(
        failure_text(
            say(
                "检查点 {names} 已损坏：{why}。训练从 {where} 继续。",
                "The checkpoint {names} is damaged: {why}. Training went on from {where}.",
                names=names,
                why="; ".join(found.damaged.values()),
                where=where,
            ),
            say(
                "请检查磁盘；其间的步骤重新训练过。",
                "Check the disk; the steps in between were trained again.",
            ),
        ),
        icon=":material/healing:",
    )


def _concerns(run: Run, events: Sequence[Event]) -> None:
    if not isinstance(run.spec, TrainSpec):
        return
    for concern in concerns(events, run.spec):
        st.warning(failure_text(concern.problem, concern.remedy), icon=":material/trending_up:")


def _rows_and_best(run: Run) -> None:
    """Draw which rows were too long to be trained on as they are, and which checkpoint was the best."""
    if run.result is None:
        return
    parts = []
    if run.result.left_out:
        rows = _row_numbers(run.result.left_out)
        parts.append(
            say(
                f"{len(run.result.left_out)} 行太长，没有参加训练：第 {rows} 行",
                f"{len(run.result.left_out)} rows were too long and left out: {rows}",
            )
        )
    if run.result.shortened:
        rows = _row_numbers(run.result.shortened)
        parts.append(
            say(
                f"{len(run.result.shortened)} 行太长，思维链被截短：第 {rows} 行",
                f"{len(run.result.shortened)} rows were too long and their think chains were truncated: "
                f"{rows}",
            )
        )
    if run.result.best_checkpoint:
        name = run.result.best_checkpoint.rpartition("/")[2]
        parts.append(say(f"最好的检查点：{name}", f"best checkpoint: {name}"))
    if parts:
        st.caption("　·　".join(plain(part) for part in parts))


def _row_numbers(rows: Sequence[int], most: int = 20) -> str:
    """List rows counted from 1, as the data check counts them; the first twenty."""
    numbers = say("、", ", ").join(str(row + 1) for row in rows[:most])
    return numbers + ("" if len(rows) <= most else " …")


def _progress_line(run: Run, now: RunProgress) -> None:
    phase = say(*PHASE_NAMES[now.phase]) if run.state == "running" else state_name(run.state)
    parts = [phase]
    if now.total:
        parts.append(f"{now.done} / {now.total}")
    if now.eta_seconds is not None:
        parts.append(time_left(now.eta_seconds))
    st.progress(now.fraction, text="　·　".join(parts))


def _numbers(run: Run, now: RunProgress, events: Sequence[Event]) -> None:
    last = now.last
    cells = [(say("状态", "state"), state_name(run.state))]
    if last:
        cells += [
            (say("步", "step"), f"{last.step} / {last.total_steps}"),
            (say("损失", "loss"), f"{last.loss:.3f}"),
        ]
    held_out = next((event for event in reversed(events) if isinstance(event, HeldOut)), None)
    if held_out:
        cells.append((say("留出损失", "held-out loss"), f"{held_out.loss:.3f}"))
        if held_out.accuracy is not None:
            cells.append((say("留出准确率", "held-out accuracy"), f"{held_out.accuracy:.1%}"))
    if last:
        if not run.is_over:
            cells.append((say("学习率", "learning rate"), f"{last.learning_rate:.2e}"))
        if last.grad_norm is not None and not run.is_over:
            cells.append((say("梯度范数", "gradient norm"), f"{last.grad_norm:.2f}"))
        if last.samples_seen:
            cells.append((say("已训样本", "samples"), f"{last.samples_seen:,}"))
        cells += [
            (say("词元/秒", "tokens/s"), f"{last.tokens_per_second:,.0f}"),
            (say("内存", "memory"), f"{last.memory_gib:.1f} GiB"),
        ]
    if run.result:
        cells.append((say("用时", "time"), duration(run.result.seconds)))
    with st.container(horizontal=True, gap="medium"):
        for name, value in cells:
            st.markdown(f":small[:gray[{name}]]  \n**{value}**", width="content")


def run_table(found: Sequence[Run]) -> None:
    """Draw a table of the training runs, newest first."""
    table(
        [
            {
                say("名称", "name"): run_name(run),
                say("状态", "state"): state_name(run.state),
                say("数据", "data"): data_name(run),
                say("基座", "base"): _base_name(run),
                say("准确率", "accuracy"): _accuracies(run),
                say("用时", "time"): duration(run.result.seconds) if run.result else "",
                say("开始", "started"): f"{run.created_at:%m-%d %H:%M}",
            }
            for run in found
        ],
        hide_index=True,
        height="content",
        alt=say("全部运行", "All runs"),
    )


def _base_name(run: Run) -> str:
    base = run.spec.model_name_or_path
    if base is None:
        return say("接口上的模型", "at an endpoint")
    return say("内置小模型", "bundled") if base == BUNDLED_MODEL else base.name


def _accuracies(run: Run) -> str:
    """Format the accuracy of each way of answering that was measured."""
    file = runs.load_scores(run)
    measured = file.evaluations.items() if file else ()
    return " · ".join(f"{answer_name(answer)} {scores.accuracy:.1%}" for answer, scores in measured)
