"""Parse the rows of labelling tools: what a person decided, and what the tool says is no decision.

Label Studio's JSON, Prodigy, Argilla of both generations. doccano and the flat exports of
Label Studio are tables. A prediction or suggestion is never an answer; a row that was
rejected, skipped or cancelled arrives undecided, with the reason.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.formats.columns import CATEGORY_COLUMNS, MOSTLY_LABELS, TITLE_COLUMNS, plain_name
from studio.formats.values import SEVERAL, content_text, is_missing, label_text
from studio.messages import Message, message
from studio.samples.label_matching import Vocabulary


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolRow:
    """A row of a tool: its title, the labels that people gave, and why some were not taken."""

    title: Any
    label: str | None = None
    set_aside: Message | None = None


REFUSING_WORDS = frozenset(
    (
    "reject", "rejected", "ignore", "ignored", "skip", "skipped", "cancelled", "canceled", "discarded",
    "discard", "invalid", "deleted", "removed", "draft", "pending", "default", "unlabeled", "unlabelled",
    "failed", "disagree", "驳回", "拒绝", "已驳回", "已拒绝", "不通过", "未通过", "审核不通过", "跳过",
    "已跳过", "忽略", "作废", "已作废", "取消", "已取消", "无效", "删除", "已删除", "待审", "待审核",
    "待定", "未审核", "未标注", "草稿", "不采用", "错误",
)
)  # fmt: skip
"""Words that say of a row: this label is no answer."""

_STATUS_COLUMNS = frozenset(
    (
    "answer", "status", "state", "review", "review_status", "annotation_status", "label_status",
    "decision", "result", "verdict", "accepted", "action", "状态", "审核", "审核状态", "审核结果",
    "标注状态", "结论", "处理结果", "是否采用", "是否有效", "有效", "采用", "valid", "is_valid",
    "approved", "is_approved", "correct", "is_correct", "kto_tag",
)
)  # fmt: skip
"""Columns that say whether a label holds; false in one of them says that it does not."""
_NEGATIVE_COLUMNS = frozenset(
    (
    "was_cancelled", "cancelled", "canceled", "is_cancelled", "skipped", "is_skipped", "was_skipped",
    "rejected", "is_rejected", "discarded", "is_discarded", "ignored", "is_ignored", "deleted",
    "is_deleted", "作废", "已作废", "跳过", "是否跳过", "是否作废", "是否删除", "已删除",
)
)  # fmt: skip
"""Columns in which true says that a label does not hold."""
_TRUE = ("true", "1", "yes", "y", "是", "√", "t")
_FALSE = ("false", "0", "no", "n", "否", "×", "f")


def status_columns(names: Sequence[str]) -> tuple[str, ...]:
    """List the columns of a table that may say that its label is no answer."""
    return tuple(name for name in names if plain_name(name) in _STATUS_COLUMNS | _NEGATIVE_COLUMNS)


def refusal(record: Mapping[str, Any], columns: Sequence[str]) -> Message | None:
    """Return why the label of a row is no answer, by its status columns; None where it is one."""
    for column in columns:
        value = record.get(column)
        if is_missing(value):
            continue
        word = label_text(value).strip()
        name = plain_name(column)
        if name in _NEGATIVE_COLUMNS:
            refused = word.lower() in (*_TRUE, *REFUSING_WORDS)
        else:
            refused = word.lower() in REFUSING_WORDS or (name not in _WORDY and word.lower() in _FALSE)
        if refused:
            return message("label_set_aside", column=column, word=word[:30])
    return None


_WORDY = ("answer", "status", "state", "result", "状态", "结论", "action", "decision")
"""Columns in which 0 or no may be an answer of its own."""


def is_label_studio(record: Mapping[str, Any]) -> bool:
    """Return whether a record is a task of Label Studio's JSON export."""
    return isinstance(record.get("data"), Mapping) and any(
        isinstance(record.get(key), list) for key in ("annotations", "completions", "predictions")
    )


def is_prodigy(record: Mapping[str, Any]) -> bool:
    """Return whether a record is a task of Prodigy."""
    if not isinstance(record.get("text"), str):
        return False
    return "_task_hash" in record or "_input_hash" in record or record.get("answer") in _PRODIGY_ANSWERS


