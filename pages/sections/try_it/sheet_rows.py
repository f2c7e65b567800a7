"""Draw the rows of a classified sheet: filters, pages, and what each row was answered."""

from collections.abc import Mapping, Sequence
from typing import cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.sections.try_it.wrong_answer import Said, open_report, report_form
from pages.shared import session
from pages.shared.address import Filters, any_text, one_of
from pages.shared.elements import clear_filters_button
from pages.shared.feedback import reporting
from pages.shared.text import category_mark, category_name, plain
from studio.classification.results import OUTCOMES, Classified, ClassifiedRow, Outcome
from studio.language import say
from studio.runs import Job

SHOWN = 25
OUTCOME_NAMES: Mapping[Outcome, tuple[str, str]] = {
    "answer": ("有类别", "answered"),
    "abstain": ("请人工判断", "for a person"),
    "unparsed": ("读不出类别", "no category"),
    "error": ("出错", "errors"),
    "open": ("还没有回答", "not answered yet"),
}
ORDERS: Mapping[str, tuple[str, str]] = {
    "row": ("按表中的顺序", "in the sheet's order"),
    "sure": ("最没把握的在前", "least sure first"),
}
FILTERS = Filters(
    page="sheet",
    readers={
        "outcome": one_of(OUTCOMES),
        "category": any_text,
        "text": any_text,
        "order": one_of(ORDERS),
    },
)


def sheet_rows(job: Job, classified: Classified) -> None:
    """Draw the filters, and a page of the rows that they leave."""
    FILTERS.read()
    found = _filtered(classified)
    FILTERS.write()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(
            say(
                f"**{len(found):,}** 行，共 {len(classified.rows):,} 行",
                f"**{len(found):,}** of {len(classified.rows):,} rows",
            ),
            width="stretch",
        )
        if FILTERS.is_set:
            clear_filters_button(key="sheet-clear", on_click=_clear)
    if not found:
        st.info(say("没有符合条件的行。", "No row matches."), icon=":material/search_off:")
        return
    with st.container(gap="xsmall", key="sheet-rows"):
        for row in _page(found):
            _row(job, row)


def _filtered(classified: Classified) -> list[ClassifiedRow]:
    """Draw the filters; return the rows that they leave."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        columns = st.columns([2, 1, 1, 1])
    columns[0].text_input(
        say("标题里有", "Title contains"),
        key=FILTERS.key("text"),
        placeholder=say("几个字", "a few characters"),
    )
    there = {row.outcome for row in classified.rows}
    _choice(
        columns[1],
        "outcome",
        say("结果", "Outcome"),
        {name: say(*words) for name, words in OUTCOME_NAMES.items() if name in there},
    )
    categories = dict.fromkeys(row.category for row in classified.rows if row.category)
    ordered = [name for name in session.scheme().names if name in categories]
    ordered += [name for name in categories if name not in ordered]
    _choice(columns[2], "category", say("类别", "Category"), {name: category_name(name) for name in ordered})
    _choice(
        columns[3],
        "order",
        say("顺序", "Order"),
        {name: say(*words) for name, words in ORDERS.items()},
        nothing=say(*ORDERS["row"]),
    )
    outcome, category, text, order = (
        cast("str | None", FILTERS.value(name)) for name in ("outcome", "category", "text", "order")
    )
    return classified.select(
        outcome=cast("Outcome | None", outcome),
        category=category,
        text=text or "",
        below=2.0 if order == "sure" else None,
    )


def _choice(
    column: DeltaGenerator, name: str, label: str, options: Mapping[str, str], *, nothing: str = ""
) -> None:
    """Draw a select box that may stay empty; what is no option of this sheet is no filter."""
    key = FILTERS.key(name)
    if st.session_state.get(key) not in options:
        st.session_state[key] = None
    column.selectbox(
        label,
        list(options),
        index=None,
        key=key,
        format_func=options.__getitem__,
        placeholder=nothing or say("不限", "any"),
    )


def _page(found: Sequence[ClassifiedRow]) -> Sequence[ClassifiedRow]:
    """Draw the choice of a page where there is more than one; return its rows."""
    pages = -(-len(found) // SHOWN)
    if pages == 1:
        return found
    number = st.pagination(pages, key="sheet-page") or 1
    return found[(number - 1) * SHOWN : number * SHOWN]


def _row(job: Job, row: ClassifiedRow) -> None:
    """Draw a row: its number, title and answer, and the button that reports the answer."""
    with st.container(horizontal=True, wrap=False, vertical_alignment="center", gap="small"):
        st.markdown(_text(row), width="stretch")
        if row.answer and not row.answer.problem:
            st.button(
                say("不对？", "Wrong?"),
                key=f"sheet-wrong-{row.row}",
                icon=":material/thumb_down:",
                type="tertiary",
                on_click=open_report,
                args=(f"{job.id}-{row.row}",),
            )
    chain = row.answer.chain if row.answer else None
    said = Said(title=row.title, category=row.category, chain=chain, model=job.label or job.id)
    report_form(f"{job.id}-{row.row}", said)


def _text(row: ClassifiedRow) -> str:
    top = " · ".join(f"{category_name(name)} {p:.0%}" for name, p in row.top)
    details = " ".join(f":gray[:small[{plain(part)}]]" for part in (top, _chain(row)) if part)
    head = f":gray[:small[{row.row}]]　{plain(row.title) or '–'}"
    return f"{head}　{_answer(row)}{'  ' if details else ''}\n{details}"


def _answer(row: ClassifiedRow) -> str:
    if row.reason:
        return f":orange[{plain(row.reason)}]"
    if row.outcome == "open":
        return f":gray[{say(*OUTCOME_NAMES['open'])}]"
    if row.category is None:
        return f":orange[{say('读不出类别', 'no category')}]"
    share = "" if row.confidence is None else f" {row.confidence:.0%}"
    mark = f"{category_mark(row.category)}{share}"
    return f"{mark} :orange-badge[{say('请人工判断', 'for a person')}]" if row.outcome == "abstain" else mark


def _chain(row: ClassifiedRow) -> str:
    chain = (row.answer.chain or "") if row.answer else ""
    return chain if len(chain) <= 200 else f"{chain[:200]}…"


@reporting
def _clear() -> None:
    """Show every row again."""
    FILTERS.clear()
