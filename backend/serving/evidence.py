"""Find the words that carry a decision: score each title again without each of its words."""

from collections.abc import Mapping, Sequence
from typing import Any

from backend.serving.served_models import ModelSet, Served
from studio.samples.occlusion import occlusions, select_evidence, without

PORTION = 64
"""Texts scored between two steps of the answers of others."""


async def find_evidence(
    models: ModelSet,
    served: Served,
    titles: Sequence[str],
    categories: Sequence[str],
    scored: Sequence[Mapping[str, float]],
) -> list[list[dict[str, Any]]]:
    """Find the evidence of each title by occlusion on direct scores, the strongest words first.

    Args:
        models: what answers.
        served: the model whose answers they are.
        titles: as they were classified.
        categories: for which of its categories the evidence of each title speaks.
        scored: the probabilities of each whole title.

    Returns:
        For each title its words: `text`, `start` and `end` in the title, and `effect`, by how much the
        probability of the category falls without them.

    Raises:
        ApiError: 429 or 503, as scoring does.
    """
    deleted = [occlusions(title) for title in titles]
    texts = [without(title, span) for title, spans in zip(titles, deleted, strict=True) for span in spans]
    # A text that several titles leave, or one word said twice, is scored once.
    different = list(dict.fromkeys(texts))
    scores: dict[str, dict[str, float]] = {}
    for start in range(0, len(different), PORTION):
        part = different[start : start + PORTION]
        scores.update(zip(part, await models.score(served, part), strict=True))
    return [
        [
            {"text": one.span.of(title), "start": one.span.start, "end": one.span.end, "effect": one.effect}
            for one in select_evidence(
                whole[category], spans, [scores[without(title, span)][category] for span in spans]
            )
        ]
        for title, category, whole, spans in zip(titles, categories, scored, deleted, strict=True)
    ]