_PRODIGY_ANSWERS = ("accept", "reject", "ignore")


def is_argilla(record: Mapping[str, Any]) -> bool:
    """Return whether a record is one of Argilla's: flattened, nested, or of its first generation."""
    if any(str(key).endswith(".responses") for key in record):
        return True
    if isinstance(record.get("fields"), Mapping) and ("responses" in record or "suggestions" in record):
        return True
    if "annotation" in record and ("prediction" in record or "annotation_agent" in record):
        return True
    return any(_is_feedback(value) for value in record.values())


def _is_feedback(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, Mapping) and "user_id" in item and "value" in item for item in value)
    )


def read_label_studio(record: Mapping[str, Any], control: str | None) -> ToolRow:
    """Parse a task of Label Studio; every annotation that was not cancelled is an answer.

    Args:
        control: the choice that holds the category where a task has several; `choose_control` finds it.
    """
    title = _text_of(record["data"])
    annotations = record.get("annotations") or record.get("completions") or []
    labels: dict[str, None] = {}
    cancelled = 0
    for annotation in annotations:
        if not isinstance(annotation, Mapping):
            continue
        if annotation.get("was_cancelled") or annotation.get("skipped"):
            cancelled += 1
            continue
        for name, label in _choices(annotation):
            if control is None or name == control:
                labels[label] = None
    if labels:
        return ToolRow(title=title, label=SEVERAL.join(labels))
    if cancelled:
        return ToolRow(title=title, set_aside=message("label_set_aside", column="was_cancelled", word="true"))
    return ToolRow(title=title)


