"""Draw model downloads: a new one, and those that are not finished."""

import streamlit as st

from pages.shared import session
from pages.shared.feedback import live_fragment, notify, reporting, show_failure
from pages.shared.text import PHASE_NAMES, file_size, plain, state_name, time_left
from studio import runs
from studio.jobs import queue
from studio.language import say
from studio.modelfiles.settings import hub_endpoint, is_offline
from studio.models import downloads
from studio.runs import Job


def new_download() -> None:
    """Draw the box for a model's name and the button that downloads it."""
    workspace = session.workspace()
    if is_offline(workspace):
        folder = plain(str(workspace.models))
        st.info(
            say(
                f"离线：不能下载。把模型文件夹拷到 {folder} 里，它就会出现在下面。",
                f"Offline: downloads are off. Copy a model folder into {folder} and it appears below.",
            ),
            icon=":material/cloud_off:",
        )
        return
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(
            say("从 ModelScope 下载", "Download from ModelScope"),
            key="download-id",
            placeholder="Qwen/Qwen2.5-0.5B-Instruct",
            help=say(
                "写 所有者/模型，或粘贴模型主页的网址。只下载 safetensors 权重，每个文件都用 SHA-256 校验。",
                "Type owner/model or paste the address of its page. Only safetensors weights are downloaded, "
                "and every file is verified by SHA-256.",
            ),
            width=420,
        )
        st.button(
            say("下载", "Download"),
            key="download-start",
            type="primary",
            icon=":material/download:",
            on_click=_start,
            args=(name,),
        )
    hub = plain(hub_endpoint(workspace) or "ModelScope")
    st.caption(
        say(
            f"来源：{hub}，可在页面下方更改。下载是后台任务，可暂停、继续，关掉浏览器也不会停。",
            f"Source: {hub}; change it at the bottom of the page. A download goes on when the "
            "browser closes, "
            "and can be paused and resumed.",
        )
    )


@reporting
def _start(text: str) -> None:
    """Queue the download and empty the box."""
    workspace = session.workspace()
    job = downloads.start(workspace, downloads.download_spec(workspace, text))
    st.session_state["download-id"] = ""
    label = plain(job.label)
    notify(say(f"开始下载 {label}。", f"Downloading {label}."))


def open_downloads() -> None:
    """Draw downloads that run, wait, are paused or have failed; live while one goes on."""
    found = downloads.open_downloads(session.workspace())
    for job in found:
        if job.is_over:
            _panel(job)
        else:
            _live_panel(job.id)


@live_fragment
def _live_panel(job_id: str) -> None:
    """Draw a download that goes on; when it is over, the page once more, and the model is there."""
    job = runs.get_job(session.workspace(), job_id)
    if job.is_over:
        st.rerun()
    queue.ensure_job_process(session.workspace())
    _panel(job)


def _panel(job: Job) -> None:
    now = downloads.progress(job)
    with st.container(border=True, key=f"download-{job.id}"):
        if job.failure:
            show_failure(*job.failure)
        state = state_name(job.state) if job.state != "running" else say(*PHASE_NAMES[now.phase])
        is_moving = job.state == "running" and now.phase == "downloading"
        eta = now.eta_seconds if is_moving else None
        left = "" if eta is None else f" · {time_left(eta)}"
        st.progress(
            now.fraction,
            text=f"**{plain(job.label)}** · {state} · {file_size(now.done)} / {file_size(now.total)}"
            f" · {now.files_done} / {now.files} {say('个文件', 'files')}{left}",
        )
        with st.container(horizontal=True):
            _buttons(job)


def _buttons(job: Job) -> None:
    stopping = runs.is_cancel_wanted(job) or (job.folder / "pause").exists()
    if job.is_over:
        st.button(
            say("继续", "Resume"),
            key=f"download-resume-{job.id}",
            icon=":material/resume:",
            on_click=_resume,
            args=(job,),
        )
    else:
        st.button(
            say("暂停", "Pause"),
            key=f"download-pause-{job.id}",
            icon=":material/pause:",
            on_click=_pause,
            args=(job.id,),
            disabled=stopping,
        )
    st.button(
        say("取消并删除已下载的部分", "Cancel and delete the partial download"),
        key=f"download-discard-{job.id}",
        icon=":material/delete:",
        on_click=_discard,
        args=(job.id,),
        disabled=stopping and not job.is_over,
    )


@reporting
def _resume(job: Job) -> None:
    """Resume the download: fetch what is missing."""
    downloads.resume(session.workspace(), job)


@reporting
def _pause(job_id: str) -> None:
    """Pause the download; what was fetched stays."""
    downloads.pause(session.workspace(), job_id)


@reporting
def _discard(job_id: str) -> None:
    """Cancel the download and delete what was fetched."""
    downloads.discard(session.workspace(), job_id)
