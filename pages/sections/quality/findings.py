"""What the Quality page draws: coverage, and findings one at a time with a key for each answer."""

from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import streamlit as st

from pages.shared import charts, shell
from studio.corpus.titles import Title, category_counts, get_title
from studio.datasets.versions import list_versions
from studio.language import say
from studio.quality import answers as verdicts
from studio.quality.coverage import Coverage, coverage, rows_for_interval
from studio.quality.findings import Evidence, Finding, FindingKind, ScanFile, open_findings
from studio.stats import wilson_half_width
from studio.store import Store

Tab = Literal["coverage", "suspect", "conflict", "near", "problems"]
TAB_NAMES: Mapping[Tab, tuple[str, str]] = {
    "coverage": ("覆盖", "Coverage"),
    "suspect": ("可疑标签", "Doubtful labels"),
    "conflict": ("互相矛盾", "Contradictions"),
    "near": ("近似重复", "Near copies"),
    "problems": ("思维链与格式", "Chains and form"),
}
NOTHING_FOUND: Mapping[FindingKind, tuple[str, str]] = {
    "suspect": ("没有待处理的可疑标签。", "No doubtful label is open."),
    "conflict": ("没有几乎相同却类别不同的标题。", "No near copies with different categories are open."),
    "near": ("没有待处理的近似重复。", "No near copies are open."),
}


def tab_names() -> dict[Tab, str]:
    """The tabs; without counts, since Streamlit would take a tab of another name for another tab."""
    return {tab: say(*names) for tab, names in TAB_NAMES.items()}


def coverage_section(db: Store) -> None:
    """Balance, and the evaluation rows that each category needs."""
    scheme = shell.scheme()
    decided = category_counts(db)
    if not decided:
        st.info(say("还没有已定的标题，先去标注。", "No title is decided yet; label some first."))
        shell.link("label", say("去标注", "Label titles"))
        return
    with st.container(horizontal=True):
        points = st.number_input(
            say("准确率误差不超过 ± 百分点", "Accuracy known to ± points"),
            value=10,
            min_value=1,
            max_value=40,
            step=1,
            key="coverage-width",
            width=260,
        )
        percent = st.number_input(
            say("预计准确率 %", "Expected accuracy in %"),
            value=80,
            min_value=1,
            max_value=99,
            step=1,
            key="coverage-accuracy",
            width=260,
        )
    wanted = rows_for_interval(points / 100, percent / 100)
    versions = list_versions(db, shell.workspace())
    rows = coverage(
        scheme.names,
        decided,
        versions[0].categories["train"] if versions else {},
        versions[0].categories["eval"] if versions else {},
        wanted,
    )
    st.markdown(_coverage_sentence(rows, wanted, points, percent, versions[0].ref if versions else None))
    chart, table = st.columns([1, 1.4], gap="large")
    chart.altair_chart(
        charts.category_bars(decided, scheme),
        alt=say("已定标题的类别", "Decided titles per category"),
    )
    with table:
        _coverage_table(rows, percent / 100)


def _coverage_sentence(
    rows: Sequence[Coverage], wanted: int, points: int, percent: int, version: str | None
) -> str:
    target = say(
        f"每个类别要有 **{wanted}** 条评估标题，{percent}% 左右的准确率才能精确到 ±{points} 个百分点（95% 区间）。",
        f"Each category needs **{wanted}** evaluated titles before an accuracy of about {percent} % is known to ±{points} points (95 % interval).",
    )
    short = [row for row in rows if row.missing]
    if version is None:
        return target + say("还没有冻结过版本。", " No version was frozen yet.")
    if not short:
        return target + say(f"{shell.plain(version)} 都够了。", f" {shell.plain(version)} has enough of all.")
    worst = max(short, key=lambda row: row.missing)
    name = shell.category_name(worst.category)
    return target + say(
        f"{shell.plain(version)} 有 {len(short)} 个类别不够，最缺的是{name}（还差 {worst.missing} 条）。",
        f" {shell.plain(version)} lacks rows in {len(short)} categories, most of all {name} ({worst.missing} more).",
    )


