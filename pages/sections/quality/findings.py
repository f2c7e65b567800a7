"""Draw the findings of the quality scan one at a time, with a key for each answer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import streamlit as st

from pages.shared import charts, session
from pages.shared.digit_buttons import digit_buttons
from pages.shared.feedback import notify, reporting
from pages.shared.text import category_mark, category_name, plain
from studio.corpus.titles import Title, get_title
from studio.language import say
from studio.quality import answers
from studio.quality.findings import Evidence, Finding, FindingKind, ScanFile, open_findings, suspect_record
from studio.store import Store

WIDTH = 240
"""Of the two answers to a doubted label: they are equally easy to give."""

NOTHING_FOUND: Mapping[FindingKind, tuple[str, str]] = {
    "suspect": ("没有待处理的可疑标签。", "No doubtful labels are open."),
    "conflict": ("没有待处理的矛盾标签。", "No contradictions are open."),
    "near": ("没有待处理的近似重复。", "No near duplicates are open."),
}


def finding_section(db: Store, scan: ScanFile | None, kind: FindingKind) -> None:
    """Draw the first open finding of a kind, and the keys that answer it."""
    if scan is None:
        st.info(say("先扫描一次。", "Scan first."), icon=":material/radar:")
        return
    findings = open_findings(db, scan, kind)
    if kind == "suspect" and scan.left_out:
        names = say("、", ", ").join(map(category_mark, scan.left_out))
        st.caption(
            say(f"标题太少、未作判断的类别：{names}", f"Categories with too few titles to check: {names}")
        )
    if kind == "suspect":
        findings = _worth_a_look(db, findings)
    if not findings:
        st.success(say(*NOTHING_FOUND[kind]), icon=":material/task_alt:")
        return
    index = int(st.session_state.get(f"quality-index-{kind}", 0)) % len(findings)
    left = scan.found[kind] - sum(finding.kind == kind for finding in scan.findings)
    left = 0 if kind == "suspect" else left  # ranked: those behind the list are the least clear
    more = say(f"，另有 {left} 条排在后面", f", {left} more after these") if left > 0 else ""
    st.caption(
        say(
            f"第 {index + 1} 条，共 {len(findings)} 条待处理{more}",
            f"{index + 1} of {len(findings)} open{more}",
        )
    )
    finding = findings[index]
    titles = [get_title(db, title_id) for title_id in finding.titles]
    if finding.evidence:
        _suspect(db, titles[0], finding.evidence)
    else:
        _group(titles, kind)
    _answers(finding, titles, kind, index)


def _worth_a_look(db: Store, findings: Sequence[Finding]) -> list[Finding]:
    """Show what is clearly contradicted; the rest on demand. Say how many are expected to be right."""
    clear = [finding for finding in findings if finding.is_clear]
    more = len(findings) - len(clear)
    if more and st.toggle(
        say(f"也看不太明显的（另有 {more} 条）", f"Show the less clear ones, too ({more} more)"),
        key="choose-unclear-suspects",
        persist_state="session",
    ):
        clear = list(findings)
    if clear:
        right = round(sum(finding.evidence.right for finding in clear if finding.evidence))
        st.markdown(
            say(
                f"这里的 {len(clear)} 条里，估计约 **{right}** 条的标签本来就是对的"
                "（按交叉验证的概率）：分类器常常错，请按标题判断。",
                f"Of these {len(clear)}, about **{right}** labels are expected to be right as they are (from "
                "the cross-validated probabilities): the classifier is often wrong. Judge by the title.",
            )
        )
    record = suspect_record(db)
    if record.right + record.relabelled:
        st.caption(
            say(
                f"已处理的可疑标签中：{record.right} 条标签正确，{record.relabelled} 条改了。",
                f"Of the doubted labels answered so far, {record.right} were right and {record.relabelled} "
                "were changed.",
            )
        )
    return clear


def _suspect(db: Store, title: Title, evidence: Evidence) -> None:
    with st.container(border=True):
        st.header(plain(title.text), anchor=False)
        st.markdown(
            say("现为 ", "now ")
            + category_mark(evidence.given)
            + _percent(evidence, evidence.given)
            + say("　分类器认为是 ", "　the classifier says ")
            + category_mark(evidence.suggested)
            + _percent(evidence, evidence.suggested)
            + f"　:small[:gray[{say('决定人', 'by')} {plain(title.author or '')}]]"
        )
    likely, near = st.columns(2, gap="large")
    with likely:
        known = {name: p for name, p in evidence.probabilities.items() if name in session.scheme().names}
        st.altair_chart(
            charts.probability_bars(known, session.scheme()),
            alt=say(
                "未用这一条训练的分类器的概率", "Probabilities from a classifier not trained on this title"
            ),
        )
        for name, words in (
            (evidence.given, evidence.for_given),
            (evidence.suggested, evidence.for_suggested),
        ):
            reasons = say("、", ", ").join(map(plain, words)) or say("没有", "none")
            st.markdown(f":small[{category_mark(name)}{say('：', ': ')}{reasons}]")
    with near:
        st.markdown(f"**{say('最像的标题', 'The most similar titles')}**")
        for title_id, similarity in evidence.nearest:
            other = get_title(db, title_id)
            mark = category_mark(other.category) if other.category else "–"
            st.markdown(f"{mark}　{plain(other.text)}　:small[:gray[{similarity:.0%}]]")


def _percent(evidence: Evidence, category: str) -> str:
    return f" :small[:gray[{evidence.probabilities.get(category, 0):.0%}]]"


def _group(titles: Sequence[Title], kind: FindingKind) -> None:
    kept = answers.best_to_keep(titles)
    with st.container(border=True):
        for title in titles:
            mark = category_mark(title.category) if title.category else "–"
            badge = f"　:blue-badge[{say('合并时保留', 'kept when merged')}]" if title is kept else ""
            chain = "" if title.chain else f"　:small[:gray[{say('没有思维链', 'no chain')}]]"
            st.markdown(f"{mark}　{plain(title.text)}{badge}{chain}")
    if kind == "conflict" and session.scheme().rule(*_two_categories(titles)):
        rule = session.scheme().rule(*_two_categories(titles)) or ""
        st.caption(f":material/gavel: {plain(rule)}")


def _two_categories(titles: Sequence[Title]) -> tuple[str, str]:
    names = list(dict.fromkeys(title.category or "" for title in titles))
    return names[0], names[-1]


def _answers(finding: Finding, titles: Sequence[Title], kind: FindingKind, index: int) -> None:
    """Draw the keys: A correct, X take the suggestion, M merge, D dismiss, N next, and the category digits.

    None is highlighted: each changes or keeps what people decided, and the page does not know which is
    right. Not Enter, which the tab that was just clicked would hear; not R, which Streamlit keeps for itself.
    """
    key = finding.key
    with st.container(horizontal=True, gap="small"):
        if kind != "near":
            text = say("标签正确", "The label is right")
            _button("A", text, "check", key, _accept, finding, width=WIDTH)
        if finding.evidence and finding.evidence.suggested in session.scheme().names:
            text = say("改为", "Change to ") + category_name(finding.evidence.suggested)
            _button("X", text, "swap_horiz", key, _relabel, finding, finding.evidence.suggested, width=WIDTH)
        if kind != "suspect":
            keep = answers.best_to_keep(titles).id
            _button("M", say("合并，只留一条", "Merge and keep one"), "merge", key, _merge, finding, keep)
        _button("D", say("忽略", "Dismiss"), "visibility_off", key, _dismiss, finding)
        _button("N", say("下一条", "Next"), "skip_next", key, _next, kind, index)
        if st.button(say("去标注页", "Open"), key=f"quality-open-{key}", icon=":material/open_in_new:"):
            session.open_on_label_page(finding.titles[0])
    if kind != "near":
        _digits(finding)


def _digits(finding: Finding) -> None:
    """Draw every category under its digit, as on the Label page."""
    digit_buttons(finding.key, _relabel, lambda category: (finding, category), prefix="quality-digit")


def _button(
    letter: str,
    text: str,
    icon: str,
    key: str,
    callback: Callable[..., None],
    *args: object,
    width: int | Literal["content"] = "content",
) -> None:
    st.button(
        text,
        key=f"quality-{letter}-{key}",
        shortcut=letter,
        icon=f":material/{icon}:",
        on_click=callback,
        args=args,
        width=width,
    )


@reporting
def _accept(finding: Finding) -> None:
    """Accept the labels: they are right."""
    answers.accept(session.store(), finding, author=session.annotator())


@reporting
def _dismiss(finding: Finding) -> None:
    """Dismiss the finding."""
    answers.dismiss(session.store(), finding, author=session.annotator())


@reporting
def _relabel(finding: Finding, category: str) -> None:
    """Relabel all titles of the finding."""
    changed = answers.relabel(session.store(), finding, category, author=session.annotator())
    name = category_name(category)
    notify(say(f"已改为{name}：{changed} 条", f"{changed} changed to {name}"))


@reporting
def _merge(finding: Finding, keep: int) -> None:
    """Merge the titles: one stays, the others are put aside."""
    gone = answers.merge(session.store(), finding, keep, author=session.annotator())
    notify(say(f"已合并，搁置 {gone} 条", f"Merged; {gone} put aside"))


@reporting
def _next(kind: FindingKind, index: int) -> None:
    """Leave this finding for later."""
    st.session_state[f"quality-index-{kind}"] = index + 1
