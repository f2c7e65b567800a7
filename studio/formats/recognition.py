"""Recognise what the records of a file are: which tool wrote them, and which key holds what.

A file of an entry of dataset_info.json is what the entry says. Any other is recognised by
the keys of its first records and by their values. What is certain is taken and said; what
is not is a question with its choices.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from studio.errors import UnreadableFile
from studio.formats._recognition_words import form_words, note, remarks_on_columns, remarks_on_form
from studio.formats._tool_exports import (
    argilla_controls,
    choose_control,
    is_argilla,
    is_label_studio,
    is_prodigy,
)
from studio.formats.choices import FileChoices, Option, UnclearFile
from studio.formats.columns import Columns, infer_columns, no_title_column, plain_name
from studio.formats.layouts import Layout, LayoutForm, Pair
from studio.formats.records import Records
from studio.formats.values import indicator, label_text, lookup, paths_of
from studio.language import say
from studio.samples.label_matching import Vocabulary
from studio.samples.problems import Problem

SAMPLED = 200
"""Records that are looked at."""
_NAMES = 80
"""Keys and paths that are looked at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recognised:
    """The layout of the records, remarks on what was taken for what, and how the file was read, in words."""

    layout: Layout
    remarks: Sequence[Problem] = ()
    read_as: Sequence[str] = ()


_QUESTIONS = (
    "prompt", "question", "query", "problem", "instruction", "input", "human", "user", "问题", "提问",
    "输入", "题目描述", "context",
)  # fmt: skip
_ANSWERS = (
    "completion", "response", "answer", "output", "target", "solution", "final_answer", "assistant",
    "回答", "答案", "输出", "回复", "deepseek_solution", "deepseek_attempt", "reference_answer", "content",
)  # fmt: skip
_THOUGHTS = (
    "reasoning_content", "reasoning", "thinking", "think", "thought", "thoughts", "complex_cot", "cot",
    "chain_of_thought", "rationale", "deepseek_reasoning", "deepseek_thinking_trajectory",
    "thinking_trajectory", "thinking_trajectories", "reasoning_trace", "思维链", "推理", "思考",
    "推理过程", "思考过程",
)  # fmt: skip
"""Keys of question, answer and thought in the data sets that distil R1; earlier ones win."""


def recognise(
    sample: Sequence[Any],
    layout: Layout,
    records: Records,
    choices: FileChoices,
    vocabulary: Vocabulary,
    name: str,
) -> Recognised:
    """Recognise the records of one file by its first ones.

    Raises:
        UnreadableFile: no title in it, a chosen column is missing, or the title column holds no titles.
        UnclearFile: several columns could be the titles or the categories.
    """
    form_remarks = remarks_on_form(records, name)
    if layout.form != "auto":
        return Recognised(layout=layout, remarks=form_remarks)
    layout = replace(layout, table=choices.columns, class_names=records.class_names)
    rows = [record for record in sample if isinstance(record, Mapping)]
    if not rows:
        if used := choices.columns.used:
            _require_named(used, ["标题"], name)
        return Recognised(layout=layout, remarks=form_remarks, read_as=form_words(records))
    if records.names:
        _require_named(choices.columns.used, records.names, name)
    found = _form_of(rows, choices, vocabulary)
    if found is not None:
        control, controls = _control(found, rows, choices, vocabulary)
        if controls:
            raise _which_control(name, controls)
        words = [*form_words(records), _FORM_NAMES[found.form]()]
        return Recognised(
            layout=replace(found, table=layout.table, class_names=layout.class_names, control=control),
            remarks=form_remarks,
            read_as=words,
        )
    if choices.form in ("sharegpt", "openai", "alpaca"):
        return Recognised(layout=replace(layout, form=choices.form), remarks=form_remarks)
    if choices.columns.title is None and _is_conversation(rows):
        return Recognised(layout=layout, remarks=form_remarks, read_as=form_words(records))
    return _as_columns(rows, layout, records, choices, vocabulary, name, form_remarks)


def _require_named(used: Sequence[str], names: Sequence[str], name: str) -> None:
    """Require that the columns that a person chose exist."""
    for column in used:
        Columns(title=column).require(names, name)


def _is_conversation(rows: Sequence[Mapping[str, Any]]) -> bool:
    keys = ("conversations", "messages", "instruction", "output")
    return sum(any(key in row for key in keys) for row in rows) * 2 >= len(rows)


def _share(rows: Sequence[Mapping[str, Any]], is_one: Any) -> float:
    return sum(bool(is_one(row)) for row in rows) / len(rows)


