"""What the Datasets page draws: freezing, versions, problems, titles put aside, a file check."""

import io
import zipfile
from collections.abc import Sequence
from typing import Any

import streamlit as st

from pages.shared import charts, shell
from pages.shared.problem_names import SEVERITY_ICONS, problem_name, severity_name
from pages.shared.uploads import uploaded_path
from studio.check import check_path
from studio.language import say
from studio.problems import Problem
from studio.store import Store
from studio.titles import category_counts, count_by_status, find_titles, get_title
from studio.versions import Version, data_problems, freeze, list_versions

SHOWN_PER_CODE = 20


def freeze_section(db: Store) -> None:
    """What would be frozen now, and the button that does it."""
    counts = count_by_status(db)
    if not counts["decided"]:
        st.info(
            say(
                "还没有已定的标题，先去标注或导入带答案的数据。",
                "No title is decided yet: label some, or import answered data.",
            )
        )
        shell.link("label", say("去标注", "Label titles"))
        return
    summary, form = st.columns([1, 1.1], gap="large")
    with summary:
        st.markdown(
            say(
                f"现在冻结会收进 **{counts['decided']}** 条已定标题；**{counts['waiting']}** 条还在等待，不会收进去。",
                f"Freezing now takes **{counts['decided']}** decided titles; **{counts['waiting']}** still wait and stay out.",
            )
        )
        st.altair_chart(
            charts.category_bars(category_counts(db), shell.scheme()),
            alt=say("已定标题的类别", "Decided titles per category"),
        )
    with form, st.form("freeze"):
        name = st.text_input(say("名称", "Name"), value="news", key="freeze-name")
        share = st.number_input(
            say("评估集比例", "Evaluation share"),
            value=None,
            min_value=0.01,
            max_value=0.9,
            step=0.05,
            key="freeze-share",
            placeholder=say("自动", "automatic"),
            help=say(
                "留空：导入时已分好评估集的照原样，没有的取 0.2。曾在评估集里的标题永远留在评估集。",
                "Empty: an evaluation split that came with the import stays as it is, else 0.2. What was evaluated once stays evaluated.",
            ),
        )
        seed = st.number_input(say("随机种子", "Seed"), value=42, step=1, key="freeze-seed")
        if st.form_submit_button(
            say("冻结", "Freeze"), key="freeze-now", type="primary", icon=":material/lock:"
        ):
            with shell.report_errors():
                version = freeze(
                    db,
                    shell.workspace(),
                    name.strip(),
                    eval_share=share,
                    seed=int(seed),
                    author=shell.annotator(),
                    scheme=shell.scheme(),
                )
                st.success(
                    say(
                        f"已冻结 {version.ref}：训练 {version.rows['train']} 条，评估 {version.rows['eval']} 条。",
                        f"Frozen as {version.ref}: {version.rows['train']} to train, {version.rows['eval']} to evaluate.",
                    )
                )
                shell.link("train", say("用它训练", "Train on it"))


def version_list(db: Store) -> None:
    """Every version with its rows per category and its files."""
    versions = list_versions(db, shell.workspace())
    if versions:
        st.subheader(say("已冻结的版本", "Frozen versions"), anchor=False)
    for version in versions:
        title = say(
            f"**{version.ref}**　训练 {version.rows['train']} · 评估 {version.rows['eval']}　:gray[{shell.local_time(version.created_at)} · {version.author}]",
            f"**{version.ref}**　{version.rows['train']} train · {version.rows['eval']} eval　:gray[{shell.local_time(version.created_at)} · {version.author}]",
        )
        expander = st.expander(title, key=f"version-{version.ref}", on_change="rerun")
        if expander.open:
            with expander, shell.report_errors():
                _version_details(version)


def _version_details(version: Version) -> None:
    names = shell.scheme().names
    st.dataframe(
        [
            {say("类别", "category"): shell.category_name(name)}
            | {split: version.categories[split].get(name, 0) for split in ("train", "eval")}
            for name in names
        ],
        hide_index=True,
        height="content",
        alt=say("每个类别的条数", "Rows per category"),
    )
    st.caption(f"sha256 `{version.sha256}`")
    files = version.files
    with st.container(horizontal=True):
        for file_name in ("train.json", "eval.json", "dataset_info.json"):
            st.download_button(
                file_name,
                files[file_name],
                file_name=file_name,
                mime="application/json",
                key=f"get-{version.ref}-{file_name}",
                icon=":material/download:",
                on_click="ignore",
            )
        st.download_button(
            say("全部（zip）", "All (zip)"),
            lambda: _zip(version, files),
            file_name=f"{version.name}_v{version.number}.zip",
            mime="application/zip",
            key=f"get-{version.ref}-zip",
            icon=":material/folder_zip:",
            on_click="ignore",
        )


def _zip(version: Version, files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(f"{version.name}_v{version.number}/{name}", content)
    return buffer.getvalue()


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
