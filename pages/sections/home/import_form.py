"""Draw the import of titles: a file with its columns, pasted lines, the samples; and the imports so far."""

import streamlit as st

from pages.sections.home.import_batches import batches_tab, report_button
from pages.shared import session
from pages.shared.elements import table
from pages.shared.feedback import notify, report_errors
from pages.shared.files import uploaded_path
from pages.shared.reading import choose_reading
from pages.shared.text import plain
from studio.formats.choices import UNDECIDED
from studio.ingest.bundled import import_samples
from studio.ingest.importer import ImportReport, finish_interrupted, import_path, import_text
from studio.ingest.label_mapping import UnknownLabel, map_labels, unknown_labels
from studio.language import say
from studio.store import Store

LARGE_BYTES = 200 << 20
"""From this size on the command line is the better way: a browser holds the whole upload in memory."""
SHOWN_PAIRS = 20
SHOWN_REFUSALS = 200
SHOWN_LABELS = 40
"""Unknown labels that are asked about at once."""


def import_section(db: Store) -> None:
    """Draw three ways to import, the imports so far, and the report of the last one."""
    finish_interrupted(db)
    file_tab, paste_tab, sample_tab, history_tab = st.tabs(
        [
            say("上传文件", "Upload"),
            say("粘贴标题", "Paste"),
            say("内置样例", "Samples"),
            say("导入记录", "Imports"),
        ]
    )
    with file_tab:
        _import_file(db)
    with paste_tab, st.form("paste", border=False, clear_on_submit=True):
        text = st.text_area(
            say("一行一个标题", "One title per line"),
            key="pasted",
            height=130,
            placeholder="某地地铁新线开通，市民排队试乘",
        )
        if st.form_submit_button(say("导入这些标题", "Import these titles"), key="import-pasted") and text:
            with report_errors():
                _keep(import_text(db, text, session.scheme(), author=session.annotator()))
    with sample_tab:
        _import_samples(db)
    with history_tab:
        batches_tab(db)
    _last_report(db)


def _import_samples(db: Store) -> None:
    st.write(
        say(
            "为本项目编写的 300 条训练样本和 100 条评估样本，十个类别各 30 + 10 条，带思维链；"
            "另有 50 条没有答案的标题，可以试着标注，之后与我们的答案对照。",
            "300 training and 100 evaluation samples written for this project: 30 + 10 per category, "
            "with think chains; and 50 titles without an answer to try labelling with, and to compare with "
            "our answers afterwards.",
        )
    )
    if st.button(
        say("导入内置样例", "Import the samples"),
        key="import-samples",
        type="primary",
        icon=":material/download:",
    ):
        with report_errors(), st.spinner(say("正在导入…", "Importing…")):
            _keep(import_samples(db, session.scheme(), author=session.annotator()))


def _import_file(db: Store) -> None:
    file = st.file_uploader(
        say(
            "标题列表或对话数据：txt csv tsv xlsx json jsonl parquet",
            "Titles or conversations: txt csv tsv xlsx json jsonl parquet",
        ),
        key="upload",
        help=say(
            "ShareGPT、Alpaca、OpenAI 格式的对话，或一列标题；编码自动识别。"
            "超过 200 MiB 的文件请用 news-studio import。",
            "Conversations as ShareGPT, Alpaca or OpenAI messages, or a column of titles; the encoding is "
            "detected. For files over 200 MiB use news-studio import.",
        ),
    )
    if file is None:
        st.button(say("导入文件", "Import the file"), key="import-file", disabled=True)
        return
    if file.size > LARGE_BYTES:
        st.warning(
            say(
                f"这个文件有 {file.size >> 20} MiB，在浏览器里导入要占用很多内存；"
                "命令行 news-studio import 逐行读取。",
                f"This file has {file.size >> 20} MiB, which takes a lot of memory in the browser; "
                "news-studio import reads it row by row.",
            ),
            icon=":material/memory:",
        )
    with uploaded_path(file) as path:
        choices = choose_reading(path, file.file_id)
        if st.button(
            say("导入文件", "Import the file"), key="import-file", type="primary", disabled=choices is None
        ):
            with report_errors(), st.spinner(say("正在导入…", "Importing…")):
                _keep(
                    import_path(
                        db,
                        path,
                        session.scheme(),
                        source=file.name,
                        choices=choices or UNDECIDED,
                        author=session.annotator(),
                    )
                )