def _form_of(
    rows: Sequence[Mapping[str, Any]], choices: FileChoices, vocabulary: Vocabulary
) -> Layout | None:
    """Return the layout of an export or of question and answer; None: a table or known conversations."""
    form, keys = choices.form, _keys(rows)
    if form in ("label-studio", "prodigy", "argilla"):
        return Layout(form=form)
    if form in ("pair", "preference"):
        return Layout(form=form, pair=_pair(keys, rows) or Pair(question="prompt", answer="completion"))
    if form is not None or choices.columns.title is not None:
        return None
    for tool, is_one in _TOOLS.items():
        if _share(rows, is_one) > 0.5:
            return Layout(form=tool)
    if "conversations" in keys or "messages" in keys:
        return None
    if "chosen" in keys and "rejected" in keys and "instruction" not in keys:
        question = keys.get("prompt") or _first(keys, _QUESTIONS) or "prompt"
        return Layout(form="preference", pair=Pair(question=question, answer=keys["chosen"]))
    return _as_pair(keys, rows, vocabulary)


_TOOLS: Mapping[LayoutForm, Callable[[Mapping[str, Any]], bool]] = {
    "label-studio": is_label_studio,
    "prodigy": is_prodigy,
    "argilla": is_argilla,
    "turn_pairs": lambda row: isinstance(row.get("conversation"), list),
}


def _as_pair(
    keys: Mapping[str, str], rows: Sequence[Mapping[str, Any]], vocabulary: Vocabulary
) -> Layout | None:
    """Return the layout of question and answer, unless the rows are a table with a category column."""
    pair = _pair(keys, rows)
    if pair is None:
        return None
    columns = infer_columns(list(keys.values()), rows, vocabulary).columns
    has_labels = columns.category is not None and columns.category not in (pair.question, pair.answer)
    is_table = columns.title is not None and columns.title != pair.question and has_labels
    return None if is_table else Layout(form="pair", pair=pair)


