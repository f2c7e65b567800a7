"""Draw how the answers to the bundled titles compare with ours."""

import streamlit as st

from pages.shared import session
from pages.shared.feedback import reporting
from pages.shared.text import category_mark, plain
from studio.evaluation.sample_answers import Comparison, Difference
from studio.language import say

SHOWN = 10


def sample_answers(found: Comparison) -> None:
    """Draw with how many of the decided titles we agree, and those that differ with both answers."""
    st.subheader(say("与我们的答案对照", "Your answers and ours"), anchor=False)
    left = found.titles - found.decided
    text = say(
        f"内置的 {found.titles} 条试标标题，已定 {found.decided} 条，其中 **{found.agreed}** 条与我们一致。",
        f"You agree with us on **{found.agreed}** of {found.decided} of the bundled titles.",
    )
    if left:
        text += say(f"还有 {left} 条待标注。", f" {left} more wait for a label.")
    st.markdown(text)
    if not found.differences:
        return
    label = say(f"不一致的 {len(found.differences)} 条", f"{len(found.differences)} differ")
    with st.expander(label, expanded=not left):
        st.caption(
            say(
                "规则有读法之分，不一致不等于错；我们的理由写在下面。",
                "Rules can be read in more than one way: to differ is not to be wrong. Our reasons follow.",
            )
        )
        for difference in found.differences[:SHOWN]:
            _difference(difference)
        if len(found.differences) > SHOWN:
            st.caption(
                say(f"另有 {len(found.differences) - SHOWN} 条。", f"{len(found.differences) - SHOWN} more.")
            )


def _difference(difference: Difference) -> None:
    theirs, ours = category_mark(difference.theirs), category_mark(difference.ours)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(
            f"{plain(difference.title)}  \n{say('您', 'you')} {theirs}　{say('我们', 'we')} {ours}"
            f"　:gray[:small[{plain(difference.why)}]]",
            width="stretch",
        )
        st.button(
            say("打开", "Open"),
            key=f"sample-{difference.title_id}",
            type="tertiary",
            icon=":material/open_in_full:",
            on_click=_open,
            args=(difference.title_id,),
        )


@reporting
def _open(title_id: int) -> None:
    """Remember the title that is to be opened; a callback cannot leave the page."""
    st.session_state["home-open-title"] = title_id


def leave_for_title() -> None:
    """Leave for the title that was asked for: on the Titles page, or where an annotator can see it."""
    title_id = st.session_state.pop("home-open-title", None)
    if title_id is None:
        return
    if session.person().role == "annotator":
        session.open_on_label_page(title_id)
    st.switch_page(session.page_path("titles"), query_params={"title": str(title_id)})
