"""Rank all labels by how doubtful they are: by the label scan's margin, and by cleanlab's self-confidence.

What the scan lists are the clear cases; who compares rankings needs all of them.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from studio.quality import _label_errors as scan
from studio.samples.similarity import group_near


def rank_labels(
    texts: Sequence[str], categories: Sequence[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Score every label, the more doubtful the higher: as the scan ranks, and 1 less its self-confidence.

    Both rest on the same cross-validated probabilities. Of the first, what the scan lists comes first.
    """
    from cleanlab.rank import get_label_quality_scores

    groups, names = group_near(texts), sorted(set(categories))
    labels = np.array([names.index(category) for category in categories])
    validated = scan._CrossValidation(texts, labels, scan._folds(texts, categories, groups))
    probabilities = scan._calibrated(labels, validated.probabilities(len(names), lambda done, total: None))
    listed = [each.index for each in scan.find_suspects(texts, categories, groups, limit=len(texts)).ranked]
    margins = scan._margins(labels, probabilities)
    margins[listed] += 10 + np.arange(len(listed))[::-1]
    confidence = get_label_quality_scores(labels, probabilities, method="self_confidence")
    return margins, 1 - np.asarray(confidence)
