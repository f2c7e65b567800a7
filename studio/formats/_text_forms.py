"""Decide what a text file is: a title a line, a table and its separator, or fastText's labels.

Suffix and first line say little: exports with tabs are called .txt, lists of titles .csv.
So many lines are looked at: the same separator the same number of times, a field that is
a category or a class index in most lines, a line of known column names. What is certain
is taken; what is not is a question. This module opens no file.
"""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from studio.formats._text_cells import (
    BRACKETS,
    FASTTEXT,
    NUMBER,
    Side,
    TextForm,
    cells_of,
    split_off_empty,
    split_once,
)
from studio.formats.choices import FileChoices, Option, UnclearFile, separator_name
from studio.formats.columns import is_known_name, is_title_name
from studio.language import say
from studio.samples.label_matching import Vocabulary

SAMPLED_LINES = 2000
"""Lines that are looked at."""
_JUDGED_LINES = 400
"""Lines of these that each separator is tried on."""


_STRONG = ("\t", "_!_", "\x01", "|||", "||", "|", ":::", "@@", "｜", "^", "~", "¦")
"""Signs that hardly occur in a title: where they are regular, they separate."""
_FOUND_IN_TITLES = ("|", "｜", "~")
"""Those among them that some newsrooms set behind a column's name, as in 专访|…: asked about."""
NEVER_IN_TITLES = ("\t", "_!_", "\x01", "|||", "||", ":::", "@@")
"""Those of them that stand in no title: a row with one too many is two rows in one."""
_COMMON = (",", ";")
_WEAK = (
    "，", "；", "、", "：", ":", "——", "—", "--", "->", "=>", "=", "-", "/", "#", "@", "*",
    "·", "+", "&", "\u3000", " ",
)  # fmt: skip
"""Signs that occur in titles: they separate only where a category stands beside them, line after line."""

_MOST = 0.8
"""Share of lines that must agree."""
_SOME = 0.5
"""Share of lines from which on a reading is worth a question."""
_FEW = 0.34
"""Share of lines that end or begin with exactly a category from which on it is: titles hardly do."""

TOUTIAO_COLUMNS = ("id", "label", "label_desc", "title", "keywords")
"""Columns of the Toutiao news set, whose file has no heading."""


def decide(
    lines: Sequence[str], suffix: str, choices: FileChoices, vocabulary: Vocabulary, name: str
) -> TextForm:
    """Decide the form of a text from its first lines.

    Args:
        lines: lines that are not empty, without their line breaks.
        suffix: `.txt`, `.csv` or `.tsv`; what it promises is a hint.

    Raises:
        UnclearFile: several readings are likely.
    """
    hint = _HINT_LINE.fullmatch(lines[0].strip()) if lines else None
    body = lines[1:] if hint else lines
    if choices.form == "titles":
        return TextForm(kind="titles", has_hint_line=bool(hint))
    if choices.form == "fasttext":
        return TextForm(kind="fasttext", has_hint_line=bool(hint))
    if choices.separator:
        return _chosen(body, choices.separator, vocabulary, bool(hint))
    if hint:
        separator = "\t" if hint.group(1) in ("\\t", "") else hint.group(1)
        return TextForm(kind="table", separator=separator, has_hint_line=True)
    if _share(FASTTEXT in line for line in body) >= _SOME:
        return TextForm(kind="fasttext")
    if choices.form == "table" or choices.header_row:
        return _best_table(body, suffix, vocabulary) or TextForm(kind="table", separator=_usual(suffix, body))
    return _recognised(body, suffix, vocabulary, name)


