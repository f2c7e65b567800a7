"""Find the categories that the eval rows of a dataset lack: its scores say nothing about them."""

from itertools import islice
from pathlib import Path

from studio.formats.reader import open_files
from studio.samples.canonical import exact_category, read_answer
from studio.samples.scheme import Scheme

MOST_ROWS = 50_000
"""Eval rows that are looked at; of more, each category has some."""


def lacking_categories(folder: Path, scheme: Scheme) -> list[str]:
    """List the categories without an eval row, in the scheme's order; none where there are no eval rows.

    Raises:
        UnreadableFile: the folder is no dataset, or a file of it is broken.
    """
    opened = open_files(folder, scheme=scheme)
    files = [file for file in opened.files if file.source.split == "eval"]
    rows = (file.row(record) for file in files for record in file.records)
    labels = [read_answer(row.answer or "").label for row in islice(rows, MOST_ROWS)]
    found = {exact_category(label, scheme.names) for label in labels}
    return [name for name in scheme.names if name not in found] if labels else []
