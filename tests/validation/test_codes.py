"""The table of codes is what check reports: each code in it occurs, and no other."""

import ast
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet
import pytest
from openpyxl import Workbook

from studio.validation import codes
from studio.validation.check import check_path
from studio.validation.codes import CODES
from tests.support.samples import CHAIN, SCHEME, TITLE, conversation, sample, write_folder, write_json

ROOT = Path(__file__).parent.parent.parent
QUESTION = f"新闻分类：{TITLE}"
TURNS = sample()["conversations"]
TAGS = {"role_tag": "from", "content_tag": "value", "user_tag": "human", "assistant_tag": "gpt"}
WHILE_WRITING = {"chain_repeats"}
"""Reported beside the text box alone: in a file, `chain_skeleton` and near duplicates cover it."""


def rows(*values: object) -> Callable[[Path], Path]:
    return lambda folder: write_json(folder / "a.json", list(values))


def raw(content: bytes, name: str = "a.json") -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def info(**entry: object) -> Callable[[Path], Path]:
    """Write a folder with one row, and an entry that has faults."""

    def write(folder: Path) -> Path:
        write_json(folder / "a.json", [sample()])
        write_json(folder / "dataset_info.json", {"train": {"file_name": "a.json", **entry}})
        return folder

    return write


def answer(label: str) -> Callable[[Path], Path]:
    return rows(conversation(QUESTION, f"<think>\n{CHAIN}\n</think>\n\n{label}"))


def chain(text: str) -> Callable[[Path], Path]:
    return rows(sample(chain=text))


def splits(first: object, second: object) -> Callable[[Path], Path]:
    return lambda folder: write_folder(folder / "set", train=[first], eval=[second])


def two_sheets(folder: Path) -> Path:
    book = Workbook()
    book.active.append(["标题", "类别"])
    book.active.append([TITLE, "体育"])
    book.create_sheet("二").append(["标题"])
    book.save(folder / "a.xlsx")
    return folder / "a.xlsx"


def table(*lines: str) -> Callable[[Path], Path]:
    return raw("\n".join(lines).encode(), "a.csv")


def merged(folder: Path) -> Path:
    book = Workbook()
    for row in (["类别", "标题"], ["体育", "女排夺冠"], [None, "男篮晋级"]):
        book.active.append(row)
    book.active.merge_cells("A2:A3")
    book.save(folder / "a.xlsx")
    return folder / "a.xlsx"


def bomb(folder: Path) -> Path:
    table = pyarrow.table({"title": pyarrow.nulls(20_000_001, pyarrow.string())})
    pyarrow.parquet.write_table(table, folder / "a.parquet")
    return folder / "a.parquet"


def mixed_folder(folder: Path) -> Path:
    write_json(folder / "part" / "a.json", [sample()])
    (folder / "part" / "b.txt").write_text(TITLE, encoding="utf-8")
    write_json(folder / "dataset_info.json", {"train": {"file_name": "part", "formatting": "sharegpt"}})
    return folder


