"""What the Datasets page draws beside versions: problems, titles put aside, a file check."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.shared import shell
from pages.shared.problem_names import SEVERITY_ICONS, severity_name
from pages.shared.uploads import uploaded_path
from studio.check import check_path
from studio.codes import code_name
from studio.language import say
from studio.store import Store
from studio.titles import find_titles


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
                " ".join(f":gray-badge[{code_name(code)} {n}]" for code, n in report["counts"].items())
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
                say("问题", "problem"): code_name(problem["code"]),
                say("说明", "message"): problem["message"],
                say("建议", "repair"): problem["repair"] or "",
            }
            for problem in sorted(problems, key=lambda problem: ranks.index(problem["severity"]))
        ],
        hide_index=True,
        height=420,
        alt=say("文件里的问题", "Problems in the file"),
    )
