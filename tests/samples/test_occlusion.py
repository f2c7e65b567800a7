"""Evidence is what the model loses without a word: exact, signed, in a stable order."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from studio.samples.chain_phrases import chain_phrases, quotes_title
from studio.samples.occlusion import (
    LEAST_EFFECT,
    MARGIN,
    MOST_EVIDENCE,
    MOST_UNITS,
    occlusions,
    select_evidence,
    without,
)
from studio.samples.words import Span, segment, word_spans

TITLE = "央行下调存款准备金率，释放长期资金"
TEXTS = st.text(st.sampled_from("央行下调存款准备金率主队夺冠，。“” a1\u3000\n"), max_size=60)


@settings(deadline=None)  # the first one loads the dictionary
@given(TEXTS)
def test_segmentation_loses_no_character(text):
    assert "".join(segment(text)) == text
    spans = word_spans(text)
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))
    assert all(any(map(str.isalnum, span.of(text))) for span in spans)


def test_each_word_is_deleted_and_each_pair_of_neighbours_but_not_across_punctuation():
    deleted = [span.of(TITLE) for span in occlusions(TITLE)]
    assert {"央行", "下调", "准备金率", "下调存款", "释放长期"} <= set(deleted)
    assert not [text for text in deleted if "，" in text]
    assert without(TITLE, Span(0, 2)) == "下调存款准备金率，释放长期资金"


def test_a_long_text_is_occluded_by_a_bounded_number_of_units():
    text = "央行下调存款准备金率，" * 200
    spans = occlusions(text)
    assert len(spans) <= 2 * MOST_UNITS
    covered = "".join(span.of(text) for span in spans[:MOST_UNITS])
    assert covered.startswith("央行下调") and len(covered) > 0.8 * len(text)


def additive(weights):
    """Score texts by the sum of the weights of the words that they have."""
    return lambda text: 0.1 + sum(weight for word, weight in weights.items() if word in text)


def evidence(text, score):
    spans = occlusions(text)
    return select_evidence(score(text), spans, [score(without(text, span)) for span in spans])


def test_the_words_that_move_the_probability_are_found_with_their_sign():
    found = evidence(TITLE, additive({"准备金率": 0.5, "央行": 0.2, "长期": -0.05}))
    assert [(one.span.of(TITLE), one.effect) for one in found] == [
        ("准备金率", 0.5),
        ("央行", 0.2),
        ("长期", -0.05),
    ]


def test_two_words_that_say_the_same_are_found_together():
    score = lambda text: 0.9 if "央行" in text or "下调" in text else 0.2  # noqa: E731
    (one,) = evidence(TITLE, score)
    assert (one.span.of(TITLE), one.effect) == ("央行下调", 0.7)


def test_a_sure_answer_that_no_word_moves_has_no_evidence():
    assert evidence(TITLE, lambda text: 0.9995) == ()
    assert evidence("，。！", lambda text: 0.5) == () and evidence("", lambda text: 0.5) == ()


@settings(deadline=None)
@given(TEXTS, st.randoms(use_true_random=False))
def test_evidence_is_bounded_sorted_apart_and_not_moved_by_rounding(text, random):
    spans = occlusions(text)
    left = [random.random() for _ in spans]
    found = select_evidence(0.5, spans, left)
    sizes = [abs(one.effect) for one in found]
    assert sizes == sorted(sizes, reverse=True) and len(found) <= MOST_EVIDENCE
    assert all(LEAST_EFFECT <= size <= 1 for size in sizes)
    assert not any(a.span.overlaps(b.span) for a, b in itertools.combinations(found, 2))
    for one in found:  # a pair does more than both of its words
        inner = [
            abs(round(0.5 - rest, 4))
            for span, rest in zip(spans, left, strict=True)
            if span != one.span and one.span.start <= span.start and span.end <= one.span.end
        ]
        assert not inner or abs(one.effect) >= sum(inner) + MARGIN - 1e-9
    rounded = [value + random.choice((-2e-7, 0, 2e-7)) for value in map(lambda v: round(v, 4) + 2e-5, left)]
    again = select_evidence(0.5, spans, [round(v, 4) + 2e-5 for v in left])
    assert select_evidence(0.5, spans, rounded) == again


def phrases(chain, title, names=("经济",)):
    return [(phrase.span.of(chain), phrase.in_title) for phrase in chain_phrases(chain, title, names)]


def test_phrases_of_a_chain_are_in_the_title_or_marked():
    chain = "“存款准备金率”是货币工具，央行常用；“加息”没有出现，所以归“经济”。"
    assert phrases(chain, TITLE) == [("存款准备金率", True), ("央行", True), ("加息", False)]
    assert quotes_title(chain_phrases(chain, TITLE))


def test_a_chain_that_takes_nothing_from_the_title_quotes_nothing():
    assert not quotes_title(chain_phrases("这是“比赛”，归体育。", TITLE))
    assert phrases("", TITLE) == []


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_phrases_do_not_overlap_and_keep_their_word(chain, title):
    found = chain_phrases(chain, title)
    assert all(a.span.end <= b.span.start for a, b in itertools.pairwise(found))
    assert all((phrase.span.of(chain) in title) == phrase.in_title for phrase in found)
