"""What the Models page draws about models: the shelf, one in detail, where they are looked for."""

from pathlib import Path

import streamlit as st

from pages.sections.models.downloads import amount
from pages.shared import shell
from studio.language import say
from studio.modelfiles.hub_manifest import known_hashes, read_record, verify_hashes
from studio.modelfiles.settings import (
    add_folder,
    is_offline,
    load_model_settings,
    remove_folder,
    set_hub,
)
from studio.models import downloads
from studio.models import unsafe_allowlist as unsafe_models
from studio.models.catalog import ModelEntry, scan_models
from studio.models.locations import LocationSource, huggingface_root, modelscope_roots

SOURCE_NAMES: dict[LocationSource, tuple[str, str]] = {
    "bundled": ("随附", "bundled"),
    "workspace": ("工作区", "workspace"),
    "modelscope": ("ModelScope 缓存", "ModelScope cache"),
    "huggingface": ("Hugging Face 缓存", "Hugging Face cache"),
    "folder": ("自己的文件夹", "own folder"),
}
UNSAFE_CODES = ("bin_only", "remote_code")


def shelf(*, is_admin: bool) -> None:
    """Every model in a table, and the chosen one in detail."""
    found = scan_models(shell.workspace())
    st.subheader(say("这台机器上的模型", "Models on this machine"), anchor=False)
    if all(model.bundled for model in found):
        st.info(
            say(
                "除了随附的小模型还没有别的。在上面下载一个，把模型文件夹拷进工作区的 models/，或在下面添加已有模型的文件夹。",
                "Nothing but the bundled small model yet. Download one above, copy a model folder into models/ of the workspace, or add a folder below.",
            ),
            icon=":material/deployed_code:",
        )
    if not found:
        return
    shell.table([_row(model) for model in found], hide_index=True, key="models-table")
    by_name = {model.name: model for model in found}
    chosen = st.selectbox(
        say("详情", "Details of"),
        list(by_name),
        format_func=lambda name: _label(by_name[name]),
        key="choose-model-detail",
    )
    _detail(by_name[chosen], is_admin=is_admin)


def _row(model: ModelEntry) -> dict[str, object]:
    return {
        say("状态", "State"): _state(model),
        say("名称", "Name"): model.name,
        say("所在", "Where"): say(*SOURCE_NAMES[model.source]),
        say("架构", "Architecture"): model.architecture,
        say("参数量", "Parameters"): _count(model.parameters),
        say("大小", "Size"): amount(model.size_bytes) if model.size_bytes else "",
        say("模板", "Template"): model.template if model.architecture else "",
        say("问题", "Problem"): model.problems[0].message if model.problems else "",
    }


def _state(model: ModelEntry) -> str:
    if not model.ok:
        return say("✗ 不可用", "✗ unusable")
    return say("! 有提醒", "! with a remark") if model.problems else say("✓ 完整", "✓ complete")


def _count(parameters: int) -> str:
    if not parameters:
        return ""
    return f"{parameters / 1e9:,.2f} B" if parameters >= 1e9 else f"{parameters / 1e6:,.1f} M"


def _label(model: ModelEntry) -> str:
    return f"{model.name} · {say(*SOURCE_NAMES[model.source])}"


def _detail(model: ModelEntry, *, is_admin: bool) -> None:
    with st.container(border=True, key="model-detail"):
        st.code(str(model.path), language=None)
        for problem in model.problems:
            show = st.error if problem.severity == "error" else st.warning
            show(
                f"{shell.plain(problem.message)}\n\n"
                f"**{say('怎么办', 'What to do')}** {shell.plain(problem.remedy)}"
            )
        record = read_record(model.path)
        if record:
            st.caption(
                say(
                    f"来自 {shell.plain(record.model_id)}（{shell.plain(record.revision)}），{record.fetched_at.astimezone():%Y-%m-%d %H:%M}。",
                    f"From {shell.plain(record.model_id)} ({shell.plain(record.revision)}), {record.fetched_at.astimezone():%Y-%m-%d %H:%M}.",
                )
            )
        with st.container(horizontal=True):
            _use(model)
            _verify(model)
            if record and model.source == "workspace" and not is_offline(shell.workspace()):
                st.button(
                    say("重新下载坏掉的文件", "Fetch what is bad again"),
                    key=f"model-repair-{model.path}",
                    icon=":material/build:",
                    on_click=_repair,
                    args=(model.path,),
                )
        _allowance(model, is_admin=is_admin)


def _use(model: ModelEntry) -> None:
    if model.ok and st.button(
        say("用它训练", "Train with it"),
        key=f"model-train-{model.path}",
        icon=":material/model_training:",
    ):
        st.session_state["choose-train-model"] = model.name
        st.switch_page(shell.page_path("train"))


