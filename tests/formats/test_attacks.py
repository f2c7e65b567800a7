"""Files that are made to hang a reader, or to fill the memory, are refused within seconds."""

import contextlib
import os
import re
import time
import zipfile

import pytest
from openpyxl import Workbook

from studio.errors import UnreadableFile
from studio.formats.reader import read_rows
from tests.support.samples import SCHEME

MOST_SECONDS = 20
"""Far more than any of these takes; without bounds they run for hours."""


def workbook(path, change):
    """Write a small workbook whose sheet XML was changed."""
    book = Workbook()
    for row in (["标题", "类别"], ["女排夺冠", "体育"], ["央行降准", "经济"]):
        book.active.append(row)
    book.save(path.with_suffix(".good.xlsx"))
    with zipfile.ZipFile(path.with_suffix(".good.xlsx")) as parts, zipfile.ZipFile(path, "w") as out:
        for part in parts.namelist():
            content = parts.read(part)
            out.writestr(part, change(content) if part.endswith("sheet1.xml") else content)
    return path


ROWS = b"".join(b'<row r="%d"><c r="XFD%d" t="n"><v>1</v></c></row>' % (n, n) for n in range(4, 20_000))
WORKBOOKS = {
    "a row number without end": lambda xml: xml.replace(b'<row r="3"', b'<row r="999999999999"'),
    "cells in the last column": lambda xml: xml.replace(b"</sheetData>", ROWS + b"</sheetData>"),
    "a hundred thousand merged cells": lambda xml: xml.replace(
        b"</worksheet>",
        b"<mergeCells>" + b'<mergeCell ref="A1:A9"/>' * 100_000 + b"</mergeCells></worksheet>",
    ),
}


@pytest.mark.parametrize("name", WORKBOOKS)
def test_a_workbook_beyond_the_bounds_is_refused_in_time(tmp_path, name):
    path = workbook(tmp_path / "a.xlsx", WORKBOOKS[name])
    began = time.perf_counter()
    with pytest.raises(UnreadableFile) as caught:
        list(read_rows(path).rows)
    assert caught.value.code == "too_large"
    assert time.perf_counter() - began < MOST_SECONDS


def test_rows_far_apart_within_a_sheet_are_read(tmp_path):
    path = workbook(tmp_path / "a.xlsx", lambda xml: xml.replace(b'<row r="3"', b'<row r="900000"'))
    assert [row.title for row in read_rows(path).rows] == ["女排夺冠", "央行降准"]


def test_a_pipe_and_a_device_are_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.csv")
    (tmp_path / "b.csv").symlink_to("/dev/zero")
    for name in ("a.csv", "b.csv"):
        with pytest.raises(UnreadableFile, match=re.escape(name)):
            read_rows(tmp_path / name)


def test_of_two_columns_with_one_name_the_first_is_used_and_it_is_told(tmp_path):
    (tmp_path / "a.csv").write_text("标题,类别,类别\n女排夺冠,体育,经济\n", encoding="utf-8")
    reading = read_rows(tmp_path / "a.csv", scheme=SCHEME)
    assert [row.answer for row in reading.rows] == ["体育"]
    assert "duplicate_column" in [remark.code for remark in reading.remarks]


@pytest.mark.parametrize(
    "line", ["|" * 300_000, "【" * 300_000, "体育 " * 100_000, "__label__" * 40_000, '"' * 300_001]
)
def test_a_line_of_one_repeated_sign_is_read_in_time(tmp_path, line):
    (tmp_path / "a.txt").write_text(f"女排夺冠\n{line}\n央行降准\n", encoding="utf-8")
    began = time.perf_counter()
    with contextlib.suppress(UnreadableFile):
        list(read_rows(tmp_path / "a.txt").rows)
    assert time.perf_counter() - began < MOST_SECONDS


def test_a_very_long_cell_is_a_row_with_a_fault_and_the_others_are_read(tmp_path):
    (tmp_path / "a.csv").write_text(f"标题,类别\n女排夺冠,体育\n{'长' * 200_000},经济\n", encoding="utf-8")
    assert [len(row.title) for row in read_rows(tmp_path / "a.csv").rows] == [4, 200_000]


def test_a_cell_of_combining_marks_is_compared_with_names_in_time(tmp_path):
    marks = "\u0323\u0301" * 60_000
    (tmp_path / "a.csv").write_text(f"{marks},类别\n女排夺冠,体育\n", encoding="utf-8")
    began = time.perf_counter()
    with contextlib.suppress(UnreadableFile):
        list(read_rows(tmp_path / "a.csv").rows)
    assert time.perf_counter() - began < MOST_SECONDS
