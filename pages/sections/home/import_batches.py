"""Draw the imports so far, newest first: what each brought, its report, and its undo."""

from contextlib import closing

import streamlit as st

from pages.shared import session
from pages.shared.feedback import report_errors
from pages.shared.text import local_time, plain, plain_stored
from studio.ingest.import_batches import ImportBatch, Undone, list_import_batches, report_csv, undo_import
from studio.language import current_language, say
from studio.store import Store, open_store

SHOWN = 20
SHOWN_KEPT = 50


def batches_tab(db: Store) -> None:
    """Draw one entry per import, and above them what the last undo did."""
    undone: Undone | None = st.session_state.pop("undone_import", None)
    if undone is not None:
        _tell(undone)
    batches = list_import_batches(db, limit=SHOWN)
    if not batches:
        st.info(say("还没有导入过标题。", "No titles have been imported yet."), icon=":material/history:")
    for batch in batches:
        _batch(db, batch)


def _batch(db: Store, batch: ImportBatch) -> None:
    with st.container(border=True, gap="xsmall"):
        text, buttons = st.columns([3, 2], vertical_alignment="center")
        with text:
            st.markdown(f"**{plain_stored(batch.source)}** :small[:gray[{_state_name(batch)}]]")
            st.caption(f"{local_time(batch.imported_at)} · {plain(batch.author)}  \n{_counts(batch)}")
        with buttons, st.container(horizontal=True, horizontal_alignment="right", gap="xsmall"):
            report_button(say("报告", "Report"), batch.id, f"batch-report-{batch.id}")
            if batch.state == "done":
                _undo_button(db, batch)


def report_button(label: str, batch_id: int, key: str) -> None:
    """Offer a file with what became of every row of an import; it is written only when asked for."""
    language = current_language.get()

    def rows() -> bytes:  # in a thread of its own, hence the connection and the language
        current_language.set(language)
        with closing(open_store(session.workspace().database)) as db:
            return report_csv(db, batch_id)

    st.download_button(
        label,
        data=rows,
        file_name=f"import-{batch_id}.csv",
        mime="text/csv",
        key=key,
        icon=":material/table_view:",
        type="tertiary",
    )


def _undo_button(db: Store, batch: ImportBatch) -> None:
    with st.popover(say("撤销", "Undo"), icon=":material/undo:", key=f"batch-{batch.id}"):
        st.write(
            say(
                "没有人处理过的标题会撤下，有人处理过的保留。以后再导入同一文件，撤下的会恢复。",
                "Titles that nobody has worked on are withdrawn, the others stay. Importing the file again "
                "restores them.",
            )
        )
        if st.button(say("撤销这次导入", "Undo this import"), key=f"undo-batch-{batch.id}", type="primary"):
            with report_errors(), st.spinner(say("正在撤销…", "Undoing…")):
                st.session_state["undone_import"] = undo_import(db, batch.id, session.annotator())
                st.session_state.pop("import_report", None)
                st.rerun()


def _state_name(batch: ImportBatch) -> str:
    names = {
        "open": say("正在导入", "importing"),
        "staged": say("正在导入", "importing"),
        "done": say(f"编号 {batch.id}", f"No. {batch.id}"),
        "cancelled": say("中断，没有导入", "cancelled, nothing imported"),
        "undoing": say("正在撤销", "undoing"),
        "undone": say(f"已由 {batch.undone_by} 撤销", f"undone by {batch.undone_by}"),
    }
    return plain(names[batch.state])


def _counts(batch: ImportBatch) -> str:
    near = say(f"，近似重复 {batch.near}", f", {batch.near} near duplicates") if batch.near else ""
    return say(
        f"{batch.rows} 行：新增 {batch.added}，合并 {batch.merged}，拒收 {batch.refused}{near}",
        f"{batch.rows} rows: {batch.added} added, {batch.merged} merged, {batch.refused} refused{near}",
    )


def _tell(undone: Undone) -> None:
    st.success(
        say(
            f"撤下 {undone.withdrawn} 条；{undone.shared} 条还有别的来源，"
            f"{len(undone.kept)} 条已有人处理，保留。",
            f"{undone.withdrawn} withdrawn. Kept: {undone.shared} that also came from elsewhere, "
            f"{len(undone.kept)} that people have worked on.",
        ),
        icon=":material/undo:",
    )
    if undone.kept:
        with st.expander(say("保留的标题", "Titles kept")):
            for title in undone.kept[:SHOWN_KEPT]:
                st.markdown(f"- {plain(title.text)}")