def _verify(model: ModelEntry) -> None:
    known = known_hashes(model.path)
    pressed = st.button(
        say("校验 SHA-256", "Verify SHA-256"),
        key=f"model-verify-{model.path}",
        icon=":material/verified:",
        disabled=not known,
        help=say(
            f"逐个读完 {len(known)} 个文件，与发布的值比较；大模型要几分钟。",
            f"Reads {len(known)} files through and compares them with what was published; minutes for a large model.",
        )
        if known
        else say(
            "这个模型旁边没有发布的哈希值可比。",
            "Nothing beside this model tells which hashes were published.",
        ),
    )
    if not pressed:
        return
    bar = st.progress(0.0)

    def show(done: int, total: int) -> None:
        bar.progress(done / total if total else 1.0)

    report = verify_hashes(model.path, show)
    bar.empty()
    for problem in report.problems:
        st.error(f"{shell.plain(problem.message)} {shell.plain(problem.remedy)}")
    if not report.problems:
        st.success(
            say(
                f"{len(report.same)} 个文件与发布的一致。",
                f"{len(report.same)} files are as they were published.",
            ),
            icon=":material/verified:",
        )


def _repair(folder: Path) -> None:
    """Callback: download again; sound files are taken over."""
    with shell.report_errors(later=True):
        workspace, record = shell.workspace(), read_record(folder)
        assert record is not None, folder
        spec = downloads.download_spec(workspace, record.model_id, revision=record.revision)
        downloads.start(workspace, spec)


def _allowance(model: ModelEntry, *, is_admin: bool) -> None:
    """Whether pickle weights and own code are allowed here; an admin decides for this one model."""
    allowed = next(
        (each for each in load_model_settings(shell.workspace()).allowed if each.path == model.path), None
    )
    if allowed is None and not any(problem.code in UNSAFE_CODES for problem in model.problems):
        return
    if allowed:
        st.caption(
            say(
                f"{shell.plain(allowed.by)} 于 {allowed.at.astimezone():%Y-%m-%d %H:%M} 允许了它的 pickle 权重和自带程序。",
                f"{shell.plain(allowed.by)} allowed its pickle weights and its own code at {allowed.at.astimezone():%Y-%m-%d %H:%M}.",
            )
        )
        st.button(
            say("撤回", "Withdraw"),
            key=f"model-withdraw-{model.path}",
            icon=":material/lock:",
            on_click=_decide,
            args=(model.path, False),
            disabled=not is_admin,
        )
        return
    if not is_admin:
        st.caption(say("只有管理员可以单独允许它。", "Only an admin can allow it."))
        return
    understood = st.checkbox(
        say(
            "我知道：它可以用工作室的账号做任何事，包括读写和外传数据。",
            "I know: it can do anything that the studio's account can, reading, changing and sending data included.",
        ),
        key=f"model-understood-{model.path}",
    )
    st.button(
        say(
            f"允许 {model.name} 使用 pickle 权重和自带程序",
            f"Allow pickle weights and own code for {model.name}",
        ),
        key=f"model-allow-{model.path}",
        icon=":material/lock_open:",
        on_click=_decide,
        args=(model.path, True),
        disabled=not understood,
    )


def _decide(folder: Path, allow: bool) -> None:
    """Callback: the service asks again who that is."""
    with shell.report_errors(later=True):
        change = unsafe_models.allow_unsafe if allow else unsafe_models.withdraw_unsafe
        change(shell.store(), shell.workspace(), folder, by=shell.annotator())


def settings() -> None:
    """Own folders, the mirror, offline."""
    now = load_model_settings(shell.workspace())
    with st.expander(say("文件夹与下载来源", "Folders and source"), key="model-settings"):
        looked = [str(root) for root in (*modelscope_roots(), huggingface_root()) if root.is_dir()]
        st.caption(
            say(
                f"除工作区外还查看：{'、'.join(map(shell.plain, looked)) or '（没有找到缓存）'}",
                f"Beside the workspace: {', '.join(map(shell.plain, looked)) or '(no caches found)'}",
            )
        )
        for folder in now.folders:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.code(str(folder), language=None)
                st.button(
                    say("不再查看", "Look there no longer"),
                    key=f"model-folder-remove-{folder}",
                    icon=":material/close:",
                    on_click=remove_folder,
                    args=(shell.workspace(), folder),
                )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input(
                say("再查看一个文件夹", "One more folder to look into"),
                key="model-folder",
                placeholder=say(
                    "/data/models（运行工作室的机器上的路径）", "/data/models, on the studio's machine"
                ),
                width=420,
            )
            st.button(say("添加", "Add"), key="model-folder-add", icon=":material/add:", on_click=_add_folder)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input(
                say("ModelScope 镜像", "Mirror of ModelScope"),
                value=now.endpoint or "",
                key="model-endpoint",
                placeholder=say("留空：ModelScope 本身", "empty: ModelScope itself"),
                width=420,
            )
            st.toggle(
                say("离线", "Offline"),
                value=now.offline,
                key="model-offline",
                help=say(
                    "这台机器没有网络：下载立刻说明，而不是等到超时。",
                    "This machine has no network: a download says so at once instead of waiting.",
                ),
            )
            st.button(say("保存", "Save"), key="model-hub-save", on_click=_save_hub)


def _add_folder() -> None:
    with shell.report_errors(later=True):
        add_folder(shell.workspace(), str(st.session_state["model-folder"] or ""))
        st.session_state["model-folder"] = ""


def _save_hub() -> None:
    with shell.report_errors(later=True):
        set_hub(
            shell.workspace(),
            endpoint=st.session_state["model-endpoint"],
            offline=bool(st.session_state["model-offline"]),
        )
        shell.notify(say("已保存。", "Saved."))
