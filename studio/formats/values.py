"""Normalize the values of cells and keys to text: labels, titles, content parts, missing values.

A label arrives as text, as a list of one, as the text of a list, or as an object of a
labelling tool; what several of them mean is for a person. This module knows no category.
"""

import ast
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

MISSING = frozenset(
    (
        "nan", "none", "null", "n/a", "na", "<na>", "#n/a", "nat", "nil", "undefined",
        "#ref!", "#value!", "#name?", "#div/0!", "#null!", "#num!", "#spill!", "#calc!",
    )
)  # fmt: skip
"""How programs, spreadsheets with an error among them, write that there is no value; without case."""

FORMULA = "\x00formula"
"""Stands in a cell for a formula whose value the workbook does not store."""

SEVERAL = "、"
"""What joins the labels of a row that has more than one; the joint text is no category."""


def is_missing(value: Any) -> bool:
    """Return whether a value stands for nothing: None, NaN, an empty list, or a word that says so."""
    if value is None or value == [] or value == {}:
        return True
    if isinstance(value, float):
        return math.isnan(value)
    if not isinstance(value, str):
        return False
    text = value.strip()
    return not text or text == FORMULA or text.lower() in MISSING


def label_text(value: Any, class_names: Sequence[str] = ()) -> str:
    """Convert a label to text; empty where there is none, several joined where there are several.

    Args:
        class_names: names of the class indices, as a dataset's features declare them.
    """
    return SEVERAL.join(dict.fromkeys(_labels(value, class_names)))


def _labels(value: Any, class_names: Sequence[str], depth: int = 0) -> list[str]:
    if is_missing(value) or depth > _DEPTH:
        return []
    if isinstance(value, str):
        if (inner := _literal(value)) is not None:
            return _labels(inner, class_names, depth + 1)
        return [value.strip()]
    if isinstance(value, Mapping):
        return _labels_of_object(value, class_names, depth)
    if isinstance(value, list | tuple):
        return [label for item in value for label in _labels(item, class_names, depth + 1)]
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(class_names):
        return [class_names[value]]
    return [str(value)]


_DEPTH = 5
_LABEL_KEYS = ("choices", "labels", "label", "value", "name", "text", "class", "category")
"""Keys under which tools wrap a label: Label Studio's choices, Argilla's value, others' name."""


def _labels_of_object(value: Mapping[str, Any], class_names: Sequence[str], depth: int) -> list[str]:
    for key in _LABEL_KEYS:
        if key in value:
            return _labels(value[key], class_names, depth + 1)
    scores = list(value.values())
    if all(isinstance(score, bool | int | float) for score in scores):
        # spaCy's cats: the labels that hold are those at 1.
        return [str(name) for name, score in value.items() if score is True or score == 1]
    return [json.dumps(value, ensure_ascii=False)[:200]]


def _literal(text: str) -> Any:
    """Parse a cell that is the text of a list or an object, as JSON or as Python writes it; else None."""
    stripped = text.strip()
    if not _LITERAL.fullmatch(stripped) or len(stripped) > _LITERAL_CHARACTERS:
        return None
    try:
        return json.loads(stripped)
    except (ValueError, RecursionError):
        pass
    try:
        found = ast.literal_eval(stripped)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None
    return found if isinstance(found, list | tuple | dict) else None


_LITERAL = re.compile(r"\[(?:\s*[\"'].*|\s*)\]|\{\s*[\"'].*\}|\(\s*[\"'].*\)", re.DOTALL)
_LITERAL_CHARACTERS = 2000


def indicated(record: Mapping[str, Any], columns: Sequence[str]) -> str:
    """Return the name of the column that holds 1 among those of the categories; several joined."""
    return SEVERAL.join(
        column.rpartition(".")[2] for column in columns if indicator(lookup(record, column)) is True
    )


def indicator(value: Any) -> bool | None:
    """Read a cell of an indicator column: whether its category holds; None where the cell says neither."""
    if is_missing(value):
        return False
    return _INDICATORS.get(str(value).strip().lower())


_INDICATORS = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False}


def content_text(value: Any) -> Any:
    """Join the text parts of a message's content; whatever is no list of text parts is returned as it is."""
    if not isinstance(value, list) or not value:
        return value
    texts = []
    for part in value:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, Mapping) and isinstance(part.get("text"), str):
            texts.append(part["text"])
        else:
            return value
    return "".join(texts)


def lookup(record: Mapping[str, Any], path: str) -> Any:
    """Look up a key or, where there is none of that name, a path into nested values: `data.text`, `a.0.b`.

    A list on the way that the path gives no position for is entered element by element.
    Returns None where nothing is there.
    """
    if path in record:
        return record[path]
    return _walk(record, path.split("."))


def _walk(value: Any, steps: Sequence[str]) -> Any:
    for index, step in enumerate(steps):
        if isinstance(value, Mapping):
            rest = ".".join(steps[index:])
            if rest in value:
                return value[rest]
            value = value.get(step)
        elif isinstance(value, list) and step.lstrip("-").isdigit():
            position = int(step)
            value = value[position] if -len(value) <= position < len(value) else None
        elif isinstance(value, list):
            inner = [_walk(item, steps[index:]) for item in value]
            return [found for found in inner if found is not None] or None
        else:
            return None
    return value


def paths_of(record: Mapping[str, Any], depth: int = 3) -> list[str]:
    """List the keys of a record, and the paths to the text in its nested objects."""
    found: list[str] = []
    for key, value in record.items():
        found.append(str(key))
        if isinstance(value, Mapping) and depth > 1:
            found += [f"{key}.{inner}" for inner in paths_of(value, depth - 1)]
    return found