def _keep(report: ImportReport) -> None:
    """Keep the report for a redraw, in which the numbers above are the new ones."""
    st.session_state["import_report"] = report
    st.rerun()


def _last_report(db: Store) -> None:
    report: ImportReport | None = st.session_state.get("import_report")
    if report is None:
        return
    st.success(
        say(
            f"新增 {report.added} 条，合并重复 {report.merged} 条；"
            f"其中 {report.decided} 条已定，{report.waiting} 条等待标注。",
            f"{report.added} added, {report.merged} merged as duplicates; {report.decided} decided, "
            f"{report.waiting} waiting for a label.",
        ),
        icon=":material/check_circle:",
    )
    if report.read_as:
        st.caption(
            f":material/table_view: {say('读作：', 'Read as: ')}{plain(say('；', '; ').join(report.read_as))}"
        )
    _map_unknown(db, report)
    for note in report.notes:
        st.caption(f":material/info: {plain(note)}")
    if report.near:
        _near_pairs(report)
    if report.refused:
        with st.expander(say(f"{len(report.refused)} 行没有导入", f"{len(report.refused)} rows refused")):
            table(
                [
                    {
                        say("文件", "File"): row["file"],
                        say("行", "Row"): row["row"],
                        say("原因", "Reason"): row["reason"],
                    }
                    for row in report.refused_rows[:SHOWN_REFUSALS]
                ],
                hide_index=True,
                key="refused-rows",
            )
    report_button(say("逐行报告（CSV）", "Row-by-row report (CSV)"), report.batch_id, "import-report")


def _map_unknown(db: Store, report: ImportReport) -> None:
    """Draw the answers that are no category, with one box each for what they mean."""
    if not report.unknown_labels:
        return
    unknown = unknown_labels(db, session.scheme(), report.batch_id)
    if not unknown:
        return
    waiting = sum(label.count for label in unknown)
    with st.container(border=True), st.form("map-labels", border=False):
        st.markdown(
            say(
                f"**{waiting} 个标题的答案不在十个类别里**：说一次它们是什么意思，以后也照此读。",
                f"**{waiting} titles have answers that are no category**: say once what they mean;"
                " later imports are read so, too.",
            )
        )
        boxes = [_meaning_box(label) for label in unknown[:SHOWN_LABELS]]
        if len(unknown) > SHOWN_LABELS:
            left = len(unknown) - SHOWN_LABELS
            st.caption(say(f"还有 {left} 种，定下这些后显示。", f"{left} more follow once these are set."))
        if st.form_submit_button(say("按此确定类别", "Set these categories"), key="map-labels-submit"):
            means = {label.label: box for label, box in zip(unknown, boxes, strict=False) if box is not None}
            with report_errors():
                changed = map_labels(
                    db, means, session.scheme(), batch_id=report.batch_id, author=session.annotator()
                )
                notify(say(f"{changed} 个标题有了类别。", f"{changed} titles have their category now."))
                st.rerun()


def _meaning_box(label: UnknownLabel) -> str | None:
    names, nothing = session.scheme().names, say("留着等人标", "leave it to a person")
    chosen: str | None = st.selectbox(
        f"{plain(label.label)}（{label.count}）",
        [None, *names],
        index=names.index(label.proposal) + 1 if label.proposal in names else 0,
        format_func=lambda name: name or nothing,
        key=f"meaning-{label.label}",
    )
    return chosen


def _near_pairs(report: ImportReport) -> None:
    title = say(
        f"{report.near} 条与更早的标题近似，已归组",
        f"{report.near} near duplicates of earlier titles, grouped with them",
    )
    with st.expander(title, icon=":material/content_copy:"):
        table(
            [
                {
                    say("新标题", "New title"): pair.text,
                    say("更早的标题", "Earlier title"): pair.earlier_text,
                    say("相似度", "Similarity"): pair.similarity,
                }
                for pair in report.near_pairs
            ],
            hide_index=True,
            key="near-pairs",
        )
