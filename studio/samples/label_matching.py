"""Match a faulty label to the categories it may mean: for a person to confirm, never to apply.

`canonical.proposed_category` has the safe cases, such as quotation marks. Here are the
near ones, derived from the scheme itself, so that another scheme brings its own, and from
a list of words of news sites (`data/synonyms.toml`), of which a scheme uses those that
belong to its categories.
"""

import os.path
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from studio.samples.canonical import bare_words, proposed_category
from studio.samples.scheme import BUNDLED_DATA, Scheme
from studio.samples.title_text import clean_title, compatible

FaultKind = Literal["quoted", "doubled", "extra_text", "english", "synonym"]
"""The likely cause of a faulty label: see the codes `answer_...`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """The diagnosis of a label that is no category.

    `kind` is None where the cause is unknown. `repair` is the category that it safely means,
    `near` those that it may mean.
    """

    kind: FaultKind | None
    repair: str | None
    near: Sequence[str]


def find_fault(label: str, scheme: Scheme) -> Fault:
    """Diagnose a label that is no category."""
    repair = proposed_category(label, scheme.names)
    near = near_categories(label, scheme)
    return Fault(kind=_kind_of(label, repair, near, scheme), repair=repair, near=near)


def _kind_of(label: str, repair: str | None, near: Sequence[str], scheme: Scheme) -> FaultKind | None:
    if repair is not None:
        words = bare_words(label)
        if len(words) > 1 or words[0].count(repair) > 1:
            return "doubled"
        return "quoted" if words == [repair] else "extra_text"
    if any(name in label for name in scheme.names):
        return "extra_text"
    if not near:
        return None
    return "english" if label.strip().isascii() else "synonym"


def near_categories(label: str, scheme: Scheme) -> list[str]:
    """Match a faulty label to categories by name, English name, synonym, or word of a definition.

    The first of these that matches any decides; its matches are in the scheme's order.
    """
    named = [name for name in scheme.names if name in label]
    if named:
        return named
    word = section_word(label)
    translated = [
        category.name
        for category in scheme.categories
        if len(os.path.commonprefix([word, category.english.lower()])) >= 4
    ]
    if translated:
        return translated
    synonyms = [name for name in scheme.names if word in _synonyms().get(name, ())]
    if synonyms:
        return synonyms
    if not 2 <= len(word) <= 6:
        return []
    return [category.name for category in scheme.categories if word in category.definition]


def section_word(label: str) -> str:
    """Reduce a label to the word for its section: `news_sports` to sports, 财经新闻 to 财经."""
    word = clean_title(compatible(label)).strip().lower()
    return _AROUND.sub("", word) or word


_AROUND = re.compile(
    r"^(?:news|category|class|label|topic)[_\- /:]+|(?:新闻|新聞|频道|資訊|资讯|栏目|类|類)$"
)


def proposal(label: str, scheme: Scheme) -> str | None:
    """Propose a category for a faulty label: the safe repair, or the only near one; else None."""
    near = near_categories(label, scheme)
    return proposed_category(label, scheme.names) or (near[0] if len(near) == 1 else None)


@cache
def _synonyms() -> Mapping[str, Sequence[str]]:
    """Load the synonyms by category."""
    words: dict[str, list[str]] = tomllib.loads((BUNDLED_DATA / "synonyms.toml").read_text(encoding="utf-8"))
    return words


LABEL_CHARACTERS = 24
"""No name of a section is longer; what is, is a title that speaks of one."""


class Vocabulary:
    """Tells labels from titles: knows the scheme's categories and what others call theirs."""

    def __init__(self, scheme: Scheme) -> None:
        self._scheme = scheme
        self._known: dict[str, bool] = {}

    def is_category(self, text: str) -> bool:
        """Return whether a text is exactly one of the scheme's categories, invisible signs aside."""
        return len(text) <= LABEL_CHARACTERS and clean_title(text) in self._scheme.names

    def is_label(self, text: str) -> bool:
        """Return whether a text is the name of a category here or elsewhere, or several of them."""
        if not text or len(text) > LABEL_CHARACTERS:
            return False
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = self._is_label(text)
        return known

    def _is_label(self, text: str) -> bool:
        words = bare_words(clean_title(text))
        return bool(words) and len(words) <= 4 and all(self._is_section(word) for word in words)

    def _is_section(self, word: str) -> bool:
        short = section_word(word)
        if word in self._scheme.names or short in self._scheme.names:
            return True
        if any(short == category.english.lower() for category in self._scheme.categories):
            return True
        return short in _sections()


@cache
def _sections() -> frozenset[str]:
    return frozenset(word for words in _synonyms().values() for word in words) | _OTHER_SECTIONS


_OTHER_SECTIONS = frozenset(
    ("其他", "其它", "other", "others", "other_news", "家居", "家电", "文化", "历史", "culture", "history",
     "汽车", "旅游", "房产", "军事", "美文", "时评", "评论", "opinion", "宠物", "搞笑", "国学", "三农")
)  # fmt: skip
"""Sections that no category of the bundled scheme stands for."""
