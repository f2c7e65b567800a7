"""Draw the import of titles: a file with its columns, pasted lines, the samples; and the imports so far."""

from dataclasses import asdict
from pathlib import Path

import streamlit as st

from pages.sections.home.import_batches import batches_tab, report_button
from pages.shared import session
from pages.shared.elements import table
from pages.shared.feedback import report_errors
from pages.shared.files import uploaded_path
from pages.shared.text import plain
from studio.formats.columns import GUESSED, Columns
from studio.formats.conversations import RawRow
from studio.ingest.bundled import import_samples
from studio.ingest.importer import ImportReport, finish_interrupted, import_path, import_text
from studio.ingest.preview import FilePreview, preview_file
from studio.language import say
from studio.store import Store

LARGE_BYTES = 200 << 20
"""From this size on the command line is the better way: a browser holds the whole upload in memory."""
SHOWN_PAIRS = 20
SHOWN_REFUSALS = 200


def import_section(db: Store) -> None:
    """Draw three ways to import, the imports so far, and the report of the last one."""
    finish_interrupted(db)
    file_tab, paste_tab, sample_tab, history_tab = st.tabs(
        [
            say("上传文件", "Upload a file"),
            say("粘贴标题", "Paste titles"),
            say("内置样例", "Bundled samples"),
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
    _last_report()


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
        columns = _choose_columns(path, file.file_id)
        if st.button(say("导入文件", "Import the file"), key="import-file", type="primary"):
            with report_errors(), st.spinner(say("正在导入…", "Importing…")):
                _keep(
                    import_path(
                        db,
                        path,
                        session.scheme(),
                        source=file.name,
                        columns=columns,
                        author=session.annotator(),
                    )
                )


def _choose_columns(path: Path, file_id: str) -> Columns:
    """Draw the first rows as they will be read, and for a table which column holds what."""
    with report_errors():
        preview = preview_file(path)
        columns = GUESSED
        if preview.columns:
            columns = _column_boxes(preview, file_id)
            preview = preview_file(path, columns)
        _show_preview(preview)
        return columns
    return GUESSED


def _column_boxes(preview: FilePreview, file_id: str) -> Columns:
    """Draw one box for each part of a title; a box that nobody changes has what the names say."""
    chosen: dict[str, str | None] = {}
    with st.container(horizontal=True, gap="small"):
        for part, guessed in asdict(preview.chosen).items():
            options = ["", *preview.columns]
            column = st.selectbox(
                _part_name(part),
                options,
                index=options.index(guessed or ""),
                format_func=lambda column: column or say("无", "none"),
                key=f"column-{part}-{file_id}",
                width=128,
            )
            # A part that the first rows lack may still come further down, under a known name.
            chosen[part] = column if column or guessed else None
    return Columns(**chosen)


def _part_name(part: str) -> str:
    names = {
        "title": say("标题列", "Title"),
        "category": say("类别列", "Category"),
        "chain": say("思维链列", "Think chain"),
        "source": say("来源列", "Source"),
        "date": say("日期列", "Date"),
    }
    return names[part]


def _show_preview(preview: FilePreview) -> None:
    encoding = say(f"编码 {preview.encoding}；", f"Encoding {preview.encoding}; ") if preview.encoding else ""
    count = len(preview.rows)
    if preview.columns and preview.chosen.title is None:
        st.warning(
            say("请选择标题所在的列。", "Choose the column with the titles."), icon=":material/table_view:"
        )
        st.caption(say(f"{encoding}前 {count} 行：", f"{encoding}the first {count} rows:"))
        rows = [row.record for row in preview.rows]
    else:
        st.caption(say(f"{encoding}前 {count} 行读作：", f"{encoding}the first {count} rows are read as:"))
        rows = [_preview_row(row) for row in preview.rows]
    table(rows, hide_index=True, width="stretch", key="preview-rows")


def _preview_row(row: RawRow) -> dict[str, object]:
    return {
        say("行", "Row"): row.row,
        say("标题", "Title"): row.title or row.question or "",
        say("答案", "Answer"): row.answer or "",
        say("来源", "Source"): row.source or "",
        say("日期", "Date"): row.date or "",
    }


def _keep(report: ImportReport) -> None:
    """Keep the report for a redraw, in which the numbers above are the new ones."""
    st.session_state["import_report"] = report
    st.rerun()


def _last_report() -> None:
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
