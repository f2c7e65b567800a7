"""Keys of many titles at once are those of each alone."""

from hypothesis import given
from hypothesis import strategies as st

from studio.samples.title_keys import _PUNCTUATION, title_keys
from studio.samples.title_text import title_key

# Signs whose fate hangs on their neighbours, and characters that Unicode composes, widens or folds.
ALPHABET = "中国aZ09ｚ５%％*#&$+-\u2212_é\u0301ß中ﬁ㈱Σς\u3000\u200d\r\u2028𠮷🙂" + _PUNCTUATION
titles = st.lists(st.text(alphabet=ALPHABET, max_size=9) | st.text(max_size=9), max_size=30)


@given(titles)
def test_keys_made_together_are_those_made_alone(texts):
    assert title_keys(texts) == [title_key(text) for text in texts]


def test_signs_between_digits_stay_and_others_go():
    texts = ["涨3.5%", "3:2获胜", "央行：降息", "A.B", "1，000元", "。。。", "", "两\n行"]
    assert title_keys(texts) == [title_key(text) for text in texts]
    assert title_keys(["5.0"] * 9000 + ["《Ａ》"]) == ["5.0"] * 9000 + ["a"]
