"""What can be done to a run, the queue, and where a new run shall run.

The buttons of a run depend on its state alone; every press is one call of studio.
"""

from collections.abc import Callable

import streamlit as st

from pages.shared import shell
from studio import runs
from studio.jobs import queue as jobs
from studio.jobs.devices import Device, list_devices, why_never
from studio.jobs.settings import RaySettings
from studio.language import say
from studio.runs import ANYWHERE, RAY, Job, Move, Place
from studio.workspace import Workspace

KIND_NAMES = {
    "train": ("训练", "training"),
    "evaluate": ("评估", "evaluation"),
    "draft": ("起草", "drafting"),
    "download": ("下载", "download"),
    "range_test": ("学习率试探", "range test"),
    "sweep": ("多组试验", "sweep"),
}
MOVES: tuple[tuple[Move, str, tuple[str, str]], ...] = (
    ("first", "vertical_align_top", ("排到最前", "Make it the next")),
    ("up", "arrow_upward", ("提前一位", "One place up")),
    ("down", "arrow_downward", ("推后一位", "One place down")),
)
_NEXT_FREE = ""


def run_controls(run: Job) -> None:
    """The buttons for what can be done to this run now; nothing for the recorded sample."""
    if run.recorded:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        if run.state == "running" and runs.is_cancel_wanted(run):
            st.caption(say("正在停止，下一步时结束……", "Stopping; it ends at its next step ..."))
        elif run.state == "running" and runs.is_pause_wanted(run):
            st.caption(say("正在暂停，下一步时停下……", "Pausing; it stops at its next step ..."))
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
        _button(run, "retry", "replay", say("重新开始一次", "Start it again"), _retry)
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
            "保留已存的检查点，之后可以继续。", "Keeps the checkpoints saved so far; it can be resumed."
        )
        if keeps
        else None,
    )


