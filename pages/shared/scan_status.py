"""Draw the state of the quality scan: one line, live while a scan runs."""

import streamlit as st

from pages.shared import session
from pages.shared.feedback import report_errors, reporting
from pages.shared.text import duration, plain
from studio.language import say
from studio.quality import findings
from studio.quality.findings import Scan, ScanProgress

PHASE_NAMES = {
    "reading": ("读取标题", "reading titles"),
    "near": ("查找近似重复", "finding near duplicates"),
    "suspects": ("查找可疑标签", "finding doubtful labels"),
    "chains": ("检查思维链", "checking think chains"),
}


def scan_line(scan: Scan) -> None:
    """Draw how old the last scan is, and the button for the next; or how far the running one is."""
    if scan.running:
        _running()
        return
    text, button = st.columns([5, 1], vertical_alignment="center")
    with text:
        _last(scan)
    button.button(
        say("重新扫描", "Scan again") if scan.last else say("扫描", "Scan"),
        key="quality-scan",
        icon=":material/radar:",
        width="stretch",
        type="primary" if scan.last is None or scan.behind else "secondary",
        on_click=start,
    )


@reporting
def start() -> None:
    """Start a scan in the background."""
    findings.start_scan(session.workspace())


def _last(scan: Scan) -> None:
    if scan.last is None:
        st.markdown(
            say(
                "还没有扫描过。扫描在后台进行，十万条标题约一分钟，期间可以照常标注。",
                "Nothing has been scanned yet. A scan runs in the background, about a minute for "
                "100,000 titles; "
                "labelling goes on.",
            )
        )
        if scan.log:
            st.caption(plain(scan.log))
        return
    age = duration(findings.age_seconds(scan.last))
    parts = [
        say(f"{age}前扫描了 {scan.last.titles} 条", f"{scan.last.titles} titles scanned {age} ago"),
        say(f"用时 {duration(scan.last.seconds)}", f"in {duration(scan.last.seconds)}"),
    ]
    if scan.behind:
        parts.append(say(f"之后又有 {scan.behind} 个决定", f"{scan.behind} decisions since"))
    st.caption("　·　".join(parts))


@st.fragment(run_every=1)
def _running() -> None:
    """Draw a scan that goes on; when it is over, the page once more."""
    with report_errors():
        now = findings.look(session.store(), session.workspace()).running
        if now is None:
            st.rerun()
        st.progress(_share(now), text=say("正在后台扫描：", "Scanning in the background: ") + _words(now))


def _share(now: ScanProgress) -> float:
    """Return the share that is done; phases count alike."""
    phases = list(PHASE_NAMES)
    within = now.done / now.total if now.total else 0.0
    return (phases.index(now.phase) + within) / len(phases)


def _words(now: ScanProgress) -> str:
    name = say(*PHASE_NAMES[now.phase])
    return f"{name} {now.done} / {now.total}" if now.done else f"{name} ({now.total})" if now.total else name
