"""Draw the release in force, the way back, and all releases."""

import streamlit as st

from pages.shared import session
from pages.shared.feedback import notify, reporting
from pages.shared.files import fitting_name
from pages.shared.text import plain
from studio.gate import sentences
from studio.gate.card import release_card
from studio.language import say
from studio.releases import ledger
from studio.releases.checkpoints import is_unchanged
from studio.releases.records import Recorded, list_releases, put_in_force
from studio.store import Store


def in_force(db: Store, *, may_change: bool) -> None:
    """Draw which release is in force, and the button back to the one before."""
    if (broken := ledger.first_broken(db)) is not None:
        st.error(
            say(
                f"台账从第 {broken} 条起被改动过，不能相信。请从备份恢复 studio.db。",
                f"The ledger was changed from entry {broken} on and cannot be trusted. Restore studio.db "
                "from a backup.",
            ),
            icon=":material/gpp_bad:",
        )
    known = list_releases(db)
    current = next((each for each in known if each.in_force), None)
    if current is None:
        st.info(
            say(
                "还没有发布过。发布之后，“分类与对话”和 news-studio serve 先用发布的模型。",
                "Nothing is released yet. What is released is what Classify and chat and news-studio serve "
                "begin with.",
            ),
            icon=":material/rocket_launch:",
        )
        return
    made = current.release
    with st.container(border=True, key="release-in-force"):
        words, button = st.columns([4, 1.4], vertical_alignment="center")
        words.subheader(f":green[:material/verified:] {plain(made.name)}", anchor=False)
        words.caption(plain(_facts(current)))
        earlier = [each for each in known if each.release.number < made.number]
        if earlier and may_change:
            before = earlier[0].release
            button.button(
                say(f"退回 {plain(before.name)}", f"Back to {plain(before.name)}"),
                key="release-back",
                icon=":material/undo:",
                width="stretch",
                on_click=_put_in_force,
                args=(before.number, before.name),
            )
    if not is_unchanged(session.workspace(), made):
        st.error(
            say(
                "它的检查点与签发时不同，或已不在：不会再先用它。请从备份恢复，或退回上一个发布。",
                "Its checkpoint is not what was signed, or is gone: it is offered first no longer. Restore "
                "it from a backup, or go back to the release before.",
            ),
            icon=":material/error:",
        )


def _facts(recorded: Recorded) -> str:
    made = recorded.release
    parts = [
        say("运行 {run}", "run {run}", run=made.run),
        say("{by} 签发", "signed by {by}", by=made.signed_by),
        f"{recorded.at.astimezone():%Y-%m-%d %H:%M}",
        say("没有门槛", "no gate") if made.gate is None else sentences.outcome(made.gate),
    ]
    if made.despite:
        parts.append(say("仍要发布，因为：{why}", "released nevertheless: {why}", why=made.despite))
    return " · ".join(str(part) for part in parts)


def list_all(db: Store, *, may_change: bool) -> None:
    """Draw every release, the newest first, each with the button that puts it in force; none: nothing."""
    known = list_releases(db)
    if not known:
        return
    label = say(f"所有发布（{len(known)}）", f"All releases ({len(known)})")
    with st.expander(label, key="releases-all", icon=":material/history:"):
        for each in known:
            _row(each, may_change=may_change)


def _row(each: Recorded, *, may_change: bool) -> None:
    made = each.release
    with st.container(horizontal=True, vertical_alignment="center", key=f"release-row-{made.number}"):
        scores = " · ".join(
            f"{answer} {score.accuracy:.1%} (n = {score.n})" for answer, score in made.scores.items()
        )
        st.markdown(
            f"**{plain(made.name)}**　:small[{plain(_facts(each))}]  \n"
            f":small[:gray[{plain(scores)}　sha256 {made.checkpoint_sha256[:12]}]]",
            width="stretch",
        )
        st.download_button(
            say("说明卡", "Card"),
            release_card(each),
            file_name=fitting_name(f"{made.name}.md"),
            mime="text/markdown",
            key=f"release-card-{made.number}",
            icon=":material/description:",
            on_click="ignore",
        )
        if each.in_force:
            st.badge(say("正在用", "in force"), color="green")
        elif may_change:
            st.button(
                say("改用它", "Put in force"),
                key=f"release-use-{made.number}",
                on_click=_put_in_force,
                args=(made.number, made.name),
            )


@reporting
def _put_in_force(number: int, name: str) -> None:
    """Put a release in force; the others stay."""
    put_in_force(session.store(), number, author=session.annotator())
    notify(say("现在用的是 {name}。", "{name} is in force now.", name=plain(name)))
