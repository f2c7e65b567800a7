"""Choose what the Check page checks: an upload, a folder, or a path of this computer; keep the result.

The upload is in a folder of its own for as long as the session has it on the desk.
"""

import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from pages.shared import session
from pages.shared.elements import choose_one
from pages.shared.feedback import report_errors
from pages.shared.files import fitting_name
from pages.shared.reading import choose_reading
from studio.errors import InputError
from studio.formats.choices import UNDECIDED, FileChoices
from studio.formats.dataset_info import INFO
from studio.formats.records import SUFFIXES
from studio.ingest.check_session import RowLocation
from studio.language import say
from studio.samples.problems import Problem, Severity
from studio.system.limited import call_within
from studio.validation.check import CheckReport, check_path
from studio.validation.repair import Edit, Repaired
from studio.validation.rows import Judged

LARGE_BYTES = 200 << 20
CHECK_SECONDS = 180.0
"""From this size on the command line is the better way: a page that reads for minutes is no page."""
DESK = "check-desk"
TYPES = [suffix.removeprefix(".") for suffix in SUFFIXES]

Kind = tuple[str, Severity, str]
"""Code, severity, file."""


@dataclass
class Desk:
    """A checked path: the report, how many problems of each kind, and what somebody did since.

    `edits` has the rows as edited, None for those that are left out; `copy` the repaired
    copy, as long as it has all edits. `opened` is the row that is open, and under which problem;
    `seen` keeps the problems and rows on screen.
    """

    path: Path
    name: str
    report: CheckReport
    keeper: tempfile.TemporaryDirectory[str]
    kinds: Counter[Kind]
    choices: FileChoices = UNDECIDED
    edits: dict[RowLocation, Edit | None] = field(default_factory=dict)
    copy: Repaired | None = None
    opened: tuple[RowLocation, str] | None = None
    seen: dict[object, tuple[list[Problem], dict[RowLocation, Judged]]] = field(default_factory=dict)

    @property
    def room(self) -> Path:
        """Folder in which a copy of an upload can be written."""
        return Path(self.keeper.name)


def current() -> Desk | None:
    """Return what is on the desk of this session."""
    return st.session_state.get(DESK)


def choose() -> None:
    """Draw the ways to choose a file or folder, and check it."""
    ways = {
        "file": say("上传文件", "Upload a file"),
        "folder": say("上传文件夹", "Upload a folder"),
        "path": say("本机路径", "Path on this computer"),
    }
    way = choose_one(
        say("检查什么", "What to check"),
        list(ways),
        default="file",
        key="choose-check-way",
        format_func=lambda each: ways[each],
        label_visibility="collapsed",
    )
    with report_errors():
        if way == "path":
            _from_path()
        elif way == "folder":
            _from_folder()
        else:
            _from_file()
    if current() is None:
        st.info(
            say(
                "检查不会改动或导入任何东西。支持 ShareGPT、Alpaca、OpenAI 对话和标题表；"
                "文件夹里要有 dataset_info.json。",
                "Checking changes and imports nothing. It reads ShareGPT, Alpaca, OpenAI messages and tables "
                "of titles; a folder needs a dataset_info.json.",
            ),
            icon=":material/fact_check:",
        )


def _from_file() -> None:
    file = st.file_uploader(
        say("数据文件", "Data file"), type=TYPES, key="check-file", label_visibility="collapsed"
    )
    if file is not None and _is_new(file.file_id):
        _put_down([file], Path(file.name).name, file.file_id)


def _from_folder() -> None:
    files = st.file_uploader(
        say("文件夹", "Folder"),
        accept_multiple_files="directory",
        key="check-folder",
        label_visibility="collapsed",
    )
    if files and _is_new(mark := " ".join(sorted(file.file_id for file in files))):
        _put_down(files, None, mark)


