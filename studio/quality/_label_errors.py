"""Find probable label errors (cleanlab), with the evidence for each.

A character TF-IDF classifier judges every title by what it learned from the others;
cleanlab (confident learning, Northcutt et al. 2021) tells from these probabilities which
labels to doubt. Heavy libraries are imported where they are used: this belongs in a
process of its own, never in the web app. Knows texts and categories, no store.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOLDS, FOLDS_OF_MANY, MANY = 5, 3, 20_000
"""Parts that are judged by a classifier of the others; fewer for many titles, where each part is large enough."""
SMALLEST = 10
"""Titles that a category needs before anything is said about them."""
NEAREST = 3
WORDS = 4

Probabilities = NDArray[np.float64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Suspect:
    """A doubtful label, at `place` of the given titles.

    `probabilities` are of the three likeliest categories and of the given one. `nearest`
    has places and cosine similarities. `for_given` and `for_suggested` are the runs of
    characters that spoke most for either.
    """

    place: int
    given: str
    suggested: str
    probabilities: dict[str, float]
    nearest: tuple[tuple[int, float], ...]
    for_given: tuple[str, ...]
    for_suggested: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Suspects:
    """Doubtful labels, the most doubtful first; at most as many as asked for, of `found`.

    `left_out` are categories with too few titles to judge.
    """

    ranked: tuple[Suspect, ...]
    found: int
    left_out: tuple[str, ...]


def find_suspects(
    texts: Sequence[str],
    categories: Sequence[str],
    near_groups: Sequence[Sequence[int]],
    *,
    limit: int,
    progress: Progress = lambda done, total: None,
) -> Suspects:
    """Doubt labels. Near copies (`near_groups`, positions) are judged together, so that none vouches for another."""
    counts = Counter(categories)
    left_out = tuple(sorted(name for name, count in counts.items() if count < SMALLEST))
    names = sorted(counts.keys() - set(left_out))
    places = [place for place, category in enumerate(categories) if category not in left_out]
    if len(names) < 2:
        return Suspects(ranked=(), found=0, left_out=left_out)
    from threadpoolctl import threadpool_limits

    # The matrices are small: with one thread for each core the work takes seven times the processor time.
    with threadpool_limits(1):
        found = _doubt(texts, categories, near_groups, names, places, limit=limit, progress=progress)
    return Suspects(ranked=found[0], found=found[1], left_out=left_out)


def _doubt(
    texts: Sequence[str],
    categories: Sequence[str],
    near_groups: Sequence[Sequence[int]],
    names: Sequence[str],
    places: Sequence[int],
    *,
    limit: int,
    progress: Progress,
) -> tuple[tuple[Suspect, ...], int]:
    """The suspects among the titles at `places`, whose categories are `names`, and how many there are."""
    folds = _folds(texts, categories, near_groups)[places]
    labels = np.array([names.index(categories[place]) for place in places])
    judge = _Judge([texts[place] for place in places], labels, folds)
    probabilities = judge.probabilities(len(names), progress)
    issues = _ranked_issues(labels, probabilities)
    ranked = [judge.evidence(place, probabilities[place], names) for place in issues[:limit].tolist()]
    return tuple(_moved(suspect, places) for suspect in ranked), len(issues)


def _folds(
    texts: Sequence[str], categories: Sequence[str], near_groups: Sequence[Sequence[int]]
) -> NDArray[np.int64]:
    """The part that each title is judged in: categories spread evenly, near copies in one part."""
    parts = FOLDS if len(texts) < MANY else FOLDS_OF_MANY
    lots = [hashlib.sha256(text.encode()).digest() for text in texts]
    folds = np.zeros(len(texts), dtype=np.int64)
    for turn, place in enumerate(
        sorted(range(len(texts)), key=lambda place: (categories[place], lots[place]))
    ):
        folds[place] = turn % parts
    for near_group in near_groups:
        folds[list(near_group)] = folds[near_group[0]]
    return folds


def _ranked_issues(labels: NDArray[np.int64], probabilities: Probabilities) -> NDArray[np.int64]:
    from cleanlab.filter import find_label_issues

    issues: NDArray[np.int64] = find_label_issues(
        labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1
    )
    # The given label may still be the likeliest: then there is nothing to suggest.
    doubted: NDArray[np.bool_] = probabilities[issues].argmax(axis=1) != labels[issues]
    return issues[doubted]


def _moved(suspect: Suspect, places: Sequence[int]) -> Suspect:
    """The same suspect with places among all titles."""
    return Suspect(
        place=places[suspect.place],
        given=suspect.given,
        suggested=suspect.suggested,
        probabilities=suspect.probabilities,
        nearest=tuple((places[place], similarity) for place, similarity in suspect.nearest),
        for_given=suspect.for_given,
        for_suggested=suspect.for_suggested,
    )


class _Judge:
    """Classifiers that each have not seen one part, and what they go by."""

    def __init__(self, texts: Sequence[str], labels: NDArray[np.int64], folds: NDArray[np.int64]) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(
            analyzer="char",
            ngram_range=(1, 2),
            sublinear_tf=True,
            min_df=2,
            max_features=100_000,
            dtype=np.float32,
        )
        self.features: Any = vectorizer.fit_transform(texts)
        self.grams: Any = vectorizer.get_feature_names_out()
        self.labels = labels
        self.folds = folds
        self.models: dict[int, Any] = {}

    def probabilities(self, num_categories: int, progress: Progress) -> Probabilities:
        """Of every title and category, by the classifier that has not seen the title."""
        from sklearn.linear_model import LogisticRegression

        found = np.zeros((len(self.labels), num_categories))
        parts = np.unique(self.folds).tolist()
        for done, part in enumerate(parts):
            progress(done, len(parts))
            held = self.folds == part
            model = LogisticRegression(C=4.0, max_iter=60, tol=1e-3, class_weight="balanced")
            model.fit(self.features[~held], self.labels[~held])
            found[np.ix_(held, model.classes_)] = model.predict_proba(self.features[held])
            self.models[part] = model
        progress(len(parts), len(parts))
        return found

    def evidence(self, place: int, probabilities: Probabilities, names: Sequence[str]) -> Suspect:
        """Why that title's label is doubted."""
        given, suggested = int(self.labels[place]), int(probabilities.argmax())
        shown = dict.fromkeys([*probabilities.argsort()[::-1][:3].tolist(), given])
        for_suggested, for_given = self._words(place, suggested, given)
        return Suspect(
            place=place,
            given=names[given],
            suggested=names[suggested],
            probabilities={names[index]: round(float(probabilities[index]), 4) for index in shown},
            nearest=self._nearest(place),
            for_given=for_given,
            for_suggested=for_suggested,
        )

    def _nearest(self, place: int) -> tuple[tuple[int, float], ...]:
        """Rows have length one, so the product is the cosine."""
        cosines = (self.features @ self.features[place].T).toarray().ravel()
        cosines[place] = -1.0
        best = np.argsort(-cosines, kind="stable")[:NEAREST]
        return tuple((int(other), round(float(cosines[other]), 3)) for other in best if cosines[other] > 0)

    def _words(self, place: int, suggested: int, given: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The runs of two characters that weighed most for either category against the other."""
        model = self.models[int(self.folds[place])]
        # With two categories scikit-learn keeps one row of weights: those of the second.
        weights = model.coef_ if len(model.coef_) > 1 else np.vstack((-model.coef_, model.coef_))
        index = {int(category): row for row, category in enumerate(model.classes_)}
        row = self.features[place]
        pull = row.data * (weights[index[suggested], row.indices] - weights[index[given], row.indices])
        order = np.argsort(-pull)
        grams = [str(self.grams[row.indices[place]]) for place in order]
        speaking = [
            (gram, float(pull[at]))
            for gram, at in zip(grams, order, strict=True)
            if len(gram) == 2 and gram.isalnum()
        ]
        return (
            tuple(gram for gram, force in speaking if force > 0)[:WORDS],
            tuple(gram for gram, force in reversed(speaking) if force < 0)[:WORDS],
        )
