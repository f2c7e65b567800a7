"""Chain and direct answers are compared title by title, and chains are measured for faithfulness."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar

from studio.contract import Prediction
from studio.evaluation.chain_quality import (
    ChainOrDirect,
    by_category,
    chain_or_direct,
    chain_quality,
    copied_share,
    quality_by_category,
)
from studio.samples.scheme import load_scheme

SCHEME = load_scheme()
QUOTE = "“国足”赢了比赛，讲的是球场上的胜负，归入体育。"


def row(number, *, answer="chain", predicted="体育", label="体育", chain=QUOTE, **more):
    return Prediction(
        row=number, title=f"国足第{number}次夺冠", label=label, label_chain="", answer=answer, predicted=predicted,
        chain=chain if answer == "chain" else None, text="", **more,
    )  # fmt: skip


def test_the_two_ways_are_paired_by_title():
    chains = [row(0), row(1, predicted="国际"), row(2), row(3, predicted="国际"), row(9)]
    direct = [
        row(number, answer="direct", predicted=predicted)
        for number, predicted in enumerate(["体育", "体育", "国际", "国际"])
    ]
    found = chain_or_direct(chains, direct)
    assert found == ChainOrDirect(titles=4, both=1, chain_alone=1, direct_alone=1)
    assert found.difference == 0 and found.p_value == 1
    assert chain_or_direct(chains, []) is None


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 60))
def test_the_p_value_is_that_of_statsmodels_and_the_interval_holds_the_difference(one, other, both):
    found = ChainOrDirect(titles=one + other + both + 1, both=both, chain_alone=one, direct_alone=other)
    known = mcnemar([[both, one], [other, 1]], exact=True).pvalue
    assert found.p_value == pytest.approx(min(1.0, float(known)), abs=1e-9)
    low, high = found.interval
    assert -1 <= low <= high <= 1
    assert low - 0.02 <= found.difference <= high + 0.02


def test_categories_without_a_title_are_absent():
    found = by_category([row(0)], [row(0, answer="direct")], SCHEME.names)
    assert list(found) == ["体育"]


def test_quotes_conclusions_and_lengths_are_counted():
    rows = [
        row(0, tokens=10),
        row(1, chain="“篮球”和“夺冠”，归入体育。", tokens=20),
        row(2, chain="讲的是外交，归入国际。"),
        row(3, chain="没有结论的一句话"),
        row(4, chain=None, predicted=None, forced=True),
    ]
    found = chain_quality(rows, SCHEME)
    assert (found.chains, found.forced, found.copied) == (4, 1, None)
    assert found.quotes_in_title == pytest.approx(2 / 3) and found.all_quotes_real == pytest.approx(1 / 2)
    assert found.agrees == pytest.approx(3 / 4) and found.undecided == pytest.approx(1 / 4)
    assert found.tokens == pytest.approx(7.5) and 0 < found.distinct <= 1
    assert chain_quality([row(0, answer="direct")], SCHEME) is None


def test_a_chain_that_stands_in_the_training_data_is_a_copy():
    measure = copied_share([QUOTE])
    assert measure(QUOTE) == 1 and measure("完全不同的一句话说的是另一件事情") == 0 and measure("") == 0
    assert measure(QUOTE[:12] + "后面都是新写的话，一共不止十二个字") < 0.5
    rows = [row(0), row(1, chain="自己想出来的话，与训练数据毫无相同之处，归入体育。")]
    assert chain_quality(rows, SCHEME, [QUOTE]).copied == 0.5


def test_alike_chains_have_few_distinct_pairs():
    alike = chain_quality([row(number) for number in range(10)], SCHEME).distinct
    assert alike < 0.2
    assert set(quality_by_category([row(0), row(1, label="国际")], SCHEME)) == {"国际", "体育"}