NEAR = TITLE.replace("三分", "两分")
FORM = (
    "这一条先看{}，因为读者最先想到的就是赛场上的事情，比分和名次才是他们关心的内容，"
    "主角也总是球队和球员，所以归体育。"
)
CASES: dict[str, Callable[[Path], Path]] = {
    "unreadable": raw(b'[{"conversations": ['),
    "empty_file": raw(b""),
    "not_a_list": raw(b'{"a": 1}'),
    "unclear_form": raw(
        "女排夺冠，体育\n央行宣布降准，股市大涨\n孩子发烧，健康\n高考放榜，分数线公布，教育\n台风，停课\n".encode(),
        "a.txt",
    ),
    "title_column_doubtful": table("标题,类别", "体育,社会", "经济,社会", "科技,社会"),
    "read_as": raw("__label__体育 女排夺冠\n".encode(), "a.txt"),
    "columns_inferred": table("bt,lb", "女排姑娘逆转夺冠,体育", "央行宣布下调准备金率,经济"),
    "title_rivals": table(
        "text,content", "女排姑娘逆转夺冠,比赛在昨晚举行并结束", "央行宣布降准备金,公告在今早发布出来"
    ),
    "unused_labels": table("标题,类别,栏目", "女排姑娘逆转夺冠,,体育", "央行宣布下调准备金率,,经济"),
    "unused_columns": table("标题,编号", "女排姑娘逆转夺冠,1", "央行宣布下调准备金率,2"),
    "rows_above_heading": table("第三季度,", "标题,类别", "女排姑娘逆转夺冠,体育"),
    "duplicate_column": table("标题,类别,类别", "女排姑娘逆转夺冠,体育,经济"),
    "merged_cells": merged,
    "cells": table("标题,类别", "开盘大涨,成交额破万亿,经济"),
    "broken_line": raw('{"title": "女排夺冠"}\n{"title": \n'.encode(), "a.jsonl"),
    "label_set_aside": rows({"text": TITLE, "label": "体育", "answer": "reject"}),
    "several_categories": answer("体育、经济"),
    "html": rows(conversation(f"新闻分类：&quot;{TITLE}&quot;", "体育")),
    "model_marks": rows(conversation("新闻分类：<think>女排夺冠", "体育")),
    "encoding": raw(json.dumps([sample()], ensure_ascii=False).encode("gbk")),
    "too_large": bomb,
    "other_sheets": two_sheets,
    "info_incomplete": info(formatting="sharegpt", tags={"role_tag": "from"}),
    "info_unknown_key": info(formatting="sharegpt", colums={}),
    "info_mismatch": info(formatting="alpaca"),
    "info_file_missing": info(file_name="b.json"),
    "info_outside": info(file_name="../a.json"),
    "info_openai": info(formatting="openai", tags=TAGS),
    "info_mixed_folder": mixed_folder,
    "info_elsewhere": info(formatting="sharegpt", hf_hub_url="a/b"),
    "missing_key": rows({"id": 1}),
    "null_value": rows(conversation(QUESTION, None)),
    "wrong_type": rows(7),
    "unknown_role": rows({"conversations": [{"from": "bot", "value": "x"}]}),
    "role_order": rows({"conversations": TURNS[::-1]}),
    "odd_turns": rows({"conversations": TURNS[:1]}),
    "system_misplaced": rows({"conversations": [*TURNS, {"from": "system", "value": "x"}]}),
    "more_turns": rows({"conversations": TURNS * 2}),
    "empty_title": rows(conversation("新闻分类：", "体育")),
    "title_too_long": rows(sample("长" * 501)),
    "prefix_missing": rows(conversation(TITLE, "体育")),
    "white_space": rows(conversation(f"新闻分类： {TITLE}", "体育")),
    "empty_answer": rows(conversation(QUESTION, "")),
    "think_missing": rows(conversation(QUESTION, "体育")),
    "think_unclosed": rows(conversation(QUESTION, f"<think>{CHAIN}体育")),
    "think_repeated": rows(conversation(QUESTION, "<think>a</think><think>b</think>体育")),
    "think_empty": chain(""),
    "think_form": rows(conversation(QUESTION, f"<think>{CHAIN}</think>体育")),
    "answer_not_category": answer("流水常至"),
    "answer_quoted": answer("“体育”"),
    "answer_doubled": answer("体育体育"),
    "answer_extra_text": answer("类别：体育"),
    "answer_english": answer("sports"),
    "answer_synonym": answer("军事"),
    "chain_contradicts": chain(CHAIN.replace("所以归体育", "所以归经济")),
    "chain_foreign_category": chain(CHAIN.replace("所以归体育", "不归为军事，所以归体育")),
    "chain_foreign_language": chain(CHAIN.replace("，所以", " because it is only a game，所以")),
    "chain_no_quote": chain("讲的是一场球怎样分出胜负。" * 6 + "所以归体育。"),
    "chain_undecided": chain("“绝杀”是赛场上的词，读者想知道的是比分和最后一球。" * 3),
    "chain_skeleton": rows(*(sample(f"{n * 7919}号选手夺冠", chain=FORM.format(n)) for n in range(20))),
    "chain_tag": chain(CHAIN + "<think"),
    "chain_blank": chain(CHAIN.replace("主角", "＿＿")),
    "chain_short": chain("“绝杀”是赛场上的词，所以归体育。"),
    "chain_long": chain(CHAIN.replace("讲的", "讲的是" + "球队在主场赢了客队，" * 25)),
    "duplicate_title": rows(sample(), sample(f"{TITLE}！")),
    "conflicting_labels": rows(sample(), sample(category="娱乐")),
    "in_both_splits": splits(sample(), sample()),
    "near_title": rows(sample(), sample(NEAR)),
    "near_conflicting_labels": rows(sample(), sample(NEAR, "娱乐")),
    "near_in_both_splits": splits(sample(), sample(NEAR)),
    "category_missing": rows(sample()),
    "category_rare": rows(*(sample(f"{n}", "体育" if n else "娱乐") for n in range(120))),
}


@pytest.mark.parametrize("code", [code for code in CODES if code not in WHILE_WRITING])
def test_each_code_occurs_with_the_severity_and_the_repair_of_the_table(tmp_path, code):
    found = [
        problem for problem in check_path(CASES[code](tmp_path), SCHEME).problems if problem.code == code
    ]
    assert found
    assert {problem.severity for problem in found} <= set(CODES[code].severities)
    if CODES[code].mending == "person":
        assert not [problem for problem in found if problem.repair or problem.proposal]


def test_docs_have_the_table():
    """`python -m studio.validation.codes` prints it."""
    assert codes.table() in (ROOT / "docs" / "codes.md").read_text(encoding="utf-8")


CHECKING = ("formats", "validation", "samples")
"""The packages that report problems of data."""


def reported_codes(source: str) -> set[str]:
    """Collect codes: `code="x"`, `.add("x", ...)`, `.error("x", ...)`, `remark(file, "x", ...)`."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        given = [keyword.value for keyword in node.keywords if keyword.arg == "code"]
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        given += {"add": node.args[:1], "error": node.args[:1], "remark": node.args[1:2]}.get(name, [])
        values = [value for each in given for value in ast.walk(each) if isinstance(value, ast.Constant)]
        found |= {value.value for value in values if isinstance(value.value, str) and "_" in value.value}
    return found


def test_no_module_reports_a_code_that_is_not_in_the_table():
    reported = set()
    for module in (path for package in CHECKING for path in (ROOT / "studio" / package).glob("*.py")):
        reported |= reported_codes(module.read_text(encoding="utf-8"))
    assert len(reported) > 30
    assert {code for code in reported if code != "answer_"} <= set(CODES)
