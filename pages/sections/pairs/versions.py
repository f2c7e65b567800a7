"""Draw the form that freezes, and the frozen versions with their files."""

from functools import partial

import streamlit as st

from pages.shared import session
from pages.shared.feedback import notify, report_errors
from pages.shared.text import local_time, plain
from studio.datasets.export import zip_files
from studio.datasets.pair_versions import PairVersion, list_pair_versions
from studio.language import say
from studio.preferences.export import EXPORT_FORMS, ExportForm, export_pairs
from studio.preferences.freezing import freeze_pairs
from studio.preferences.selection import Selection
from studio.store import Store

FORM_NAMES: dict[ExportForm, tuple[str, str]] = {
    "trl": ("TRL，成对", "TRL, paired"),
    "unpaired": ("TRL，单个（KTO）", "TRL, unpaired (KTO)"),
    "llamafactory": ("LLaMA-Factory", "LLaMA-Factory"),
}


def freeze_form(db: Store, found: Selection) -> None:
    """Draw the form that freezes the pairs which pass the filters."""
    if not found.pairs:
        return
    with st.form("pairs-freeze", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input(say("冻结为", "Freeze as"), key="pairs-name", placeholder="pairs", width=240)
        pressed = st.form_submit_button(
            say(f"冻结这 {len(found.pairs)} 对", f"Freeze these {len(found.pairs)} pairs"),
            key="pairs-freeze-now",
            icon=":material/ac_unit:",
        )
    if pressed:
        with report_errors():
            version = freeze_pairs(
                db,
                session.workspace(),
                name.strip() or "pairs",
                found,
                author=session.annotator(),
                scheme=session.scheme(),
            )
            notify(
                say(
                    f"已冻结 {version.ref}：{version.pairs} 对。",
                    f"Frozen {version.ref}: {version.pairs} pairs.",
                )
            )
            st.rerun()


def version_list() -> None:
    """Draw every frozen version, with its files in every form and the way to train on it."""
    versions = list_pair_versions(session.workspace())
    if not versions:
        return
    st.subheader(say("已冻结的偏好对", "Frozen pairs"), anchor=False)
    for version in versions:
        origin = f"{local_time(version.created_at)} · {plain(version.author)}"
        pairs = say(f"{version.pairs} 对", f"{version.pairs} pairs")
        title = f"**{plain(version.ref)}**　{pairs}　:gray[{origin}]"
        with st.expander(title, key=f"pairs-version-{version.ref}"), report_errors():
            _files(version)
    session.link("train", say("用它们训练", "Train on them"), icon=":material/model_training:")


def _files(version: PairVersion) -> None:
    st.caption(f"sha256 `{version.sha256}`")
    files = version.files
    with st.container(horizontal=True):
        for form in EXPORT_FORMS:
            folder = f"{version.name}_v{version.number}_{form}"
            st.download_button(
                say(*FORM_NAMES[form]),
                partial(_zipped, files, form, folder),
                file_name=f"{folder}.zip",
                mime="application/zip",
                key=f"pairs-get-{version.ref}-{form}",
                icon=":material/download:",
                on_click="ignore",
            )


def _zipped(files: dict[str, bytes], form: ExportForm, folder: str) -> bytes:
    return zip_files(export_pairs(files, form), folder)
