"""What reads a text that people typed takes time in proportion to its length, whatever sign it repeats."""

import importlib
import itertools
import pkgutil
import re
import time

import pytest

import backend.data
import studio.samples
import studio.teacher
import studio.validation
from studio.samples import canonical, chain_clauses, label_matching, title_text
from studio.samples.chain_lint import lint_chain
from studio.samples.chain_scaffolds import title_words
from studio.samples.scheme import load_scheme
from studio.teacher.prompts import clean_answer

SCHEME = load_scheme()
SIGNS = [
    *"“”「」『』《》\"'<>/ \n\t`。，,.!?;:：[]{}()（）#*_-=＿类归为不无定划分aZ0９1的新\u200d\u0301\u3000\ufe0f😀",
    "<think", "<think>", "</think>", "< ", "< /", "“「", "“a", "归为", "分类为", "归类为“", "”类", "a ", "1.", "-1", "。”",
    "思维链：", "```", "`\n", "体育", "体育类", "“体育”", "a\u0301\u0323", "\u0301\u0323", "ﷺ", "T ", "\r\n", "\\u", "==",
]  # fmt: skip
LONG = 20_000
"""Signs; a quadratic pattern takes seconds for as many."""
SECONDS = 0.25


def patterns():
    for package in (studio.samples, studio.teacher, studio.validation, backend.data):
        for module in pkgutil.iter_modules(package.__path__):
            found = vars(importlib.import_module(f"{package.__name__}.{module.name}"))
            yield from (
                pytest.param(value, id=f"{module.name}.{name}")
                for name, value in found.items()
                if isinstance(value, re.Pattern) and isinstance(value.pattern, str)
            )


def slowest(action):
    """Return the worst time over all texts, a slow one measured twice: the machine has other work."""
    worst = 0.0
    for sign, (start, end) in itertools.product(SIGNS, [("", ""), ("“", ""), ("<", "x"), ("", "”")]):
        text = start + (sign * LONG)[:LONG] + end
        took = _time(action, text)
        if took > SECONDS:
            took = min(took, _time(action, text))
        worst = max(worst, took)
        assert took < SECONDS, (sign, took)
    return worst


def _time(action, text):
    began = time.process_time()
    action(text)
    return time.process_time() - began


@pytest.mark.parametrize("pattern", patterns())
def test_every_pattern_over_typed_text_is_linear(pattern):
    slowest(lambda text: (pattern.sub("", text), pattern.search(text), pattern.fullmatch(text)))


FUNCTIONS = {
    "lint": lambda text: lint_chain("央行宣布降息", text, "经济", SCHEME),
    "lint title": lambda text: lint_chain(text, text, "经济", SCHEME),
    "lint quotes": lambda text: lint_chain(text, f"“{text[:30]}”" * 500, "经济", SCHEME),
    "skeleton": lambda text: chain_clauses.skeleton(text, SCHEME),
    "read": canonical.read_answer,
    "question": lambda text: canonical.read_question(text, SCHEME.prompt),
    "proposed": lambda text: canonical.proposed_category(text, SCHEME.names),
    "fault": lambda text: label_matching.find_fault(text, SCHEME),
    "proposal": lambda text: label_matching.proposal(text, SCHEME),
    "clean": title_text.clean_title,
    "key": title_text.title_key,
    "lines": title_text.split_lines,
    "words": title_words,
    "teacher": clean_answer,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_reader_of_typed_text_is_linear(name):
    FUNCTIONS[name]("先热身")
    slowest(FUNCTIONS[name])


def test_the_row_that_took_twenty_seconds():
    for sign in ("“", "归为“", "< ", "a "):
        began = time.process_time()
        lint_chain("央行宣布降息", sign * 150_000, "经济", SCHEME)
        assert time.process_time() - began < 1


def test_an_overlong_chain_still_gets_its_remarks():
    chain = "长。" * 5000 + "</think>" + "“央行”很关键" * 3 + "，归为体育。"
    codes = {remark.code for remark in lint_chain("央行宣布降息", chain, "经济", SCHEME)}
    assert codes >= {"chain_tag", "chain_contradicts", "chain_long"}
