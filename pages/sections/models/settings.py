"""Draw the settings of models: folders of one's own, the mirror of ModelScope, offline."""

from pathlib import Path

import streamlit as st

from pages.shared import session
from pages.shared.feedback import notify, reporting
from pages.shared.text import plain
from studio.language import say
from studio.modelfiles.settings import add_folder, load_model_settings, remove_folder, set_hub
from studio.models.locations import huggingface_root, modelscope_roots


def model_settings() -> None:
    """Draw where models are searched and where they are downloaded from."""
    now = load_model_settings(session.workspace())
    with st.expander(say("文件夹与下载来源", "Folders and source"), key="model-settings"):
        caches = [str(root) for root in (*modelscope_roots(), huggingface_root()) if root.is_dir()]
        st.caption(
            say(
                f"除工作区外还扫描：{'、'.join(map(plain, caches)) or '（没有找到缓存）'}",
                f"Also searched: {', '.join(map(plain, caches)) or '(no caches found)'}",
            )
        )
        for folder in now.folders:
            with st.container(horizontal=True, vertical_alignment="center"):
                st.code(str(folder), language=None)
                st.button(
                    say("移除文件夹", "Remove folder"),
                    key=f"model-folder-remove-{folder}",
                    icon=":material/close:",
                    on_click=_remove_folder,
                    args=(folder,),
                )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input(
                say("添加要扫描的文件夹", "Add a folder to search"),
                key="model-folder",
                placeholder=say(
                    "/data/models（工作室所在机器上的路径）", "/data/models, on the studio's machine"
                ),
                width=420,
            )
            st.button(say("添加", "Add"), key="model-folder-add", icon=":material/add:", on_click=_add_folder)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.text_input(
                say("ModelScope 镜像", "ModelScope mirror"),
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
                    "这台机器没有网络：下载立即报错，不用等到超时。",
                    "This machine has no network: a download fails at once instead of timing out.",
                ),
            )
            st.button(say("保存", "Save"), key="model-hub-save", on_click=_save_hub)


@reporting
def _add_folder() -> None:
    """Search the typed folder from now on, and empty the box."""
    add_folder(session.workspace(), str(st.session_state["model-folder"] or ""))
    st.session_state["model-folder"] = ""


@reporting
def _remove_folder(folder: Path) -> None:
    """Search the folder no longer; the folder itself stays."""
    remove_folder(session.workspace(), folder)


@reporting
def _save_hub() -> None:
    """Save the mirror and whether the studio is offline."""
    set_hub(
        session.workspace(),
        endpoint=st.session_state["model-endpoint"],
        offline=bool(st.session_state["model-offline"]),
    )
    notify(say("已保存。", "Saved."))
