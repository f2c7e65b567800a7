"""Split the lines of a text into cells, by a form that is decided already."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from studio.language import say
from studio.samples.label_matching import Vocabulary

FASTTEXT = "__label__"
CELL_CHARACTERS = 16 << 20
"""Characters of the longest cell that is read; a shorter one that is too long is refused as a row."""

csv.field_size_limit(CELL_CHARACTERS)

Side = Literal["all", "first", "last"]
"""Where a line is split. all: at every separator. first, last: once, at the first or last one, since titles
contain the separator, too."""
BRACKETS = ("【】", "[]", "（）", "()", "〔〕", "「」", "{}", "<>", "《》")


@dataclass(frozen=True, kw_only=True, slots=True)
class TextForm:
    """How the lines of a text are read. A bracket pair as `separator` stands around the category.

    `escaped`: a quotation mark within quoted cells has a backslash before it, as Spark and MySQL write.
    """

    kind: Literal["titles", "table", "fasttext", "numbered"]
    separator: str = ""
    side: Side = "all"
    quoted: bool = True
    has_hint_line: bool = False
    escaped: bool = False


def cells_of(lines: Iterator[str], form: TextForm) -> Iterator[tuple[int, list[str]]]:
    """Split lines into cells; yields the line on which each row ends, from 1, and its cells.

    Raises:
        csv.Error: quotation marks that do not close, in a form that has them.
    """
    if form.side != "all":
        for number, line in enumerate(lines, start=1):
            yield number, split_once(line.rstrip("\r\n"), form)
    elif len(form.separator) == 1 and form.quoted:
        # Strict: otherwise an unclosed quote would silently swallow the rows behind it.
        # The space of `"a", "b"` is left out: the cell behind it would be no quoted one.
        reader = csv.reader(
            lines,
            delimiter=form.separator,
            strict=True,
            skipinitialspace=form.separator != " ",
            escapechar="\\" if form.escaped else None,
        )
        try:
            for cells in reader:
                yield reader.line_num, cells
        except csv.Error as error:
            number = reader.line_num
            raise csv.Error(say(f"第 {number} 行：{error}", f"line {number}: {error}")) from error
    else:
        for number, line in enumerate(lines, start=1):
            yield number, line.rstrip("\r\n").split(form.separator)


def has_escapes(lines: Sequence[str], separator: str) -> bool:
    """Return whether quotation marks in quoted cells have a backslash before them."""
    within = re.compile(rf'\\"(?!\s*(?:{re.escape(separator)}|$))')
    return any('"' in line and within.search(line) is not None for line in lines)


def split_once(line: str, form: TextForm) -> list[str]:
    """Split a line at its first or last separator, or at the brackets around its category."""
    separator = form.separator
    if separator in BRACKETS:
        match = _bracketed(separator, form.side).fullmatch(line.strip())
        if match is None:
            return [line]
        title, label = match.group("title"), match.group("label")
        return [label, title] if form.side == "first" else [title, label]
    parts = line.strip().split(separator, 1) if form.side == "first" else line.strip().rsplit(separator, 1)
    return parts if len(parts) == 2 and all(part.strip() for part in parts) else [line]


def split_off_empty(line: str, form: TextForm, vocabulary: Vocabulary) -> list[str]:
    """Split a line with an empty cell: the outermost, as in `title - sports -`, or the title (`- sports`)."""
    separator, whole = form.separator.strip() or form.separator, line.strip()
    is_first = form.side == "first"
    if not (whole.startswith(separator) or whole.endswith(separator)):
        return [line]
    inner = (whole.removeprefix if is_first else whole.removesuffix)(separator)
    cells = split_once(inner, form)
    if len(cells) == 2 and vocabulary.is_category(cells[0 if is_first else 1].strip()):
        return cells
    label = (whole.removesuffix if is_first else whole.removeprefix)(separator).strip()
    if label != whole and vocabulary.is_category(label):
        return [label, ""] if is_first else ["", label]
    return [line]


@cache
def _bracketed(pair: str, side: Side) -> re.Pattern[str]:
    opened, closed = re.escape(pair[0]), re.escape(pair[1])
    label = rf"{opened}\s*(?P<label>[^{opened}{closed}]{{1,24}}?)\s*{closed}"
    return re.compile(
        rf"{label}\s*[:：]?\s*(?P<title>.+)" if side == "first" else rf"(?P<title>.+?)\s*{label}", re.DOTALL
    )


NUMBER = re.compile(r"\s*[（(]?(\d{1,7})\s*(?:[、）)]|[.．](?!\d))\s*")


def without_number(line: str) -> str:
    """Take the number of a list off a line."""
    return NUMBER.sub("", line, count=1)


def fasttext_fields(line: str) -> list[str]:
    """Split a line of fastText into its title and its label; several labels are joined."""
    words = line.split()
    labels = [word.removeprefix(FASTTEXT).rstrip(",，;；:：") for word in words if word.startswith(FASTTEXT)]
    title = " ".join(word for word in words if not word.startswith(FASTTEXT))
    return [title.strip(" ,，\t"), " ".join(dict.fromkeys(label for label in labels if label))]
