"""Sniff the real type of a file, and refuse decompression bombs.

Files are sniffed before anything else opens them. This module reads no row.
"""

import re
import zipfile
from pathlib import Path
from typing import Any, NoReturn

from studio.errors import UnreadableFile
from studio.language import say

UNPACKED_WORKBOOK = 512 << 20
"""Bytes that a workbook may unpack to: a million titles take about 150 MiB. A zip bomb unpacks to thousands
of times its size."""
PARQUET_ROWS = 20_000_000
PARQUET_BYTES = 8 << 30
"""Rows and unpacked bytes that a parquet file may declare."""

_BINARY = (
    (b"PK\x03\x04", ".xlsx", "Excel / zip"),
    (b"PAR1", ".parquet", "parquet"),
    (b"\xd0\xcf\x11\xe0", ".xls", "Excel 97 (xls)"),
    (b"%PDF", ".pdf", "PDF"),
    (b"\x1f\x8b", ".gz", "gzip"),
    (b"\x89PNG", ".png", "PNG"),
    (b"\xff\xd8\xff", ".jpg", "JPEG"),
    (b"SQLite format 3", ".db", "SQLite"),
    (b"7z\xbc\xaf", ".7z", "7-Zip"),
    (b"Rar!", ".rar", "RAR"),
)
_ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!")
_WEB_PAGE = re.compile(rb"\s*(<!doctype html|<html|<table|<meta )", re.IGNORECASE)
_XML_SHEET = re.compile(rb"\s*<\?xml[^>]*>\s*(<\?mso-application|<Workbook)", re.IGNORECASE)
_JSON = re.compile(rb'\s*[\[{]\s*["{\[]')
_NEEDS = (".xlsx", ".xlsm", ".parquet")
_HEAD = 512


def require_matching_type(path: Path, name: str) -> None:
    """Require that the first bytes of a file match its suffix.

    Raises:
        UnreadableFile: it is of another type; the message names it.
    """
    suffix = path.suffix.lower()
    with path.open("rb") as file:
        head = file.read(_HEAD).removeprefix(b"\xef\xbb\xbf")
    for magic, kind, label in _BINARY:
        if head.startswith(magic):
            if kind == ".xlsx" and not _is_workbook(path):
                _refuse_archive(name)
            if kind == ".xls" or (kind != suffix and (kind, suffix) != (".xlsx", ".xlsm")):
                _refuse_type(name, suffix, label, kind)
            return
    if _WEB_PAGE.match(head):
        _refuse_type(name, suffix, say("网页（HTML）", "a web page (HTML)"), None)
    if _XML_SHEET.match(head):
        _refuse_type(name, suffix, say("Excel 2003 的 XML 表格", "an XML spreadsheet of Excel 2003"), ".xls")
    if suffix in (".txt", ".csv", ".tsv") and _JSON.match(head):
        _refuse_type(name, suffix, "JSON", ".json")
    if suffix in _NEEDS and head:
        _refuse_type(name, suffix, say("别的内容", "something else"), None)


def require_no_archive(path: Path, name: str) -> None:
    """Require that a file of an unknown suffix is no archive, whose remedy is another.

    Raises:
        UnreadableFile: it is one.
    """
    if path.is_file():
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if head.startswith(_ARCHIVES) and not (head.startswith(b"PK") and _is_workbook(path)):
            _refuse_archive(name)


def _is_workbook(path: Path) -> bool:
    """Return whether a zip file is a workbook, as far as it can be opened at all."""
    try:
        with zipfile.ZipFile(path) as parts:
            names = parts.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return True  # what is wrong with it is told when it is opened
    return "[Content_Types].xml" in names or any(name.startswith("xl/") for name in names)


def _refuse_archive(name: str) -> NoReturn:
    raise UnreadableFile(
        say(
            f"{name} 是压缩包，不能直接读取。",
            f"{name} is an archive, which is not read as it is.",
        ),
        remedy=say("请先解压，再导入里面的数据文件。", "Unpack it, then import the data file in it."),
        code="wrong_type",
    )


def _refuse_type(name: str, suffix: str, label: str, kind: str | None) -> NoReturn:
    rename = kind in (".xlsx", ".parquet", ".json")
    raise UnreadableFile(
        say(
            f"{name} 无法读取：扩展名是 {suffix}，内容却是 {label}。",
            f"{name} cannot be read: its name ends in {suffix}, but its content is {label}.",
        ),
        remedy=say(f"请把扩展名改为 {kind} 再试。", f"Rename it to end in {kind}, and try again.")
        if rename
        else say(
            "请用 Excel 或 WPS 打开，另存为 xlsx 再试。",
            "Open it in Excel or WPS, save it as xlsx, and try again.",
        )
        if ".xls" in (kind, suffix)
        else say(
            "请从来源重新导出为 csv、xlsx 或 json。", "Export it again from its source, as csv, xlsx or json."
        ),
        code="wrong_type",
    )


def require_bounded_workbook(path: Path, name: str) -> None:
    """Require that a workbook stays small when unpacked.

    The declared sizes are enough to check: Python's zipfile unpacks no more than these.

    Raises:
        UnreadableFile: not a workbook, or too large.
    """
    try:
        with zipfile.ZipFile(path) as parts:
            unpacked = sum(part.file_size for part in parts.infolist())
    except (zipfile.BadZipFile, OSError, ValueError) as error:
        raise UnreadableFile(
            say(
                f"{name} 无法读取：不是完整的 Excel 文件（{error}）。",
                f"{name} cannot be read: not a complete workbook ({error}).",
            ),
            remedy=say("请重新导出或下载这个文件。", "Export or download the file again."),
        ) from error
    if unpacked > UNPACKED_WORKBOOK:
        _refuse_size(name, unpacked, UNPACKED_WORKBOOK)


def require_bounded_parquet(metadata: Any, name: str) -> None:
    """Require that the rows and unpacked bytes that a parquet file declares stay within the limits.

    Raises:
        UnreadableFile: too many rows or bytes.
    """
    unpacked = sum(metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups))
    if metadata.num_rows > PARQUET_ROWS or unpacked > PARQUET_BYTES:
        _refuse_size(name, unpacked, PARQUET_BYTES)


def _refuse_size(name: str, unpacked: int, limit: int) -> NoReturn:
    raise UnreadableFile(
        say(
            f"{name} 解压后有 {unpacked >> 20} MiB，超过上限 {limit >> 20} MiB，没有打开。",
            f"{name} unpacks to {unpacked >> 20} MiB, more than the {limit >> 20} MiB allowed;"
            " it was not opened.",
        ),
        remedy=say(
            "请分成几个文件，或改存为 csv 再导入。", "Split it into several files, or save it as csv."
        ),
        code="too_large",
    )


def broken_file(name: str, what: object) -> UnreadableFile:
    """Build the error of a file that is not what its suffix says, with what the library found."""
    return UnreadableFile(
        say("{name} 无法读取：{what}。", "{name} cannot be read: {what}.", name=name, what=what),
        remedy=say(
            "请确认文件完整、扩展名与内容一致，或重新导出。",
            "Make sure that the file is complete and its suffix matches its content, or export it again.",
        ),
    )
