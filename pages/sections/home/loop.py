"""Draw the loop with its next step, and the latest score."""

import streamlit as st

from pages.shared import charts, session
from pages.shared.text import answer_name, baseline_name, plain, run_name, state_name
from studio.ingest.importer import ImportReport
from studio.language import say
from studio.operations.next_step import LoopStep, WorkspaceState


def just_imported(waiting: int) -> None:
    """Draw what the last import of this session brought, with the way to the titles that wait."""
    report: ImportReport | None = st.session_state.get("import_report")
    if report is None:
        return
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        st.markdown(
            ":green[:material/check_circle:] "
            + say(
                f"刚导入：新增 {report.added} 条，{report.decided} 条已定，{report.waiting} 条待标注。",
                f"Just imported: {report.added} added, {report.decided} decided, {report.waiting} waiting.",
            ),
            width="stretch",
        )
        if waiting:
            session.link(
                "label",
                say(f"去标注（{waiting} 条待标注）", f"Label ({waiting} waiting)"),
                icon=":material/keyboard:",
            )


def loop_steps(now: WorkspaceState) -> None:
    """Draw the five steps side by side, the next one marked and linked."""
    with st.grid(5, min_column_width=150, gap="small"):
        for number, (step, name, page, text) in enumerate(_steps(now), start=1):
            with st.container(border=True, height="stretch", gap="xsmall"):
                is_next = step == now.next_step
                badge = f" :blue-badge[{say('下一步', 'next')}]" if is_next else ""
                st.markdown(f":gray[{number}]　**{name}**{badge}")
                st.caption(text)
                st.space("stretch")
                if page is None:
                    st.markdown(f":small[:gray[{say('在下方导入', 'import below')}]]")
                elif st.button(
                    say("现在去做", "Do this next") if is_next else say("打开", "Open"),
                    key=f"go-{step}",
                    type="primary" if is_next else "tertiary",
                    icon=":material/arrow_forward:",
                ):
                    st.switch_page(session.page_path(page))


def _steps(now: WorkspaceState) -> list[tuple[LoopStep, str, str | None, str]]:
    total = sum(now.titles.values())
    return [
        ("import", say("导入", "Import"), None, say(f"{total} 条标题", f"{total} titles")),
        (
            "label",
            say("标注", "Label"),
            "label",
            say(
                f"{now.titles['waiting']} 条待标注  \n{now.titles['decided']} 条已定",
                f"{now.titles['waiting']} waiting  \n{now.titles['decided']} decided",
            ),
        ),
        ("freeze", say("冻结", "Freeze"), "datasets", _versions_text(now)),
        ("train", say("训练", "Train"), "train", _runs_text(now)),
        ("evaluate", say("评估", "Evaluate"), "evaluate", _scores_text(now)),
    ]


def _versions_text(now: WorkspaceState) -> str:
    if not now.versions:
        return say("还没有数据集版本", "no dataset version yet")
    newest = now.versions[0]
    return say(
        f"{len(now.versions)} 个版本  \n最新 {newest.ref}",
        f"versions: {len(now.versions)}  \nlatest {newest.ref}",
    )


def _runs_text(now: WorkspaceState) -> str:
    if not now.own_runs:
        return say("还没有自己的运行", "no run of your own yet")
    return say(
        f"{len(now.own_runs)} 次运行  \n最近：{state_name(now.own_runs[0].state)}",
        f"runs: {len(now.own_runs)}  \nlatest: {state_name(now.own_runs[0].state)}",
    )


def _scores_text(now: WorkspaceState) -> str:
    if not now.scores:
        return say("还没有得分", "no score yet")
    best = max(now.scores.values(), key=lambda scores: scores.accuracy)
    if now.scored is not None and now.scored.recorded:
        return say(
            f"还没有自己的得分  \n内置的示例 {best.accuracy:.1%}",
            f"no score of your own  \nbundled example {best.accuracy:.1%}",
        )
    tfidf = best.baselines.get("tfidf")
    against = "" if tfidf is None else f"  \n{baseline_name('tfidf')} {tfidf:.1%}"
    return say(f"准确率 {best.accuracy:.1%}{against}", f"accuracy {best.accuracy:.1%}{against}")


def latest_score(now: WorkspaceState) -> None:
    """Draw the accuracy of the newest scored run beside the baselines it has to beat."""
    if now.scored is None:
        return
    is_ours = now.scored.recorded
    st.subheader(
        say("示例：内置运行的得分", "Example: the bundled run's score")
        if is_ours
        else say("最近一次得分", "Latest score"),
        anchor=False,
    )
    if is_ours:
        st.caption(
            say(
                "这是随软件附带的训练记录，不是您训练的；训练之后，这里换成您自己的得分。",
                "A recorded training that comes with the studio, none of yours. Your own score takes its "
                "place once you have trained.",
            )
        )
    rows = [(answer_name(answer), scores.accuracy, True) for answer, scores in now.scores.items()]
    baselines = next(iter(now.scores.values())).baselines
    rows += [(baseline_name(name), value, False) for name, value in baselines.items()]
    name, n = plain(run_name(now.scored)), next(iter(now.scores.values())).n
    st.caption(
        say(
            f"{name}，{n} 条评估标题上的准确率",
            f"{name}: accuracy on {n} evaluation titles",
        )
    )
    st.altair_chart(charts.accuracy_bars(rows), alt=say("准确率与基线", "Accuracy and baselines"))
