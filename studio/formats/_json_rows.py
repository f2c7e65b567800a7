"""Find the rows in a JSON object that is all of a file, in the shapes that programs write.

This module knows the keys of rows and no encoding; it reads no file.
"""

from collections.abc import Iterator
from typing import Any, NoReturn

from studio.errors import UnreadableFile
from studio.formats.columns import is_title_name
from studio.language import say

_ROW_KEYS = frozenset(
    (
        "conversations",
        "conversation",
        "messages",
        "instruction",
        "prompt",
        "question",
        "query",
        "input",
        "annotations",
    )
)
"""Keys, beside those of titles, by which an object is known as a row."""
_TURN_KEYS = ("conversations", "conversation", "messages")


def rows_of(value: Any, name: str) -> Iterator[Any]:
    """Find the rows in an object, in the shapes that pandas, databases and crawlers write."""
    if not isinstance(value, dict) or not value:
        _refuse_shape(value, name)
    lists = [key for key, inner in value.items() if isinstance(inner, list)]
    is_named = any(is_title_name(str(key)) or str(key).lower() in _ROW_KEYS for key in value)
    if _is_split(value):
        names = [str(column) for column in value["columns"]]
        return (dict(zip(names, cells, strict=False)) for cells in value["data"])
    if any(is_title_name(str(key)) and _is_column(inner) for key, inner in value.items()):
        columns = {key: value[key] for key in lists}
        if len({len(inner) for inner in columns.values()}) > 1:
            _refuse_shape(value, name)
        return (dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True))
    if _is_row(value):
        return iter([value])
    if (found := _only_list(value)) is not None:
        return iter(found)
    if all(isinstance(inner, dict) for inner in value.values()):
        return iter(_by_index(value).values() if is_named else value.values())
    if not is_named or lists:
        _refuse_shape(value, name)
    return iter([value])


def _is_row(value: dict[str, Any]) -> bool:
    """Return whether an object is a row itself: a title or a question that is text, turns, or a task."""
    if any(isinstance(value.get(key), list) for key in _TURN_KEYS):
        return True
    if isinstance(value.get("data"), dict) and isinstance(value.get("annotations"), list):
        return True
    return any(
        isinstance(inner, str) and (is_title_name(str(key)) or str(key).lower() in _ROW_KEYS)
        for key, inner in value.items()
    )


def _only_list(value: dict[str, Any]) -> list[Any] | None:
    """Return the one list of rows in an object, however deep a service or a database wraps it."""
    found = list(_lists(value))
    if len(found) > 1:
        found = [rows for rows in found if _has_title(rows[0])]
    return found[0] if len(found) == 1 else None


def _lists(value: dict[str, Any], depth: int = 1) -> Iterator[list[Any]]:
    for inner in value.values():
        if isinstance(inner, dict) and depth < _DEPTH:
            yield from _lists(inner, depth + 1)
        elif isinstance(inner, list) and inner:
            kinds = (dict, str) if depth == 1 else (dict,)
            if all(isinstance(row, kinds) for row in inner):
                yield inner


_DEPTH = 4
"""Objects within objects that are looked into, for rows and in the first of them for a title."""


def _has_title(row: Any, depth: int = 1) -> bool:
    if not isinstance(row, dict):
        return False
    if _is_row(row):
        return True
    return depth < _DEPTH and any(_has_title(inner, depth + 1) for inner in row.values())


def _by_index(value: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Turn pandas' columns of indexed cells, {"标题": {"0": …}}, into rows."""
    rows: dict[str, dict[str, Any]] = {}
    for column, cells in value.items():
        for index, cell in cells.items():
            rows.setdefault(index, {})[column] = cell
    return rows


def _is_column(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(cell, str | None) for cell in value)


def _is_split(value: dict[str, Any]) -> bool:
    """Return whether an object is a table as pandas splits it: columns, index, data."""
    columns, data = value.get("columns"), value.get("data")
    return isinstance(columns, list) and isinstance(data, list) and all(isinstance(row, list) for row in data)


def _refuse_shape(value: Any, name: str) -> NoReturn:
    found = type(value).__name__
    lists = []
    if isinstance(value, dict):
        keys = ", ".join(list(value)[:8])
        found = say("一个对象，键为 {keys}", "an object with the keys {keys}", keys=keys)
        lists = [key for key, inner in value.items() if isinstance(inner, list)]
    raise UnreadableFile(
        say(
            "{name} 的最外层不是列表，而是{found}。",
            "The outermost value of {name} is {found}, not a list.",
            name=name,
            found=found,
        ),
        remedy=say(f"请只保留“{lists[0]}”里的列表。", f"Keep only the list inside “{lists[0]}”.")
        if len(lists) == 1
        else say(
            "请写成 [ {…}, {…} ] 的形式，每个元素一条。", "Write it as [ {…}, {…} ], one element a row."
        ),
        code="not_a_list",
    )
