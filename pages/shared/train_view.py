"""What the Train page draws: a new run, and the live view of one."""

from collections.abc import Sequence

import streamlit as st

from pages.shared import charts, preview_view, shell
from pages.shared.spec_form import spec_widgets
from studio import jobs, runs
from studio.language import say
from studio.models import BaseModel_, find_models
from studio.presets import PRESETS, checked_spec
from studio.runs import Run, RunProgress
from studio.store import Store
from studio.versions import list_versions
from studio.workspace import BUNDLED_DATASET, BUNDLED_NAME

PRESET_NAMES = {
    "sound_default": ("稳妥默认", "Sound default"),
    "quick_look": ("快速看看", "Quick look"),
    "tutorial": ("教程设置", "Tutorial's settings"),
}
PRESET_HELP = (
    "稳妥默认：适合几百到几千条数据。快速看看：一分钟内走完一遍，只看通不通。教程设置：LLaMA-Factory 网页的默认值，适合 7B 模型。",
    "Sound default: for hundreds to thousands of rows. Quick look: a minute, to see that all fits. Tutorial's settings: what LLaMA-Factory's page starts with, for 7B models.",
)
PHASE_NAMES = {
    "waiting": ("准备", "starting"),
    "loading": ("加载模型与数据", "loading"),
    "training": ("训练", "training"),
    "evaluating": ("评估", "evaluating"),
    "saving": ("保存", "saving"),
    "drafting": ("起草", "drafting"),
}


def new_run(db: Store) -> None:
    """The choices of a new run and the button that starts it."""
    workspace = shell.workspace()
    models = {model.name: model for model in find_models(workspace)}
    if not models:
        st.warning(
            say(
                "没有可用的基座模型。把模型文件夹放进工作区的 models/，或用 news-studio models download 下载。",
                "There is no base model. Put a model folder into models/ of the workspace, or use: news-studio models download",
            )
        )
        return
    datasets = {BUNDLED_NAME: BUNDLED_DATASET} | {v.ref: v.folder for v in list_versions(db, workspace)}
    with st.grid(3, min_column_width=180):
        model_name = st.selectbox(
            say("基座模型", "Base model"),
            list(models),
            format_func=lambda name: _model_label(models[name]),
            key="choose-train-model",
        )
        # The newest version of one's own before the bundled data.
        ref = st.selectbox(
            say("数据集版本", "Dataset version"),
            [*list(datasets)[1:], BUNDLED_NAME],
            format_func=_dataset_label,
            key="choose-train-dataset",
        )
        preset_name = st.selectbox(
            say("预设", "Preset"),
            list(PRESETS),
            format_func=lambda name: say(*PRESET_NAMES[name]),
            key="choose-train-preset",
            help=say(*PRESET_HELP),
        )
    preset = PRESETS[preset_name](models[model_name].path, datasets[ref])
    values = preset.model_dump() | spec_widgets(preset, preset_name)
    for problem in models[model_name].problems:
        st.warning(f"{shell.plain(problem.message)} {shell.plain(problem.remedy)}")
    if models[model_name].ok:
        preview_view.train_line(
            models[model_name], datasets[ref], values["template"], int(values["cutoff_len"] or 0)
        )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        label = st.text_input(
            say("给这次运行起个名字", "A name for this run"),
            key="train-label",
            placeholder=say("可不填", "optional"),
            width=300,
        )
        start = st.button(
            say("开始训练", "Start training"),
            key="train-start",
            type="primary",
            icon=":material/play_arrow:",
            disabled=not models[model_name].ok,
        )
    if start:
        with shell.report_errors():
            spec = checked_spec(values)
            run = runs.prepare_run(
                workspace, spec, label=label.strip(), version=None if ref == BUNDLED_NAME else ref
            )
            jobs.submit(workspace, run)
            st.session_state["choose-watched-run"] = run.id
            st.rerun()


def _model_label(model: BaseModel_) -> str:
    name = say("内置小模型", "bundled small model") if model.bundled else model.name
    return f"{name} · {model.parameters / 1e6:,.0f} M"


def _dataset_label(ref: str) -> str:
    return say("内置样例 300 + 100", "bundled samples 300 + 100") if ref == BUNDLED_NAME else ref


