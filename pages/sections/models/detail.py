"""Draw one base model in detail: its problems, its hashes, its download, what an admin allows."""

from pathlib import Path

import streamlit as st

from pages.shared import session
from pages.shared.feedback import failure_text, reporting
from pages.shared.text import plain
from studio.language import say
from studio.modelfiles.hub_manifest import known_hashes, read_record, verify_hashes
from studio.modelfiles.settings import is_offline, load_model_settings
from studio.models import downloads, unsafe_allowlist
from studio.models.catalog import ModelEntry

UNSAFE_CODES = ("bin_only", "remote_code")


def model_detail(model: ModelEntry, *, is_admin: bool) -> None:
    """Draw where a model is, what is wrong with it, where it is from, and what can be done with it."""
    with st.container(border=True, key="model-detail"):
        st.code(str(model.path), language=None)
        for problem in model.problems:
            show = st.error if problem.severity == "error" else st.warning
            show(failure_text(problem.message, problem.remedy))
        record = read_record(model.path)
        if record:
            origin = f"{plain(record.model_id)} @ {plain(record.revision)}"
            when = f"{record.fetched_at.astimezone():%Y-%m-%d %H:%M}"
            st.caption(say(f"{when} 下载自 {origin}。", f"Downloaded from {origin} at {when}."))
        with st.container(horizontal=True):
            _use(model)
            _verify(model)
            if record and model.source == "workspace" and not is_offline(session.workspace()):
                st.button(
                    say("重新下载损坏的文件", "Download damaged files again"),
                    key=f"model-repair-{model.path}",
                    icon=":material/build:",
                    on_click=_repair,
                    args=(model.path,),
                )
        _allowance(model, is_admin=is_admin)


def _use(model: ModelEntry) -> None:
    if model.ok and st.button(
        say("用它训练", "Train on this model"),
        key=f"model-train-{model.path}",
        icon=":material/model_training:",
    ):
        st.session_state["choose-train-model"] = model.name
        st.switch_page(session.page_path("train"))


def _verify(model: ModelEntry) -> None:
    known = known_hashes(model.path)
    pressed = st.button(
        say("校验 SHA-256", "Verify SHA-256"),
        key=f"model-verify-{model.path}",
        icon=":material/verified:",
        disabled=not known,
        help=_verify_help(len(known)),
    )
    if not pressed:
        return
    bar = st.progress(0.0)

    def show(done: int, total: int) -> None:
        bar.progress(done / total if total else 1.0)

    report = verify_hashes(model.path, show)
    bar.empty()
    for problem in report.problems:
        st.error(f"{plain(problem.message)} {plain(problem.remedy)}")
    if not report.problems:
        st.success(
            say(
                f"{len(report.same)} 个文件的哈希值与发布时一致。",
                f"The hashes of {len(report.same)} files match the published ones.",
            ),
            icon=":material/verified:",
        )


def _verify_help(files: int) -> str:
    if not files:
        return say(
            "这个模型没有附带发布时的哈希值，无法比较。",
            "This model comes without published hashes to compare with.",
        )
    return say(
        f"读完 {files} 个文件，与发布时的哈希值比较；大模型要几分钟。",
        f"Reads all of {files} files and compares their hashes with the published ones; "
        "takes minutes for a large model.",
    )


@reporting
def _repair(folder: Path) -> None:
    """Download the model again; files that are intact are kept."""
    workspace, record = session.workspace(), read_record(folder)
    assert record is not None, folder
    spec = downloads.download_spec(workspace, record.model_id, revision=record.revision)
    downloads.start(workspace, spec)


def _allowance(model: ModelEntry, *, is_admin: bool) -> None:
    """Draw whether pickle weights and custom code are allowed; an admin decides for this one model."""
    allowed = next(
        (each for each in load_model_settings(session.workspace()).allowed if each.path == model.path), None
    )
    if allowed is None and not any(problem.code in UNSAFE_CODES for problem in model.problems):
        return
    if allowed:
        who, when = plain(allowed.by), f"{allowed.at.astimezone():%Y-%m-%d %H:%M}"
        st.caption(
            say(
                f"{who} 于 {when} 允许了它的 pickle 权重和自带代码。",
                f"{who} allowed its pickle weights and custom code at {when}.",
            )
        )
        st.button(
            say("撤销许可", "Revoke"),
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
            "我知道：它能以工作室账号的权限做任何事，包括读取、修改和外传数据。",
            "I understand: it can do anything that the studio's account can, including reading, changing "
            "and sending data.",
        ),
        key=f"model-understood-{model.path}",
    )
    st.button(
        say(
            f"允许 {plain(model.name)} 使用 pickle 权重和自带代码",
            f"Allow pickle weights and custom code for {plain(model.name)}",
        ),
        key=f"model-allow-{model.path}",
        icon=":material/lock_open:",
        on_click=_decide,
        args=(model.path, True),
        disabled=not understood,
    )


@reporting
def _decide(folder: Path, allow: bool) -> None:
    """Allow or revoke; the service checks again who that is."""
    change = unsafe_allowlist.allow_unsafe if allow else unsafe_allowlist.withdraw_unsafe
    change(session.store(), session.workspace(), folder, by=session.annotator())
