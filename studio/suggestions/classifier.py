"""Predict categories of titles, and pick those that would teach most (active learning).

A character TF-IDF classifier, trained anew in a second or a few from what is labelled so
far. Heavy libraries are imported where they are used: this belongs in a process of its own
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
"""Labelled titles by which the probabilities are put right, at most."""
COMPARED = 1_000
"""Labelled titles, drawn at random, that a title is held against when the unlike ones are sought."""

Probabilities = NDArray[np.float64]
Positions = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mix:
    """How titles are drawn in active order; the rest of the shares is drawn at random."""

    uncertain: float
    diverse: float


class Suggester:
    """A trained model. `names` are the categories that it has seen, in the order of its columns."""

    def __init__(
        self, texts: Sequence[str], categories: Sequence[str], *, beside: Sequence[str] = ()
    ) -> None:
        """Train on labelled titles of two categories or more.

        Args:
            beside: titles without a label that will be asked about; their words are known as well.
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
        """A sparse row of length one for each text, so that a product of two is their cosine."""
        return self._vectorizer.transform(texts)

    def probabilities(self, features: Any) -> Probabilities:
        """A row for each row of features, a column for each of `names`."""
        return _cooled(self._classifier.predict_log_proba(features), self._temperature)


def _fitted(features: Any, categories: Sequence[str]) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=4.0, max_iter=60, tol=1e-3, class_weight="balanced").fit(
        features, list(categories)
    )


def _cooled(log_probabilities: NDArray[np.float64], temperature: float) -> Probabilities:
    sharper = np.exp((log_probabilities - log_probabilities.max(axis=1, keepdims=True)) / temperature)
    cooled: Probabilities = sharper / sharper.sum(axis=1, keepdims=True)
    return cooled


def _temperature(features: Any, categories: Sequence[str]) -> float:
    """What to divide log probabilities by so that they are as sure as they are right.

    On few titles the plain model is far too modest: 22 % on average where 70 % were right.
    Judged on every fourth title by a model of the others (Guo et al. 2017).
    """
    count = min(len(categories), CALIBRATED_ON)
    held = np.arange(count) % 4 == 3
    known = [name for name, is_held in zip(categories, held, strict=False) if not is_held]
    if len(set(known)) < 2:
        return 1.0
    model = _fitted(features[:count][~held], known)
    columns = {str(name): column for column, name in enumerate(model.classes_)}
    asked = [
        (row, columns[categories[row]]) for row in np.flatnonzero(held).tolist() if categories[row] in columns
    ]
    if not asked:
        return 1.0
    rows, right = np.array(asked).T
    scores = model.predict_log_proba(features[rows])
    steps = 2.0 ** np.arange(-3, 1.25, 0.25)
    losses = [-np.log(_cooled(scores, step)[np.arange(len(right)), right] + 1e-12).mean() for step in steps]
    return float(steps[int(np.argmin(losses))])


def can_learn(categories: Sequence[str]) -> bool:
    """Whether there is enough to train on."""
    return len(categories) >= FEWEST and len(set(categories)) > 1


def most_teaching(
    model: Suggester, texts: Sequence[str], *, mix: Mix, count: int, draw: np.random.Generator
) -> list[int]:
    """Positions of the titles to label next, in order; any beginning of it has the shares of the mix.

    Near repeats are the caller's to leave out first: the surest way to waste a label is to
    ask for the same story twice.
    """
    features = model.features(texts)
    wanted = min(count, len(texts))
    doubted = _by_doubt(model.probabilities(features)).tolist()
    unlike = _unlike(features, model.labelled, draw, int(np.ceil(wanted * mix.diverse)))
    drawn = draw.permutation(len(texts)).tolist()
    shares = (mix.uncertain, mix.diverse, 1.0 - mix.uncertain - mix.diverse)
    return _dealt((doubted, unlike, drawn), shares, wanted)


def _by_doubt(probabilities: Probabilities) -> Positions:
    """The smallest distance between the two best categories first."""
    best = np.sort(probabilities, axis=1)
    places: Positions = np.argsort(best[:, -1] - best[:, -2], kind="stable")
    return places


def _unlike(features: Any, labelled: Any, draw: np.random.Generator, count: int) -> list[int]:
    """One after another the title that is least like any labelled or chosen one (farthest-first)."""
    if not count:
        return []
    rows = draw.permutation(labelled.shape[0])[:COMPARED]
    nearest = np.zeros(features.shape[0], dtype=np.float32)
    for start in range(0, features.shape[0], 2_000):
        cosines = features[start : start + 2_000] @ labelled[rows].T
        nearest[start : start + 2_000] = cosines.max(axis=1).toarray().ravel()
    chosen: list[int] = []
    for _ in range(count):
        place = int(nearest.argmin())
        chosen.append(place)
        np.maximum(nearest, (features @ features[place].T).toarray().ravel(), out=nearest)
        nearest[place] = np.inf
    return chosen


def _dealt(sources: Sequence[Sequence[int]], shares: Sequence[float], count: int) -> list[int]:
    """Take from the sources in turn, always from the one that is farthest behind its share."""
    dealt: dict[int, None] = {}
    taken = [0] * len(sources)
    unused = [iter(source) for source in sources]
    while len(dealt) < count:
        behind = max(range(len(sources)), key=lambda i: shares[i] * (len(dealt) + 1) - taken[i])
        place = _first_new(unused[behind], dealt)
        if place is None:  # a source has run dry: the others make up for it, the random one never does
            shares = [0.0 if i == behind else share for i, share in enumerate(shares)]
            if not any(shares):
                shares = [0.0] * (len(sources) - 1) + [1.0]
            continue
        dealt[place] = None
        taken[behind] += 1
    return list(dealt)


def _first_new(source: Iterator[int], known: dict[int, None]) -> int | None:
    return next((place for place in source if place not in known), None)