def _from_path() -> None:
    with st.form("check-path-form", border=False):
        text, button = st.columns([5, 1], vertical_alignment="bottom")
        given = text.text_input(
            say("文件，或有 dataset_info.json 的文件夹", "A file, or a folder with dataset_info.json"),
            key="check-path",
            placeholder="~/data/train.json",
        )
        pressed = button.form_submit_button(
            say("检查", "Check"), key="check-path-now", type="primary", width="stretch"
        )
    if pressed and given.strip():
        session.require_role("reviewer", "analyst", "admin")
        path = Path(given.strip()).expanduser()
        _lay(path, path.name, tempfile.TemporaryDirectory(prefix="news-studio-"))


def _is_new(mark: str) -> bool:
    """Tell whether the widget has another upload than the one that was checked last."""
    return bool(st.session_state.get("check-mark") != mark)


def _put_down(files: Sequence[UploadedFile], name: str | None, mark: str) -> None:
    """Write an upload under its own name and check it; without a name it is a folder."""
    st.session_state["check-mark"] = mark
    st.session_state.pop(DESK, None)
    keeper = tempfile.TemporaryDirectory(prefix="news-studio-")
    place = Path(keeper.name) / "input"
    place.mkdir()
    for file in files:
        target = place.joinpath(*_parts(file.name))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.getbuffer())
    if name is not None:
        _lay(place / fitting_name(name), name, keeper)
        return
    roots = sorted(place.rglob(INFO), key=lambda found: len(found.parts))
    root = roots[0].parent if roots else place
    _lay(root, root.name if root != place else say("文件夹", "folder"), keeper)


def _parts(name: str) -> tuple[str, ...]:
    """Split an uploaded file's name into parts, none of which leads out of the folder."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    kept = [fitting_name(part) for part in parts if part not in ("..", "/") and ":" not in part]
    return tuple(kept) or ("file",)


def reading_section(desk: Desk) -> None:
    """Draw how the file can be read, where that was unclear or left columns out; a choice checks it anew."""
    if desk.path.is_dir() or not any(code in _ABOUT_READING for code, _, _ in desk.kinds):
        return
    with st.expander(say("这个文件怎样读", "How the file is read"), expanded=bool(desk.report.unreadable)):
        choices = choose_reading(desk.path, f"check-{desk.path}")
        if choices is not None and st.button(
            say("这样检查", "Check it so"), key="check-reading", disabled=choices == desk.choices
        ):
            _lay(desk.path, desk.name, desk.keeper, choices)
            st.rerun()


_ABOUT_READING = (
    "unclear_form", "missing_key", "title_column_doubtful", "read_as", "columns_inferred", "title_rivals",
    "unused_labels", "other_sheets", "rows_above_heading", "cells",
)  # fmt: skip
"""Problems after which another reading may be wanted."""


def _lay(
    path: Path, name: str, keeper: tempfile.TemporaryDirectory[str], choices: FileChoices = UNDECIDED
) -> None:
    """Check a path, and put the result on the desk."""
    st.session_state.pop(DESK, None)
    size = _size(path)
    if size > LARGE_BYTES:
        raise InputError(
            say(
                f"{name} 有 {size >> 20} MiB，在页面里检查要等几分钟。",
                f"{name} has {size >> 20} MiB; checking it takes minutes, too long for a page.",
            ),
            remedy=say(
                "请用命令行：news-studio check 路径 --fix 新文件。",
                "Use the command line: news-studio check PATH --fix OUT.",
            ),
        )
    with st.spinner(say("正在检查…", "Checking…")):
        report = call_within(CHECK_SECONDS, check_path, path, session.scheme(), choices)
        kinds = Counter((each.code, each.severity, each.file) for each in report.problems)
    st.session_state[DESK] = Desk(
        path=path, name=name, report=report, keeper=keeper, kinds=kinds, choices=choices
    )


def _size(path: Path) -> int:
    """Sum the bytes of a file or folder; 0 where there is nothing, which the check reports."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
