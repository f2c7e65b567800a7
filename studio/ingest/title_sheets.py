"""Read the titles of a sheet, for whoever only wants them classified."""

from pathlib import Path

from studio.errors import InputError
from studio.formats.reader import read_rows
from studio.language import say
from studio.samples.canonical import read_question
from studio.samples.scheme import Scheme
from studio.samples.title_text import clean_title


def sheet_titles(path: Path, scheme: Scheme) -> list[str]:
    """Read the titles of a sheet, in its order; blank rows are left out.

    Raises:
        UnreadableFile: it cannot be read.
        InputError: there is no title in it.
    """
    found = [
        clean_title(row.title or read_question(row.question or "", scheme.prompt)[0])
        for row in read_rows(path).rows
    ]
    titles = [title for title in found if title]
    if not titles:
        raise InputError(
            say("表格里没有标题。", "There is no title in the sheet."),
            remedy=say("标题列请命名为“标题”或 title。", "Name the column of titles 标题 or title."),
        )
    return titles
