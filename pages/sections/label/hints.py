"""Draw what may help the annotator of one title: a suggestion, and the rule for a close call.

Nothing is shown for a title that several people are asked about, and no model's opinion
where the settings say so; a proposal that came with an import is a repair, not an opinion.
"""

from dataclasses import dataclass

import streamlit as st

from pages.shared import session
from pages.shared.text import category_mark, plain
from studio.annotation.annotations import Suggested
from studio.annotation.leases import Offer
from studio.corpus.titles import SENT_BACK
from studio.language import say
from studio.store import Store
from studio.suggestions.records import Suggestion, suggestion_for
from studio.team.settings import load_settings


@dataclass(frozen=True, kw_only=True, slots=True)
class Hint:
    """What is suggested for a title.

    `suggested` is what Enter accepts; `model` is the model's suggestion behind it, if there is one.
    `former` is what a title was before it was sent back: Enter keeps it, and nothing recommends it.
    """

    suggested: Suggested | None = None
    former: str | None = None
    model: Suggestion | None = None


NO_HINT = Hint()


def hint_for(db: Store, offered: Offer) -> Hint:
    """Return what this offer may show beside its title."""
    title = offered.title
    if offered.is_blind or title.status == "decided":
        return NO_HINT
    if title.proposal is not None and title.rank == SENT_BACK:
        return Hint(former=title.proposal)
    if title.proposal is not None:
        return Hint(suggested=Suggested(category=title.proposal, source="import"))
    model = suggestion_for(db, title.id) if load_settings(db).suggestions else None
    if model is None:
        return NO_HINT
    return Hint(suggested=Suggested(category=model.category, source=model.source), model=model)


def show(hint: Hint) -> None:
    """Draw what the import proposed or how sure the model is, and the rule where its two best are close."""
    if hint.model is None:
        if hint.suggested is not None:
            word = say("导入时的建议", "Proposed by the import")
            st.markdown(f":small[:gray[{word}]　{category_mark(hint.suggested.category)}]")
        return
    best, second = hint.model.category, hint.model.runner_up
    # Never "100 %": no model is.
    parts = [f"{category_mark(best)} {min(hint.model.probability, 0.99):.0%}"]
    if second is not None and hint.model.runner_up_probability is not None:
        parts.append(f"{category_mark(second)} {hint.model.runner_up_probability:.0%}")
    st.markdown(f":small[:gray[{say('模型建议', 'Suggested')}]　{'　'.join(parts)}]")
    rule = session.scheme().rule(best, second) if second is not None and hint.model.is_close else None
    if rule:
        st.info(
            f"{category_mark(best)} / {category_mark(str(second))}：{plain(rule)}",
            icon=":material/balance:",
        )
