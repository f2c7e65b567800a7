"""From a checked file to a better one: a repaired copy with every row before and after, and the label queue."""

import io
import json
import zipfile
from itertools import islice
from pathlib import Path
from typing import Any

import streamlit as st

from pages.sections.check.source import Desk
from pages.shared import shell
from studio.ingest.check_session import send_to_queue
from studio.ingest.importer import ImportReport, import_path
from studio.language import say
from studio.store import Store
from studio.validation.codes import code_name
from studio.validation.repair import Repaired, write_repaired

SHOWN = 5
"""Changed rows on screen at once."""


def repair_section(desk: Desk) -> None:
    """One click to a copy with the safe repairs and the edits; then what changed, row by row."""
    edits = len(desk.edits)
    st.markdown(
        say(
            "安全修复：规范的提问和思维链写法、带引号或重复的类别、UTF-8 编码、写全的 dataset_info.json。"
            f"您改过的 **{edits}** 行也会写进去。其余各行照旧，原文件不动。",
            "Safe repairs: the canonical form of question and think block, quoted or doubled categories, UTF-8, a complete dataset_info.json. "
            f"Your **{edits}** edited rows go in, too. All other rows stay, and so does the input.",
        )
    )
    if desk.copy is None:
        out = _where(desk)
        if st.button(
            say("生成修复后的副本", "Make the repaired copy"),
            key="check-repair",
            type="primary",
            icon=":material/build:",
        ):
            with st.spinner(say("正在修复…", "Repairing…")):
                desk.copy = write_repaired(desk.path, out, shell.scheme(), desk.edits)
            st.rerun()
        return
    _downloads(desk, desk.copy)
    _changes(desk.copy)


def _where(desk: Desk) -> Path:
    """A new place: beside an input of this computer if the person likes, else in the session's own room."""
    number = sum(1 for _ in desk.room.glob("copy*"))
    suffix = "" if desk.path.is_dir() else ".json"
    inside = desk.room / f"copy{number}" / f"{desk.path.stem}.repaired{suffix}"
    if desk.path.is_relative_to(desk.room):
        return inside
    given = st.text_input(
        say("写到新的位置（留空则只供下载）", "Write to a new place (empty: for download only)"),
        key="check-out",
        placeholder=str(desk.path.with_name(f"{desk.path.stem}.repaired{suffix}")),
    )
    return Path(given.strip()).expanduser() if given.strip() else inside


def _downloads(desk: Desk, copy: Repaired) -> None:
    st.success(
        say(
            f"{copy.rows} 行，其中 {copy.changed} 行有修改。",
            f"{copy.rows} rows, {copy.changed} of them changed.",
        )
        + ("" if copy.out.is_relative_to(desk.room) else f" {shell.plain(str(copy.out))}"),
        icon=":material/check_circle:",
    )
    with st.container(horizontal=True):
        name = f"{Path(desk.name).stem}.repaired"
        if copy.out.is_dir():
            st.download_button(
                say("下载副本（zip）", "Download the copy (zip)"),
                data=lambda: _zip(copy.out),
                file_name=f"{name}.zip",
                key="check-download",
                icon=":material/download:",
            )
        else:
            st.download_button(
                say("下载副本", "Download the copy"),
                data=copy.out.read_bytes,
                file_name=f"{name}.json",
                key="check-download",
                icon=":material/download:",
            )
        st.download_button(
            say("下载逐行改动", "Download the changes, row by row"),
            data=copy.changes.read_bytes,
            file_name=f"{name}.changes.jsonl",
            key="check-download-changes",
            icon=":material/difference:",
        )


def _zip(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder.parent).as_posix())
    return buffer.getvalue()


def _changes(copy: Repaired) -> None:
    """Before and after of every changed row, a screenful at a time."""
    if not copy.changed:
        st.info(say("没有一行需要改。", "No row needed a change."), icon=":material/task_alt:")
        return
    pages = -(-copy.changed // SHOWN)
    page = 1
    if pages > 1:
        page = st.number_input(
            say(f"第几页（共 {pages} 页）", f"Page (of {pages})"),
            1,
            pages,
            1,
            key="check-changes-page",
            width=160,
        )
    with copy.changes.open(encoding="utf-8") as lines:
        for line in islice(lines, (int(page) - 1) * SHOWN, int(page) * SHOWN):
            _change(json.loads(line))


def _change(change: dict[str, Any]) -> None:
    codes = "、".join(code_name(code) for code in change["codes"]) or say(
        "手工修改或换成规范结构", "edited, or put into canonical turns"
    )
    place = say(f"第 {change['row']} 行", f"Row {change['row']}")
    st.markdown(f"**{shell.plain(change['file'])}** · {place} · :gray[{codes}]")
    before, after = st.columns(2)
    before.caption(say("修复前", "Before"))
    before.code(_text(change["before"]), language=None, wrap_lines=True)
    after.caption(say("修复后", "After"))
    if change["after"] is None:
        after.warning(say("这一行没有进入副本。", "This row is left out."))
    else:
        after.code(_text(change["after"]), language=None, wrap_lines=True)


def _text(record: Any) -> str:
    """A row as it reads: its turns, or whatever it is."""
    turns = record.get("conversations") if isinstance(record, dict) else None
    if isinstance(turns, list) and all(isinstance(turn, dict) for turn in turns):
        return "\n\n".join(f"{turn.get('from')}: {turn.get('value')}" for turn in turns)
    return json.dumps(record, ensure_ascii=False, indent=2)


def queue_section(db: Store, desk: Desk) -> None:
    """Rows that only a person can decide go to the label queue with the proposal; or all rows come in."""
    st.markdown(
        say(
            "有错误而不能安全修复的行，把标题送进标注队列，带上原因和建议的类别；由人来定。",
            "Rows with an error that has no safe repair: their titles go to the label queue, with the reason and the category that is proposed. A person decides.",
        )
    )
    with st.container(horizontal=True):
        if st.button(
            say("把这些行交给标注", "Send these rows to the label queue"),
            key="check-queue",
            type="primary",
            icon=":material/move_to_inbox:",
        ):
            _report(
                send_to_queue(
                    db, desk.path, shell.scheme(), desk.edits, source=desk.name, author=shell.annotator()
                )
            )
        if st.button(
            say("导入所有行", "Import all rows"),
            key="check-import",
            icon=":material/upload:",
            help=say(
                "没有错误的行直接定下，其余进入标注队列；有修复后的副本就导入副本。",
                "Rows without an error arrive decided, the others in the label queue; the repaired copy where there is one.",
            ),
        ):
            path = desk.path if desk.copy is None else desk.copy.out
            _report(import_path(db, path, shell.scheme(), source=desk.name, author=shell.annotator()))


def _report(report: ImportReport) -> None:
    if not report.rows:
        st.info(say("没有这样的行。", "There is no such row."), icon=":material/task_alt:")
        return
    st.success(
        say(
            f"新增 {report.added} 条标题：{report.decided} 条已定，{report.waiting} 条等待标注；{report.merged} 条已在工作区里。",
            f"{report.added} titles added: {report.decided} decided, {report.waiting} wait for a label; {report.merged} were there before.",
        ),
        icon=":material/check_circle:",
    )
    shell.link("label", say("去标注", "Label them"))
