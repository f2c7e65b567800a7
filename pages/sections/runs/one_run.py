"""Draw one run: curves, what differs from others, settings in full, name and tags."""

from collections.abc import Sequence

import streamlit as st

from pages.sections.runs.filters import BESIDE, FILTERS
from pages.shared import colors, session
from pages.shared.elements import table
from pages.shared.feedback import show_failure
from pages.shared.run_controls import run_controls
from pages.shared.run_curves import draw_curves, events_of
from pages.shared.run_naming import name_and_note
from pages.shared.run_outcome import draw_outcome
from pages.shared.text import plain, run_name, run_option
from studio import runs
from studio.contract import TrainSpec
from studio.language import say
from studio.training.presets import sound_default
from studio.training.run_table import RunRow, differences, settings_in_full


def one_run(row: RunRow, rows: Sequence[RunRow]) -> None:
    """Draw a run and what sets it apart from those beside it."""
    run = row.run
    st.subheader(plain(run_name(run)), anchor=False)
    if run.failure:
        show_failure(*run.failure)
    with st.container(horizontal=True, vertical_alignment="center"):
        if run.spec.kind == "train":
            session.link("train", say("在训练页看", "Watch on the Train page"), run=run.id)
            session.link(
                "train",
                say("把设置填进训练表单", "Load the settings into the form"),
                icon=":material/upload:",
                settings=run.id,
            )
        if row.scores:
            session.link("evaluate", say("看评估结果", "See scores"), evaluation=run.id)
    run_controls(run)
    draw_outcome(run)
    name_and_note(run)
    beside = _choose_beside(row, rows)
    curves_tab, differences_tab, settings_tab, log_tab = st.tabs(
        [
            say("曲线", "Curves"),
            say("不同之处", "Differences"),
            say("全部设置", "All settings"),
            say("日志", "Log"),
        ]
    )
    with curves_tab:
        _curves(row, beside)
    with differences_tab:
        _differences(row, beside)
    with settings_tab:
        _settings(row)
    with log_tab:
        st.code(
            runs.read_log(run, tail=100) or say("还没有内容。", "Nothing yet."), language=None, height=260
        )


def _choose_beside(row: RunRow, rows: Sequence[RunRow]) -> list[RunRow]:
    """Draw the choice of the runs beside it."""
    others = {each.run.id: each for each in rows if each.run.id != row.run.id}
    key = FILTERS.key(BESIDE)
    kept = [run_id for run_id in st.session_state.get(key) or [] if run_id in others]
    st.session_state[key] = kept[: len(colors.SERIES) - 1]
    names = {run_id: run_option(each.run) for run_id, each in others.items()}
    chosen = st.multiselect(
        say("与这些运行放在一起", "Beside these runs"),
        list(others),
        format_func=names.__getitem__,
        key=key,
        max_selections=len(colors.SERIES) - 1,
        placeholder=say("曲线画在同一张图上，只列出不同的设置", "curves on one chart, settings that differ"),
        disabled=not others,
    )
    return [others[run_id] for run_id in chosen]


def _curves(row: RunRow, beside: Sequence[RunRow]) -> None:
    with_curve = [each.run.id for each in beside if each.run.spec.kind == "train"]
    events = events_of(row.run)
    if not events and not with_curve:
        st.caption(say("这个运行没有曲线。", "This run has no curve."))
        return
    draw_curves(row.run, events, with_curve)


def _differences(row: RunRow, beside: Sequence[RunRow]) -> None:
    """Draw a line for each setting that differs, a column for each run."""
    if not beside:
        st.caption(
            say(
                "在上面选一个或几个运行，这里只列出不同的设置。",
                "Choose one or more runs above: only the settings that differ are listed here.",
            )
        )
        return
    found = differences([row, *beside])
    if not found:
        st.info(
            say("设置、数据和软件版本都相同。", "Settings, data and software versions are the same."),
            icon=":material/equal:",
        )
        return
    names = [run_option(each.run) for each in (row, *beside)]
    setting = say("设置", "setting")
    table(
        [{setting: each.name, **dict(zip(names, map(_shown, each.values), strict=True))} for each in found],
        hide_index=True,
        height="content",
        alt=say("不同的设置", "Settings that differ"),
    )


def _settings(row: RunRow) -> None:
    """Draw every setting that had an effect; a star marks what is not the sound default."""
    spec = row.run.spec
    default = (
        sound_default(spec.model_name_or_path, spec.dataset_dir).model_dump(mode="json")
        if isinstance(spec, TrainSpec)
        else None
    )
    star = say("不同于默认", "not default")
    lines = []
    for name, value in settings_in_full(row.run).items():
        line = {say("设置", "setting"): name, say("值", "value"): _shown(value)}
        lines.append(line if default is None else {**line, star: "" if value == default.get(name) else "★"})
    table(lines, hide_index=True, height=400, alt=say("全部设置", "All settings"))


def _shown(value: object) -> str:
    if value is None:
        return "–"
    return (", ".join(map(str, value)) or "–") if isinstance(value, list) else str(value)
