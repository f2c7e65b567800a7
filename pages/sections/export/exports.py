"""Draw the exports that there are: progress while one goes on, then its proof, files and download."""

from pathlib import Path

import streamlit as st

from pages.sections.export.proof_view import proof_view
from pages.sections.export.texts import format_name
from pages.shared import session
from pages.shared.elements import table
from pages.shared.feedback import live_fragment, notify, report_errors, reporting, show_failure
from pages.shared.run_controls import run_controls
from pages.shared.text import PHASE_NAMES, file_size, plain, state_name
from studio import runs
from studio.contract import ExportReport, ExportSpec
from studio.jobs import queue
from studio.language import say
from studio.operations.export_sizes import find_report, list_exports
from studio.operations.export_zip import LARGEST_DOWNLOAD, folder_size, zip_bytes, zip_file
from studio.runs import Job

_STARTS = {
    "package": "pip install -r requirements.txt && python smoke_test.py && python server.py",
    "gguf": "llama-server -m {gguf} --port 8080",
    "ollama": "ollama create {name} -f Modelfile && ollama run {name}",
    "safetensors": "vllm serve {folder} --served-model-name {name}",
}


def exports_section() -> None:
    """Draw every export, and the chosen one in detail."""
    found = {job.id: job for job in list_exports(session.workspace())}
    st.subheader(say("已有的导出", "Exports"), anchor=False)
    if not found:
        st.info(
            say(
                "还没有导出过。选好上面的格式，点“开始导出并核对”。",
                "No exports yet. Choose a format above and press “Export and prove”.",
            ),
            icon=":material/inventory_2:",
        )
        return
    session.follow_address("export", "choose-export", found)
    if st.session_state.get("choose-export") not in found:
        st.session_state["choose-export"] = next(iter(found))
    labels = {job.id: _label(job) for job in found.values()}
    chosen = st.selectbox(
        say("查看", "Show"),
        list(found),
        format_func=labels.__getitem__,
        key="choose-export",
        label_visibility="collapsed",
    )
    session.keep_address("export", chosen)
    if found[chosen].is_over:
        _panel(found[chosen])
    else:
        _live_panel(chosen)


def _label(job: Job) -> str:
    assert isinstance(job.spec, ExportSpec), job.spec.kind
    what = format_name(job.spec.format)
    if job.spec.format != "adapter":
        what += f" {job.spec.quant}"
    source = job.spec.run or job.spec.model_name_or_path.name
    return f"{source} → {what} · {job.created_at:%m-%d %H:%M:%S}"


@live_fragment
def _live_panel(job_id: str) -> None:
    """Draw an export that goes on; when it is over, the page once more, without the clock."""
    job = runs.get_job(session.workspace(), job_id)
    if job.is_over:
        st.rerun()
    queue.ensure_job_process(session.workspace())
    now = runs.progress(job)
    phase = state_name(job.state) if job.state != "running" else say(*PHASE_NAMES[now.phase])
    st.progress(now.done / now.total if now.total else 0.0, text=phase)
    run_controls(job)
    _log(job)


def _panel(job: Job) -> None:
    assert isinstance(job.spec, ExportSpec), job.spec.kind
    if job.failure:
        show_failure(*job.failure)
    elif job.state != "done":
        st.caption(state_name(job.state))
    report = find_report(job)
    if report is None:
        if job.state == "done":
            st.warning(
                say(
                    f"{plain(str(job.spec.target))} 里已没有导出的文件，被移走或删除了。",
                    f"The files are no longer in {plain(str(job.spec.target))}: moved or deleted.",
                ),
                icon=":material/folder_off:",
            )
        _log(job)
        return
    proof_view(report)
    _files(job.spec, report)
    _log(job)


def _files(spec: ExportSpec, report: ExportReport) -> None:
    st.markdown(f"**{say('文件', 'Files')}** · {file_size(report.bytes)}")
    st.code(str(spec.target), language=None, wrap_lines=True)
    if (start := _STARTS.get(spec.format)) is not None:
        st.caption(say("在那边这样启动：", "How it is started there:"))
        gguf = f"{spec.name}-{spec.quant}.gguf"
        st.code(start.format(gguf=gguf, name=spec.name, folder=spec.target.name), language=None)
    _download(spec.target)
    with st.expander(say("文件清单", "List of files"), key="export-files"):
        table(
            (
                {say("文件", "File"): name, say("大小", "Size"): file_size(size)}
                for name, size in report.files.items()
            ),
            hide_index=True,
            width="stretch",
        )


def _download(folder: Path) -> None:
    """Offer the folder as a zip: to the browser where it is small, else as a file beside the folder."""
    if folder_size(folder) <= LARGEST_DOWNLOAD:
        st.download_button(
            say("下载 zip", "Download zip"),
            data=lambda: zip_bytes(folder),
            file_name=f"{folder.name}.zip",
            mime="application/zip",
            key="export-download",
            icon=":material/download:",
            on_click="ignore",
        )
        return
    limit = file_size(LARGEST_DOWNLOAD)
    st.caption(
        say(
            f"超过 {limit}，不经浏览器传。打成 zip 放在文件夹旁边，再用 scp 或共享盘取走。",
            f"Larger than {limit}, so it does not go through the browser: make a zip beside the folder and "
            "fetch it with scp or a shared disk.",
        )
    )
    st.button(
        say("打成 zip", "Make a zip"),
        key="export-zip",
        icon=":material/folder_zip:",
        on_click=_make_zip,
        args=(folder,),
    )


@reporting
def _make_zip(folder: Path) -> None:
    """Write the zip beside the folder."""
    written = zip_file(folder)
    notify(say(f"已写好 {plain(str(written))}", f"Written: {plain(str(written))}"))


def _log(job: Job) -> None:
    with st.expander(say("日志", "Log"), key=f"log-{job.id}"), report_errors():
        st.code(
            runs.read_log(job, tail=100) or say("还没有内容。", "Nothing yet."), language=None, height=260
        )
