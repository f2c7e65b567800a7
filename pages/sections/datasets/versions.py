"""Draw the frozen versions: rows per category, hash, files in every format."""

from functools import partial

import streamlit as st

from pages.sections.datasets.difference import difference_section
from pages.shared import session
from pages.shared.elements import table
from pages.shared.feedback import report_errors
from pages.shared.text import category_name, local_time, plain
from studio.datasets.card import write_card
from studio.datasets.export import EXPORT_FORMS, ExportForm, export_files, zip_files
from studio.datasets.versions import Version, list_versions
from studio.language import say
from studio.samples.scheme import load_scheme
from studio.store import Store

FORM_NAMES = {"sharegpt": "ShareGPT", "alpaca": "Alpaca", "openai": "OpenAI messages"}


def version_list(db: Store) -> None:
    """Draw every version with its rows per category and its files, and what differs between two."""
    versions = list_versions(db, session.workspace())
    if versions:
        st.subheader(say("已冻结的版本", "Frozen versions"), anchor=False)
    for version in versions:
        expander = st.expander(_summary(version), key=f"version-{version.ref}", on_change="rerun")
        if expander.open:
            with expander, report_errors():
                _version_details(version)
    if len(versions) > 1:
        difference_section(db, versions)


def _summary(version: Version) -> str:
    counts = say(
        f"训练 {version.rows['train']} · 评估 {version.rows['eval']}",
        f"{version.rows['train']} train · {version.rows['eval']} eval",
    )
    made = f"{local_time(version.created_at)} · {plain(version.author)}"
    return f"**{plain(version.ref)}**　{counts}　:gray[{made}]"


def _version_details(version: Version) -> None:
    files = version.files
    table(
        [
            {say("类别", "category"): category_name(name)}
            | {split: version.categories[split].get(name, 0) for split in ("train", "eval")}
            for name in session.scheme().names
        ],
        hide_index=True,
        height="content",
        alt=say("每个类别的条数", "Rows per category"),
    )
    st.caption(f"sha256 `{version.sha256}`")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        form = st.selectbox(
            say("导出格式", "Export as"),
            EXPORT_FORMS,
            format_func=FORM_NAMES.__getitem__,
            key=f"form-{version.ref}",
            width=180,
        )
        _download(version, files, form)
        for file_name in ("train.json", "eval.json", "dataset_info.json"):
            st.download_button(
                file_name,
                partial(_one_file, files, form, file_name),
                file_name=file_name,
                mime="application/json",
                key=f"get-{version.ref}-{file_name}",
                icon=":material/download:",
                on_click="ignore",
            )
        st.download_button(
            say("数据集卡片", "Dataset card"),
            lambda: _card(version, files),
            file_name=f"{version.name}_v{version.number}.md",
            mime="text/markdown",
            key=f"get-{version.ref}-card",
            icon=":material/description:",
            on_click="ignore",
        )


def _download(version: Version, files: dict[str, bytes], form: ExportForm) -> None:
    folder = f"{version.name}_v{version.number}"
    st.download_button(
        say("全部（zip）", "All files (zip)"),
        lambda: zip_files(export_files(files, form, _card(version, files)), folder),
        file_name=f"{folder}_{form}.zip",
        mime="application/zip",
        key=f"get-{version.ref}-zip",
        type="primary",
        icon=":material/folder_zip:",
        on_click="ignore",
    )


def _one_file(files: dict[str, bytes], form: ExportForm, name: str) -> bytes:
    return export_files(files, form, "")[name]


def _card(version: Version, files: dict[str, bytes]) -> str:
    scheme = load_scheme(version.folder / "categories.toml")
    return write_card(version.name, files, scheme.names, scheme.prompt)
