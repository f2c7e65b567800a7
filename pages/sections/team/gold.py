"""Draw everybody's accuracy on gold titles, and the list of them."""

import streamlit as st

from pages.shared import session
from pages.shared.elements import table
from pages.shared.feedback import reporting
from pages.shared.files import download_buttons
from pages.shared.text import category_mark, category_name, plain
from studio.language import say
from studio.store import Store
from studio.team import gold
from studio.team.people import REVIEWERS, Person
from studio.team.settings import load_settings


def gold_section(db: Store, viewer: Person) -> None:
    """Draw everybody's accuracy on gold titles, and the list of them; or how to begin."""
    share = load_settings(db).gold_share
    st.caption(
        say(
            f"金标标题的类别已有定论，混在其他标题里出现（现在占 {share:.0%}），标注时看不出来；"
            "用来衡量每个人的准确率。",
            "The category of a gold title is certain. Gold titles are mixed among the others "
            f"({share:.0%} now) "
            "without being marked, and measure each person's accuracy.",
        )
    )
    if not gold.count_gold(db):
        st.info(
            say(
                "还没有金标标题。请在“标题”页选中几条已定的、没有争议的标题，按“设为金标”。",
                "There are no gold titles yet. Select some decided, undisputed titles on the Titles page "
                "and press Mark as gold.",
            ),
            icon=":material/star:",
        )
        session.link("titles", say("去标题页", "Open Titles"))
        return
    _accuracies(db)
    _list(db, may_remove=viewer.role in REVIEWERS)


def _accuracies(db: Store) -> None:
    found = gold.accuracies(db)
    if not found:
        st.caption(say("还没有人标注过金标标题。", "Nobody has labelled a gold title yet."))
        return
    table(
        [
            {
                say("名字", "name"): each.name,
                say("答对", "correct"): f"{each.overall.right} / {each.overall.n}",
                say("准确率", "accuracy"): f"{each.overall.rate:.1%}",
                say("95% 区间", "95 % interval"): "{:.1%} – {:.1%}".format(*each.overall.interval),
            }
            | {
                category_name(name): f"{part.right}/{part.n}"
                for name in session.scheme().names
                if (part := each.per_category.get(name))
            }
            for each in found
        ],
        hide_index=True,
        height="content",
        alt=say("金标准确率", "Accuracy on gold titles"),
    )
    download_buttons("gold", gold.to_csv(found), gold.to_json(found))


def _list(db: Store, *, may_remove: bool) -> None:
    titles = gold.list_gold(db)
    st.subheader(
        say(f"金标标题（{gold.count_gold(db)}）", f"Gold titles ({gold.count_gold(db)})"), anchor=False
    )
    for title in titles:
        text, button = st.columns([6, 1], vertical_alignment="center")
        text.markdown(
            f"{category_mark(title.category)}　{plain(title.text)}"
            f"　:gray[:small[{say('答对', 'correct')} {title.right} / {title.answers} · "
            f"{plain(title.author)}]]"
        )
        if may_remove:
            button.button(
                say("移除", "Remove"),
                key=f"gold-remove-{title.title_id}",
                on_click=_remove,
                args=(title.title_id,),
                width="stretch",
            )


@reporting
def _remove(title_id: int) -> None:
    """Remove a title from the gold ones."""
    gold.unmark_gold(session.store(), [title_id], author=session.annotator())