def _keys(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Map plain names to the keys that at least half of the records have."""
    counts: dict[str, int] = {}
    for row in rows:
        for key in row:
            counts[str(key)] = counts.get(str(key), 0) + 1
    found: dict[str, str] = {}
    for key, count in counts.items():
        if count * 2 >= len(rows):
            found.setdefault(plain_name(key), key)
    return found


def _first(keys: Mapping[str, str], names: Sequence[str]) -> str | None:
    return next((keys[name] for name in names if name in keys), None)


def _pair(keys: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> Pair | None:
    """Find the keys of question and answer; Alpaca's own are not among them."""
    if "instruction" in keys and "output" in keys:
        return None
    question, thought = _first(keys, _QUESTIONS), _first(keys, _THOUGHTS)
    answers = [name for name in _ANSWERS if name != "content" or thought is not None]
    answer = next((keys[name] for name in answers if name in keys and keys[name] != question), None)
    if question is None or answer is None or not _hold_text(rows, question) or not _hold_text(rows, answer):
        return None
    verdict = keys.get("label") if all(isinstance(row.get("label"), bool | None) for row in rows) else None
    return Pair(question=question, answer=answer, thought=thought, verdict=verdict)


def _hold_text(rows: Sequence[Mapping[str, Any]], key: str) -> bool:
    return _share(rows, lambda row: isinstance(row.get(key), str | list) and row.get(key)) > 0.5


def _control(
    layout: Layout, rows: Sequence[Mapping[str, Any]], choices: FileChoices, vocabulary: Vocabulary
) -> tuple[str | None, list[str]]:
    """Choose which of several questions of a labelling tool is the category."""
    if choices.columns.category:
        return choices.columns.category, []
    if layout.form == "label-studio":
        return choose_control(rows, vocabulary)
    if layout.form == "argilla":
        return argilla_controls(rows, vocabulary)
    return None, []


def _which_control(name: str, controls: Sequence[str]) -> UnclearFile:
    return UnclearFile(
        say(
            f"{name} 里有几个标注项：{'、'.join(controls)}。哪一个是类别？",
            f"{name} answers several questions: {', '.join(controls)}. Which is the category?",
        ),
        options=[
            Option(choices=FileChoices(columns=Columns(category=control)), label=control)
            for control in controls
        ],
    )


_FORM_NAMES = {
    "label-studio": lambda: say("Label Studio 导出", "an export of Label Studio"),
    "prodigy": lambda: say("Prodigy 导出", "an export of Prodigy"),
    "argilla": lambda: say("Argilla 导出", "an export of Argilla"),
    "turn_pairs": lambda: say("问答成对的多轮对话", "conversations as pairs of question and answer"),
    "pair": lambda: say("一问一答", "question and answer"),
    "preference": lambda: say("偏好数据，只取选中的回答", "preference data; the chosen answer is taken"),
}


def _as_columns(
    rows: Sequence[Mapping[str, Any]],
    layout: Layout,
    records: Records,
    choices: FileChoices,
    vocabulary: Vocabulary,
    name: str,
    remarks: list[Problem],
) -> Recognised:
    """Recognise the columns of a table, or the keys and paths of objects."""
    names = list(records.names) or list(dict.fromkeys(path for row in rows for path in paths_of(row)))
    names = [path for path in names if not any(isinstance(lookup(row, path), Mapping) for row in rows[:20])]
    names = names[:_NAMES]
    chosen = [column for column in choices.columns.used if column not in names]
    found = infer_columns([*names, *chosen], rows, vocabulary, choices.columns)
    columns = found.columns
    if found.question is not None:
        raise _which_column(name, found.question, rows)
    if columns.title is None:
        if _is_mixed(rows) or (len(rows) == 1 and not records.names):
            # One odd object says nothing about a file: it is told as a row.
            return Recognised(layout=layout, remarks=remarks)
        raise no_title_column(name, names)
    if found.doubt is not None:
        raise _no_titles(name, columns.title, found.doubt)
    indicators = _indicators(names, rows, vocabulary) if columns.category is None else ()
    unused = [column for column in found.unused if column not in indicators]
    remarks = [*remarks, *remarks_on_columns(name, found.rivals, unused, found.unused_labels, columns)]
    if indicators:
        remarks.append(
            note(
                name,
                "columns_inferred",
                "hint",
                f"类别取自各类自己的列（{len(indicators)} 列），写 1 的那一列就是答案。",
                f"The category is read from {len(indicators)} columns, one a category: the one that holds 1.",
            )
        )
    if found.inferred:
        remarks.append(note(name, "columns_inferred", "hint", *_mapping(columns)))
    words = [*form_words(records), *([say(*_mapping(columns))] if records.names else [])]
    # Only what differs from the known names is fixed: further rows may have other keys.
    inferred = Columns(
        **{
            part.name: getattr(columns, part.name)
            if part.name in found.inferred or "." in (getattr(columns, part.name) or "")
            else None
            for part in fields(columns)
        }
    )
    layout = replace(layout, inferred=inferred, indicators=indicators)
    return Recognised(layout=layout, remarks=remarks, read_as=words)


def _indicators(
    names: Sequence[str], rows: Sequence[Mapping[str, Any]], vocabulary: Vocabulary
) -> tuple[str, ...]:
    """Find the columns or paths of a table that has one for each category, with 0 and 1 in them."""
    found = tuple(path for path in names if vocabulary.is_label(path.rpartition(".")[2].strip()))
    if len(found) < _FEWEST_INDICATORS:
        return ()
    cells = [indicator(lookup(row, path)) for row in rows for path in found]
    return found if None not in cells and any(cells) else ()


_FEWEST_INDICATORS = 3


def _is_mixed(rows: Sequence[Mapping[str, Any]]) -> bool:
    return any("conversations" in row or "messages" in row or "instruction" in row for row in rows)


def _mapping(columns: Columns) -> tuple[str, str]:
    names = {
        "title": ("标题", "title"),
        "category": ("类别", "category"),
        "chain": ("思维链", "think chain"),
        "source": ("来源", "source"),
        "date": ("日期", "date"),
    }
    taken = [(names[part.name], getattr(columns, part.name)) for part in fields(columns)]
    found = [(name, column) for name, column in taken if column]
    return (
        "；".join(f"{name[0]} ← {column}" for name, column in found),
        "; ".join(f"{name[1]} ← {column}" for name, column in found),
    )


def _which_column(
    name: str, question: tuple[str, Sequence[str]], rows: Sequence[Mapping[str, Any]]
) -> UnclearFile:
    part, names = question
    listed, english = "、".join(names), ", ".join(names)
    problem = (
        say(
            f"{name} 里哪一列是标题？可能是：{listed}。",
            f"Which column of {name} holds the titles? Perhaps: {english}.",
        )
        if part == "title"
        else say(
            f"{name} 里有几列像类别：{listed}。哪一列是定下来的类别？",
            f"Several columns of {name} look like categories: {english}. Which one is the decided category?",
        )
    )
    options = [
        Option(
            choices=FileChoices(columns=Columns(**{part: column})),
            label=column,
            rows=[[label_text(lookup(row, column))] for row in rows[:3]],
        )
        for column in names
    ]
    return UnclearFile(problem, options=options)


def _no_titles(name: str, column: str, doubt: str) -> UnreadableFile:
    why = (
        say("里面大多是类别", "it holds categories")
        if doubt == "labels"
        else say("每一行都相同", "all its values are equal")
    )
    return UnreadableFile(
        say(
            f"{name} 的“{column}”列不像标题：{why}。",
            f"The column “{column}” of {name} holds no titles: {why}.",
        ),
        remedy=say("请用 --title-column 选择标题列。", "Choose the column of titles with --title-column."),
        code="title_column_doubtful",
    )
