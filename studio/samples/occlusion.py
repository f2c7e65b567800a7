"""Find the words that carry a decision by occlusion: delete each, and see how far the probability falls.

What is deleted is a word or two neighbours; whoever has a model scores the texts that are left. Nothing
here can be made up: an effect is a difference of two probabilities of the model itself. Pure: no model.
Source: Zeiler and Fergus (2014); Li, Monroe and Jurafsky (2016) for the erasure of words.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from studio.samples.words import Span, word_spans

MOST_UNITS = 48
"""Units that a text is occluded by; of a longer one several words make one unit."""
LEAST_EFFECT = 0.01
"""Fall or rise of the probability below which a word is no evidence."""
MOST_EVIDENCE = 8
MARGIN = 0.02
"""By how much two neighbours together must move it more than the sum of both to count as one."""
DIGITS = 4
"""Effects are rounded, so that a batch of another size, which rounds differently, changes no order."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Words of a text, and by how much the probability of the answer falls without them, -1 to 1.

    Negative: it rises without them, so that they speak against the answer.
    """

    span: Span
    effect: float


def occlusions(text: str) -> list[Span]:
    """List what is deleted in turn: each word, then each pair of neighbours with no sign between them."""
    units = _units(text)
    return units + [Span(a.start, b.end) for a, b in pairwise(units) if not text[a.end : b.start].strip()]


def without(text: str, span: Span) -> str:
    """Delete a span from a text."""
    return text[: span.start] + text[span.end :]


def select_evidence(whole: float, spans: Sequence[Span], left: Sequence[float]) -> tuple[Evidence, ...]:
    """Select the words that move the probability most, the strongest first, none overlapping another.

    Two neighbours stand as one where together they move it more than both do alone: of two words that
    say the same, the deletion of either alone changes nothing.

    Args:
        whole: probability of the answer for the whole text.
        spans: what was deleted, as `occlusions` lists it.
        left: probability of the same answer without each of them.
    """
    effects = {
        span: round(whole - rest, DIGITS) + 0.0  # no negative zero
        for span, rest in zip(spans, left, strict=True)
    }
    found: list[Evidence] = []
    # Ties go to what is further left, and there to the single word: the order is the same every time.
    for span in sorted(effects, key=lambda span: (-abs(effects[span]), span.start, span.end)):
        effect = effects[span]
        if abs(effect) < LEAST_EFFECT or len(found) == MOST_EVIDENCE:
            break
        if any(span.overlaps(other.span) for other in found) or not _stands_alone(span, effect, effects):
            continue
        found.append(Evidence(span, effect))
    return tuple(found)


def touched(text: str, spans: Sequence[Span], phrases: Sequence[str]) -> list[Span]:
    """Return the spans that share characters with a phrase where the text has it."""
    places = [
        Span(start, start + len(phrase))
        for phrase in phrases
        for start in range(len(text))
        if phrase and text.startswith(phrase, start)
    ]
    return [span for span in spans if any(span.overlaps(place) for place in places)]


def _stands_alone(span: Span, effect: float, effects: dict[Span, float]) -> bool:
    """Return whether a span is one word, or a pair that does more than its words do."""
    inner = [
        value
        for other, value in effects.items()
        if other != span and span.start <= other.start and other.end <= span.end
    ]
    return not inner or abs(effect) >= sum(map(abs, inner)) + MARGIN


def _units(text: str) -> list[Span]:
    words = word_spans(text)
    step = -(-len(words) // MOST_UNITS) or 1
    return [
        Span(part[0].start, part[-1].end)
        for part in (words[start : start + step] for start in range(0, len(words), step))
    ]