def _coverage_table(rows: Sequence[Coverage], accuracy: float) -> None:
    total = sum(row.decided for row in rows) or 1
    shell.table(
        [
            {
                say("类别", "category"): shell.category_name(row.category),
                say("已定", "decided"): row.decided,
                say("占比", "share"): f"{row.decided / total:.0%}",
                say("训练", "train"): row.train,
                say("评估", "eval"): row.evaluated,
                say("还差", "missing"): row.missing,
                say("现在的误差", "known to"): f"±{100 * wilson_half_width(accuracy, row.evaluated):.0f}"
                if row.evaluated
                else "–",
            }
            for row in rows
        ],
        hide_index=True,
        height="content",
        alt=say("每个类别的覆盖", "Coverage per category"),
    )


def finding_section(db: Store, scan: ScanFile | None, kind: FindingKind) -> None:
    """The first open finding of a kind, and the keys that answer it."""
    if scan is None:
        st.info(say("先扫描一次。", "Scan first."), icon=":material/radar:")
        return
    findings = open_findings(db, scan, kind)
    if kind == "suspect" and scan.left_out:
        names = "、".join(map(category_mark, scan.left_out))
        st.caption(say(f"标题太少、没有判断的类别：{names}", f"Too few titles to judge: {names}"))
    if not findings:
        st.success(say(*NOTHING_FOUND[kind]), icon=":material/task_alt:")
        return
    place = int(st.session_state.get(f"quality-place-{kind}", 0)) % len(findings)
    left = scan.found[kind] - sum(finding.kind == kind for finding in scan.findings)
    more = say(f"，另有 {left} 条排在后面", f", {left} more behind them") if left > 0 else ""
    st.caption(
        say(
            f"第 {place + 1} 条，共 {len(findings)} 条待处理{more}",
            f"{place + 1} of {len(findings)} open{more}",
        )
    )
    finding = findings[place]
    titles = [get_title(db, title_id) for title_id in finding.titles]
    if finding.evidence:
        _suspect(db, titles[0], finding.evidence)
    else:
        _group(titles, kind)
    _answers(finding, titles, kind, place)


def category_mark(name: str) -> str:
    """A category with its colour; one that the scheme no longer has as it was stored."""
    return shell.category_mark(name) if name in shell.scheme().names else shell.plain(name)


def _suspect(db: Store, title: Title, evidence: Evidence) -> None:
    with st.container(border=True):
        st.header(shell.plain(title.text), anchor=False)
        st.markdown(
            say("现为 ", "now ")
            + category_mark(evidence.given)
            + say("　更像 ", "　rather ")
            + category_mark(evidence.suggested)
            + f"　:small[:gray[{say('决定人', 'by')} {shell.plain(title.author or '')}]]"
        )
    likely, near = st.columns(2, gap="large")
    with likely:
        known = {name: p for name, p in evidence.probabilities.items() if name in shell.scheme().names}
        st.altair_chart(
            charts.probability_bars(known, shell.scheme()),
            alt=say("没见过这一条的分类器怎么看", "What a classifier that has not seen it says"),
        )
        for name, words in (
            (evidence.given, evidence.for_given),
            (evidence.suggested, evidence.for_suggested),
        ):
            said = "、".join(shell.plain(word) for word in words) or say("没有", "nothing")
            st.markdown(f":small[{category_mark(name)}{say('：', ': ')}{said}]")
    with near:
        st.markdown(f"**{say('最像的标题', 'The most similar titles')}**")
        for title_id, similarity in evidence.nearest:
            other = get_title(db, title_id)
            mark = category_mark(other.category) if other.category else "–"
            st.markdown(f"{mark}　{shell.plain(other.text)}　:small[:gray[{similarity:.0%}]]")


