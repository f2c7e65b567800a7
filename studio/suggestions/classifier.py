"""Predict categories of titles, and select the most informative ones (active learning).

A character TF-IDF classifier, retrained in a second or a few on what is labelled so
far. Heavy libraries are imported where they are used: this belongs in a background process
(`studio.suggestions._process`), never in the web app. Knows texts and categories, no store.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FEWEST = 20
"""Labelled titles from which on a model is trained; with fewer it would guess."""
CALIBRATED_ON = 4_000
"""Labelled titles on which the probabilities are calibrated, at most."""
COMPARED = 1_000
"""Labelled titles, sampled at random, that a title is compared with in diversity sampling."""

Probabilities = NDArray[np.float64]
Positions = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mix:
    """Shares of uncertainty and diversity sampling in active order, 0 to 1; the rest is sampled at random."""

    uncertain: float
    diverse: float


class Suggester:
    """A trained model. `names` are the categories that it has seen, in the order of its columns."""

    def __init__(
        self, texts: Sequence[str], categories: Sequence[str], *, beside: Sequence[str] = ()
    ) -> None:
        """Train on labelled titles of two categories or more.

        Args:
            texts: titles.
            categories: their labels, in the same order.
            beside: unlabelled titles that will be predicted; the vectorizer learns their n-grams too.
        """
        from sklearn.feature_extraction.text import TfidfVectorizer
        from threadpoolctl import threadpool_limits

        self._vectorizer: Any = TfidfVectorizer(
            analyzer="char", ngram_range=(1, 2), sublinear_tf=True, max_features=100_000, dtype=np.float32
        )
        # The matrices are small: more threads only wait for each other.
        with threadpool_limits(1):
            self._vectorizer.fit([*texts, *beside])
            self.labelled: Any = self._vectorizer.transform(texts)
            self._classifier: Any = _fitted(self.labelled, categories)
            self._temperature = _temperature(self.labelled, categories)
        self.names: tuple[str, ...] = tuple(str(name) for name in self._classifier.classes_)

    def features(self, texts: Sequence[str]) -> Any:
        """Vectorize texts: a sparse row of norm 1 for each, so that a product of two is their cosine."""
        return self._vectorizer.transform(texts)

    def probabilities(self, features: Any) -> Probabilities:
        """Predict calibrated probabilities: a row for each row of features, a column for each of `names`."""
        return _softened(self._classifier.predict_log_proba(features), self._temperature)


def _fitted(features: Any, categories: Sequence[str]) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=4.0, max_iter=60, tol=1e-3, class_weight="balanced").fit(
        features, list(categories)
    )


def _softened(log_probabilities: NDArray[np.float64], temperature: float) -> Probabilities:
    """Apply temperature scaling and normalize each row to 1."""
    scaled = np.exp((log_probabilities - log_probabilities.max(axis=1, keepdims=True)) / temperature)
    softened: Probabilities = scaled / scaled.sum(axis=1, keepdims=True)
    return softened


def _temperature(features: Any, categories: Sequence[str]) -> float:
    """Calibrate: fit the temperature that log probabilities are divided by (Guo et al. 2017).

    On few titles the plain model is far too modest: 22 % on average where 70 % were right.
    Fitted on every fourth title, held out from a model of the others.
    """
    count = min(len(categories), CALIBRATED_ON)
    held = np.arange(count) % 4 == 3
    known = [name for name, is_held in zip(categories, held, strict=False) if not is_held]
    if len(set(known)) < 2:
        return 1.0
    model = _fitted(features[:count][~held], known)
    columns = {str(name): column for column, name in enumerate(model.classes_)}
    held_out = [
        (row, columns[categories[row]]) for row in np.flatnonzero(held).tolist() if categories[row] in columns
    ]
    if not held_out:
        return 1.0
    rows, right = np.array(held_out).T
    scores = model.predict_log_proba(features[rows])
    grid = 2.0 ** np.arange(-3, 1.25, 0.25)
    losses = [-np.log(_softened(scores, one)[np.arange(len(right)), right] + 1e-12).mean() for one in grid]
    return float(grid[int(np.argmin(losses))])


def can_learn(categories: Sequence[str]) -> bool:
    """Return whether there are enough labels to train on."""
    return len(categories) >= FEWEST and len(set(categories)) > 1


def most_teaching(
    model: Suggester, texts: Sequence[str], *, mix: Mix, count: int, draw: np.random.Generator
) -> list[int]:
    """Select the titles to label next: their positions, in order; any prefix has the shares of the mix.

    The caller deduplicates first: the surest way to waste a label is to ask for the same
    event twice.
    """
    features = model.features(texts)
    wanted = min(count, len(texts))
    uncertain = _by_margin(model.probabilities(features)).tolist()
    diverse = _farthest_first(features, model.labelled, draw, int(np.ceil(wanted * mix.diverse)))
    random = draw.permutation(len(texts)).tolist()
    shares = (mix.uncertain, mix.diverse, 1.0 - mix.uncertain - mix.diverse)
    return _interleaved((uncertain, diverse, random), shares, wanted)


def _by_margin(probabilities: Probabilities) -> Positions:
    """Sort by uncertainty: the smallest margin between the two best categories first (margin sampling)."""
    best = np.sort(probabilities, axis=1)
    order: Positions = np.argsort(best[:, -1] - best[:, -2], kind="stable")
    return order


def _farthest_first(features: Any, labelled: Any, draw: np.random.Generator, count: int) -> list[int]:
    """Choose one after another the title least similar to any labelled or chosen one (farthest-first)."""
    if not count:
        return []
    rows = draw.permutation(labelled.shape[0])[:COMPARED]
    nearest = np.zeros(features.shape[0], dtype=np.float32)
    for start in range(0, features.shape[0], 2_000):
        cosines = features[start : start + 2_000] @ labelled[rows].T
        nearest[start : start + 2_000] = cosines.max(axis=1).toarray().ravel()
    chosen: list[int] = []
    for _ in range(count):
        position = int(nearest.argmin())
        chosen.append(position)
        np.maximum(nearest, (features @ features[position].T).toarray().ravel(), out=nearest)
        nearest[position] = np.inf
    return chosen


def _interleaved(sources: Sequence[Sequence[int]], shares: Sequence[float], count: int) -> list[int]:
    """Interleave the sources, always from the one that is farthest behind its share, without duplicates."""
    merged: dict[int, None] = {}
    taken = [0] * len(sources)
    unused = [iter(source) for source in sources]
    while len(merged) < count:
        behind = max(range(len(sources)), key=lambda i: shares[i] * (len(merged) + 1) - taken[i])
        position = _first_new(unused[behind], merged)
        if position is None:  # a source has run dry: the others make up for it, the random one never does
            shares = [0.0 if i == behind else share for i, share in enumerate(shares)]
            if not any(shares):
                shares = [0.0] * (len(sources) - 1) + [1.0]
            continue
        merged[position] = None
        taken[behind] += 1
    return list(merged)


def _first_new(source: Iterator[int], known: dict[int, None]) -> int | None:
    return next((position for position in source if position not in known), None)
