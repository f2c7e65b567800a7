"""Draw the repair of a checked file: a repaired copy, and every changed row before and after."""

import io
import json
import zipfile
from itertools import islice
from pathlib import Path
from typing import Any

import streamlit as st

from pages.sections.check.source import Desk
from pages.shared import session
from pages.shared.text import plain
from studio.language import say
from studio.validation.codes import code_name
from studio.validation.repair import Repaired, write_repaired

SHOWN = 5
"""Changed rows on screen at once."""


def repair_section(desk: Desk) -> None:
    """Draw the button that makes a copy with safe repairs and edits; then what changed, row by row."""
    edits = len(desk.edits)
    st.markdown(
        say(
            "安全修复：规范的提问和思维链写法、带引号或重复的类别、UTF-8 编码、写全的 dataset_info.json。"
            f"您改过的 **{edits}** 行也会写进去。其余各行不变，原文件不动。",
            "Safe repairs: the canonical form of question and think block, quoted or doubled categories, "
            f"UTF-8, a complete dataset_info.json. Your **{edits}** edited rows are included. All other "
            "rows and the input stay unchanged.",
        )
    )
    if desk.copy is None:
        out = _where(desk)
        if st.button(
            say("生成修复后的副本", "Create a repaired copy"),
            key="check-repair",
            type="primary",
            icon=":material/build:",
        ):
            with st.spinner(say("正在修复…", "Repairing…")):
                desk.copy = write_repaired(desk.path, out, session.scheme(), desk.edits, desk.choices)
            st.rerun()
        return
    _downloads(desk, desk.copy)
    _changes(desk.copy)


def _where(desk: Desk) -> Path:
    """Choose where the copy is written: beside an input of this computer, or in the session's own folder."""
    number = sum(1 for _ in desk.room.glob("copy*"))
    suffix = "" if desk.path.is_dir() else ".json"
    inside = desk.room / f"copy{number}" / f"{desk.path.stem}.repaired{suffix}"
    if desk.path.is_relative_to(desk.room):
        return inside
    given = st.text_input(
        say("写到新的位置（留空则只供下载）", "Write to a new location (empty: download only)"),
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
        + ("" if copy.out.is_relative_to(desk.room) else f" {plain(str(copy.out))}"),
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
            say("下载逐行改动", "Download the changes row by row"),
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
    """Draw every changed row before and after, a screenful at a time."""
    if not copy.changed:
        st.info(say("没有需要修改的行。", "No row needed a change."), icon=":material/task_alt:")
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
    codes = say("、", ", ").join(code_name(code) for code in change["codes"]) or say(
        "手工修改或换成规范结构", "edited, or converted to canonical turns"
    )
    where = say(f"第 {change['row']} 行", f"Row {change['row']}")
    st.markdown(f"**{plain(change['file'])}** · {where} · :gray[{codes}]")
    before, after = st.columns(2)
    before.caption(say("修复前", "Before"))
    before.code(_text(change["before"]), language=None, wrap_lines=True)
    after.caption(say("修复后", "After"))
    if change["after"] is None:
        after.warning(say("这一行没有写进副本。", "This row is left out."))
    else:
        after.code(_text(change["after"]), language=None, wrap_lines=True)


def _text(record: Any) -> str:
    """Format a row as it reads: its turns, or whatever it is."""
    turns = record.get("conversations") if isinstance(record, dict) else None
    if isinstance(turns, list) and all(isinstance(turn, dict) for turn in turns):
        return "\n\n".join(f"{turn.get('from')}: {turn.get('value')}" for turn in turns)
    return json.dumps(record, ensure_ascii=False, indent=2)
