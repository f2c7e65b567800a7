"""Draw what can be done to a run, the queue, and the choice of a device for a new run.

The buttons of a run depend on its state alone; every press is one call of studio.
"""

from collections.abc import Callable

import streamlit as st

from pages.shared import session
from pages.shared.feedback import live_fragment, notify, report_errors, reporting
from pages.shared.text import plain
from studio import runs
from studio.jobs import queue
from studio.jobs.devices import Device, list_devices, why_never
from studio.jobs.settings import RaySettings
from studio.language import say
from studio.runs import ANY_DEVICE, RAY, DeviceChoice, Job, Move
from studio.workspace import Workspace

KIND_NAMES = {
    "train": ("训练", "training"),
    "evaluate": ("评估", "evaluation"),
    "classify": ("分类", "classification"),
    "draft": ("起草", "drafting"),
    "download": ("下载", "download"),
    "export": ("导出", "export"),
    "range_test": ("范围测试", "range test"),
    "behaviour": ("行为测试", "behavioural tests"),
    "influence": ("训练行的影响", "influence of training rows"),
    "sample": ("采样", "sampling"),
    "forgetting": ("遗忘检查", "forgetting probe"),
    "sweep": ("参数扫描", "sweep"),
}
MOVES: tuple[tuple[Move, str, tuple[str, str]], ...] = (
    ("first", "vertical_align_top", ("排到最前", "Move to front")),
    ("up", "arrow_upward", ("前移一位", "Move up")),
    ("down", "arrow_downward", ("后移一位", "Move down")),
)
_NEXT_FREE = ""
_WITHOUT_CHECKPOINTS = ("evaluate", "classify")


def run_controls(run: Job) -> None:
    """Draw the buttons for what can be done to this run now; none for the recorded sample."""
    if run.recorded:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if run.state == "running" and runs.is_cancel_wanted(run):
            st.caption(say("正在停止，将在下一步结束……", "Stopping at the next step ..."))
        elif run.state == "running" and runs.is_pause_wanted(run):
            st.caption(say("正在暂停，将在下一步停下……", "Pausing at the next step ..."))
            _stop_button(run)
        elif not run.is_over:
            if runs.can_pause(run):
                _button(run, "pause", "pause", say("暂停", "Pause"), _pause)
            _stop_button(run)
            _discard_button(run)
        else:
            _buttons_of_ended(run)


def _buttons_of_ended(run: Job) -> None:
    reason = runs.why_not_resumable(run)
    if reason is None:
        _button(run, "resume", "resume", say("继续", "Resume"), _resume, primary=True)
    if run.state == "paused":
        _stop_button(run)
    if runs.can_retry(run):
        _button(run, "retry", "replay", say("重新开始一次", "Start again"), _retry)
    if run.state != "done" and any(run.folder.glob("checkpoints/step_*")):
        _discard_button(run)
    if reason and run.state in ("failed", "lost", "cancelled") and run.spec.kind == "train":
        st.caption(say(f"不能继续：{reason}", f"It cannot be resumed. {reason}"))


def _stop_button(run: Job) -> None:
    keeps = run.state == "running" or run.resume_point is not None
    label = say("停止并保留", "Stop and keep") if keeps else say("取消", "Cancel")
    _button(
        run,
        "cancel",
        "stop",
        label,
        _cancel,
        help_text=say(
            "做完的都保留，之后可以继续。",
            "Keeps what is done so far; the run can be resumed.",
        )
        if keeps
        else None,
    )


def _discard_button(run: Job) -> None:
    """Draw the button that asks first: discarded checkpoints cannot be restored."""
    if (run.state == "queued" and run.resume_point is None) or run.spec.kind in _WITHOUT_CHECKPOINTS:
        return  # nothing to throw away
    label = say("丢弃检查点", "Discard") if run.is_over else say("停止并丢弃", "Stop and discard")
    with st.popover(label, icon=":material/delete:", key=f"discard-{run.id}"):
        st.markdown(
            say(
                "检查点将被永久删除；曲线和日志保留。",
                "The checkpoints are deleted permanently; curves and log are kept.",
            )
        )
        st.button(
            say("删除检查点", "Delete checkpoints"),
            key=f"discard-sure-{run.id}",
            type="primary",
            on_click=_discard,
            args=(run.id,),
        )


def _button(
    run: Job,
    name: str,
    icon: str,
    label: str,
    act: Callable[[str], None],
    *,
    primary: bool = False,
    help_text: str | None = None,
) -> None:
    st.button(
        label,
        key=f"{name}-{run.id}",
        icon=f":material/{icon}:",
        type="primary" if primary else "secondary",
        help=help_text,
        on_click=act,
        args=(run.id,),
    )


def _acts(words: tuple[str, str], act: Callable[[Workspace, str], object]) -> Callable[[str], None]:
    """Make a callback that acts on a run and confirms it."""

    @reporting
    def callback(run_id: str) -> None:
        act(session.workspace(), run_id)
        notify(say(*words))

    return callback


_pause = _acts(("已请求暂停。", "Pause requested."), runs.pause)
_cancel = _acts(("已请求停止，将在下一步结束。", "Stop requested; it ends at the next step."), runs.cancel)
_discard = _acts(("检查点将被删除。", "The checkpoints are deleted."), runs.discard)
_resume = _acts(("已排队，将从停下的地方继续。", "Queued; it goes on where it stopped."), queue.resume)


