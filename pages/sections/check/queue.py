"""Draw the way from a checked file to the label queue."""

import streamlit as st

from pages.sections.check.source import Desk
from pages.shared import session
from studio.formats.choices import UNDECIDED
from studio.ingest.check_session import send_to_queue
from studio.ingest.importer import ImportReport, import_path
from studio.language import say
from studio.store import Store


def queue_section(db: Store, desk: Desk) -> None:
    """Draw the buttons that send doubtful rows to the label queue, or import all rows."""
    st.markdown(
        say(
            "有错误又不能安全修复的行：标题进入标注队列，附上原因和建议的类别，由人决定。",
            "Rows with an error that has no safe repair: their titles go to the label queue, with the reason "
            "and the proposed category. A person decides.",
        )
    )
    with st.container(horizontal=True):
        if st.button(
            say("把这些行交给标注", "Send these rows to the label queue"),
            key="check-queue",
            type="primary",
            icon=":material/move_to_inbox:",
        ):
            _report(
                send_to_queue(
                    db,
                    desk.path,
                    session.scheme(),
                    desk.edits,
                    source=desk.name,
                    author=session.annotator(),
                    choices=desk.choices,
                )
            )
        if st.button(
            say("导入所有行", "Import all rows"),
            key="check-import",
            icon=":material/upload:",
            help=say(
                "没有错误的行直接定类，其余进入标注队列；有修复后的副本就导入副本。",
                "Rows without an error are decided, the others go to the label queue; the repaired copy is "
                "used where there is one.",
            ),
        ):
            path, choices = (desk.path, desk.choices) if desk.copy is None else (desk.copy.out, UNDECIDED)
            _report(
                import_path(
                    db,
                    path,
                    session.scheme(),
                    source=desk.name,
                    choices=choices,
                    author=session.annotator(),
                )
            )


def _report(report: ImportReport) -> None:
    if not report.rows:
        st.info(say("没有这样的行。", "There are no such rows."), icon=":material/task_alt:")
        return
    st.success(
        say(
            f"新增 {report.added} 条标题：{report.decided} 条已定，{report.waiting} 条等待标注；"
            f"{report.merged} 条已在工作区里。",
            f"{report.added} titles added: {report.decided} decided, {report.waiting} waiting for a label; "
            f"{report.merged} were already there.",
        ),
        icon=":material/check_circle:",
    )
    session.link("label", say("去标注", "Label titles"))
