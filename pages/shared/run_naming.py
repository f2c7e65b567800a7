"""Draw the name and the note of a run that is over, and the button that deletes it."""

import streamlit as st

from pages.shared import session
from pages.shared.feedback import notify, reporting
from pages.shared.text import plain
from studio import runs
from studio.language import say
from studio.runs import Run


def name_and_note(run: Run) -> None:
    """Draw the note of a run, and where it can be named, noted and deleted; nothing for the recorded one."""
    if run.record.note:
        st.caption(f":material/sticky_note_2: {plain(run.record.note)}")
    if run.recorded or not run.is_over:
        return
    with st.popover(
        say("名称、备注、删除", "Name, note, delete"), key=f"manage-{run.id}", icon=":material/edit:"
    ):
        st.text_input(
            say("名称", "Name"), value=run.label, key=f"rename-{run.id}", max_chars=runs.LONGEST_LABEL
        )
        st.text_area(say("备注", "Note"), value=run.record.note, key=f"note-{run.id}", height=80)
        st.button(say("保存", "Save"), key=f"rename-save-{run.id}", on_click=_rename, args=(run.id,))
        st.divider()
        st.markdown(
            say(
                "删除这次运行：曲线、得分、日志和模型都不再有。",
                "Delete this run: its curve, scores, log and model are gone for good.",
            )
        )
        st.button(
            say("永久删除", "Delete for good"),
            key=f"delete-run-{run.id}",
            type="primary",
            icon=":material/delete_forever:",
            on_click=_delete,
            args=(run.id,),
        )


@reporting
def _rename(run_id: str) -> None:
    """Save the typed name and note."""
    runs.rename(
        session.workspace(),
        run_id,
        label=str(st.session_state[f"rename-{run_id}"] or ""),
        note=str(st.session_state[f"note-{run_id}"] or ""),
    )
    notify(say("已保存。", "Saved."))


@reporting
def _delete(run_id: str) -> None:
    """Delete the run with everything that it made."""
    runs.delete(session.workspace(), run_id)
    notify(say("已删除。", "Deleted."))