@reporting
def _retry(run_id: str) -> None:
    """Retry the run as a new one, which is watched from now on."""
    again = queue.retry(session.workspace(), run_id)
    if again.spec.kind == "train":
        st.session_state["choose-watched-run"] = again.id
    notify(say("已作为新的运行排队。", "Queued as a new run."))


def queue_view() -> None:
    """Draw what runs and what waits, in order; nothing while at most one job is there."""
    with report_errors():
        going, waiting = _open_jobs(session.workspace())
    if len(going) + len(waiting) > 1 or waiting:
        _live_queue()


def _open_jobs(workspace: Workspace) -> tuple[list[Job], list[Job]]:
    """Return running jobs, and waiting ones with the next first."""
    found = runs.list_unfinished(workspace)
    going = [job for job in found if job.state == "running" and not job.record.worked_by]
    return going, runs.in_order(found)


@live_fragment
def _live_queue() -> None:
    workspace = session.workspace()
    going, waiting = _open_jobs(workspace)
    if waiting:
        queue.ensure_job_process(workspace)
    with st.container(border=True):
        count = say(
            f"队列：{len(going)} 个运行，{len(waiting)} 个等待",
            f"Queue: {len(going)} running, {len(waiting)} waiting",
        )
        st.markdown(f"**{count}**")
        for job in going:
            _row(job, say("运行中", "running"))
        for number, job in enumerate(waiting, start=1):
            _row(job, str(number), first=number == 1, last=number == len(waiting))


def _row(job: Job, position: str, *, first: bool = False, last: bool = False) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        kind = say(*KIND_NAMES[job.spec.kind])
        st.markdown(
            f"{position}　{plain(job.label or job.id)}　:small[:gray[{kind} · {_where(job)}]]",
            width="stretch",
        )
        if job.state != "queued":
            return
        with st.container(horizontal=True, width="content", gap="xsmall", key=f"icons-{job.id}"):
            for to, icon, words in MOVES:
                _icon_button(
                    say(*words), f"{to}-{job.id}", icon, _move, (job.id, to), last if to == "down" else first
                )
            _icon_button(
                say("暂停，之后再继续", "Pause for later"), f"aside-{job.id}", "pause", _pause, (job.id,)
            )
            _icon_button(say("取消", "Cancel"), f"drop-{job.id}", "close", _cancel, (job.id,))
    reason = (
        why_never(job.record.device, job.record.processes, list_devices()) if _wants_device(job) else None
    )
    if reason:
        st.warning(plain(reason))
        _new_place(job)


def _icon_button(
    name: str, key: str, icon: str, act: Callable[..., None], args: tuple[str, ...], disabled: bool = False
) -> None:
    """Draw a small button of which only the icon is seen; its name is there for screen readers."""
    st.button(
        name,
        key=key,
        icon=f":material/{icon}:",
        type="tertiary",
        help=name,
        disabled=disabled,
        on_click=act,
        args=args,
    )


def _wants_device(job: Job) -> bool:
    return job.needs_device and job.record.device != RAY


def _where(job: Job) -> str:
    """Name the device on which a job runs or will run."""
    if job.state == "running" and job.record.placed_on:
        return ", ".join(job.record.placed_on)
    if job.record.device == RAY:
        return say("Ray 集群", "Ray cluster")
    if not job.needs_device:
        return say("不占用设备", "needs no device")
    return job.record.device or say("下一个空闲设备", "next free device")


def _new_place(job: Job) -> None:
    st.button(
        say("改用下一个空闲设备", "Use the next free device"),
        key=f"anywhere-{job.id}",
        on_click=_anywhere,
        args=(job.id,),
    )


@reporting
def _anywhere(run_id: str) -> None:
    """Put the run on whatever device is free."""
    queue.put_on(session.workspace(), run_id, ANY_DEVICE)


@reporting
def _move(run_id: str, to: Move) -> None:
    """Move the run in the queue."""
    runs.move(session.workspace(), run_id, to)


def choose_place(key: str) -> DeviceChoice:
    """Draw the choice of a device for a new run; nothing where there is no choice.

    Args:
        key: prefix of the widgets' keys.
    """
    devices = list_devices()
    cluster = RaySettings().address
    gpus = sum(device.is_gpu for device in devices)
    if len(devices) == 1 and not cluster:
        return ANY_DEVICE
    names = {_NEXT_FREE: say("下一个空闲设备", "next free device")}
    names |= {device.id: _device_name(device) for device in devices}
    names |= {RAY: say(f"Ray 集群 {cluster}", f"Ray cluster {cluster}")} if cluster else {}
    device = st.selectbox(
        say("设备", "Device"),
        list(names),
        format_func=lambda name: names[name],
        key=f"{key}-device",
        help=say(
            "在 Ray 集群上运行时，运行文件夹必须在各节点共享的文件系统上。",
            "On a Ray cluster, the run folder must be on a file system that all nodes share.",
        )
        if cluster
        else None,
    )
    processes = 1
    if gpus > 1 or device == RAY:
        most = None if device == RAY else gpus
        processes = int(
            st.number_input(
                say("进程数", "Processes"),
                min_value=1,
                max_value=most,
                key=f"{key}-processes",
                help=say("每个进程占用一张 GPU（torchrun）。", "Each process takes one GPU (torchrun)."),
            )
        )
    return DeviceChoice(device=device or None, processes=processes)


def _device_name(device: Device) -> str:
    memory = f" · {device.memory_gib:.0f} GiB" if device.memory_gib else ""
    return f"{device.id} · {device.name}{memory}" if device.name != device.id.upper() else device.name
