"""Draw the learning-rate range test and the hyperparameter sweep, and take their values over."""

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from pages.sections.train import rate_charts
from pages.sections.train.field_texts import field_label
from pages.sections.train.spec_form import take_over
from pages.shared import session
from pages.shared.elements import table
from pages.shared.feedback import live_fragment, report_errors, reporting
from pages.shared.run_controls import run_controls
from pages.shared.text import duration, plain, state_name, time_left
from studio import runs
from studio.contract import TrainSpec
from studio.jobs import queue
from studio.language import say
from studio.runs import Job
from studio.training import learning_rate, sweeps
from studio.training.learning_rate import Tried
from studio.training.sweeps import SweepView

SWEPT = (
    "learning_rate",
    "num_train_epochs",
    "lora_rank",
    "lora_alpha",
    "lora_dropout",
    "loraplus_lr_ratio",
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "lr_scheduler_type",
    "warmup_ratio",
    "weight_decay",
    "neftune_noise_alpha",
    "label_weight",
    "direct_share",
    "freeze_trainable_layers",
    "optim",
    "seed",
)
"""Fields that the page offers for a sweep."""


def rates_box(spec: TrainSpec, form: str, version: str | None) -> None:
    """Draw the range test and the sweep of the training that is in the form.

    Args:
        spec: the training as it is in the form.
        form: the form's name, so that a value can be taken over into it.
        version: dataset version that the rows come from.
    """
    with st.expander(
        say("学习率怎么选？", "Find a learning rate"), key="which-rate", icon=":material/query_stats:"
    ):
        st.caption(
            say(
                "先用范围测试找上限（一次很短的训练，学习率一路升高），再扫描几个值，用留出样本比较。",
                "First find the upper bound with a range test, a short training with a rising rate; "
                "then sweep some values and compare them on the held-out rows.",
            )
        )
        first, second = st.tabs([say("范围测试", "Range test"), say("参数扫描", "Sweep")])
        with first:
            _range_form(spec, version)
            _range_result(spec, form)
        with second:
            _sweep_form(spec, version)
            _sweep_results(form)


def _range_form(spec: TrainSpec, version: str | None) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        lowest = st.number_input(
            say("从", "From"), value=1e-6, format="%.1e", min_value=0.0, key="range-lowest", width=150
        )
        highest = st.number_input(
            say("到", "To"), value=0.1, format="%.1e", min_value=0.0, key="range-highest", width=150
        )
        steps = st.number_input(
            say("步数", "Steps"), value=80, min_value=10, max_value=10000, key="range-steps", width=130
        )
        wanted = st.button(
            say("开始范围测试", "Start range test"), key="range-start", icon=":material/play_arrow:"
        )
    if wanted:
        with report_errors():
            sweeps.start_range_test(
                session.workspace(),
                spec,
                lowest=lowest,
                highest=highest,
                steps=int(steps),
                version=version,
            )


def _range_result(spec: TrainSpec, form: str) -> None:
    """Draw the newest range test of this model."""
    found = [
        job
        for job in sweeps.list_range_tests(session.workspace())
        if _train_of(job).model_name_or_path == spec.model_name_or_path
    ]
    if not found:
        return
    _show(found[0], form, _range_panel)


def _show(job: Job, form: str, panel: Callable[[Job, str], None]) -> None:
    """Draw the panel of a job, live until the job is over."""
    if job.is_over:
        panel(job, form)
    else:
        _live(job.id, form, panel)


@live_fragment
def _live(job_id: str, form: str, panel: Callable[[Job, str], None]) -> None:
    job = runs.get_job(session.workspace(), job_id)
    if job.is_over:
        st.rerun()
    queue.ensure_job_process(session.workspace())
    panel(job, form)


def _range_panel(job: Job, form: str) -> None:
    points = sweeps.range_points(job)
    train = _train_of(job)
    st.caption(
        f"{job.created_at:%m-%d %H:%M} · {state_name(job.state)} · "
        + say(
            f"批大小 {train.per_device_train_batch_size} × {train.gradient_accumulation_steps}",
            f"batch {train.per_device_train_batch_size} × {train.gradient_accumulation_steps}",
        )
    )
    _failure(job)
    advice = learning_rate.range_advice(points) if job.is_over else None
    if points:
        chart = rate_charts.range_chart(points, advice)
        st.altair_chart(chart, key=f"range-{job.id}", alt=say("损失随学习率", "Loss over learning rate"))
    if advice is None:
        run_controls(job)
        return
    st.markdown(plain(advice.sentence))
    with st.container(horizontal=True):
        _take_button(form, "learning_rate", advice.start, key=f"range-take-{job.id}")
        st.button(
            say("扫描这个范围", "Sweep this range"),
            key=f"range-sweep-{job.id}",
            on_click=_fill_values,
            args=(learning_rate.spaced(advice.low, advice.high, 5),),
        )


