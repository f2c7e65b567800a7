"""With the constraint, every quotation of a chain is a piece of its title, however tokens cut it."""

import random

import pytest

from backend.engine.quotation import Quotation, TokenBytes, quotations
from tests.support.tiny_models import byte_tokenizer

TITLE = "央视“315”曝光：学校门口的炸鸡店停业"


@pytest.fixture(scope="module", params=["deepseek", "plain"])
def tokens(request):
    tokenizer = byte_tokenizer(request.param)
    return tokenizer, TokenBytes(tokenizer, len(tokenizer) + 3)


def passes(tokens, text, title=TITLE):
    """Whether each token of a text is allowed after those before it."""
    tokenizer, of = tokens
    restriction = Quotation(title, of).start()
    for token in tokenizer(text, add_special_tokens=False)["input_ids"]:
        only, never = restriction.allowed(inside=True), restriction.banned(inside=True)
        if (only is not None and token not in only.tolist()) or (
            never is not None and token in never.tolist()
        ):
            return False
        restriction.push(token, inside=True)
    return True


@pytest.mark.parametrize(
    "text",
    [
        "“学校门口”说的是地点，“停业”是结果。",
        "「炸鸡店」和『曝光』",
        "没有引号也可以",
        "“央视”",
        "店“停",
        "“学校",
    ],
)
def test_what_the_title_has_may_be_quoted(tokens, text):
    assert passes(tokens, text)


@pytest.mark.parametrize(
    "text", ["“医院”", "“”", "「炸鸡铺", "他说“学校”又说“老师”", "“停业了”", "“校门口的炸鸡店停业整顿"]
)
def test_what_it_does_not_have_may_not(tokens, text):
    assert not passes(tokens, text)


def test_behind_the_thought_nothing_is_restricted(tokens):
    restriction = Quotation(TITLE, tokens[1]).start()
    assert restriction.allowed(inside=False) is None and restriction.banned(inside=False) is None


def test_a_random_walk_quotes_the_title_alone(tokens):
    tokenizer, of = tokens
    chance = random.Random(2)
    plain = [token for token, piece in enumerate(of.of) if piece]
    marks = tokenizer("“”「」", add_special_tokens=False)["input_ids"]
    for _ in range(20):
        restriction = Quotation(TITLE, of).start()
        ids = []
        for _ in range(160):
            allowed, banned = restriction.allowed(inside=True), restriction.banned(inside=True)
            choices = plain + marks * 40 if allowed is None else [t for t in allowed.tolist() if of.of[t]]
            ruled_out = [] if banned is None else banned.tolist()
            choices = [token for token in choices if token not in ruled_out]
            ids.append(chance.choice(choices))
            restriction.push(ids[-1], inside=True)
        text = b"".join(of.of[token] for token in ids).decode(errors="replace")
        kept, total = quotations([text], [TITLE])
        assert kept == total
