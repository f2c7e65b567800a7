"""Messages that are stored: a code with arguments, made into a sentence in the language of whoever reads it.

History notes, reasons and sources outlive the person who caused them, so none is stored as a sentence.
What people type is stored as they typed it, and so is what studios before this table wrote; both are shown
as they are. Pure: knows no store.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Formatter
from typing import Any

from studio.language import LANGUAGES, Language, Sentence, current_language

MESSAGES: Mapping[str, tuple[str, str]] = {
    # why a title waits, after an import
    "imported_rows_disagree": (
        "导入的几行答案不一致：{labels:quoted}。",
        "Imported rows disagree: {labels:quoted}.",
    ),
    "unknown_category": (
        "答案“{label}”不在 {count} 个类别中。",
        "The answer “{label}” is none of the {count} categories.",
    ),
    "unknown_category_means": (
        "答案“{label}”不在 {count} 个类别中，应是“{category}”。",
        "The answer “{label}” is none of the {count} categories; it means “{category}”.",
    ),
    "unknown_category_near": (
        "答案“{label}”不在 {count} 个类别中，可能是 {near}。",
        "The answer “{label}” is none of the {count} categories; perhaps {near}.",
    ),
    "answer_empty": ("答案是空的。", "The answer is empty."),
    "think_repeated": ("答案里有不止一个 <think> 块。", "The answer has more than one <think> block."),
    "think_unclosed": (
        "<think> 没有对应的 </think>，读不出类别。",
        "<think> has no </think>, so no category can be read.",
    ),
    "several_categories": (
        "答案里有 {count} 个类别：{labels}。请选定一个。",
        "The answer names {count} categories: {labels}. Choose one.",
    ),
    "label_set_aside": (
        "来源的“{column}”写着“{word}”，所以它的类别没有采用。",
        "The source says “{word}” under “{column}”, so its category was not taken.",
    ),
    "label_rejected": (
        "来源里有人否定了“{label}”，它不是答案。",
        "At its source “{label}” was rejected; it is not the answer.",
    ),
    "cells_differ": (
        "这一行有 {found} 格，表头有 {expected} 列；可能是标题里有没加引号的分隔符。",
        "The row has {found} cells, the heading {expected}; a title may contain an unquoted separator.",
    ),
    "cells_beside": (
        "表格右边还有没有列名的内容：{cells}。",
        "Beside the table stand cells without a column name: {cells}.",
    ),
    "line_is_no_json": (
        "第 {line} 行不是完整的 JSON，没有读取。",
        "Line {line} is no complete JSON and was not read.",
    ),
    "title_is_formula": (
        "标题是公式，文件里没有保存它的值；请在 Excel 里重新保存。",
        "The title is a formula whose value the file does not store; save it again in Excel.",
    ),
    "title_is_label": (
        "标题列里是类别“{label}”，不是标题。",
        "The title column holds the category “{label}”, not a title.",
    ),
    # why a row was refused, or what is wrong with how it is built
    "title_missing": ("没有标题。", "There is no title."),
    "title_is_category": (
        "“{category}”只是类别名，没有标题。",
        "“{category}” is the name of a category, not a title.",
    ),
    "title_too_long": (
        "标题有 {count} 个字符，最多 {most} 个。",
        "The title has {count} characters, more than {most}.",
    ),
    "element_is_no_object": ("这一条是 {found}，应是对象。", "This element is {found}, not an object."),
    "element_is_no_object_or_text": (
        "这一条是 {found}，应是对象或字符串。",
        "This element is {found}, not an object or a string.",
    ),
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
    # what people and models did to a title
    "answers_differ": ("标注不一致：{votes}。", "Answers differ: {votes}."),
    "import_undone": ("{author} 撤销了这次导入。", "{author} undid the import."),
    "near_copy_of": ("与“{title}”重复", "a near copy of “{title}”"),
    "model_answered": (
        "模型答为“{label}”，{author} 认为不对。",
        "The model said “{label}”; {author} says that is wrong.",
    ),
    "model_unparsed": (
        "模型的答案无法解析，{author} 认为不对。",
        "The model's answer could not be parsed; {author} says that is wrong.",
    ),
    "model_answered_instead": (
        "模型答为“{label}”，{author} 认为应是“{category}”。",
        "The model said “{label}”; {author} says it is “{category}”.",
    ),
    "model_unparsed_instead": (
        "模型的答案无法解析，{author} 认为应是“{category}”。",
        "The model's answer could not be parsed; {author} says it is “{category}”.",
    ),
    "report_note": ("备注：{text}", " Note: {text}"),
    "report_undone": ("{author} 撤回了报错。", "{author} took the report back."),
    "run_answered": (
        "{run} 答为“{label}”，数据集是“{expected}”。",
        "{run} said “{label}”, the dataset says “{expected}”.",
    ),
    "run_unparsed": (
        "{run} 的答案无法解析，数据集是“{expected}”。",
        "The answer of {run} could not be parsed; the dataset says “{expected}”.",
    ),
    "reworded_from": ("改写自第 {number} 条", "corrected text of No. {number}"),
    "reworded_to": ("文字已改，见第 {number} 条", "replaced by No. {number}, its corrected text"),
    # why a person put a title aside: the reasons that the page offers
    "reason_no_title": ("不是新闻标题", "No news title"),
    "reason_not_understood": ("看不懂", "Cannot be understood"),
    "reason_cut_off": ("标题不完整", "Cut off"),
    "reason_for_others": ("留给别人", "For somebody else"),
    "reason_two_categories": ("两类都像", "Fits two categories"),
    "reason_no_rule": ("规则没有写到", "No rule covers it"),
    "reason_title_wrong": ("标题内容有误", "The title is wrong"),
    "reason_suggestion_wrong": ("建议明显不对", "The suggestion is plainly wrong"),
    # why, when the page offered no choice yet
    "reason_skipped": ("标注时跳过", "Skipped while labelling"),
    "reason_unsure": ("拿不准，请大家看看", "Unsure; please have a look"),
    # what a run is called that nobody named
    "label_bundled_base": ("内置小模型（未微调）", "bundled small model (not tuned)"),
    "label_sealed_set": ("封存的评估集 {sealed}：{run}", "sealed set {sealed}: {run}"),
    # why a title is queued because of an error of a model
    "error_near_training_row": (
        "{run} 答错了“{title}”，这条是它最相近的训练标题之一：请看思维链是否引用标题、落在自己的类别上",
        "{run} got “{title}” wrong, and this is one of its nearest training titles: see whether the chain "
        "quotes its title and concludes with its category",
    ),
    "error_similar_title": (
        "与 {run} 答错的“{title}”相近",
        "Resembles “{title}”, which {run} got wrong",
    ),
    "error_pushing_row": (
        "{run} 答错了“{title}”，这条训练标题最用力地把它推向了错的答案：请看它的类别和思维链",
        "{run} got “{title}” wrong, and this training title pushed hardest for the wrong answer: check its "
        "category and chain",
    ),
    "label_contradicted": (
        "训练 {run} 时，其余的训练标题与这条的标签相矛盾：请再看一次类别",
        "In training {run} the other titles contradict this one's label: look at its category again",
    ),
    # where titles came from
    "rebuilt_from_version": ("从版本 {ref} 重建。", "Rebuilt from version {ref}."),
    "source_pasted": ("粘贴", "pasted"),
    "source_rebuilt": ("从冻结的版本重建", "rebuilt from frozen versions"),
    "source_wrong": ("指出的错误答案", "reported as wrong"),
}
"""Code to template, Chinese and English. A code keeps its arguments: stored messages are read for ever."""


@dataclass(frozen=True, slots=True)
class Message:
    """A code of MESSAGES and what fills its template: text, numbers, lists of text, counts by name.

    Text may be a stored message itself, such as the label of a run that nobody named.
    """

    code: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """Render it in the language of the current page run or command."""
        return self.text(current_language.get())

    def sentence(self) -> str:
        """Render it in both languages, for a reader who may change theirs while it is on screen."""
        return Sentence({language: self.text(language) for language in LANGUAGES})

    def text(self, language: Language) -> str:
        """Render it in a language."""
        return _Filled(language).format(MESSAGES[self.code][language == "en"], **self.arguments)


class _Filled(Formatter):
    """`str.format` that writes lists and counts as the language does."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self.comma = "、" if language == "zh" else ", "

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, Mapping):
            return self.comma.join(f"{name} {count}" for name, count in value.items())
        if isinstance(value, (list, tuple)):
            return self.comma.join(f"“{each}”" if format_spec == "quoted" else str(each) for each in value)
        inner = parsed(value) if isinstance(value, str) else None
        return str(value) if inner is None else "".join(each.text(self.language) for each in inner)


