"""What the Datasets page draws beside versions: problems, titles put aside, a file check."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.shared import shell
from pages.shared.problem_names import SEVERITY_ICONS, problem_name, severity_name
from pages.shared.uploads import uploaded_path
from studio.check import check_path
from studio.language import say
from studio.problems import Problem
from studio.store import Store
from studio.titles import find_titles, get_title
from studio.versions import data_problems

SHOWN_PER_CODE = 20


def problem_list(db: Store) -> None:
    """Problems of the decided titles, by kind; each leads to its title."""
    problems = data_problems(db, shell.scheme())
    if not problems:
        st.success(
            say("已定的标题里没有发现问题。", "No problem among the decided titles."),
            icon=":material/task_alt:",
        )
        return
    for code, group in _by_code(problems).items():
        icon = SEVERITY_ICONS[group[0].severity]
        expander = st.expander(
            f"{icon} **{problem_name(code)}**　:gray[{len(group)}]", key=f"problems-{code}", on_change="rerun"
        )
        if expander.open:
            with expander:
                for index, problem in enumerate(group[:SHOWN_PER_CODE]):
                    _problem_row(db, problem, f"{code}-{problem.title_id}-{index}")
                if len(group) > SHOWN_PER_CODE:
                    st.caption(
                        say(
                            f"先处理这 {SHOWN_PER_CODE} 条，其余 {len(group) - SHOWN_PER_CODE} 条随后显示。",
                            f"The other {len(group) - SHOWN_PER_CODE} follow once these are mended.",
                        )
                    )


def _by_code(problems: Sequence[Problem]) -> dict[str, list[Problem]]:
    """Groups of one code, the worst first, then the largest."""
    groups: dict[str, list[Problem]] = {}
    for problem in problems:
        groups.setdefault(problem.code, []).append(problem)
    ranks = list(SEVERITY_ICONS)
    return dict(sorted(groups.items(), key=lambda item: (ranks.index(item[1][0].severity), -len(item[1]))))


def _problem_row(db: Store, problem: Problem, key: str) -> None:
    text, button = st.columns([5, 1], vertical_alignment="center")
    title = "" if problem.title_id is None else f"{shell.plain(get_title(db, problem.title_id).text)}  \n"
    text.markdown(f"{title}:small[:gray[{shell.plain(problem.message)}]]")
    if problem.title_id is not None and button.button(
        say("去修改", "Open"), key=f"open-{key}", width="stretch"
    ):
        argues = problem.code.startswith(("chain_", "think_"))
        shell.open_on_label_page(problem.title_id, mode="chain" if argues else "quick")


def put_aside_list(db: Store) -> None:
    """Skipped and flagged titles, so that none is forgotten."""
    titles = find_titles(db, status="flagged", limit=100) + find_titles(db, status="skipped", limit=100)
    if not titles:
        st.info(say("没有跳过或存疑的标题。", "No title was skipped or flagged."), icon=":material/inbox:")
    for title in titles:
        text, button = st.columns([5, 1], vertical_alignment="center")
        state = say("存疑", "flagged") if title.status == "flagged" else say("跳过", "skipped")
        text.markdown(
            f"{shell.plain(title.text)}  \n:small[:gray[{state} · {title.author} · {shell.plain(title.note or '')}]]"
        )
        if button.button(say("去标注", "Open"), key=f"aside-{title.id}", width="stretch"):
            shell.open_on_label_page(title.id)


def file_check() -> None:
    """Check a file of conversations before anything is imported."""
    file = st.file_uploader(
        say("要检查的文件（json、jsonl、csv、xlsx…）", "The file to check (json, jsonl, csv, xlsx ...)"),
        key="check-file",
    )
    if file is None:
        st.caption(say("检查不会改动或导入任何东西。", "A check changes and imports nothing."))
        return
    with shell.report_errors(), uploaded_path(file) as path:
        report = check_path(path, shell.scheme()).to_json()
        st.markdown(
            say(
                f"共 **{report['rows']}** 行，**{report['valid']}** 行没有错误。",
                f"**{report['rows']}** rows, **{report['valid']}** without an error.",
            )
        )
        if report["problems"]:
            st.markdown(
                " ".join(f":gray-badge[{problem_name(code)} {n}]" for code, n in report["counts"].items())
            )
            _problem_table(report["problems"])
        else:
            st.success(say("没有发现问题，可以导入。", "No problem found; it can be imported."))


def _problem_table(problems: Sequence[dict[str, Any]]) -> None:
    """Errors first; within a severity the order of the file."""
    ranks = list(SEVERITY_ICONS)
    st.dataframe(
        [
            {
                say("行", "row"): problem["row"],
                say("程度", "severity"): severity_name(problem["severity"]),
                say("问题", "problem"): problem_name(problem["code"]),
                say("说明", "message"): problem["message"],
                say("建议", "repair"): problem["repair"] or "",
            }
            for problem in sorted(problems, key=lambda problem: ranks.index(problem["severity"]))
        ],
        hide_index=True,
        height=420,
        alt=say("文件里的问题", "Problems in the file"),
    )