def _group(titles: Sequence[Title], kind: FindingKind) -> None:
    kept = verdicts.best_to_keep(titles)
    with st.container(border=True):
        for title in titles:
            mark = category_mark(title.category) if title.category else "–"
            badge = f"　:blue-badge[{say('合并时留下', 'stays in a merge')}]" if title is kept else ""
            chain = "" if title.chain else f"　:small[:gray[{say('没有思维链', 'no chain')}]]"
            st.markdown(f"{mark}　{shell.plain(title.text)}{badge}{chain}")
    if kind == "conflict" and shell.scheme().rule(*_two_categories(titles)):
        rule = shell.scheme().rule(*_two_categories(titles)) or ""
        st.caption(f":material/gavel: {shell.plain(rule)}")


def _two_categories(titles: Sequence[Title]) -> tuple[str, str]:
    names = list(dict.fromkeys(title.category or "" for title in titles))
    return names[0], names[-1]


def _answers(finding: Finding, titles: Sequence[Title], kind: FindingKind, place: int) -> None:
    """The keys: A right, X exchange for the suggestion, M merge, D dismiss, N next, and the category digits.

    Not Enter, which the tab that was just clicked would hear; not R, which Streamlit keeps for itself.
    """
    key = finding.key
    with st.container(horizontal=True, gap="small"):
        if kind != "near":
            _button("A", say("标签是对的", "Label is right"), "check", key, _accept, finding)
        if finding.evidence and finding.evidence.suggested in shell.scheme().names:
            text = say("改为", "Make it ") + shell.category_name(finding.evidence.suggested)
            _button("X", text, "swap_horiz", key, _relabel, finding, finding.evidence.suggested)
        if kind != "suspect":
            keep = verdicts.best_to_keep(titles).id
            _button("M", say("合并，只留一条", "Merge, keep one"), "merge", key, _merge, finding, keep)
        _button("D", say("不用管", "Dismiss"), "visibility_off", key, _dismiss, finding)
        _button("N", say("下一条", "Next"), "skip_next", key, _next, kind, place)
        if st.button(say("去标注页", "Open"), key=f"quality-open-{key}", icon=":material/open_in_new:"):
            shell.open_on_label_page(finding.titles[0])
    if kind != "near":
        _digits(finding)


def _digits(finding: Finding) -> None:
    """Every category under its digit, as on the Label page."""
    width = int(say("96", "148"))
    with st.grid(5, min_column_width=width, gap="small"):
        for category in shell.scheme().categories:
            st.button(
                shell.category_mark(category.name),
                key=f"quality-digit-{category.key}-{finding.key}",
                shortcut=category.key,
                on_click=_relabel,
                args=(finding, category.name),
                width="stretch",
            )


def _button(
    letter: str, text: str, icon: str, key: str, callback: Callable[..., None], *args: object
) -> None:
    st.button(
        text,
        key=f"quality-{letter}-{key}",
        shortcut=letter,
        icon=f":material/{icon}:",
        on_click=callback,
        args=args,
        type="primary" if letter in "XM" else "secondary",
    )


def _accept(finding: Finding) -> None:
    """Callback: the labels are right."""
    with shell.report_errors(later=True):
        verdicts.accept(shell.store(), finding, author=shell.annotator())


def _dismiss(finding: Finding) -> None:
    """Callback: of no interest."""
    with shell.report_errors(later=True):
        verdicts.dismiss(shell.store(), finding, author=shell.annotator())


def _relabel(finding: Finding, category: str) -> None:
    """Callback: all titles of the finding are of that category."""
    with shell.report_errors(later=True):
        changed = verdicts.relabel(shell.store(), finding, category, author=shell.annotator())
        name = shell.category_name(category)
        shell.notify(say(f"已改为{name}：{changed} 条", f"{changed} now {name}"))


def _merge(finding: Finding, keep: int) -> None:
    """Callback: one title stays, the others are put aside."""
    with shell.report_errors(later=True):
        gone = verdicts.merge(shell.store(), finding, keep, author=shell.annotator())
        shell.notify(say(f"已合并，搁置 {gone} 条", f"Merged; {gone} put aside"))


def _next(kind: FindingKind, place: int) -> None:
    """Callback: leave this one for later."""
    st.session_state[f"quality-place-{kind}"] = place + 1
