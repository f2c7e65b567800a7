"""Draw the rows of an evaluation by their tags: how each tag was answered, and the titles that have it."""

from collections.abc import Mapping, Sequence
from typing import cast

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.sections.evaluate.titles import SHOWN, title_list
from pages.shared import session
from pages.shared.address import Filters, one_of
from pages.shared.charts import column_name
from pages.shared.elements import clear_filters_button, table
from pages.shared.feedback import reporting
from pages.shared.text import category_name
from studio.contract import UNPARSED, AnswerMode, Prediction
from studio.evaluation.refusal import RIGHT_REFUSED, right_but_refused
from studio.evaluation.row_tags import TagFile, tag_rows
from studio.evaluation.tags import NOT, TagCount, is_tag, tag_counts, tag_meaning, tag_name, with_tags
from studio.language import say
from studio.quality.findings import suspected_titles
from studio.runs import Run

OUTCOMES: Mapping[str, tuple[str, str]] = {"wrong": ("答错的", "wrong"), "right": ("答对的", "right")}


def _tags(text: str) -> object:
    """Read the tags of an address; a comma may be part of a source, so they are parted by bars."""
    return [tag for tag in text.split("|") if is_tag(tag)] or None


FILTERS = Filters(
    page="rows",
    readers={
        "outcome": one_of(OUTCOMES),
        "label": lambda text: text,
        "predicted": lambda text: text,
        "tags": _tags,
    },
    separator="|",
)


def load_tags(run: Run, answer: AnswerMode) -> TagFile:
    """Tag the rows of an evaluation, or read the tags that were kept."""
    db, workspace = session.store(), session.workspace()
    with st.spinner(say("正在给标题打标签…", "Tagging the rows ..."), show_time=True):
        found = tag_rows(
            db, workspace, run, answer, session.scheme(), suspects=suspected_titles(db, workspace)
        )
        refused = right_but_refused(workspace, run, answer, session.scheme())
    if not refused:
        return found
    more = {row: (*tags, RIGHT_REFUSED) if row in refused else tags for row, tags in found.tags.items()}
    return found.model_copy(update={"tags": more})


def rows_section(run: Run, predictions: Sequence[Prediction], tags: TagFile) -> None:
    """Draw the tags with their numbers, the filters, and a page of the rows that are left."""
    FILTERS.read()
    counts = tag_counts(predictions, tags.tags)
    _tag_table(counts, tags)
    found = _filtered(predictions, tags, counts)
    FILTERS.write()
    right = sum(row.predicted == row.label for row in found)
    share = say(f"，答对 {right / len(found):.1%}", f", {right / len(found):.1%} right") if found else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        text = say(
            f"**{len(found)}** 条，共 {len(predictions)} 条{share}",
            f"**{len(found)}** of {len(predictions)} rows{share}",
        )
        st.markdown(text, width="stretch")
        if FILTERS.is_set:
            clear_filters_button(key="rows-clear", on_click=_clear)
    if not found:
        st.info(say("没有符合条件的标题。", "No title matches."), icon=":material/search_off:")
        return
    title_list(run, _page(found), tags, place="rows-", height=560)


def _tag_table(counts: Sequence[TagCount], tags: TagFile) -> None:
    """Draw how the rows with each tag were answered."""
    if not counts:
        return
    accuracy, lift = say("准确率", "accuracy"), say("错误倍数", "error lift")
    with st.expander(say("标签一览", "Tags"), key="tag-table", icon=":material/sell:", expanded=True):
        table(
            [
                {
                    say("标签", "tag"): tag_name(each.tag),
                    say("条数", "rows"): each.count,
                    accuracy: f"{each.accuracy:.0%} ({each.interval[0]:.0%}–{each.interval[1]:.0%})",
                    lift: "" if each.lift is None else f"{each.lift:.2f}",
                    say("含义", "meaning"): tag_meaning(each.tag),
                }
                for each in counts
            ],
            hide_index=True,
            height="content" if len(counts) <= 9 else 330,
            alt=say("标签一览", "Tags"),
        )
        st.caption(_tag_note(tags))


def _tag_note(tags: TagFile) -> str:
    """Say what lift means, and what the tags rest on."""
    lift = say(
        "错误倍数：这些标题的错误率除以全部标题的错误率，大于 1 表示错误集中在这里；条数少时区间很宽。",
        "Error lift: the error rate of these titles over that of all; above 1 the errors gather here. "
        "With few rows the interval is wide.",
    )
    others = say(
        f"对照了 {tags.runs} 个答过同样标题的运行，其中 {tags.seeds} 个只有种子不同。",
        f"Compared with {tags.runs} other runs on the same titles, {tags.seeds} of them differing "
        "in the seed alone.",
    )
    near = (
        ""
        if tags.has_neighbours
        else say("没有与训练行比较。", "Training rows were not compared (none known, or too many).")
    )
    return " ".join(part for part in (lift, others, near) if part)


def _filtered(
    predictions: Sequence[Prediction], tags: TagFile, counts: Sequence[TagCount]
) -> list[Prediction]:
    """Draw the filters; return the rows that they leave."""
    first = st.columns([1, 1, 1, 2])
    outcomes = {name: say(*words) for name, words in OUTCOMES.items()}
    names = session.scheme().names
    _choice(first[0], "outcome", say("对错", "Outcome"), outcomes)
    _choice(
        first[1],
        "label",
        say("数据集的类别", "Dataset category"),
        {name: category_name(name) for name in names},
    )
    _choice(
        first[2],
        "predicted",
        say("模型的回答", "Model's answer"),
        {name: column_name(name) for name in (*names, UNPARSED)},
    )
    key = FILTERS.key("tags")
    options = [each.tag for each in counts]
    asked = st.session_state.get(key) or []
    options += [tag for tag in asked if tag.startswith(NOT) and tag.removeprefix(NOT) in options]
    st.session_state[key] = [tag for tag in asked if tag in options]
    shown = {tag: tag_name(tag) for tag in options}
    shown |= {each.tag: f"{tag_name(each.tag)} ({each.count})" for each in counts}
    chosen = first[3].multiselect(
        say("标签（同时具备）", "Tags (all of them)"),
        options,
        key=key,
        format_func=shown.__getitem__,
        placeholder=say("不限", "any"),
    )
    rows = with_tags(predictions, tags.tags, chosen)
    outcome, label, answer = (
        cast("str | None", FILTERS.value(name)) for name in ("outcome", "label", "predicted")
    )
    if outcome:
        rows = [row for row in rows if (row.predicted == row.label) == (outcome == "right")]
    if label:
        rows = [row for row in rows if row.label == label]
    if answer:
        rows = [row for row in rows if (row.predicted or UNPARSED) == answer]
    return rows


def _choice(column: DeltaGenerator, name: str, label: str, options: Mapping[str, str]) -> None:
    """Draw a select box that may stay empty; what is no option of this evaluation is no filter."""
    key = FILTERS.key(name)
    if st.session_state.get(key) not in options:
        st.session_state[key] = None
    column.selectbox(
        label,
        list(options),
        index=None,
        key=key,
        format_func=options.__getitem__,
        placeholder=say("不限", "any"),
    )


def _page(found: Sequence[Prediction]) -> Sequence[Prediction]:
    """Draw the choice of a page where there is more than one; return its rows."""
    pages = -(-len(found) // SHOWN)
    if pages == 1:
        return found
    number = st.pagination(pages, key="rows-page") or 1
    return found[(number - 1) * SHOWN : number * SHOWN]


@reporting
def _clear() -> None:
    """Show every row again."""
    FILTERS.clear()
