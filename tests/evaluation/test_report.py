"""A report is one file that needs nothing else, says the page's numbers, and shows texts as texts."""

import re
from html.parser import HTMLParser

import pytest

from studio.evaluation.compared import compare_entries
from studio.evaluation.entries import entries_of, find_entries
from studio.evaluation.report import write_report
from studio.evaluation.wear import Wear
from studio.language import current_language
from studio.workspace import SAMPLE_RUN, open_workspace
from tests.support.evaluations import finished, predictions, titles

SLY = "<script>alert(1)</script>{{ 7*7 }} 的标题"
TITLES = [SLY, *titles(79)]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return open_workspace(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def entries(place):
    a = finished(place, predictions(TITLES, lambda row: 0 < row < 30), label="<b>旧</b>")
    b = finished(
        place, predictions(TITLES, lambda row: row < 60, chain="“<img src=x>”，归体育。"), label="新"
    )
    return entries_of(a) + entries_of(b)


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.open = [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_comparison_has_the_numbers_of_the_page_and_loads_nothing(entries, language):
    text = write_report(entries, language, wear=Wear(comparisons=3, evaluations=4))
    (comparison,) = compare_entries(entries).comparisons
    plain = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))
    for number in (
        f"{comparison.a.accuracy:.1%}",
        f"{comparison.difference * 100:+.1f}",
        f"{comparison.fixed}",
    ):
        assert number in plain
    tags = Tags(text)
    assert tags.open == [] and {"script", "img", "link", "b"} & {tag for tag, _ in tags.found} == set()
    assert not any(name in ("src", "href") for _, attributes in tags.found for name in attributes)
    assert "&lt;script&gt;alert(1)" in text and "{{ 7*7 }}" in text
    assert ("is better than" in plain) == (language == "en")
    assert current_language.get() == "zh"


def test_an_english_report_has_no_chinese_but_data(entries):
    text = re.sub(r"<style>.*?</style>", "", write_report(entries, "en"), flags=re.S)
    data = "".join(TITLES) + "旧新标题说得清楚。“央行”是经济的机构，归经济归体育。"
    assert [part for part in re.findall(r"[\u4e00-\u9fff]+", text) if part not in data] == []


def test_one_run_has_its_matrix_its_errors_and_its_origin(place):
    text = write_report(find_entries(place, [SAMPLE_RUN.name]), "zh")
    assert "混淆矩阵" in text and "答错的" in text and f"report {SAMPLE_RUN.name}:chain" in text
    assert "model sha256" in text or "版本" in text


def test_several_runs_are_each_held_against_the_first(entries, place):
    third = finished(place, predictions(TITLES, lambda row: row < 50), label="三")
    text = write_report([*entries, *entries_of(third)], "zh")
    assert text.count('<p class="verdict">') == 2
