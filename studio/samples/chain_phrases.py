"""Find the phrases of a think chain that are in the title, and the quotations that are not.

A chain is free text: only what it takes from the title can be checked against it. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from studio.samples.chain_lint import QUOTED
from studio.samples.words import Span, word_spans

SHORTEST = 2
"""Characters of a word that counts without quotation marks: single ones are in any text."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase of a chain: where it is in the chain, and whether the title has it, letter by letter."""

    span: Span
    in_title: bool


def chain_phrases(chain: str, title: str, category_names: Sequence[str] = ()) -> tuple[Phrase, ...]:
    """Find the quotations of a chain, and the words that it shares with the title, in their order.

    A quoted category is no quotation of the title, and is left out.
    """
    # Without the marks, each of which is one character.
    taken = [Span(match.start() + 1, match.end() - 1) for match in QUOTED.finditer(chain)]
    found = [Phrase(span, span.of(chain) in title) for span in taken if span.of(chain) not in category_names]
    # The longest first: a word within a longer one is not found a second time.
    words = sorted({span.of(title) for span in word_spans(title)}, key=lambda word: (-len(word), word))
    for word in words:
        if len(word) < SHORTEST or word in category_names:
            continue
        for span in _occurrences(chain, word):
            if not any(span.overlaps(other) for other in taken):
                taken.append(span)
                found.append(Phrase(span, in_title=True))
    return tuple(sorted(found, key=lambda phrase: phrase.span))


def quotes_title(phrases: Sequence[Phrase]) -> bool:
    """Return whether anything of the chain is in the title."""
    return any(phrase.in_title for phrase in phrases)


def _occurrences(text: str, word: str) -> list[Span]:
    found, start = [], text.find(word)
    while start >= 0:
        found.append(Span(start, start + len(word)))
        start = text.find(word, start + len(word))
    return found