def _discard_button(run: Job) -> None:
    """Asks first: what is thrown away cannot be had back."""
    if run.state == "queued" and run.resume_point is None:
        return  # nothing to throw away
    label = say("丢弃检查点", "Discard") if run.is_over else say("停止并丢弃", "Stop and discard")
    with st.popover(label, icon=":material/delete:", key=f"discard-{run.id}"):
        st.markdown(
            say(
                "检查点会被删除，无法恢复；曲线和日志保留。",
                "The checkpoints are deleted for good; curve and log stay.",
            )
        )
        st.button(
            say("删除检查点", "Delete the checkpoints"),
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
    """A callback that does it and says so."""

    def callback(run_id: str) -> None:
        with shell.report_errors(later=True):
            act(shell.workspace(), run_id)
            shell.notify(say(*words))

    return callback


_pause = _acts(("已请求暂停。", "Asked to pause."), runs.pause)
_cancel = _acts(("已请求停止，下一步时结束。", "Asked to stop; it ends at its next step."), runs.cancel)
_discard = _acts(("检查点不再保留。", "The checkpoints are not kept."), runs.discard)
_resume = _acts(("已排队，将从检查点继续。", "Queued; it goes on from its checkpoint."), jobs.resume)


def _retry(run_id: str) -> None:
    """Callback: a new run like this one, which is watched from now on."""
    with shell.report_errors(later=True):
        again = jobs.retry(shell.workspace(), run_id)
        if again.spec.kind == "train":
            st.session_state["choose-watched-run"] = again.id
        shell.notify(say("已作为新的运行排队。", "Queued as a new run."))


def queue_view() -> None:
    """What runs and what waits, in order; nothing while at most one job is there."""
    with shell.report_errors():
        going, waiting = _open_jobs(shell.workspace())
    if len(going) + len(waiting) > 1 or waiting:
        _live_queue()


def _open_jobs(workspace: Workspace) -> tuple[list[Job], list[Job]]:
    """Running jobs, and waiting ones with the next first."""
    found = runs.list_unfinished(workspace)
    going = [job for job in found if job.state == "running" and not job.card.worked_by]
    return going, runs.in_order(found)


@shell.live_fragment
def _live_queue() -> None:
    workspace = shell.workspace()
    going, waiting = _open_jobs(workspace)
    if waiting:
        jobs.ensure_job_process(workspace)
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


def _row(job: Job, place: str, *, first: bool = False, last: bool = False) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        kind = say(*KIND_NAMES[job.spec.kind])
        st.markdown(
            f"{place}　{shell.plain(job.label or job.id)}　:small[:gray[{kind} · {_where(job)}]]",
            width="stretch",
        )
        if job.state != "queued":
            return
        for to, icon, words in MOVES:
            st.button(
                "",
                key=f"{to}-{job.id}",
                icon=f":material/{icon}:",
                help=say(*words),
                disabled=last if to == "down" else first,
                on_click=_move,
                args=(job.id, to),
            )
        st.button(
            "",
            key=f"aside-{job.id}",
            icon=":material/pause:",
            help=say("放到一边，之后再继续", "Put it aside for later"),
            on_click=_pause,
            args=(job.id,),
        )
        st.button(
            "",
            key=f"drop-{job.id}",
            icon=":material/close:",
            help=say("取消", "Cancel"),
            on_click=_cancel,
            args=(job.id,),
        )
    reason = why_never(job.card.device, job.card.processes, list_devices()) if _wants_device(job) else None
    if reason:
        st.warning(shell.plain(reason))
        _new_place(job)


def _wants_device(job: Job) -> bool:
    return job.needs_device and job.card.device != RAY


def _where(job: Job) -> str:
    """On what it runs or will run."""
    if job.state == "running" and job.card.placed_on:
        return ", ".join(job.card.placed_on)
    if job.card.device == RAY:
        return say("Ray 集群", "Ray cluster")
    if not job.needs_device:
        return say("不占设备", "needs no device")
    return job.card.device or say("下一个空闲设备", "next free device")


def _new_place(job: Job) -> None:
    st.button(
        say("改用下一个空闲设备", "Take the next free device"),
        key=f"anywhere-{job.id}",
        on_click=_anywhere,
        args=(job.id,),
    )


def _anywhere(run_id: str) -> None:
    """Callback: whatever device is free."""
    with shell.report_errors(later=True):
        jobs.put_on(shell.workspace(), run_id, ANYWHERE)


def _move(run_id: str, to: Move) -> None:
    """Callback: another place in the queue."""
    with shell.report_errors(later=True):
        runs.move(shell.workspace(), run_id, to)


def place_choice(key: str) -> Place:
    """Where a new run shall run; draws nothing where there is no choice.

    Args:
        key: prefix of the widgets' keys.
    """
    devices = list_devices()
    cluster = RaySettings().address
    gpus = sum(device.is_gpu for device in devices)
    if len(devices) == 1 and not cluster:
        return ANYWHERE
    names = {_NEXT_FREE: say("下一个空闲设备", "next free device")}
    names |= {device.id: _device_name(device) for device in devices}
    names |= {RAY: say(f"Ray 集群 {cluster}", f"Ray cluster {cluster}")} if cluster else {}
    device = st.selectbox(
        say("设备", "Device"),
        list(names),
        format_func=lambda name: names[name],
        key=f"{key}-device",
        help=say(
            "Ray 集群上运行时，运行文件夹必须在各节点共享的文件系统上。",
            "On a Ray cluster the run folder must be on a file system that its nodes share.",
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
                help=say("每个进程占一张 GPU（torchrun）。", "Each takes a GPU (torchrun)."),
            )
        )
    return Place(device=device or None, processes=processes)


def _device_name(device: Device) -> str:
    memory = f" · {device.memory_gib:.0f} GiB" if device.memory_gib else ""
    return f"{device.id} · {device.name}{memory}" if device.name != device.id.upper() else device.name
