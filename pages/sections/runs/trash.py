"""Draw the trash: restore a run, or delete it for good."""

import streamlit as st

from pages.shared import session
from pages.shared.feedback import notify, reporting
from pages.shared.text import plain
from studio import runs
from studio.language import say


def trash_box() -> None:
    """Draw what is in the trash; nothing where it is empty."""
    found = runs.list_trash(session.workspace())
    if not found:
        return
    with st.expander(
        say(f"回收站（{len(found)}）", f"Trash ({len(found)})"), key="runs-trash", icon=":material/delete:"
    ):
        st.caption(
            say(
                "这里的运行不在任何列表里，文件还占着磁盘；可以恢复，也可以永久删除。",
                "These runs are in no list but take disk space; restore them or delete them for good.",
            )
        )
        for job in found:
            with st.container(horizontal=True, vertical_alignment="center"):
                moment = f"{job.record.deleted_at:%Y-%m-%d %H:%M}" if job.record.deleted_at else ""
                st.markdown(f"{plain(job.label or job.id)}　:small[:gray[{moment}]]", width="stretch")
                st.button(
                    say("恢复", "Restore"),
                    key=f"restore-run-{job.id}",
                    icon=":material/restore_from_trash:",
                    on_click=_restore,
                    args=(job.id,),
                )
                with st.popover(
                    say("永久删除", "Delete for good"),
                    key=f"purge-{job.id}",
                    icon=":material/delete_forever:",
                ):
                    st.markdown(
                        say(
                            "曲线、得分、日志和模型都不再有。",
                            "Its curve, scores, log and model are gone for good.",
                        )
                    )
                    st.button(
                        say("永久删除", "Delete for good"),
                        key=f"purge-sure-{job.id}",
                        type="primary",
                        on_click=_delete_for_good,
                        args=(job.id,),
                    )


@reporting
def _restore(run_id: str) -> None:
    """Take the run out of the trash."""
    runs.restore(session.workspace(), run_id)
    notify(say("已恢复。", "Restored."))


@reporting
def _delete_for_good(run_id: str) -> None:
    """Delete the run with everything that it made."""
    runs.delete_for_good(session.workspace(), run_id)
    notify(say("已永久删除。", "Deleted for good."))
