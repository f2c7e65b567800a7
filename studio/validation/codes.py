"""Define the codes of `check`: meaning, severity, who repairs it.

The codes are stable, since other people's scripts count them: a code is added, never
given another meaning. `python -m studio.validation.codes` prints the table of docs/codes.md.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from studio.language import say
from studio.samples.problems import Severity

Group = Literal["file", "info", "row", "answer", "chain", "set"]
GROUP_NAMES: Mapping[Group, tuple[str, str]] = {
    "file": ("文件", "Files"),
    "info": ("dataset_info.json", "dataset_info.json"),
    "row": ("行的结构", "The structure of a row"),
    "answer": ("答案", "Question and answer"),
    "chain": ("思维链", "The think chain's words"),
    "set": ("行与行之间", "Between rows"),
}

Mending = Literal["safe", "proposal", "person"]
"""Who repairs it. safe: `--fix` and the Check page. proposal: a person confirms it. person: a person
writes it."""
MENDING_NAMES: Mapping[Mending, tuple[str, str]] = {
    "safe": ("可自动修", "safe repair"),
    "proposal": ("有建议，由人确认", "proposal, a person decides"),
    "person": ("由人改", "a person"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Code:
    """A code of `check`: `name` is a short label in Chinese and English, `meaning` an English sentence."""

    group: Group
    severities: tuple[Severity, ...]
    mending: Mending
    name: tuple[str, str]
    meaning: str


def _code(group: Group, severities: str, mending: Mending, zh: str, en: str, meaning: str) -> Code:
    known: dict[str, Severity] = {"error": "error", "warning": "warning", "hint": "hint"}
    return Code(
        group=group,
        severities=tuple(known[word] for word in severities.split()),
        mending=mending,
        name=(zh, en),
        meaning=meaning,
    )


CODES: Mapping[str, Code] = {
    "unreadable": _code(
        "file", "error", "person", "无法读取", "unreadable",
        "Missing, truncated or broken; line and column where it breaks.",
    ),
    "empty_file": _code(
        "file", "error", "person", "空文件", "empty file",
        "It has no row.",
    ),
    "not_a_list": _code(
        "file", "error", "person", "不是列表", "not a list",
        "The outermost value is not a list of rows.",
    ),
    "encoding": _code(
        "file", "error warning", "safe", "编码不是 UTF-8", "not UTF-8",
        "Another encoding (read all the same), or damaged characters; an error where no encoding fits.",
    ),
    "too_large": _code(
        "file", "error", "person", "解压后过大", "unpacks to too much",
        "A workbook or parquet file that unpacks to more than is reasonable.",
    ),
    "unclear_form": _code(
        "file", "error", "person", "读法不确定", "unclear form",
        "The file can be read in several ways; `--form`, `--separator` or a column says which.",
    ),
    "title_column_doubtful": _code(
        "file", "error", "person", "标题列可疑", "no titles in the title column",
        "Its values are mostly categories, or all equal.",
    ),
    "read_as": _code(
        "file", "hint", "person", "读法", "how it was read",
        "A form that the suffix does not tell: fastText, a category beside each title, a numbered list.",
    ),
    "columns_inferred": _code(
        "file", "hint", "person", "按内容认的列", "columns by content",
        "Columns without a known name were taken by what is in them.",
    ),
    "title_rivals": _code(
        "file", "warning", "person", "两列都像标题", "two columns of titles",
        "Another column could hold the titles just as well.",
    ),
    "unused_labels": _code(
        "file", "warning", "person", "没用到的类别列", "unused categories",
        "A column holds categories and was not taken for the answer.",
    ),
    "unused_columns": _code(
        "file", "hint", "person", "没用到的列", "unused columns",
        "Columns that are taken for nothing.",
    ),
    "rows_above_heading": _code(
        "file", "warning", "person", "表头上面有内容", "rows above the heading",
        "Captions above the column names; they are not read.",
    ),
    "duplicate_column": _code(
        "file", "warning", "person", "列名重复", "columns of one name",
        "The first of them is used.",
    ),
    "merged_cells": _code(
        "file", "warning", "person", "合并的单元格", "merged cells",
        "Cells merged downwards: every row was filled with their value.",
    ),
    "other_sheets": _code(
        "file", "warning", "person", "有没读的工作表", "sheets not read",
        "One sheet of a workbook is read; `--sheet` chooses it.",
    ),
    "info_incomplete": _code(
        "info", "error warning hint", "safe", "dataset_info.json 不完整", "incomplete entry",
        "A block omits keys: LLaMA-Factory treats them as absent. An error where it stops or drops every"
        " row; a hint where the defaults apply.",
    ),
    "info_unknown_key": _code(
        "info", "warning", "proposal", "不认识的键", "unknown key",
        "LLaMA-Factory ignores it silently; with the key that is probably meant.",
    ),
    "info_mismatch": _code(
        "info", "error", "safe", "说明与行不符", "does not match the rows",
        "Formatting, column or tags are not those of the rows.",
    ),
    "info_file_missing": _code(
        "info", "error", "person", "文件不在", "file missing",
        "The file that an entry names does not exist; with names that may be meant.",
    ),
    "info_outside": _code(
        "info", "error", "person", "指向文件夹之外", "points outside",
        "Path traversal: a relative or absolute path, or a link, that points outside the folder. Refused.",
    ),
    "info_openai": _code(
        "info", "warning", "safe", "formatting 是 openai", "formatting is openai",
        "LLaMA-Factory adds “detailed thinking off” to the system text.",
    ),
    "info_mixed_folder": _code(
        "info", "error", "person", "文件夹里类型不一", "folder of several file types",
        "LLaMA-Factory stops at a folder of files of several types.",
    ),
    "info_elsewhere": _code(
        "info", "warning", "person", "数据在别处", "data elsewhere",
        "The entry's data is on a hub or in the cloud; only local files are checked.",
    ),
    "missing_key": _code(
        "row", "error", "person", "缺少字段", "missing key",
        "A key that the row, or every row, should have.",
    ),
    "null_value": _code(
        "row", "error", "person", "内容是 null", "null",
        "A question, an answer or a list of turns is null.",
    ),
    "wrong_type": _code(
        "row", "error", "person", "类型不对", "wrong type",
        "For example a number, list or object instead of text.",
    ),
    "cells": _code(
        "row", "error warning", "person", "格数与表头不符", "cells do not fit the heading",
        "More or fewer cells than columns: often an unquoted separator. Nothing is cut or shifted.",
    ),
    "broken_line": _code(
        "row", "error", "person", "这一行不是 JSON", "line is no JSON",
        "A line of JSON Lines that breaks off; the others are read.",
    ),
    "label_set_aside": _code(
        "row", "warning", "person", "来源说不是答案", "set aside at its source",
        "Rejected, skipped, cancelled or discarded in the tool that exported it: the title waits.",
    ),
    "unknown_role": _code(
        "row", "error", "person", "未知角色", "unknown role",
        "A role that the tags do not define; the row is dropped.",
    ),
    "role_order": _code(
        "row", "error", "person", "轮次顺序不对", "turns out of order",
        "Question and answer do not alternate; the row is dropped.",
    ),
    "odd_turns": _code(
        "row", "error", "person", "轮数是奇数", "odd number of turns",
        "The last answer is missing; the row is dropped.",
    ),
    "system_misplaced": _code(
        "row", "error", "person", "系统消息位置不对", "system turn misplaced",
        "A system turn that is not the first, or a second one; the row is dropped.",
    ),
    "more_turns": _code(
        "row", "warning", "person", "多轮对话", "several turns",
        "Several questions and answers: one pair is used here, LLaMA-Factory trains on all.",
    ),
    "empty_title": _code(
        "answer", "error", "person", "标题为空", "empty title",
        "Nothing to classify.",
    ),
    "title_too_long": _code(
        "answer", "error", "person", "标题太长", "title too long",
        "More than 500 characters: an article in the wrong column.",
    ),
    "prefix_missing": _code(
        "answer", "warning", "safe", "缺少提问前缀", "question prefix missing",
        "The question does not begin with the scheme's prompt.",
    ),
    "white_space": _code(
        "answer", "hint", "safe", "多余的空白", "stray white space",
        "Question or answer has white space that the canonical form lacks.",
    ),
    "empty_answer": _code(
        "answer", "error", "person", "答案为空", "empty answer",
        "No answer, or none after the chain: the end token alone is learned.",
    ),
    "think_missing": _code(
        "answer", "warning", "person", "没有思维链", "no think chain",
        "The answer is a category alone.",
    ),
    "think_unclosed": _code(
        "answer", "error", "person", "思维链没有结束", "think block not closed",
        "Nothing separates the chain from the category.",
    ),
    "think_repeated": _code(
        "answer", "error", "person", "思维链标记重复", "think tags repeated",
        "Only a person can decide which block is the chain.",
    ),
    "think_empty": _code(
        "answer", "hint", "person", "思维链为空", "empty think chain",
        "An empty block.",
    ),
    "think_form": _code(
        "answer", "warning", "safe", "思维链写法不规范", "think block in another form",
        "Other white space than the canonical form, or no opening tag.",
    ),
    "answer_not_category": _code(
        "answer", "error", "proposal", "答案不是类别之一", "answer is no category",
        "Every answer that is not exactly a category; safe to repair only with one of the next two codes.",
    ),
    "several_categories": _code(
        "answer", "error", "person", "不止一个类别", "several categories",
        "The answer names two or more categories.",
    ),
    "html": _code(
        "answer", "warning", "safe", "HTML 实体或标签", "HTML in the title",
        "Entities such as &amp;quot; and tags such as <em>; they are decoded.",
    ),
    "model_marks": _code(
        "answer", "hint", "person", "模型的标记", "model's marks",
        "Text such as <|im_end|> or <think>, which models use as marks; it is taken for plain text.",
    ),
    "answer_quoted": _code(
        "answer", "hint", "safe", "类别带引号", "quoted category",
        "Quotation marks, brackets or a full stop around the category.",
    ),
    "answer_doubled": _code(
        "answer", "hint", "safe", "类别重复", "doubled category",
        "The same category twice and nothing else.",
    ),
    "answer_extra_text": _code(
        "answer", "hint", "proposal", "类别外还有字", "extra text",
        "A category and other words; safe only where the word is 类.",
    ),
    "answer_english": _code(
        "answer", "hint", "proposal", "英文类别", "category in English",
        "The English name of a category.",
    ),
    "answer_synonym": _code(
        "answer", "hint", "proposal", "近义类别", "near-synonym",
        "Another word for a category, such as a section of a news site.",
    ),
    "chain_contradicts": _code(
        "chain", "warning", "person", "思维链与类别矛盾", "chain contradicts the category",
        "It concludes with another category than the answer.",
    ),
    "chain_foreign_category": _code(
        "chain", "warning", "person", "思维链提到第十一个类别", "eleventh category",
        "It names a category outside the scheme.",
    ),
    "chain_foreign_language": _code(
        "chain", "warning", "person", "思维链混入外文", "another language",
        "It drifts into another language.",
    ),
    "chain_no_quote": _code(
        "chain", "hint", "person", "思维链没有引用标题", "quotes nothing",
        "It quotes no word of the title.",
    ),
    "chain_undecided": _code(
        "chain", "hint", "person", "思维链没有落到类别", "names no category",
        "It does not name the category that it argues for.",
    ),
    "chain_skeleton": _code(
        "chain", "warning", "person", "套话", "boilerplate",
        "Apart from quoted words, most of it occurs in many other chains of the category.",
    ),
    "chain_repeats": _code(
        "chain", "warning", "person", "与已有思维链太像", "too close to another chain",
        "Four fifths the same as another chain; reported while writing.",
    ),
    "chain_tag": _code(
        "chain", "error", "person", "思维链里写了标记", "tags inside the chain",
        "A think tag typed into the chain; reported while writing.",
    ),
    "chain_blank": _code(
        "chain", "warning", "person", "思维链有空格没填", "blanks left",
        "A scaffold's blank is still there.",
    ),
    "chain_short": _code(
        "chain", "hint", "person", "思维链太短", "too short",
        "Fewer than 60 characters.",
    ),
    "chain_long": _code(
        "chain", "hint", "person", "思维链太长", "too long",
        "More than 250 characters.",
    ),
    "duplicate_title": _code(
        "set", "warning", "person", "标题重复", "duplicate title",
        "The same title as an earlier row, apart from case, width, spaces and punctuation.",
    ),
    "conflicting_labels": _code(
        "set", "warning", "person", "同一标题类别不同", "conflicting labels",
        "The same title with another category.",
    ),
    "in_both_splits": _code(
        "set", "warning", "person", "训练和评估都有", "in both splits",
        "The same title is in training and evaluation.",
    ),
    "near_title": _code(
        "set", "hint", "person", "标题几乎相同", "nearly the same title",
        "At least 85 % the same as an earlier title.",
    ),
    "near_conflicting_labels": _code(
        "set", "warning", "person", "几乎相同而类别不同", "near duplicates disagree",
        "A near duplicate with the same numbers in it has another category.",
    ),
    "near_in_both_splits": _code(
        "set", "warning", "person", "几乎相同而分在两边", "near duplicate in the other split",
        "A near duplicate is in the other split.",
    ),
    "category_missing": _code(
        "set", "warning", "person", "某个类别没有样本", "category without rows",
        "A file with answers never uses a category.",
    ),
    "category_rare": _code(
        "set", "warning", "person", "某个类别样本很少", "rare category",
        "Fewer than a fifth of an even share, in a file of at least 100 answers.",
    ),
}  # fmt: skip


def code_name(code: str) -> str:
    """Look up the label of a code; one that is not in the table is shown as it is."""
    return say(*CODES[code].name) if code in CODES else code


def table() -> str:
    """Render the table of docs/codes.md, in Markdown."""
    lines = ["| code | | severity | repaired by | meaning |", "| --- | --- | --- | --- | --- |"]
    group: Group | None = None
    for name, code in CODES.items():
        if code.group != group:
            group = code.group
            lines.append(f"| **{GROUP_NAMES[group][1]}** | | | | |")
        severities, repairer = ", ".join(code.severities), MENDING_NAMES[code.mending][1]
        lines.append(f"| `{name}` | {code.name[0]} | {severities} | {repairer} | {code.meaning} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
