"""List the problems of the decided titles, by kind; each leads to its title.

A few thousand titles are looked at while the page is drawn. Of more, the last quality
scan tells which titles to look at, and only those on screen are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from pages.shared import session
from pages.shared.text import SEVERITY_ICONS, plain
from studio.corpus.titles import count_by_status, get_title
from studio.datasets.versions import data_problems, problems_of
from studio.language import say
from studio.quality import findings
from studio.quality.findings import ScanFile
from studio.samples.problems import Problem, Severity
from studio.store import Store
from studio.validation.codes import code_name

LIVE_TITLES = 3000
"""About a fifth of a second."""
SHOWN_PER_CODE = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class _Group:
    """Problems of one code: how many, and the first, as problems or as the titles that have them."""

    code: str
    severity: Severity
    count: int
    problems: Sequence[Problem] = ()
    titles: Sequence[int] = ()


def problem_list(db: Store) -> None:
    """Draw what `check` finds in the decided titles."""
    if count_by_status(db)["decided"] <= LIVE_TITLES:
        groups = _by_code(data_problems(db, session.scheme()))
    else:
        scan = findings.look(db, session.workspace())
        if scan.last is None:
            return
        groups = _scanned(scan.last)
    if not groups:
        st.success(
            say("已定的标题里没有发现问题。", "No problems among the decided titles."),
            icon=":material/task_alt:",
        )
    for group in groups:
        icon = SEVERITY_ICONS[group.severity]
        expander = st.expander(
            f"{icon} **{code_name(group.code)}**　:gray[{group.count}]",
            key=f"problems-{group.code}",
            on_change="rerun",
        )
        if expander.open:
            with expander:
                _group_rows(db, group)


def _by_code(problems: Sequence[Problem]) -> list[_Group]:
    """Group problems by code, the worst first, then the largest."""
    found: dict[str, list[Problem]] = {}
    for problem in problems:
        found.setdefault(problem.code, []).append(problem)
    return _ranked(
        [
            _Group(code=code, severity=group[0].severity, count=len(group), problems=group)
            for code, group in found.items()
        ]
    )


def _scanned(scan: ScanFile) -> list[_Group]:
    return _ranked(
        [
            _Group(code=code, severity=counted.severity, count=counted.count, titles=counted.titles)
            for code, counted in scan.problems.items()
        ]
    )


def _ranked(groups: Sequence[_Group]) -> list[_Group]:
    ranks = list(SEVERITY_ICONS)
    return sorted(groups, key=lambda group: (ranks.index(group.severity), -group.count))


def _group_rows(db: Store, group: _Group) -> None:
    problems = group.problems or _still_there(db, group)
    for index, problem in enumerate(problems[:SHOWN_PER_CODE]):
        _problem_row(db, problem, f"{group.code}-{problem.title_id}-{index}")
    if group.count > len(problems[:SHOWN_PER_CODE]):
        st.caption(
            say(
                f"共 {group.count} 条；处理完这些，其余的随后显示。",
                f"{group.count} in all; the others appear once these are fixed.",
            )
        )


def _still_there(db: Store, group: _Group) -> list[Problem]:
    """Find the scanned titles that still have the problem, up to a screenful."""
    found: list[Problem] = []
    for title_id in group.titles:
        title = get_title(db, title_id)
        if title.status == "decided":
            found += [p for p in problems_of([title], session.scheme()) if p.code == group.code]
        if len(found) >= SHOWN_PER_CODE:
            break
    return found


def _problem_row(db: Store, problem: Problem, key: str) -> None:
    text, button = st.columns([5, 1], vertical_alignment="center")
    title = "" if problem.title_id is None else f"{plain(get_title(db, problem.title_id).text)}  \n"
    text.markdown(f"{title}:small[:gray[{plain(problem.message)}]]")
    if problem.title_id is not None and button.button(
        say("去修改", "Open"), key=f"open-{key}", width="stretch"
    ):
        argues = problem.code.startswith(("chain_", "think_"))
        session.open_on_label_page(problem.title_id, mode="chain" if argues else "quick")