_HINT_LINE = re.compile(r"\"?sep=(\\t|.?)\"?", re.IGNORECASE)
"""Excel's own line that names the separator."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """One way to split the lines, and what speaks for it: shares of the lines, from 0 to 1."""

    form: TextForm
    regular: float
    labels: float
    exact: float
    indices: float
    heading: bool
    fits: float
    columns: int

    @property
    def certainty(self) -> float:
        """How sure this reading is: above 1 it is taken, above 0.5 it is a question."""
        if self.form.side != "all":
            return self._certainty_of_side
        if self.form.separator == "_!_" and self.regular >= _MOST:
            return 4
        separator = self.form.separator
        if self.heading:
            if self.fits < 1 and separator not in (*_COMMON, "\t"):
                # Nobody quotes titles that contain this sign: splitting once, at the category, is surer.
                return 1.3
            return 3 + self.regular if self.regular >= _SOME else 0.9
        is_strong = separator in _STRONG and separator not in _FOUND_IN_TITLES
        if self.labels >= _MOST and self.regular >= _MOST:
            return 2 + self.exact
        if self.indices >= _MOST and self.regular >= _MOST:
            return 1.5 if is_strong else 0.8
        if is_strong and self.regular >= _MOST:
            return 1.2 if separator == "\t" or self.columns > 2 else 1.1
        if self.labels >= _SOME:
            return 0.5 + self.labels / 4
        if separator in _FOUND_IN_TITLES and self.regular >= _MOST:
            return 0.8
        return 0.6 if is_strong and self.regular >= _SOME else 0

    @property
    def _certainty_of_side(self) -> float:
        if self.heading and self.labels >= _SOME:
            return 2.5
        if self.exact >= _MOST or (self.labels >= 0.9 and self.exact >= _SOME):
            return 1.4 + self.exact / 2
        if self.labels >= _MOST:
            return 1.1 if self.form.separator in (*_STRONG, *_COMMON, "，", "；") else 0.8
        return 0.6 if self.exact >= _FEW else 0


def _recognised(lines: Sequence[str], suffix: str, vocabulary: Vocabulary, name: str) -> TextForm:
    readings = _readings(lines, vocabulary)
    best = max(readings, key=lambda reading: reading.certainty, default=None)
    if best is not None and best.certainty >= 1 and (len(lines) > 1 or best.form.separator in _STRONG):
        return best.form
    usual = _usual(suffix, lines)
    table = next((r for r in readings if r.form.separator == usual and r.form.side == "all"), None)
    is_delimited = suffix != ".txt" and (
        # A first line without the separator is a heading, or a title, of a single column.
        usual not in lines[0] or (table is not None and table.regular >= _SOME)
    )
    if best is not None and best.certainty > 0.5 and not (is_delimited and best.form.separator == usual):
        raise _unclear(name, lines, best.form)
    if is_delimited:
        return TextForm(kind="table", separator=usual)
    if suffix != ".txt":
        return TextForm(kind="table", separator=usual)
    return TextForm(kind="numbered") if _is_numbered(lines) else TextForm(kind="titles")


def _usual(suffix: str, lines: Sequence[str]) -> str:
    """Guess the separator from the suffix and the first line."""
    if suffix == ".tsv":
        return "\t"
    first = lines[0] if lines else ""
    return max(",;\t", key=first.count)


def _readings(lines: Sequence[str], vocabulary: Vocabulary) -> list[_Reading]:
    judged = lines[:_JUDGED_LINES]
    occurring = _occurring(judged)
    found = [
        reading
        for separator in (*_STRONG, *_COMMON, "，", "；")
        if separator in occurring and (reading := _as_table(judged, separator, vocabulary)) is not None
    ]
    for side in ("first", "last"):
        found += [
            reading
            for separator in (*occurring, *BRACKETS)
            if (reading := _as_side(judged, separator, side, vocabulary)) is not None
        ]
    return found


def _occurring(lines: Sequence[str]) -> list[str]:
    """List the separators that occur, in order; not one that only occurs inside a longer one."""
    counts = {
        separator: count
        for separator in (*_STRONG, *_COMMON, *_WEAK)
        if (count := sum(separator in line for line in lines))
    }
    return [
        separator
        for separator, count in counts.items()
        if not any(separator in other and separator != other and counts[other] == count for other in counts)
    ]


def _best_table(lines: Sequence[str], suffix: str, vocabulary: Vocabulary) -> TextForm | None:
    tables = [reading for reading in _readings(lines, vocabulary) if reading.certainty > 0.5]
    if not tables:
        return None
    return max(tables, key=lambda reading: reading.certainty).form


def _chosen(lines: Sequence[str], separator: str, vocabulary: Vocabulary, has_hint: bool) -> TextForm:
    """Split at a separator that a person named: once, where only that leaves categories."""
    judged = lines[:_JUDGED_LINES]
    readings = [_as_side(judged, separator, side, vocabulary) for side in ("first", "last")]
    sides = [reading for reading in readings if reading is not None and reading.labels >= _SOME]
    table = _as_table(judged, separator, vocabulary)
    best = max(sides, key=lambda reading: reading.labels, default=None)
    if best is not None and (table is None or (not table.heading and table.labels <= best.labels)):
        return replace(best.form, has_hint_line=has_hint)
    form = TextForm(kind="table", separator=separator) if table is None else table.form
    return replace(form, has_hint_line=has_hint)


def _as_table(lines: Sequence[str], separator: str, vocabulary: Vocabulary) -> _Reading | None:
    form = TextForm(kind="table", separator=separator)
    sampled, is_quoted = _sample_cells(lines, form)
    form = replace(form, quoted=is_quoted)
    rows = [cells for cells in sampled if any(cells)]
    counts = Counter(len(cells) for cells in rows if len(cells) > 1)
    if not counts:
        return None
    width = counts.most_common(1)[0][0]
    regular = counts[width] / len(rows)
    heading = next((cells for cells in rows[:HEADING_ROWS] if is_heading(cells)), None)
    if heading is not None:
        # Ragged rows beside a heading are rows with a fault, not a sign of another form.
        regular = sum(len(cells) > 1 for cells in rows) / len(rows)
        width = len(heading)
    body = [cells for cells in rows if len(cells) == width and cells is not heading]
    shares = [_column_shares([cells[column] for cells in body], vocabulary) for column in range(width)]
    labels, exact = (
        max(((label, exact) for label, exact, _ in shares), default=(0.0, 0.0)) if body else (0, 0)
    )
    # A table of labels alone is no table of titles.
    if body and all(label >= _SOME for label, _, _ in shares):
        labels, exact = 0, 0
    return _Reading(
        form=form,
        regular=regular,
        labels=labels,
        exact=exact,
        indices=max((index for _, _, index in shares), default=0.0) if body else 0,
        heading=heading is not None,
        fits=_share(len(cells) == width for cells in rows),
        columns=width,
    )


HEADING_ROWS = 6
"""Rows among which the heading is looked for; above it may stand a caption."""


def is_heading(cells: Sequence[str]) -> bool:
    """Return whether cells are column names: one that titles stand under, beside other names."""
    filled = [cell for cell in cells if cell.strip()]
    return (
        len(filled) > 1
        and any(map(is_title_name, filled))
        and all(len(cell.strip()) <= 40 for cell in filled)
    ) or sum(map(is_known_name, filled)) > 1


def _column_shares(cells: Sequence[str], vocabulary: Vocabulary) -> tuple[float, float, float]:
    filled = [cell for cell in cells if cell.strip()]
    if not filled:
        return 0.0, 0.0, 0.0
    indices = [cell for cell in filled if re.fullmatch(r"\d{1,3}", cell.strip())]
    is_counter = len(indices) > 3 and len(set(indices)) == len(indices)
    return (
        _share(vocabulary.is_label(cell.strip()) for cell in filled),
        _share(vocabulary.is_category(cell.strip()) for cell in filled),
        0.0 if is_counter and len(indices) > _FEW_CLASSES else len(indices) / len(filled),
    )


_FEW_CLASSES = 20
"""Up to this many different numbers in as many rows may still be class indices; more are row numbers."""


def _as_side(lines: Sequence[str], separator: str, side: Side, vocabulary: Vocabulary) -> _Reading | None:
    form = TextForm(kind="table", separator=separator, side=side)
    found = [split_once(line, form) for line in lines]
    found = [cells if len(cells) == 2 else split_off_empty(cells[0], form, vocabulary) for cells in found]
    heading = next((index for index, cells in enumerate(found[:HEADING_ROWS]) if is_heading(cells)), None)
    if heading is not None:
        found = found[heading + 1 :]
    fields = [cells[0 if side == "first" else 1].strip() for cells in found if len(cells) == 2]
    if not fields or len(fields) < _FEW * len(found):
        return None
    labels = sum(map(vocabulary.is_label, fields)) / len(found)
    exact = sum(map(vocabulary.is_category, fields)) / len(found)
    if labels < _SOME and (exact < _FEW or len(found) < 3):
        return None
    return _Reading(
        form=form,
        regular=1,
        labels=labels,
        exact=exact,
        indices=0,
        heading=heading is not None,
        fits=1,
        columns=2,
    )


def _share(flags: Iterable[bool]) -> float:
    seen = list(flags)
    return sum(seen) / len(seen) if seen else 0.0


def _is_numbered(lines: Sequence[str]) -> bool:
    """Return whether the lines are a numbered list, in order."""
    numbers = [int(match.group(1)) if (match := NUMBER.match(line)) else None for line in lines]
    if len(numbers) < 3 or _share(number is not None for number in numbers) < 1:
        return False
    first = numbers[0] or 0
    return numbers == list(range(first, first + len(numbers)))


def _sample_cells(lines: Sequence[str], form: TextForm) -> tuple[list[list[str]], bool]:
    """Split the sampled lines; returns also whether quotation marks are what CSV takes them for."""
    found: list[list[str]] = []
    line = 0
    try:
        for line, cells in cells_of(iter(lines), form):  # noqa: B007
            found.append([cell.strip() for cell in cells])
    except csv.Error:
        # Programs that write commas quote; others leave the quotation marks of titles as they are.
        if form.separator not in _COMMON and len(lines) - line > 1:
            plain = replace(form, quoted=False)
            return [[cell.strip() for cell in cells] for _, cells in cells_of(iter(lines), plain)], False
    return found, True


def _unclear(name: str, lines: Sequence[str], form: TextForm) -> UnclearFile:
    """Build the question: a list of titles, or a table with that separator?"""
    shown = lines[:3]
    cells = _safely(lambda: [row for _, row in cells_of(iter(shown), form)])
    kind = separator_name(form.separator)
    as_table = Option(
        choices=FileChoices(form="table", separator=form.separator),
        label=say(f"表格，用{kind}分隔", f"a table with {kind} between cells"),
        rows=cells,
    )
    as_titles = Option(
        choices=FileChoices(form="titles"),
        label=say("一行一个标题", "one title a line"),
        rows=[[line] for line in shown],
    )
    return UnclearFile(
        say(
            f"{name} 像是用{kind}分隔的表格，也可能是一行一个标题。",
            f"{name} looks like a table with {kind} between cells, or like one title a line.",
        ),
        options=[as_table, as_titles],
    )


def _safely(cells: Callable[[], list[list[str]]]) -> list[list[str]]:
    try:
        return cells()
    except csv.Error:
        return []