def _choices(annotation: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for item in annotation.get("result") or []:
        if not isinstance(item, Mapping) or not isinstance(item.get("value"), Mapping):
            continue
        value = item["value"]
        for key in ("choices", "labels", "taxonomy"):
            # With a start it is a span of text, not a category of all of it.
            if key in value and "start" not in value and (label := label_text(value[key])):
                yield str(item.get("from_name")), label


def choose_control(
    records: Sequence[Mapping[str, Any]], vocabulary: Vocabulary
) -> tuple[str | None, list[str]]:
    """Choose the control that holds the category; returns it, and all of them where none stands out."""
    seen: dict[str, list[str]] = {}
    for record in records:
        for annotation in record.get("annotations") or record.get("completions") or []:
            if isinstance(annotation, Mapping):
                for name, label in _choices(annotation):
                    seen.setdefault(name, []).append(label)
    if len(seen) < 2:
        return None, []
    of_labels = _of_labels(seen, vocabulary)
    named = [name for name in of_labels or seen if plain_name(name) in CATEGORY_COLUMNS]
    chosen = named if len(named) == 1 else of_labels
    return (chosen[0], []) if len(chosen) == 1 else (None, list(seen))


def _of_labels(seen: Mapping[str, Sequence[str]], vocabulary: Vocabulary) -> list[str]:
    """List the questions whose answers are mostly names of categories."""
    return [
        name
        for name, labels in seen.items()
        if sum(map(vocabulary.is_label, labels)) >= MOSTLY_LABELS * len(labels)
    ]


def _text_of(data: Mapping[str, Any]) -> Any:
    """Find the title among the keys of an object."""
    by_name = {plain_name(str(key)): value for key, value in data.items()}
    known = next((by_name[name] for name in TITLE_COLUMNS if name in by_name), None)
    if known is not None:
        return content_text(known)
    texts = [value for value in data.values() if isinstance(value, str) and not value.startswith("http")]
    return texts[0] if len(texts) == 1 else None


def read_prodigy(record: Mapping[str, Any]) -> ToolRow:
    """Parse a task of Prodigy: one label to accept or reject, or options of which some are accepted."""
    title, answer = record.get("text"), record.get("answer", "accept")
    if isinstance(record.get("accept"), list):
        names = {
            str(option.get("id")): str(option.get("text") or option.get("id"))
            for option in record.get("options") or []
            if isinstance(option, Mapping)
        }
        label = SEVERAL.join(dict.fromkeys(names.get(str(name), str(name)) for name in record["accept"]))
    else:
        label = label_text(record.get("label", record.get("cats")))
    if answer == "accept":
        return ToolRow(title=title, label=label or None)
    if answer == "reject" and label:
        return ToolRow(title=title, set_aside=message("label_rejected", label=label[:30]))
    return ToolRow(title=title, set_aside=message("label_set_aside", column="answer", word=str(answer)[:30]))


def read_argilla(record: Mapping[str, Any], control: str | None) -> ToolRow:
    """Parse a record of Argilla; a response counts unless it was discarded, a suggestion never."""
    if isinstance(record.get("fields"), Mapping):
        title = _text_of(record["fields"])
        responses = record.get("responses")
        answers = _nested_responses(responses, control)
        return _argilla_row(title, answers, record.get("status"))
    if "annotation" in record:
        inputs = record.get("inputs")
        title = record.get("text") or (_text_of(inputs) if isinstance(inputs, Mapping) else None)
        status = str(record.get("status") or "")
        label = label_text(record.get("annotation"))
        if status.lower() in ("discarded", "default") and status:
            return ToolRow(
                title=title, set_aside=message("label_set_aside", column="status", word=status[:30])
            )
        return ToolRow(title=title, label=label or None)
    title = _text_of({key: value for key, value in record.items() if "." not in str(key)})
    return _argilla_row(title, list(_flat_responses(record, control)), None)


def _argilla_row(title: Any, answers: Sequence[tuple[str, str]], status: object) -> ToolRow:
    kept = [label for label, state in answers if state not in ("discarded", "draft") and label]
    if kept:
        return ToolRow(title=title, label=SEVERAL.join(dict.fromkeys(kept)))
    if answers:
        return ToolRow(title=title, set_aside=message("label_set_aside", column="status", word=answers[0][1]))
    return ToolRow(title=title)


def _nested_responses(responses: Any, control: str | None) -> list[tuple[str, str]]:
    """List the labels and states of `responses`, by question, or by person as older versions have them."""
    found: list[tuple[str, str]] = []
    if isinstance(responses, Mapping):
        for question, given in responses.items():
            if control is None or question == control:
                found += [_response(item) for item in (given if isinstance(given, list) else [given])]
    elif isinstance(responses, list):
        for person in responses:
            values = person.get("values") if isinstance(person, Mapping) else None
            if isinstance(values, Mapping):
                state = str(person.get("status") or "submitted")
                found += [
                    (label_text(value), state)
                    for question, value in values.items()
                    if control is None or question == control
                ]
            elif isinstance(person, Mapping):
                found.append(_response(person))
    return found


def _response(item: Any) -> tuple[str, str]:
    if isinstance(item, Mapping):
        return label_text(item.get("value")), str(item.get("status") or "submitted")
    return label_text(item), "submitted"


def _flat_responses(record: Mapping[str, Any], control: str | None) -> Iterator[tuple[str, str]]:
    for key, value in record.items():
        question = str(key).removesuffix(".responses")
        is_flat = str(key).endswith(".responses")
        if control is not None and question != control:
            continue
        if is_flat:
            values = value if isinstance(value, list) else [value]
            states = record.get(f"{key}.status")
            for index, given in enumerate(values):
                state = states[index] if isinstance(states, list) and index < len(states) else "submitted"
                if not is_missing(given):
                    yield label_text(given), str(state)
        elif _is_feedback(value):
            yield from map(_response, value)


def argilla_controls(
    records: Sequence[Mapping[str, Any]], vocabulary: Vocabulary
) -> tuple[str | None, list[str]]:
    """Choose the question that holds the category, as `choose_control` does."""
    seen: dict[str, list[str]] = {}
    for record in records:
        questions = {str(key).removesuffix(".responses") for key in record if str(key).endswith(".responses")}
        questions |= {str(key) for key, value in record.items() if _is_feedback(value)}
        if isinstance(record.get("responses"), Mapping):
            questions |= set(map(str, record["responses"]))
        for question in questions:
            row = read_argilla(record, question)
            if row.label:
                seen.setdefault(question, []).append(row.label)
    if len(seen) < 2:
        return None, []
    chosen = _of_labels(seen, vocabulary)
    return (chosen[0], []) if len(chosen) == 1 else (None, list(seen))
