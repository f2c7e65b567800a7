"""A folder made for LLaMA-Factory: what we read from each entry is what LLaMA-Factory reads."""

import pytest

from studio.formats.reader import read_rows
from studio.samples.scheme import load_scheme
from studio.validation.check import check_path
from tests.support.llamafactory_folder import LOCAL, SYSTEM, TITLES, build_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_folder(tmp_path_factory.mktemp("home") / "made")


@pytest.fixture(scope="module")
def rows(folder):
    """Our rows by the title that they hold."""
    titles = [title for entry in TITLES.values() for title in entry]
    read = read_rows(folder).rows
    return {title: next(row for row in read if row.question.endswith(title)) for title in titles}


@pytest.mark.parametrize("entry", LOCAL)
def test_each_entry_is_read_as_llamafactory_reads_it(entry, folder, rows, llamafactory):
    found = llamafactory.ask("convert", folder=folder, dataset=entry)["rows"]
    assert all(row["kept"] for row in found)
    # Sorted: it takes the files of a folder in no order, and we by name.
    theirs = sorted((row["turns"][-2][1], row["turns"][-1][1], row["system"] or None) for row in found)
    ours = sorted((rows[title].question, rows[title].answer, rows[title].system) for title in TITLES[entry])
    if entry == "news_openai":  # its formatting `openai` adds to the system text; check warns of it
        ours = [(question, answer, f"{SYSTEM}\ndetailed thinking off") for question, answer, _ in ours]
    assert ours == theirs


def test_all_entries_load_together(folder, llamafactory):
    assert llamafactory.ask("count", folder=folder, dataset=",".join(LOCAL))["rows"] == len(
        read_rows(folder).rows
    )


def test_a_folder_of_several_types_stops_llamafactory(tmp_path, llamafactory):
    folder = build_folder(tmp_path / "made")
    (folder / "parts" / ".DS_Store").write_bytes(b"x")
    assert "File types" in llamafactory.ask("convert", folder=folder, dataset="news_parts")["died"]
    assert check_path(folder, load_scheme()).counts["info_mixed_folder"] == 1
