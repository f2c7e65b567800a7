"""What Home draws: the loop with its next step, the latest score, and the import."""

import streamlit as st

from pages.shared import charts, shell
from pages.shared.uploads import uploaded_path
from studio.importing import ImportReport, import_path, import_text
from studio.language import say
from studio.loop import LoopStep, Standing
from studio.store import Store
from studio.workspace import BUNDLED_DATASET


def loop_steps(now: Standing) -> None:
    """The five steps side by side, the next one marked and linked."""
    with st.grid(5, min_column_width=150, gap="small"):
        for number, (step, name, page, text) in enumerate(_steps(now), start=1):
            with st.container(border=True, height="stretch", gap="xsmall"):
                is_next = step == now.next_step
                badge = f" :primary-badge[{say('下一步', 'next')}]" if is_next else ""
                st.markdown(f":gray[{number}]　**{name}**{badge}")
                st.caption(text)
                st.space("stretch")
                if page is None:
                    st.markdown(f":small[:gray[{say('在下方导入', 'import below')}]]")
                elif st.button(
                    say("现在去做", "Go on") if is_next else say("打开", "Open"),
                    key=f"go-{step}",
                    type="primary" if is_next else "tertiary",
                    icon=":material/arrow_forward:",
                ):
                    st.switch_page(shell.page_path(page))


def _steps(now: Standing) -> list[tuple[LoopStep, str, str | None, str]]:
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


def _versions_text(now: Standing) -> str:
    if not now.versions:
        return say("还没有数据集版本", "no dataset version yet")
    newest = now.versions[0]
    return say(
        f"{len(now.versions)} 个版本  \n最新 {newest.ref}",
        f"versions: {len(now.versions)}  \nlatest {newest.ref}",
    )


def _runs_text(now: Standing) -> str:
    if not now.own_runs:
        return say("还没有自己的运行", "no run of your own yet")
    return say(
        f"{len(now.own_runs)} 次运行  \n最近：{shell.state_name(now.own_runs[0].state)}",
        f"runs: {len(now.own_runs)}  \nlatest: {shell.state_name(now.own_runs[0].state)}",
    )


def _scores_text(now: Standing) -> str:
    if not now.scores:
        return say("还没有得分", "no score yet")
    best = max(now.scores.values(), key=lambda scores: scores.accuracy)
    tfidf = best.baselines.get("tfidf")
    against = "" if tfidf is None else f"  \nTF-IDF {tfidf:.1%}"
    return say(f"准确率 {best.accuracy:.1%}{against}", f"accuracy {best.accuracy:.1%}{against}")


def latest_score(now: Standing) -> None:
    """Accuracy of the newest scored run beside the baselines it has to beat."""
    assert now.scored is not None, "scores without a run"
    rows = [(shell.answer_name(answer), scores.accuracy, True) for answer, scores in now.scores.items()]
    baselines = next(iter(now.scores.values())).baselines
    rows += [(shell.baseline_name(name), value, False) for name, value in baselines.items()]
    n = next(iter(now.scores.values())).n
    st.caption(
        say(
            f"{shell.run_name(now.scored)}，{n} 条评估标题上的准确率",
            f"{shell.run_name(now.scored)}: accuracy on {n} evaluation titles",
        )
    )
    st.altair_chart(charts.accuracy_bars(rows), alt=say("准确率与基线", "Accuracy and baselines"))


def import_section(db: Store) -> None:
    """Three ways in: a file, pasted lines, the bundled samples; and what the last one did."""
    file_tab, paste_tab, sample_tab = st.tabs(
        [
            say("上传文件", "Upload a file"),
            say("粘贴标题", "Paste titles"),
            say("内置样例", "Bundled samples"),
        ]
    )
    with file_tab:
        _import_file(db)
    with paste_tab, st.form("paste", border=False, clear_on_submit=True):
        text = st.text_area(
            say("一行一个标题", "One title a line"),
            key="pasted",
            height=130,
            placeholder="某地地铁新线开通，市民排队试乘",
        )
        if st.form_submit_button(say("导入这些标题", "Import these titles"), key="import-pasted") and text:
            with shell.report_errors():
                _keep(import_text(db, text, shell.scheme()))
    with sample_tab:
        st.write(
            say(
                "为本项目编写的 300 条训练样本和 100 条评估样本，十个类别各 30 + 10 条，带思维链。",
                "300 training and 100 evaluation samples written for this project: 30 + 10 for each category, with think chains.",
            )
        )
        if st.button(
            say("导入内置样例", "Import the samples"),
            key="import-samples",
            type="primary",
            icon=":material/download:",
        ):
            with shell.report_errors(), st.spinner(say("正在导入…", "Importing…")):
                _keep(import_path(db, BUNDLED_DATASET, shell.scheme()))
    _last_report()


def _import_file(db: Store) -> None:
    file = st.file_uploader(
        say(
            "标题列表或对话数据：txt csv tsv xlsx json jsonl parquet",
            "Titles or conversations: txt csv tsv xlsx json jsonl parquet",
        ),
        key="upload",
        help=say(
            "ShareGPT、Alpaca、OpenAI 格式的对话，或一列标题；编码自动识别。",
            "Conversations as ShareGPT, Alpaca or OpenAI messages, or a column of titles; the encoding is detected.",
        ),
    )
    if (
        st.button(say("导入文件", "Import the file"), key="import-file", disabled=file is None)
        and file is not None
    ):
        with shell.report_errors(), uploaded_path(file) as path, st.spinner(say("正在导入…", "Importing…")):
            _keep(import_path(db, path, shell.scheme(), source=file.name))


def _keep(report: ImportReport) -> None:
    """Show the report after a redraw, in which the numbers above are the new ones."""
    st.session_state["import_report"] = report
    st.rerun()


def _last_report() -> None:
    report: ImportReport | None = st.session_state.get("import_report")
    if report is None:
        return
    st.success(
        say(
            f"新增 {report.added} 条，合并重复 {report.merged} 条；其中 {report.decided} 条已定，{report.waiting} 条等待标注。",
            f"{report.added} added, {report.merged} merged as repeats; {report.decided} decided, {report.waiting} wait for a label.",
        ),
        icon=":material/check_circle:",
    )
    for note in report.notes:
        st.caption(f":material/info: {shell.plain(note)}")
    if report.refused:
        with st.expander(
            say(f"{len(report.refused)} 行没有导入", f"{len(report.refused)} rows were refused")
        ):
            st.table(report.refused)
