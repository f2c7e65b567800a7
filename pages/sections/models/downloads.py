"""What the Models page draws about downloads: a new one, and those that are not through."""

import streamlit as st

from pages.shared import shell
from pages.shared.text import PHASE_NAMES
from studio import runs
from studio.jobs import queue as jobs
from studio.language import say
from studio.modelfiles.settings import hub_endpoint, is_offline
from studio.models import downloads
from studio.runs import Job


def new_download() -> None:
    """The name of a model and the button that fetches it."""
    workspace = shell.workspace()
    if is_offline(workspace):
        st.info(
            say(
                f"离线：不下载。把模型文件夹拷到 {workspace.models} 里，它就会出现在下面。",
                f"Offline: nothing is downloaded. Copy a model folder into {workspace.models} and it appears below.",
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
                "Write owner/model or paste the address of its page. Only safetensors weights; every file is verified by SHA-256.",
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
    st.caption(
        say(
            f"来源：{shell.plain(hub_endpoint(workspace) or 'ModelScope')}，可在页面下方改。下载是后台任务，可暂停、继续，关掉浏览器也不会停。",
            f"From {shell.plain(hub_endpoint(workspace) or 'ModelScope')}, to be changed at the bottom. A download goes on when the browser closes, and can be paused and resumed.",
        )
    )


def _start(text: str) -> None:
    """Callback: queue the download and empty the box."""
    with shell.report_errors(later=True):
        workspace = shell.workspace()
        job = downloads.start(workspace, downloads.download_spec(workspace, text))
        st.session_state["download-id"] = ""
        shell.notify(say(f"开始下载 {job.label}。", f"Downloading {job.label}."))


def open_downloads() -> None:
    """Downloads that run, wait, are paused or have failed; live while one goes on."""
    found = downloads.open_downloads(shell.workspace())
    for job in found:
        if job.is_over:
            _panel(job)
        else:
            _live_panel(job.id)


@shell.live_fragment
def _live_panel(job_id: str) -> None:
    """A download that goes on; when it is over the page is drawn once more, and the model is there."""
    job = runs.get_job(shell.workspace(), job_id)
    if job.is_over:
        st.rerun()
    jobs.ensure_job_process(shell.workspace())
    _panel(job)


def _panel(job: Job) -> None:
    now = downloads.progress(job)
    with st.container(border=True, key=f"download-{job.id}"):
        if job.failure:
            problem, remedy = job.failure
            st.error(
                f"{shell.plain(problem)}\n\n**{say('怎么办', 'What to do')}** {shell.plain(remedy)}",
                icon=":material/error:",
            )
        state = shell.state_name(job.state) if job.state != "running" else say(*PHASE_NAMES[now.phase])
        is_moving = job.state == "running" and now.phase == "downloading"
        eta = now.eta_seconds if is_moving else None
        left = "" if eta is None else f" · {say('还需', 'left')} {shell.duration(eta)}"
        st.progress(
            now.fraction,
            text=f"**{shell.plain(job.label)}** · {state} · {amount(now.done)} / {amount(now.total)}"
            f" · {now.files_done} / {now.files} {say('个文件', 'files')}{left}",
        )
        with st.container(horizontal=True):
            _buttons(job)


def _buttons(job: Job) -> None:
    workspace = shell.workspace()
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
            on_click=downloads.pause,
            args=(workspace, job.id),
            disabled=stopping,
        )
    st.button(
        say("放弃并删除已下载的部分", "Give up and delete what was fetched"),
        key=f"download-discard-{job.id}",
        icon=":material/delete:",
        on_click=downloads.discard,
        args=(workspace, job.id),
        disabled=stopping and not job.is_over,
    )


def _resume(job: Job) -> None:
    """Callback: go on with what is missing."""
    with shell.report_errors(later=True):
        downloads.resume(shell.workspace(), job)


def amount(count: int) -> str:
    """Bytes as a person says them."""
    return f"{count / 2**30:,.2f} GiB" if count >= 2**30 else f"{count / 2**20:,.1f} MiB"