def watch_runs() -> None:
    """Every training run, and the chosen one in detail, live while it is not over."""
    found = [run for run in runs.list_runs(shell.workspace()) if run.spec.kind == "train"]
    st.subheader(say("运行", "Runs"), anchor=False)
    if not found:
        st.info(
            say(
                "还没有训练过。选好上面的设置，点“开始训练”。",
                "Nothing was trained yet. Choose above and press start.",
            ),
            icon=":material/model_training:",
        )
        return
    by_id = {run.id: run for run in found}
    if st.session_state.get("choose-watched-run") not in by_id:
        st.session_state["choose-watched-run"] = found[0].id
    chosen = st.selectbox(
        say("查看", "Watch"),
        list(by_id),
        format_func=lambda run_id: shell.run_option(by_id[run_id]),
        key="choose-watched-run",
        label_visibility="collapsed",
    )
    if by_id[chosen].is_over:
        run_panel(by_id[chosen])
    else:
        live_panel(chosen)
    if len(found) > 1:
        with st.expander(say(f"全部 {len(found)} 次运行", f"All {len(found)} runs"), key="all-runs"):
            with shell.report_errors():
                run_table(found)


@shell.live_fragment
def live_panel(run_id: str) -> None:
    """A run that goes on; when it is over the page is drawn once more, without the clock."""
    with shell.report_errors():
        run = runs.get_run(shell.workspace(), run_id)
        if run.is_over:
            st.rerun()
        jobs.ensure_worker(shell.workspace())
        run_panel(run)


def run_panel(run: Run) -> None:
    """State, progress, curve and words of one run."""
    now = runs.progress(run)
    if run.failure:
        problem, remedy = run.failure
        st.error(
            f"{shell.plain(problem)}\n\n**{say('怎么办', 'What to do')}** {shell.plain(remedy)}",
            icon=":material/error:",
        )
    if not run.is_over:
        _progress_line(run, now)
    _numbers(run, now)
    events = runs.read_events(run)
    if any(event.event == "step" for event in events):
        st.altair_chart(charts.loss_chart(events), alt=say("损失曲线", "Loss curve"), key=f"loss-{run.id}")
    if run.state == "done":
        shell.link("evaluate", say("看评估结果", "See the scores"))
    with st.expander(say("日志", "Log"), key=f"log-{run.id}"):
        st.code(
            runs.read_log(run, tail=200) or say("还没有内容。", "Nothing yet."), language=None, height=260
        )


def _progress_line(run: Run, now: RunProgress) -> None:
    phase = say(*PHASE_NAMES[now.phase]) if run.state == "running" else shell.state_name(run.state)
    parts = [phase]
    if now.total:
        parts.append(f"{now.done} / {now.total}")
    if now.eta_seconds is not None:
        parts.append(say("还需 ", "") + shell.duration(now.eta_seconds) + say("", " left"))
    bar, button = st.columns([5, 1], vertical_alignment="center")
    bar.progress(now.fraction, text="　·　".join(parts))
    button.button(
        say("取消", "Cancel"),
        key=f"cancel-{run.id}",
        icon=":material/stop:",
        width="stretch",
        on_click=_cancel,
        args=(run.id,),
    )


def _cancel(run_id: str) -> None:
    """Callback: ask the run to end."""
    with shell.report_errors(later=True):
        runs.cancel(shell.workspace(), run_id)
        shell.notify(say("已请求取消，下一步时停下。", "Asked to stop; it ends at its next step."))


def _numbers(run: Run, now: RunProgress) -> None:
    last = now.last
    cells = [(say("状态", "state"), shell.state_name(run.state))]
    if last:
        cells += [
            (say("步", "step"), f"{last.step} / {last.total_steps}"),
            (say("损失", "loss"), f"{last.loss:.3f}"),
            (say("词元/秒", "tokens/s"), f"{last.tokens_per_second:,.0f}"),
            (say("内存", "memory"), f"{last.memory_gib:.1f} GiB"),
        ]
    if run.result:
        cells.append((say("用时", "time"), shell.duration(run.result.seconds)))
    with st.container(horizontal=True, gap="large"):
        for name, value in cells:
            st.markdown(f":small[:gray[{name}]]  \n**{value}**", width="content")


def run_table(found: Sequence[Run]) -> None:
    """Every training run in a line, newest first."""
    shell.table(
        [
            {
                say("名称", "name"): shell.run_name(run),
                say("状态", "state"): shell.state_name(run.state),
                say("数据", "data"): run.version or _dataset_label(BUNDLED_NAME),
                say("基座", "base"): run.spec.model_name_or_path.name,
                say("准确率", "accuracy"): _accuracies(run),
                say("用时", "time"): shell.duration(run.result.seconds) if run.result else "",
                say("开始", "started"): f"{run.created_at:%m-%d %H:%M}",
            }
            for run in found
        ],
        hide_index=True,
        height="content",
        alt=say("全部运行", "All runs"),
    )


def _accuracies(run: Run) -> str:
    """Accuracy in each way of answering that was measured."""
    file = runs.load_scores(run)
    measured = file.evaluations.items() if file else ()
    return " · ".join(f"{shell.answer_name(answer)} {scores.accuracy:.1%}" for answer, scores in measured)
