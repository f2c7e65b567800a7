"""Scaffold a think chain from the title's own words and the scheme.

Neighbouring titles begin with different forms and each press gives the next, so that
the chains of a category do not converge on one skeleton; `annotation.chain_index` warns
where they do. Blanks are for the person: the lint counts those that are left. This module
knows no database and spells no category.
"""

import re

from studio.samples.chain_lint import BLANK
from studio.samples.scheme import Scheme
from studio.samples.words import segment

_TITLE_READ = 400
_BREAKS = re.compile(r"[\s\W_]+")

FORMS = (
    f"“{{one}}”说的是{BLANK}，主角是{BLANK}。虽然也沾到{{rival}}，但重点不在{BLANK}，而在“{{two}}”，所以归{{category}}。",
    f"这条最容易和{{rival}}混。分界在于{BLANK}；标题写的是“{{one}}”，又点出“{{two}}”，读者想知道的是{BLANK}，归{{category}}。",
    f"从“{{two}}”看，事情的核心是{BLANK}；“{{one}}”只是{BLANK}。若换成{BLANK}才会是{{rival}}，这里归{{category}}。",
    f"先问这条新闻讲谁、讲什么：{BLANK}。“{{one}}”是线索，“{{two}}”是{BLANK}。{{rival}}要的是{BLANK}，标题里没有，因此是{{category}}。",
    f"“{{one}}”容易让人想到{{rival}}，可{BLANK}。真正起决定作用的是“{{two}}”，因为{BLANK}，属于{{category}}。",
    f"标题没有谈{BLANK}，{{rival}}可以排除。“{{one}}”和“{{two}}”都指向{BLANK}，按定义应归{{category}}。",
)
"""Six forms; each names the rival, quotes two words, leaves three or more blanks and ends in the category."""


def scaffold(title: str, category: str, scheme: Scheme, *, form: int, rival: str | None = None) -> str:
    """Fill a form with two words of the title, the category and its nearest rival."""
    one, two = title_words(title)
    return FORMS[form % len(FORMS)].format(
        one=one, two=two, category=category, rival=rival or nearest_rival(category, scheme)
    )


def next_form(title_id: int, *, after: int | None) -> int:
    """Choose the form to offer: neighbouring titles begin with different ones, each press gives the next.

    Args:
        title_id: the title in the store; consecutive ones are neighbours.
        after: the form that this title was offered last.
    """
    return (title_id if after is None else after + 1) % len(FORMS)


def nearest_rival(category: str, scheme: Scheme) -> str:
    """Choose a rival category: one with a pair rule in the scheme, else the first of the others."""
    others = [name for name in scheme.names if name != category]
    return next((name for name in others if scheme.rule(category, name)), others[0] if others else category)


def title_words(title: str) -> tuple[str, str]:
    """Extract two significant words of the title in their order: the longest, as jieba segments it."""
    title = title[:_TITLE_READ]
    words = [word for word in dict.fromkeys(segment(title)) if len(_BREAKS.sub("", word)) >= 2]
    longest = sorted(words, key=len, reverse=True)[:2]
    in_order = sorted(longest, key=title.index)
    whole = title.strip()[:12] or BLANK
    first = in_order[0] if in_order else whole
    return first, in_order[-1] if len(in_order) == 2 else whole
