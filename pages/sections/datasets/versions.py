"""What the Datasets page draws about versions: freezing, the list, the difference of two."""

from collections.abc import Sequence
from functools import partial

import streamlit as st

from pages.shared import charts, shell
from pages.shared.files import uploaded_path
from studio.corpus.titles import category_counts, count_by_status
from studio.datasets.card import write_card
from studio.datasets.diff import CHANGES, Change, VersionDiff, diff_versions
from studio.datasets.eval_list import read_eval_list
from studio.datasets.export import EXPORT_FORMS, ExportForm, export_files, zip_files
from studio.datasets.freeze_process import FreezeRequest, freeze_apart
from studio.datasets.versions import Version, list_versions
from studio.errors import FreezeRefused
from studio.language import say
from studio.samples.scheme import load_scheme
from studio.store import Store

CHANGE_NAMES: dict[Change, tuple[str, str]] = {
    "added": ("新增", "added"),
    "removed": ("移除", "removed"),
    "relabelled": ("改类别", "relabelled"),
    "chain": ("改思维链", "chain edited"),
    "moved": ("换边", "moved"),
}
FORM_NAMES = {"sharegpt": "ShareGPT", "alpaca": "Alpaca", "openai": "OpenAI messages"}
SHOWN_ROWS = 500


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
    with form:
        _freeze_form()


def _freeze_form() -> None:
    with st.form("freeze"):
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
                "留空：导入时已分好评估集的照原样，没有的取 0.2。几乎相同的标题总在同一边。",
                "Empty: an evaluation split that came with the import stays as it is, else 0.2. Near copies stay together.",
            ),
        )
        with st.expander(say("更多", "More"), key="freeze-more"):
            seed = st.number_input(say("随机种子", "Seed"), value=42, step=1, key="freeze-seed")
            listed = st.file_uploader(
                say("固定的评估标题（每行一个）", "A fixed list of titles to evaluate, one a line"),
                key="freeze-list",
            )
            resplit = st.checkbox(
                say("重新划分训练和评估", "Split into training and evaluation anew"),
                key="freeze-resplit",
                help=say(
                    "不勾：曾在评估集里的标题永远留在评估集，各版本的分数才可比。",
                    "Off: what was evaluated once stays evaluated, so that scores of all versions compare.",
                ),
            )
        pressed = st.form_submit_button(
            say("冻结", "Freeze"), key="freeze-now", type="primary", icon=":material/lock:"
        )
    accepted = _accept_button() if st.session_state.get("freeze-reasons") and not pressed else False
    if pressed or accepted:
        eval_titles: Sequence[str] = ()
        with shell.report_errors():
            if listed is not None:
                with uploaded_path(listed) as path:
                    eval_titles = read_eval_list(path, shell.scheme())
            _freeze(
                FreezeRequest(
                    name=name.strip(),
                    eval_share=share,
                    seed=int(seed),
                    eval_titles=tuple(eval_titles),
                    resplit=resplit,
                    accept_warnings=accepted,
                    author=shell.annotator(),
                )
            )


def _freeze(request: FreezeRequest) -> None:
    st.session_state.pop("freeze-reasons", None)
    try:
        with st.spinner(say("正在检查并冻结……", "Checking and freezing ...")):
            version, notes = freeze_apart(shell.workspace(), request)
    except FreezeRefused as refused:
        if not refused.can_accept:
            _reasons(refused.reasons)
            raise
        st.session_state["freeze-reasons"] = refused.reasons
        st.rerun()
    st.success(
        say(
            f"已冻结 {version.ref}：训练 {version.rows['train']} 条，评估 {version.rows['eval']} 条。",
            f"Frozen as {version.ref}: {version.rows['train']} to train, {version.rows['eval']} to evaluate.",
        )
    )
    for note in notes:
        st.info(shell.plain(note), icon=":material/info:")
    shell.link("train", say("用它训练", "Train on it"))


def _accept_button() -> bool:
    """The warnings of the last press, and whether somebody takes them."""
    reasons = st.session_state["freeze-reasons"]
    st.warning(
        say("冻结前请确认：", "Before freezing, please confirm:")
        + "\n\n"
        + "\n".join(f"- {shell.plain(reason)}" for reason in reasons),
        icon=":material/warning:",
    )
    return st.button(
        say(f"带着这 {len(reasons)} 个警告冻结", f"Freeze with these {len(reasons)} warnings"),
        key="freeze-accept",
        icon=":material/lock:",
    )


def _reasons(reasons: Sequence[str]) -> None:
    st.markdown("\n".join(f"- {shell.plain(reason)}" for reason in reasons[:20]))


def version_list(db: Store) -> None:
    """Every version with its rows per category and its files, and what differs between two."""
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
    if len(versions) > 1:
        difference_section(db, versions)


