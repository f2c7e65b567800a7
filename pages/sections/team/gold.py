"""What the Team page draws of gold titles: how sure everybody is, and the list."""

import streamlit as st

from pages.shared import shell
from studio.language import say
from studio.store import Store
from studio.team import gold
from studio.team.people import REVIEWERS, Person
from studio.team.settings import load_settings


def gold_section(db: Store, viewer: Person) -> None:
    """Accuracy of everybody on gold titles, and the list of them."""
    share = load_settings(db).gold_share
    st.caption(
        say(
            f"金标标题的类别已有定论，混在其他标题里出现（现在占 {share:.0%}），谁也看不出来；它们量的是每个人。",
            f"The category of a gold title is certain. They come up among the others ({share:.0%} now), "
            "nobody can tell, and they measure each person.",
        )
    )
    if not gold.count_gold(db):
        st.info(
            say(
                "还没有金标标题。请在“标题”页选中几条已定的、没有争议的标题，按“设为金标”。",
                "There is no gold title yet. Select decided titles beyond dispute on the Titles page and mark them.",
            ),
            icon=":material/star:",
        )
        shell.link("titles", say("去标题页", "Open Titles"))
        return
    _accuracies(db)
    _list(db, may_remove=viewer.role in REVIEWERS)


def _accuracies(db: Store) -> None:
    found = gold.accuracies(db)
    if not found:
        st.caption(say("还没有人遇到金标标题。", "Nobody has met a gold title yet."))
        return
    shell.table(
        [
            {
                say("名字", "name"): each.name,
                say("答对", "right"): f"{each.overall.right} / {each.overall.n}",
                say("正确率", "accuracy"): f"{each.overall.rate:.1%}",
                say("95% 区间", "95 % interval"): "{:.1%} – {:.1%}".format(*each.overall.interval),
            }
            | {
                shell.category_name(name): f"{part.right}/{part.n}"
                for name in shell.scheme().names
                if (part := each.per_category.get(name))
            }
            for each in found
        ],
        hide_index=True,
        height="content",
        alt=say("金标正确率", "Accuracy on gold titles"),
    )
    shell.downloads("gold", gold.to_csv(found), gold.to_json(found))


def _list(db: Store, *, may_remove: bool) -> None:
    titles = gold.list_gold(db)
    st.subheader(
        say(f"金标标题（{gold.count_gold(db)}）", f"Gold titles ({gold.count_gold(db)})"), anchor=False
    )
    for title in titles:
        text, button = st.columns([6, 1], vertical_alignment="center")
        text.markdown(
            f"{shell.category_mark(title.category)}　{shell.plain(title.text)}"
            f"　:gray[:small[{say('答对', 'right')} {title.right} / {title.answers} · {shell.plain(title.author)}]]"
        )
        if may_remove:
            button.button(
                say("移除", "Remove"),
                key=f"gold-remove-{title.title_id}",
                on_click=_remove,
                args=(title.title_id,),
                width="stretch",
            )


def _remove(title_id: int) -> None:
    """Callback: take a title off the list."""
    with shell.report_errors(later=True):
        gold.unmark_gold(shell.store(), [title_id], author=shell.annotator())
