"""The category scheme is data, and wrong data is refused with a reason."""

import pytest

from studio.errors import UnreadableFile
from studio.samples.scheme import BUNDLED_DATA, load_scheme
from tests.support.samples import SCHEME


def test_the_bundled_scheme_has_ten_categories_with_all_ten_digits():
    assert len(SCHEME.names) == 10
    assert [category.key for category in SCHEME.categories] == list("1234567890")
    assert all(len(category.borderline) == 3 for category in SCHEME.categories)
    assert len({category.color for category in SCHEME.categories}) == 10


@pytest.mark.parametrize("pair", [("国内", "社会"), ("国际", "政治"), ("国内", "政治"), ("经济", "科技")])
def test_a_pair_rule_is_found_in_either_order(pair):
    assert SCHEME.rule(*pair) == SCHEME.rule(*reversed(pair)) is not None


def test_a_pair_without_a_rule_has_none():
    assert SCHEME.rule("体育", "国际") is None


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('name = "经济"', 'name = "政治"'),
        ('key = "2"', 'key = "1"'),
        ('pair = ["国内", "社会"]', 'pair = ["国内", "军事"]'),
        ("[[category]]", "[category"),
        ('prompt = "新闻分类："', ""),
    ],
)
def test_a_wrong_scheme_is_refused_with_the_remedy(tmp_path, before, after):
    text = (BUNDLED_DATA / "categories.toml").read_text(encoding="utf-8")
    wrong = tmp_path / "categories.toml"
    wrong.write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(UnreadableFile, match=r"categories\.toml"):
        load_scheme(wrong)


def test_a_missing_scheme_is_refused(tmp_path):
    with pytest.raises(UnreadableFile):
        load_scheme(tmp_path / "none.toml")
