"""Draw the problems of a checked file: counted, filtered, grouped by code, each with its row to edit."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import streamlit as st

from pages.sections.check.row_editor import row_editor
from pages.sections.check.source import Desk
from pages.shared import session
from pages.shared.feedback import notify, report_errors
from pages.shared.text import SEVERITY_ICONS, plain, severity_name
from studio.ingest.check_session import accepted_proposals, rows_at
from studio.language import say
from studio.samples.problems import Problem, Severity
from studio.validation.codes import CODES, GROUP_NAMES, MENDING_NAMES, code_name
from studio.validation.problem_log import SEVERITIES

SHOWN = 10
"""Problems of a group on screen at once."""

Filters = Callable[[str, Severity, str], bool]
"""Whether problems of a code, a severity and a file are asked for."""


def summary(desk: Desk) -> None:
    """Draw what was checked and what was found, in a line."""
    report = desk.report
    counts = " ".join(
        f"{SEVERITY_ICONS[severity]} {report.problems.count(severity)} {severity_name(severity)}"
        for severity in SEVERITIES
    )
    name = plain(desk.name)
    st.markdown(
        say(
            f"{name}：共 **{report.rows}** 行，**{report.valid}** 行没有错误。　{counts}",
            f"{name}: **{report.rows}** rows, **{report.valid}** without an error.　{counts}",
        )
    )


def problem_groups(desk: Desk) -> None:
    """Draw the filters, and under them a group for each code."""
    if not len(desk.report.problems):
        st.success(
            say("没有发现问题，可以导入。", "No problems found; it can be imported."),
            icon=":material/task_alt:",
        )
        return
    wanted = _filters(desk)
    groups: dict[str, Counter[Severity]] = {}
    for (code, severity, file), count in desk.kinds.items():
        if wanted(code, severity, file):
            groups.setdefault(code, Counter())[severity] += count
    if not groups:
        st.info(
            say("没有符合条件的问题。", "No problem matches the filters."), icon=":material/filter_alt_off:"
        )
    for code, counts in sorted(groups.items(), key=lambda group: _rank(group[1])):
        _group(desk, code, counts, wanted)


def _rank(counts: Mapping[Severity, int]) -> tuple[int, int]:
    """Rank the worst first, then the largest."""
    return min(map(SEVERITIES.index, counts)), -sum(counts.values())


def _filters(desk: Desk) -> Filters:
    """Draw the filters and return them as one predicate; nothing chosen means everything."""
    found = {code for code, _, _ in desk.kinds}
    files = sorted({file for _, _, file in desk.kinds})
    first, second = st.columns([2, 1], vertical_alignment="bottom")
    severities = first.pills(
        say("程度", "Severity"),
        SEVERITIES,
        selection_mode="multi",
        key="choose-check-severity",
        format_func=severity_name,
    )
    groups = st.pills(
        say("关于", "About"),
        [group for group in GROUP_NAMES if any(CODES[code].group == group for code in found)],
        selection_mode="multi",
        key="choose-check-group",
        format_func=lambda group: say(*GROUP_NAMES[group]),
    )
    file = second.selectbox(
        say("文件", "File"),
        files,
        index=None,
        key="choose-check-file",
        placeholder=say("不限", "any"),
        disabled=len(files) < 2,
    )

    def wanted(code: str, severity: Severity, name: str) -> bool:
        return (
            (not severities or severity in severities)
            and (not groups or CODES[code].group in groups)
            and (file is None or name == file)
        )

    return wanted


def _group(desk: Desk, code: str, counts: Counter[Severity], wanted: Filters) -> None:
    worst = min(counts, key=SEVERITIES.index)
    repair = say(*MENDING_NAMES[CODES[code].mending])
    expander = st.expander(
        f"{SEVERITY_ICONS[worst]} **{code_name(code)}**　:gray[{counts.total()} · {repair} · `{code}`]",
        key=f"check-group-{code}",
        on_change="rerun",
    )
    if not expander.open:
        return
    with expander:
        if CODES[code].mending == "proposal":
            _accept_all(desk, code)
        page = _pager(code, counts.total())
        problems = _problems_on(desk, code, page, wanted)
        for index, problem in enumerate(problems):
            _problem(desk, problem, f"{code}-{index}")


def _accept_all(desk: Desk, code: str) -> None:
    """Draw the button that accepts what is proposed for every row of a kind, as edits of the copy."""
    if st.button(
        say("接受这一类的全部建议", "Accept all proposals of this kind"),
        key=f"check-accept-{code}",
        icon=":material/done_all:",
        help=say(
            "记作修改，会写进修复后的副本；没有建议的行不变。",
            "Kept as edits, which the repaired copy has; rows without a proposal stay as they are.",
        ),
    ):
        with report_errors():
            edits = accepted_proposals(desk.path, code, session.scheme(), desk.choices)
            desk.edits.update({place: edit for place, edit in edits.items() if place not in desk.edits})
            desk.copy = None
            notify(say(f"{len(edits)} 行按建议改好了。", f"{len(edits)} rows were edited as proposed."))
            st.rerun()


def _pager(code: str, count: int) -> int:
    """Draw the choice of a screenful of a group; return it, counted from 0."""
    pages = -(-count // SHOWN)
    if pages < 2:
        return 0
    chosen = st.number_input(
        say(f"第几页（共 {pages} 页）", f"Page (of {pages})"),
        min_value=1,
        max_value=pages,
        value=1,
        key=f"check-page-{code}",
        width=160,
    )
    return int(chosen) - 1


def _problems_on(desk: Desk, code: str, page: int, wanted: Filters) -> Sequence[Problem]:
    """Read a screenful of a group with its rows; both are kept while it is on screen."""
    kinds = frozenset(kind for kind in desk.kinds if kind[0] == code and wanted(*kind))
    key = (kinds, page)
    if key not in desk.seen:
        skip, problems = page * SHOWN, list[Problem]()
        for problem in desk.report.problems:
            if (problem.code, problem.severity, problem.file) not in kinds:
                continue
            if skip:
                skip -= 1
                continue
            problems.append(problem)
            if len(problems) == SHOWN:
                break
        places = {(each.file, each.row) for each in problems if each.row is not None}
        while len(desk.seen) > SHOWN:
            desk.seen.pop(next(iter(desk.seen)))
        desk.seen[key] = (
            problems,
            rows_at(desk.path, places, desk.report.prefix, session.scheme(), desk.choices),
        )
    return desk.seen[key][0]


def _problem(desk: Desk, problem: Problem, key: str) -> None:
    """Draw one problem: where, what, and its row when asked for."""
    place = None if problem.row is None else (problem.file, problem.row)
    item = next((rows[place] for _, rows in desk.seen.values() if place in rows), None) if place else None
    where = problem.file if place is None else say(f"第 {problem.row} 行", f"Row {problem.row}")
    title = f"　{plain(item.title[:80])}" if item is not None and item.title else ""
    edited = f" :green-badge[{say('已改', 'edited')}]" if place in desk.edits else ""
    text, button = st.columns([6, 1], vertical_alignment="center")
    text.markdown(f"**{plain(where)}**{title}{edited}  \n:small[:gray[{plain(problem.message)}]]")
    if item is None or place is None:
        if problem.repair is not None:
            st.code(problem.repair, language="json", wrap_lines=True)
        return
    is_open = desk.opened == (place, key)
    if button.button(
        say("收起", "Close") if is_open else say("打开", "Open"),
        key=f"check-open-{key}",
        width="stretch",
    ):
        desk.opened = None if is_open else (place, key)
        st.rerun()
    if is_open:
        row_editor(desk, place, item)
