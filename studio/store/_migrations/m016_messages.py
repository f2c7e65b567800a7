"""Turn the sentences that earlier studios stored into codes with arguments: m016."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from string import Formatter
from typing import Any

from sqlite_utils import Database

from studio.store._migrations.base import migrations

SENTENCES: Mapping[str, tuple[str, str]] = {
    "imported_rows_disagree": ("导入的几行答案不一致：{labels}。", "Imported rows disagree: {labels}."),
    "unknown_category_means": (
        "答案“{label}”不在 {count} 个类别中，应是“{category}”。",
        "The answer “{label}” is none of the {count} categories; it means “{category}”.",
    ),
    "unknown_category_near": (
        "答案“{label}”不在 {count} 个类别中，可能是 {near}。",
        "The answer “{label}” is none of the {count} categories; perhaps {near}.",
    ),
    "unknown_category": (
        "答案“{label}”不在 {count} 个类别中。",
        "The answer “{label}” is none of the {count} categories.",
    ),
    "answer_empty": ("答案是空的。", "The answer is empty."),
    "think_repeated": ("答案里有不止一个 <think> 块。", "The answer has more than one <think> block."),
    "think_unclosed": (
        "<think> 没有对应的 </think>，读不出类别。",
        "<think> has no </think>, so no category can be read.",
    ),
    "title_missing": ("没有标题。", "There is no title."),
    "title_too_long": (
        "标题有 {count} 个字符，最多 {most} 个。",
        "The title has {count} characters, more than {most}.",
    ),
    "element_is_no_object_or_text": (
        "这一条是 {found}，应是对象或字符串。",
        "This element is {found}, not an object or a string.",
    ),
    "element_is_no_object": ("这一条是 {found}，应是对象。", "This element is {found}, not an object."),
    "no_turn": ("“{key}”里没有一轮对话。", "“{key}” holds no turn."),
    "turn_is_no_object": (
        "第 {turn} 轮对话不是对象，而是 {found}。",
        "Turn {turn} is no object but {found}.",
    ),
    "unknown_role": (
        "不认识的角色“{role}”，应是 {user} 或 {assistant}。",
        "Unknown role “{role}”; expected {user} or {assistant}.",
    ),
    "system_misplaced": (
        "系统消息只能有一条，而且在最前面；这里的顺序是 {order}，训练时这一行会被丢弃。",
        "There may be one system turn, at the start; the turns are {order}, and training would drop the row.",
    ),
    "odd_turns": (
        "有 {count} 轮，最后缺回答；训练时这一行会被丢弃。",
        "{count} turns, and the last answer is missing; training would drop the row.",
    ),
    "role_order": (
        "对话顺序是 {order}，应是 {expected}；训练时这一行会被丢弃。",
        "The turns are {order}, not {expected}; training would drop the row.",
    ),
    "history_is_no_pairs": (
        "历史对话应是“[问, 答]”的列表，这里是 {found}。",
        "The history should be a list of [question, answer]; here it is {found}.",
    ),
    "no_conversation_or_title": (
        "这一行既没有对话（conversations）也没有标题（title）；现有的键：{keys}。",
        "This row has neither conversations nor a title; its keys: {keys}.",
    ),
    "key_missing": ("缺少“{key}”；现有的键：{keys}。", "“{key}” is missing; there is: {keys}."),
    "value_is_null": ("“{key}”是 null，没有内容。", "“{key}” is null: there is nothing."),
    "value_is_no_text": ("“{key}”应是文字，这里是 {found}。", "“{key}” should be text; here it is {found}."),
    "value_is_no_list": (
        "“{key}”应是列表，这里是 {found}。",
        "“{key}” should be a list; here it is {found}.",
    ),
    "answers_differ": ("标注不一致：{votes}。", "Answers differ: {votes}."),
    "import_undone": ("{author} 撤销了这次导入。", "{author} undid the import."),
    "near_copy_of": ("与“{title}”重复", "a near copy of “{title}”"),
    "model_unparsed": (
        "模型答为“无法解析的答案”，{author} 认为不对。",
        "The model said “nothing that could be read”; {author} says that is wrong.",
    ),
    "model_answered": (
        "模型答为“{label}”，{author} 认为不对。",
        "The model said “{label}”; {author} says that is wrong.",
    ),
    "run_unparsed": (
        "{run} 答为“无法解析的答案”，数据集是“{expected}”。",
        "{run} said “nothing that could be read”, the dataset says “{expected}”.",
    ),
    "run_answered": (
        "{run} 答为“{label}”，数据集是“{expected}”。",
        "{run} said “{label}”, the dataset says “{expected}”.",
    ),
    "reason_no_title": ("不是新闻标题", "No news title"),
    "reason_not_understood": ("看不懂", "Cannot be understood"),
    "reason_cut_off": ("标题不完整", "Cut off"),
    "reason_for_others": ("留给别人", "For somebody else"),
    "reason_two_categories": ("两类都像", "Fits two categories"),
    "reason_no_rule": ("规则没有写到", "No rule covers it"),
    "reason_title_wrong": ("标题内容有误", "The title is wrong"),
    "reason_suggestion_wrong": ("建议明显不对", "The suggestion is plainly wrong"),
}
"""As they were written until 2026-11-27; of two that match, the more particular comes first."""
SOURCES = {
    "粘贴": '{"code":"source_pasted"}',
    "pasted": '{"code":"source_pasted"}',
    "wrong": '{"code":"source_wrong"}',
}

_ARGUMENTS: Mapping[str, Callable[[str], Any]] = {
    "count": int,
    "most": int,
    "turn": int,
    "labels": lambda text: text.removeprefix("“").removesuffix("”").split("”、“"),
    "near": lambda text: re.split("、|, ", text),
    "keys": lambda text: re.split("、|, ", text),
    "votes": lambda text: {name: int(n) for name, n in (vote.rsplit(" ", 1) for vote in text.split("、"))},
}
_DIGITS = ("count", "most", "turn")
_NOTES = (
    ("decisions", "note"),
    ("imported_rows", "note"),
    ("annotations", "reason"),
    ("refused_rows", "reason"),
)
_MOST_SENTENCES = 4


def _pattern(template: str) -> re.Pattern[str]:
    parts = []
    for literal, name, _, _ in Formatter().parse(template):
        parts.append(re.escape(literal))
        if name:
            parts.append(rf"(?P<{name}>\d+)" if name in _DIGITS else rf"(?P<{name}>.+?)")
    return re.compile("".join(parts), re.DOTALL)


_PATTERNS = [(code, _pattern(text)) for code, texts in SENTENCES.items() for text in texts]


@lru_cache(maxsize=100_000)
def code_of(text: str) -> str | None:
    """Translate a stored sentence, or several in a row; None for what nobody but a person wrote."""
    found = next(_sentences(text, _MOST_SENTENCES), None)
    if found is None:
        return None
    return json.dumps(found if len(found) > 1 else found[0], ensure_ascii=False, separators=(",", ":"))


def _sentences(text: str, most: int) -> Iterator[list[dict[str, Any]]]:
    # Several before one: a field of the first would else swallow the sentences behind it.
    if most > 1:
        for code, pattern in _PATTERNS:
            if (first := pattern.match(text)) and (entry := _entry(code, first)):
                for rest in _sentences(text[first.end() :], most - 1):
                    yield [entry, *rest]
    for code, pattern in _PATTERNS:
        if (whole := pattern.fullmatch(text)) and (entry := _entry(code, whole)):
            yield [entry]


def _entry(code: str, found: re.Match[str]) -> dict[str, Any] | None:
    try:
        return {"code": code, **{k: _ARGUMENTS.get(k, str)(text) for k, text in found.groupdict().items()}}
    except ValueError:
        return None


@migrations()
def m016_messages(db: Database) -> None:
    """Store notes, reasons and sources as codes; what is no sentence of ours stays as it is."""
    for table, column in _NOTES:
        _rewrite(db, table, column, code_of)
    for table, column in (
        ("batches", "source"),
        ("titles", "source"),
        ("imported_rows", "file"),
        ("refused_rows", "file"),
    ):
        _rewrite(db, table, column, SOURCES.get)
    _rename_spot_checks(db)


def _rewrite(db: Database, table: str, column: str, translate: Callable[[str], str | None]) -> None:
    """Rewrite a column in place, without the triggers that forbid it or take it for somebody's act."""
    triggers = db.execute(
        "select name, sql from sqlite_master where type = 'trigger' and tbl_name = ?", [table]
    ).fetchall()
    for name, _ in triggers:
        db.execute(f'drop trigger "{name}"')
    rows = db.execute(f"select rowid, {column} from {table} where {column} is not null").fetchall()
    changes = [(new, rowid) for rowid, old in rows if (new := translate(old)) is not None]
    db.conn.executemany(f"update {table} set {column} = ? where rowid = ?", changes)
    for _, sql in triggers:
        db.execute(sql)


def _rename_spot_checks(db: Database) -> None:
    """Call the reviewers' second queue what people call it: a sample is a conversation everywhere else."""
    db.execute(
        """create table renamed_leases (
            author text not null,
            queue text not null check (queue in ('adjudicate', 'spot_check')),
            title_id integer references titles(id),
            place integer not null default -1,
            expires_at text not null default '',
            primary key (author, queue)
        ) without rowid"""
    )
    db.execute(
        "insert into renamed_leases select author, iif(queue = 'sample', 'spot_check', queue),"
        " title_id, place, expires_at from review_leases"
    )
    db.execute("drop table review_leases")
    db.execute("alter table renamed_leases rename to review_leases")
    db.execute("create index review_leases_by_title on review_leases (title_id) where title_id is not null")