def _version_details(version: Version) -> None:
    files = version.files
    shell.table(
        [
            {say("类别", "category"): shell.category_name(name)}
            | {split: version.categories[split].get(name, 0) for split in ("train", "eval")}
            for name in shell.scheme().names
        ],
        hide_index=True,
        height="content",
        alt=say("每个类别的条数", "Rows per category"),
    )
    st.caption(f"sha256 `{version.sha256}`")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        form = st.selectbox(
            say("导出格式", "Export as"),
            EXPORT_FORMS,
            format_func=FORM_NAMES.__getitem__,
            key=f"form-{version.ref}",
            width=180,
        )
        _download(version, files, form)
        for file_name in ("train.json", "eval.json", "dataset_info.json"):
            st.download_button(
                file_name,
                partial(_one_file, files, form, file_name),
                file_name=file_name,
                mime="application/json",
                key=f"get-{version.ref}-{file_name}",
                icon=":material/download:",
                on_click="ignore",
            )
        st.download_button(
            say("说明卡", "Card"),
            lambda: _card(version, files),
            file_name=f"{version.name}_v{version.number}.md",
            mime="text/markdown",
            key=f"get-{version.ref}-card",
            icon=":material/description:",
            on_click="ignore",
        )


def _download(version: Version, files: dict[str, bytes], form: ExportForm) -> None:
    folder = f"{version.name}_v{version.number}"
    st.download_button(
        say("全部（zip）", "All (zip)"),
        lambda: zip_files(export_files(files, form, _card(version, files)), folder),
        file_name=f"{folder}_{form}.zip",
        mime="application/zip",
        key=f"get-{version.ref}-zip",
        type="primary",
        icon=":material/folder_zip:",
        on_click="ignore",
    )


def _one_file(files: dict[str, bytes], form: ExportForm, name: str) -> bytes:
    return export_files(files, form, "")[name]


def _card(version: Version, files: dict[str, bytes]) -> str:
    scheme = load_scheme(version.folder / "categories.toml")
    return write_card(version.name, files, scheme.names, scheme.prompt)


def difference_section(db: Store, versions: Sequence[Version]) -> None:
    """Pick two versions and see what differs."""
    st.subheader(say("两个版本的差别", "Two versions compared"), anchor=False)
    by_ref = {version.ref: version for version in versions}
    refs = list(by_ref)
    with st.container(horizontal=True):
        before = st.selectbox(say("从", "From"), refs, index=1, key="choose-diff-before", width=220)
        after = st.selectbox(say("到", "To"), refs, index=0, key="choose-diff-after", width=220)
    found = diff_versions(db, by_ref[before], by_ref[after])
    st.markdown(shell.plain(found.sentence))
    if found.rows:
        _difference_tables(found)


def _difference_tables(found: VersionDiff) -> None:
    counts = found.per_category
    shell.table(
        [
            {say("类别", "category"): shell.category_name(name)}
            | {say(*CHANGE_NAMES[change]): counts[name].get(change, 0) for change in CHANGES}
            for name in shell.scheme().names
            if name in counts
        ],
        hide_index=True,
        height="content",
        alt=say("每个类别的变化", "Changes per category"),
    )
    kinds = st.pills(
        say("只看", "Show"),
        [change for change in CHANGES if found.count(change)],
        selection_mode="multi",
        format_func=lambda change: say(*CHANGE_NAMES[change]),
        key="diff-kinds",
    )
    rows = [row for row in found.rows if not kinds or set(kinds) & set(row.changes)]
    shell.table(
        [
            {
                say("变化", "change"): "、".join(say(*CHANGE_NAMES[change]) for change in row.changes),
                say("标题", "title"): row.text,
                say("原类别", "category before"): _known_name(row.category_before),
                say("现类别", "category after"): _known_name(row.category_after),
                say("原划分", "split before"): row.split_before or "",
                say("现划分", "split after"): row.split_after or "",
            }
            for row in rows[:SHOWN_ROWS]
        ],
        hide_index=True,
        height=min(420, 40 + 36 * len(rows)),
        alt=say("有变化的行", "Rows that differ"),
    )
    if len(rows) > SHOWN_ROWS:
        st.caption(
            say(
                f"共 {len(rows)} 行，这里列出前 {SHOWN_ROWS} 行；全部用 news-studio dataset diff --json 查看。",
                f"{len(rows)} rows, the first {SHOWN_ROWS} are listed; all: news-studio dataset diff --json",
            )
        )


def _known_name(category: str | None) -> str:
    """A category in the page's language; one that the scheme no longer has as it was stored."""
    return shell.category_name(category) if category in shell.scheme().names else category or ""
