"""Map the rows of a table to records: find the heading, name the columns, keep rows that do not fit.

Knows neither text nor workbooks: a table is a function that streams numbered rows of cells
from the start. A row with another number of cells than the heading is neither cut nor
padded in silence.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from studio.errors import UnreadableFile
from studio.formats._text_cells import TextForm, split_off_empty, split_once
from studio.formats._text_forms import (
    HEADING_ROWS,
    NEVER_IN_TITLES,
    TOUTIAO_COLUMNS,
    is_heading,
)
from studio.formats.choices import FileChoices
from studio.formats.columns import infer_columns, is_title_name
from studio.formats.faulty import FaultyRecord
from studio.language import say
from studio.messages import message
from studio.samples.label_matching import Vocabulary

NumberedRows = Callable[[], Iterator[tuple[int, list[str]]]]
"""Streams the rows that are not empty, each with its line or sheet row, from 1."""

SAMPLED_ROWS = 400
"""Rows that the heading and the columns are judged by."""
_NAME_CHARACTERS = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Heading:
    """The column names of a table, and the sheet row that they stand in; 0: none.

    `above` counts the rows above it; `is_list` says that the table is one column of titles, whose
    lines may contain the separator. `renamed` are the columns whose names were taken already.
    """

    names: tuple[str, ...]
    row: int
    above: int = 0
    is_list: bool = False
    renamed: tuple[str, ...] = ()


def find_heading(
    rows: Sequence[tuple[int, list[str]]],
    choices: FileChoices,
    vocabulary: Vocabulary,
    name: str,
    form: TextForm | None = None,
) -> Heading:
    """Find the heading among the first rows of a table.

    Args:
        rows: the first ones.
        choices: what a person said.
        vocabulary: tells labels from titles.
        name: of the file, for messages.
        form: how the lines of a text are split; None: the cells are apart.

    Raises:
        UnreadableFile: the row that a person chose is not there.
    """
    if choices.header_row is not None:
        return _chosen_heading(rows, choices.header_row, name)
    chosen_title = choices.columns.title
    for index, (number, cells) in enumerate(rows[:HEADING_ROWS]):
        stripped = [cell.strip() for cell in cells]
        if is_heading(cells) or (chosen_title and len(stripped) > 1 and chosen_title in stripped):
            return _named(stripped, number, index)
    first = [cell.strip() for cell in rows[0][1]]
    widths = [len(cells) for _, cells in rows]
    if len(first) == 1 and (is_title_name(first[0]) or first[0] == chosen_title):
        return Heading(names=(first[0],), row=rows[0][0], is_list=True)
    is_said = form is not None and (form.has_hint_line or form.side != "all" or bool(choices.separator))
    if max(widths) == 1 or (not is_said and len(first) == 1 and widths.count(1) * 2 >= len(widths)):
        return Heading(names=("标题",), row=0, is_list=True)
    wide = [width for width in widths if width > 1]
    usual = max(set(wide), key=wide.count)
    if form is not None and form.separator == "_!_" and usual >= 4:
        extra = tuple(f"#{index}" for index in range(len(TOUTIAO_COLUMNS) + 1, usual + 1))
        return Heading(names=(*TOUTIAO_COLUMNS[:usual], *extra), row=0)
    at = next((index for index in range(min(len(rows), HEADING_ROWS)) if widths[index] == usual), 0)
    names = [cell.strip() for cell in rows[at][1]]
    is_below_captions = all(width == 1 for width in widths[:at])
    if is_below_captions and _is_unknown_heading(names, [cells for _, cells in rows[at + 1 :]], vocabulary):
        return _named(names, rows[at][0], at)
    return Heading(names=tuple(f"#{index}" for index in range(1, usual + 1)), row=0)


def _chosen_heading(rows: Sequence[tuple[int, list[str]]], row: int, name: str) -> Heading:
    if row == 0:
        width = max((len(cells) for _, cells in rows), default=1)
        return Heading(names=tuple(f"#{index}" for index in range(1, width + 1)), row=0, is_list=width == 1)
    for index, (number, cells) in enumerate(rows):
        if number == row:
            return _named([cell.strip() for cell in cells], number, index)
    raise UnreadableFile(
        say(f"{name} 的第 {row} 行没有内容，不能作表头。", f"Row {row} of {name} is empty: no heading."),
        remedy=say(
            "请给出列名所在的行号，没有表头写 0。", "Give the row of the column names; 0: there is none."
        ),
        code="missing_key",
    )


def _named(cells: Sequence[str], number: int, above: int) -> Heading:
    """Name the columns by the cells of a heading; an empty or repeated name gets a number."""
    names: list[str] = []
    renamed = []
    cells = list(cells)
    while len(cells) > 1 and not cells[-1]:
        cells.pop()
    for index, cell in enumerate(cells, start=1):
        name = cell or f"#{index}"
        if name in names:
            renamed.append(name)
            name = f"{name} (#{index})"
        names.append(name)
    return Heading(
        names=tuple(names), row=number, above=above, is_list=len(names) == 1, renamed=tuple(renamed)
    )


def _is_unknown_heading(first: Sequence[str], body: Sequence[Sequence[str]], vocabulary: Vocabulary) -> bool:
    """Return whether a first row of unknown names stands out from what is below it."""
    if not body or not all(first) or len(set(first)) < len(first):
        return False
    if any(len(cell) > _NAME_CHARACTERS or _VALUE.fullmatch(cell) for cell in first):
        return False
    for index, cell in enumerate(first):
        below = [cells[index].strip() for cells in body if index < len(cells) and cells[index].strip()]
        if not below:
            continue
        labels = sum(map(vocabulary.is_label, below)) / len(below)
        values = sum(_VALUE.fullmatch(text) is not None for text in below) / len(below)
        if labels >= 0.6:
            # A name of a section, in a column of sections, is a row like the others.
            return not vocabulary.is_label(cell) and cell not in below
        if values >= 0.8:
            return True
    longest = max(
        range(len(first)), key=lambda index: sum(len(cells[index]) for cells in body if index < len(cells))
    )
    lengths = sorted(len(cells[longest]) for cells in body if longest < len(cells))
    return bool(lengths) and len(first[longest]) * 2 <= lengths[len(lengths) // 2]


_VALUE = re.compile(r"[-+]?\d[\d.,:/ TZ年月日-]*%?|https?://\S+")


def sample_rows(rows: NumberedRows) -> list[tuple[int, list[str]]]:
    """Read the first rows of a table."""
    return list(islice(rows(), SAMPLED_ROWS))


def table_records(
    rows: NumberedRows,
    heading: Heading,
    form: TextForm | None,
    vocabulary: Vocabulary,
    choices: FileChoices,
) -> Callable[[], Iterator[tuple[int, Any]]]:
    """Map rows to records by their column names, numbered from 1.

    Args:
        rows: of the table, its heading among them.
        heading: the column names.
        form: how the lines of a text are split; None for a workbook, whose cells are apart.
        vocabulary: tells labels from titles where a row does not fit.
        choices: what a person said.
    """
    if heading.is_list:
        return lambda: _titles(rows, heading, form.separator if form else "")
    roles = _roles(sample_rows(rows), heading, vocabulary, choices)
    if form is not None and form.side != "all":
        return lambda: _labelled_lines(rows, heading, form, vocabulary)
    return lambda: _mappings(rows, heading, form.separator if form else "", vocabulary, roles)


def _labelled_lines(
    rows: NumberedRows, heading: Heading, form: TextForm, vocabulary: Vocabulary
) -> Iterator[tuple[int, Any]]:
    """Stream lines that were split once; one without a category is a title, one with two is told."""
    names = heading.names
    at = 0 if form.side == "first" else 1
    body = (cells for number, cells in rows() if number > heading.row)
    for index, found in enumerate(body, start=1):
        cells = split_off_empty(found[0], form, vocabulary) if len(found) == 1 else found
        if len(cells) == 1:
            yield index, {names[1 - at]: cells[0], names[at]: ""}
            continue
        title, label = cells[1 - at].strip(), cells[at].strip()
        if _has_another_label(title, label, form, vocabulary):
            reason = message("cells_differ", found=3, expected=2)
            yield index, FaultyRecord(code="cells", reason=reason, found=form.separator.join(cells))
        else:
            yield index, dict(zip(names, cells, strict=True))


def _has_another_label(title: str, label: str, form: TextForm, vocabulary: Vocabulary) -> bool:
    """Return whether the rest of a line still has a category set off at one of its ends."""
    near = split_once(title, form)
    if len(near) == 2:
        beside = near[0 if form.side == "first" else 1].strip()
        if vocabulary.is_category(beside) or (not vocabulary.is_label(label) and vocabulary.is_label(beside)):
            return True
    far = split_once(title, replace(form, side="last" if form.side == "first" else "first"))
    return len(far) == 2 and vocabulary.is_category(far[1 if form.side == "first" else 0].strip())


def _titles(rows: NumberedRows, heading: Heading, separator: str) -> Iterator[tuple[int, Any]]:
    """Stream one column; a title may contain the separator without anybody having quoted it."""
    body = (cells for number, cells in rows() if number > heading.row)
    yield from enumerate(
        (separator.join(cells).strip() if separator else cells[0] for cells in body), start=1
    )


def _roles(
    sample: Sequence[tuple[int, list[str]]], heading: Heading, vocabulary: Vocabulary, choices: FileChoices
) -> tuple[int | None, int | None]:
    """Locate title and category among the columns; needed only where a row does not fit."""
    width = len(heading.names)
    body = [
        dict(zip(heading.names, cells, strict=True))
        for number, cells in sample
        if number > heading.row and len(cells) == width
    ]
    columns = infer_columns(heading.names, body, vocabulary, choices.columns).columns
    positions = {column: index for index, column in enumerate(heading.names)}
    return positions.get(columns.title or ""), positions.get(columns.category or "")


def _mappings(
    rows: NumberedRows,
    heading: Heading,
    separator: str,
    vocabulary: Vocabulary,
    roles: tuple[int | None, int | None],
) -> Iterator[tuple[int, Any]]:
    names, width = heading.names, len(heading.names)
    body = (cells for number, cells in rows() if number > heading.row)
    for index, cells in enumerate(body, start=1):
        if heading.row and _is_again(cells, names):
            continue
        if len(cells) == width:
            yield index, dict(zip(names, cells, strict=True))
        else:
            yield index, _misfit(cells, names, separator, vocabulary, roles)


def _is_again(cells: Sequence[str], names: Sequence[str]) -> bool:
    """Return whether a row is the heading once more, as where two exports were appended."""
    return cells[0].strip("\ufeff ") == names[0] and [cell.strip("\ufeff ") for cell in cells] == [*names]


def _misfit(
    cells: list[str],
    names: Sequence[str],
    separator: str,
    vocabulary: Vocabulary,
    roles: tuple[int | None, int | None],
) -> Any:
    """Read a row with another number of cells than the heading."""
    width = len(names)
    while len(cells) > width and not cells[-1].strip():
        cells = cells[:-1]
    padded = dict(zip(names, [*cells, *[""] * (width - len(cells))], strict=False))
    if len(cells) == width:
        return padded
    if not separator and len(cells) < width:
        return padded  # a sheet does not store its empty cells
    found = (separator or " | ").join(cells)
    if not separator:
        reason = message("cells_beside", cells=[cell for cell in cells[width:] if cell.strip()])
        return FaultyRecord(code="cells", severity="warning", reason=reason, found=found, value=padded)
    reason = message("cells_differ", found=len(cells), expected=width)
    value = _rejoined(cells, names, separator, vocabulary, roles) if len(cells) > width else None
    if len(cells) < width:
        title = roles[0]
        is_sure = title is not None and title < len(cells) and not vocabulary.is_label(cells[title].strip())
        value = padded if is_sure else None
    return FaultyRecord(code="cells", reason=reason, found=found, value=value)


def _rejoined(
    cells: list[str],
    names: Sequence[str],
    separator: str,
    vocabulary: Vocabulary,
    roles: tuple[int | None, int | None],
) -> dict[str, str] | None:
    """Put a title together again that contains the separator; None where that would be a guess.

    It is none where the category column then holds a category: the error stays, but the title is whole.
    """
    title, category = roles
    if title is None or category is None or title == category or separator in NEVER_IN_TITLES:
        return None
    more = len(cells) - len(names)
    if any(vocabulary.is_label(cell.strip()) for cell in cells[title : title + more + 1]):
        return None  # two rows in one, or an answer that stands elsewhere
    whole = [*cells[:title], separator.join(cells[title : title + more + 1]), *cells[title + more + 1 :]]
    if not vocabulary.is_label(whole[category].strip()):
        return None
    return dict(zip(names, whole, strict=True))