@reporting
def _fill_values(values: Sequence[float]) -> None:
    """Put these learning rates into the form of the sweep."""
    st.session_state["sweep-field"] = "learning_rate"
    st.session_state["sweep-values-learning_rate"] = _text(values)


def _text(values: Sequence[Any]) -> str:
    return ", ".join(learning_rate.show(value) for value in values)


def _sweep_form(spec: TrainSpec, version: str | None) -> None:
    fields = [name for name in SWEPT if spec.finetuning_type == "lora" or "lora" not in name]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        field = st.selectbox(
            say("扫描哪一项", "Setting"), fields, format_func=field_label, key="sweep-field", width=220
        )
        key = f"sweep-values-{field}"
        st.session_state.setdefault(key, _text(_first_values(spec, field)))
        text = st.text_input(
            say("取值（用逗号隔开）", "Values, separated by commas"),
            key=key,
            width=360,
            help=say(
                "每个值训练一次，其余设置与上面相同；由一个进程依次完成，基座模型只加载一次。",
                "One training per value, other settings as above; one process runs them in turn "
                "and loads the base model once.",
            ),
        )
        wanted = st.button(say("开始", "Start"), key="sweep-start", icon=":material/play_arrow:")
    if wanted:
        with report_errors():
            values = [part.strip() for part in text.replace("，", ",").split(",") if part.strip()]
            job = sweeps.start_sweep(session.workspace(), spec, field, values, version=version)
            st.session_state["choose-sweep"] = job.id


def _first_values(spec: TrainSpec, field: str) -> Sequence[Any]:
    """Suggest values around the one in the form."""
    value = getattr(spec, field)
    if field == "learning_rate":
        return learning_rate.spaced(value / 4, value * 4, 5)
    if field == "lr_scheduler_type":
        return ("cosine", "linear", "constant_with_warmup")
    if field == "seed":
        return (value, value + 1, value + 2)
    if isinstance(value, int) and value > 1:
        return (value // 2, value, value * 2)
    return (value,)


def _sweep_results(form: str) -> None:
    found = {job.id: job for job in sweeps.list_sweeps(session.workspace())}
    if not found:
        return
    if st.session_state.get("choose-sweep") not in found:
        st.session_state["choose-sweep"] = next(iter(found))
    chosen = st.selectbox(
        say("结果", "Results"),
        list(found),
        format_func=lambda job_id: f"{found[job_id].label} · {found[job_id].created_at:%m-%d %H:%M}",
        key="choose-sweep",
    )
    _show(found[chosen], form, _sweep_panel)


def _sweep_panel(job: Job, form: str) -> None:
    view = sweeps.view_sweep(session.workspace(), job)
    _failure(job)
    if not job.is_over:
        now = runs.progress(job)
        left = f" · {time_left(now.eta_seconds)}" if now.eta_seconds else ""
        st.progress(now.fraction, text=f"{now.done} / {now.total}{left}")
    run_controls(job)
    if view.tried:
        chart = rate_charts.sweep_chart(view.tried, view.recommendation, view.field)
        st.altair_chart(chart, key=f"sweep-{job.id}", alt=say("扫描结果", "Results of the sweep"))
    if view.recommendation:
        st.markdown(plain(view.recommendation.sentence))
        _take_button(form, view.field, view.recommendation.tried.value, key=f"sweep-take-{job.id}")
    _members(view)


def _members(view: SweepView) -> None:
    measured = {each.run: each for each in view.tried}
    table(
        [
            {
                say("运行", "run"): run.label,
                say("状态", "state"): state_name(run.state),
                say("留出损失", "held-out loss"): _number(measured.get(run.id), "loss", ".3f"),
                say("准确率", "accuracy"): _number(measured.get(run.id), "accuracy", ".1%"),
                say("用时", "time"): duration(run.result.seconds) if run.result else "",
            }
            for run in view.members
        ],
        hide_index=True,
        height="content",
        alt=say("这次扫描的全部运行", "The runs of this sweep"),
    )


def _number(measured: Tried | None, name: str, format: str) -> str:
    value = getattr(measured, name, None)
    return "" if value is None else f"{value:{format}}"


def _take_button(form: str, field: str, value: Any, *, key: str) -> None:
    st.button(
        say(f"采用 {field} = {learning_rate.show(value)}", f"Use {field} = {learning_rate.show(value)}"),
        key=key,
        type="primary",
        icon=":material/check:",
        on_click=take_over,
        args=(form, field, value),
    )


def _failure(job: Job) -> None:
    if job.failure:
        problem, remedy = job.failure
        st.error(f"{plain(problem)} {plain(remedy)}", icon=":material/error:")


def _train_of(job: Job) -> TrainSpec:
    train: TrainSpec = job.spec.train  # type: ignore[union-attr]  # only range tests are listed
    return train