def fields_of(template: str) -> set[str]:
    """List the arguments that a template names."""
    return {name for _, name, _, _ in Formatter().parse(template) if name}


def message(code: str, **arguments: object) -> Message:
    """Make a message; the arguments are those that its template names."""
    assert set(arguments) == fields_of(MESSAGES[code][0]), (code, arguments)
    return Message(code, arguments)


def stored(*messages: Message) -> str:
    """Serialize one or several messages for a column of the store.

    One message is a JSON object with its code first, several are a JSON list of such objects.
    """
    entries = [{"code": each.code, **each.arguments} for each in messages]
    return json.dumps(entries if len(entries) > 1 else entries[0], ensure_ascii=False, separators=(",", ":"))


def parsed(text: str) -> list[Message] | None:
    """Deserialize what `stored` wrote; None for text of any other kind."""
    if not text.startswith(('{"code":', '[{"code":')):
        return None
    try:
        value = json.loads(text)
        entries = value if isinstance(value, list) else [value]
        found = [Message(entry.pop("code"), entry) for entry in entries]
    except (ValueError, AttributeError, KeyError, RecursionError):
        return None
    return found if all(map(_is_known, found)) else None


def _is_known(found: Message) -> bool:
    templates = MESSAGES.get(found.code) if isinstance(found.code, str) else None
    return templates is not None and fields_of(templates[0]) <= set(found.arguments)


def shown(text: str | None) -> str | None:
    """Render a stored note, reason or source for its reader; what people typed is shown as it is."""
    messages = None if text is None else parsed(text)
    return text if messages is None else "".join(map(str, messages))
