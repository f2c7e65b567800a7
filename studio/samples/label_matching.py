"""Match a faulty label to the categories it may mean: for a person to confirm, never to apply.

`canonical.proposed_category` has the safe cases, such as quotation marks. Here are the
near ones, derived from the scheme itself, so that another scheme brings its own, and from
a list of words of news sites (`data/synonyms.toml`), of which a scheme uses those that
belong to its categories.
"""

import os.path
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from studio.samples.canonical import bare_words, proposed_category
from studio.samples.scheme import BUNDLED_DATA, Scheme

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
    word = label.strip().lower()
    translated = [
        category.name
        for category in scheme.categories
        if len(os.path.commonprefix([word, category.english.lower()])) >= 4
    ]
    if translated:
        return translated
    if not 2 <= len(word) <= 6:
        return []
    synonyms = [name for name in scheme.names if word in _synonyms().get(name, ())]
    if synonyms:
        return synonyms
    return [category.name for category in scheme.categories if word in category.definition]


def proposal(label: str, scheme: Scheme) -> str | None:
    """Propose a category for a faulty label: the safe repair, or the only near one; else None."""
    near = near_categories(label, scheme)
    return proposed_category(label, scheme.names) or (near[0] if len(near) == 1 else None)


@cache
def _synonyms() -> Mapping[str, Sequence[str]]:
    """Load the synonyms by category."""
    words: dict[str, list[str]] = tomllib.loads((BUNDLED_DATA / "synonyms.toml").read_text(encoding="utf-8"))
    return words
