"""Draw name, note and tags of a run, and the button that moves it to the trash."""

import streamlit as st

from pages.shared import session
from pages.shared.feedback import notify, reporting
from pages.shared.text import plain
from studio import runs
from studio.language import say
from studio.runs import Run


def name_and_note(run: Run) -> None:
    """Draw note and tags of a run, and where it can be named, noted, tagged and deleted."""
    tags = " ".join(f":gray-badge[{plain(tag)}]" for tag in run.record.tags)
    if tags:
        st.markdown(tags)
    if run.record.note:
        st.caption(f":material/sticky_note_2: {plain(run.record.note)}")
    if run.recorded:
        return
    with st.popover(
        say("名称、备注、标签、删除", "Name, note, tags, delete"),
        key=f"manage-{run.id}",
        icon=":material/edit:",
    ):
        st.text_input(
            say("名称", "Name"), value=run.label, key=f"rename-{run.id}", max_chars=runs.LONGEST_LABEL
        )
        st.text_area(say("备注", "Note"), value=run.record.note, key=f"note-{run.id}", height=80)
        st.text_input(
            say("标签，用逗号分开", "Tags, parted by commas"),
            value=", ".join(run.record.tags),
            key=f"tags-{run.id}",
        )
        st.button(say("保存", "Save"), key=f"rename-save-{run.id}", on_click=_rename, args=(run.id,))
        if run.is_over:
            st.divider()
            _delete_button(run)


def _delete_button(run: Run) -> None:
    st.markdown(
        say(
            "移到回收站：不再出现在任何列表里，在“运行”页可以恢复。",
            "Move to the trash: it is in no list any more, and can be restored on the Runs page.",
        )
    )
    st.button(
        say("移到回收站", "Move to the trash"),
        key=f"delete-run-{run.id}",
        icon=":material/delete:",
        on_click=_delete,
        args=(run.id,),
    )


@reporting
def _rename(run_id: str) -> None:
    """Save the typed name, note and tags."""
    workspace, state = session.workspace(), st.session_state
    label, note = (str(state[f"{name}-{run_id}"] or "") for name in ("rename", "note"))
    tags = runs.clean_tags(str(state[f"tags-{run_id}"] or "").replace("，", ",").split(","))
    runs.rename(workspace, run_id, label=label, note=note)
    runs.tag(workspace, run_id, tags)
    notify(say("已保存。", "Saved."))


@reporting
def _delete(run_id: str) -> None:
    """Move the run with everything that it made to the trash."""
    runs.delete(session.workspace(), run_id)
    notify(say("已移到回收站；在“运行”页可以恢复。", "Moved to the trash; restore it on the Runs page."))
