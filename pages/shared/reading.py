"""Draw how a file will be read: its first rows, the question where that is unclear, the choices."""

from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path

import streamlit as st

from pages.shared import session
from pages.shared.elements import table
from pages.shared.feedback import report_errors
from pages.shared.text import plain
from studio.formats.choices import UNDECIDED, FileChoices, separator_name
from studio.formats.columns import Columns
from studio.formats.conversations import RawRow
from studio.ingest.preview import FilePreview, preview_file
from studio.language import current_language, say
from studio.system.limited import call_limited

SEPARATORS = ("\t", ",", ";", "|", "，", "；", " ", "_!_")
TEXT_SUFFIXES = (".txt", ".csv", ".tsv")
PARTS = tuple(part.name for part in fields(Columns))
"""Parts of a title that a column may hold."""
KEPT = 8
"""Previews that a session keeps."""


def choose_reading(
    path: Path, file_id: str, base: FileChoices = UNDECIDED, *, parts: Sequence[str] = PARTS
) -> FileChoices | None:
    """Draw the first rows as they will be read, and what may be chosen; None while a question is open.

    Args:
        path: the file.
        file_id: tells it from others.
        base: what is chosen beforehand.
        parts: of a title, whose columns may be chosen.
    """
    with report_errors():
        first = _preview(path, base, file_id)
        choices = base
        if first.options:
            answer = _answer(first, file_id)
            choices = replace(answer, columns=answer.columns.over(base.columns))
        choices = _form_boxes(path, first, choices, file_id)
        preview = first if choices == base else _preview(path, choices, file_id)
        if preview.columns:
            choices = FileChoices(
                form=choices.form,
                separator=choices.separator,
                header_row=choices.header_row,
                sheet=choices.sheet,
                columns=_column_boxes(preview, f"{file_id}-{hash(choices)}", parts).over(base.columns),
            )
            preview = _preview(path, choices, file_id)
        _show_preview(preview)
        return None if preview.question else choices
    return None


def _preview(path: Path, choices: FileChoices, file_id: str) -> FilePreview:
    """Preview a file in a process of its own; the same one is not read again at each press."""
    kept: dict[tuple[object, ...], FilePreview] = st.session_state.setdefault("previews", {})
    found = path.stat()
    # An upload is written anew for each run of the page: there its id says that it is the same.
    changed = found.st_mtime_ns if file_id.startswith("check-") else 0
    key = (file_id, changed, found.st_size, choices, current_language.get())
    if key not in kept:
        while len(kept) >= KEPT:
            del kept[next(iter(kept))]
        kept[key] = call_limited(preview_file, path, choices, session.scheme())
    return kept[key]


def _answer(preview: FilePreview, file_id: str) -> FileChoices:
    """Draw the question about a file with its answers, each with the rows that it leads to."""
    st.warning(plain(preview.question or ""), icon=":material/help:")
    labels = [plain(option.label) for option in preview.options]
    chosen = st.radio(
        say("这个文件是", "The file is"),
        range(len(labels)),
        index=None,
        format_func=labels.__getitem__,
        captions=[
            plain("；".join(" ｜ ".join(row) for row in option.rows)[:120]) for option in preview.options
        ],
        key=f"reading-{file_id}",
    )
    return UNDECIDED if chosen is None else preview.options[chosen].choices


def _form_boxes(path: Path, preview: FilePreview, choices: FileChoices, file_id: str) -> FileChoices:
    """Draw sheet, separator and heading; what nobody changes is found out."""
    is_text = path.suffix.lower() in TEXT_SUFFIXES
    if not is_text and not preview.sheets:
        return choices
    with st.container(horizontal=True, gap="small"):
        sheet, separator, form = choices.sheet, choices.separator, choices.form
        if len(preview.sheets) > 1:
            sheet = st.selectbox(
                say("工作表", "Sheet"), preview.sheets, format_func=plain, key=f"sheet-{file_id}", width=180
            )
            sheet = None if sheet == preview.sheets[0] else sheet
        if is_text:
            names = {separator: _separator_label(separator) for separator in (None, "", *SEPARATORS)}
            given = st.selectbox(
                say("分隔符", "Separator"),
                list(names),
                format_func=names.__getitem__,
                key=f"separator-{file_id}",
                width=180,
            )
            if given is not None:
                form, separator = ("table", given) if given else ("titles", None)
        row = st.number_input(
            say("表头在第几行", "Row of the heading"),
            min_value=0,
            value=None,
            step=1,
            placeholder=say("自动", "found out"),
            help=say("0 表示没有表头。", "0: there is none."),
            key=f"header-{file_id}",
            width=150,
        )
    return FileChoices(
        form=form,
        separator=separator,
        header_row=choices.header_row if row is None else int(row),
        sheet=sheet,
        columns=choices.columns,
    )


def _separator_label(separator: str | None) -> str:
    if separator is None:
        return say("自动识别", "found out")
    return separator_name(separator) if separator else say("没有，一行一个标题", "none, one title a line")


def _column_boxes(preview: FilePreview, key: str, parts: Sequence[str]) -> Columns:
    """Draw one box for each part of a title; a box that nobody changes has what the file shows."""
    chosen: dict[str, str | None] = {}
    nothing = say("无", "none")
    with st.container(horizontal=True, gap="small"):
        for part in parts:
            found = getattr(preview.chosen, part)
            options = list(dict.fromkeys(["", *preview.columns, *([found] if found else [])]))
            column = st.selectbox(
                _part_name(part),
                options,
                index=options.index(found or ""),
                format_func=lambda column: plain(column) if column else nothing,
                key=f"column-{part}-{key}",
                width=128,
            )
            # A part that the first rows lack may still come further down, under a known name.
            chosen[part] = column if column or found else None
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
    if preview.question and not preview.options:
        st.warning(plain(preview.question), icon=":material/table_view:")
    if preview.read_as:
        st.caption(f"{say('读作：', 'Read as: ')}{plain(say('；', '; ').join(preview.read_as))}")
    if not preview.rows:
        return
    if preview.question:
        st.caption(say(f"{encoding}前 {count} 行：", f"{encoding}the first {count} rows:"))
        rows = [
            dict(row.record) if isinstance(row.record, dict) else {"": str(row.record)}
            for row in preview.rows
        ]
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
