"""Find probable label errors (confident learning by cleanlab), with the evidence for each.

A character TF-IDF classifier predicts every title by cross-validation; cleanlab (confident
learning, Northcutt et al. 2021) decides from these probabilities which labels to doubt, and of
those only the ones stay that the classifier clearly contradicts. How many of them are right after
all is estimated, too: a classifier that is right three times in five contradicts many right labels.
Heavy libraries are imported where they are used: this belongs in a background process,
never in the web app. Knows texts and categories, no store.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

FOLDS, FOLDS_OF_MANY, MANY = 5, 3, 20_000
"""Folds of the cross-validation; fewer for many titles, where each fold is large enough."""
SMALLEST = 10
"""Titles that a category needs before its labels are checked."""
LEAST_MARGIN = 0.2
"""By how much the likeliest category must lead the label for the label to be doubted at all. Without it
every fourth label of a small set is doubted, some at 16 % against 14 %."""
NEAREST = 3
BIGRAMS = 4

Probabilities = NDArray[np.float64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Suspect:
    """A probable label error, at `index` of the given titles.

    `margin` is the calibrated probability of `suggested` less that of `given`; `right` is the estimated
    probability that the label is right after all. `probabilities` are of the three likeliest categories
    and of the given one. `nearest` has the indices and cosine similarities of the nearest neighbours.
    `for_given` and `for_suggested` are the character bigrams with the largest weight for either.
    """

    index: int
    given: str
    suggested: str
    margin: float
    right: float
    probabilities: dict[str, float]
    nearest: tuple[tuple[int, float], ...]
    for_given: tuple[str, ...]
    for_suggested: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Suspects:
    """Probable label errors, the most probable first; at most `limit`, of `found`.

    `left_out` are categories with too few titles to check.
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
    """Find probable label errors by cross-validation.

    Near copies (`near_groups`, indices) are in one fold, so that none vouches for another.
    """
    counts = Counter(categories)
    left_out = tuple(sorted(name for name, count in counts.items() if count < SMALLEST))
    names = sorted(counts.keys() - set(left_out))
    indices = [index for index, category in enumerate(categories) if category not in left_out]
    if len(names) < 2:
        return Suspects(ranked=(), found=0, left_out=left_out)
    from threadpoolctl import threadpool_limits

    # The matrices are small: with one thread for each core the work takes seven times the processor time.
    with threadpool_limits(1):
        found = _cross_validate(
            texts, categories, near_groups, names, indices, limit=limit, progress=progress
        )
    return Suspects(ranked=found[0], found=found[1], left_out=left_out)


def _cross_validate(
    texts: Sequence[str],
    categories: Sequence[str],
    near_groups: Sequence[Sequence[int]],
    names: Sequence[str],
    indices: Sequence[int],
    *,
    limit: int,
    progress: Progress,
) -> tuple[tuple[Suspect, ...], int]:
    """Find the suspects among the titles at `indices`, whose categories are `names`, and count all issues."""
    folds = _folds(texts, categories, near_groups)[indices]
    labels = np.array([names.index(categories[index]) for index in indices])
    ensemble = _CrossValidation([texts[index] for index in indices], labels, folds)
    probabilities = _calibrated(labels, ensemble.probabilities(len(names), progress))
    issues = _ranked_issues(labels, probabilities)
    right = _right(labels, probabilities)
    ranked = [
        ensemble.evidence(row, probabilities[row], float(right[row]), names)
        for row in issues[:limit].tolist()
    ]
    return tuple(_reindexed(suspect, indices) for suspect in ranked), len(issues)


def _folds(
    texts: Sequence[str], categories: Sequence[str], near_groups: Sequence[Sequence[int]]
) -> NDArray[np.int64]:
    """Assign each title to a fold: stratified by category, near copies in one fold (group k-fold)."""
    count = FOLDS if len(texts) < MANY else FOLDS_OF_MANY
    hashes = [hashlib.sha256(text.encode()).digest() for text in texts]
    folds = np.zeros(len(texts), dtype=np.int64)
    for turn, index in enumerate(
        sorted(range(len(texts)), key=lambda index: (categories[index], hashes[index]))
    ):
        folds[index] = turn % count
    for near_group in near_groups:
        folds[list(near_group)] = folds[near_group[0]]
    return folds


def _calibrated(labels: NDArray[np.int64], probabilities: Probabilities) -> Probabilities:
    """Calibrate out-of-fold probabilities by temperature scaling (Guo et al. 2017).

    On few titles the plain classifier is far too modest: 22 % on average where 70 % were right.
    """
    logs = np.log(probabilities + 1e-9)
    rows = np.arange(len(labels))

    def softened(temperature: float) -> Probabilities:
        scaled = np.exp((logs - logs.max(axis=1, keepdims=True)) / temperature)
        found: Probabilities = scaled / scaled.sum(axis=1, keepdims=True)
        return found

    grid = 2.0 ** np.arange(-4, 1.25, 0.25)
    losses = [-np.log(softened(one)[rows, labels] + 1e-12).mean() for one in grid]
    return softened(float(grid[int(np.argmin(losses))]))


def _margins(labels: NDArray[np.int64], probabilities: Probabilities) -> Probabilities:
    margins: Probabilities = probabilities.max(axis=1) - probabilities[np.arange(len(labels)), labels]
    return margins


def _right(labels: NDArray[np.int64], probabilities: Probabilities) -> Probabilities:
    """Estimate how probable it is that each label is right, the label itself counted as evidence.

    Labels are wrong at one rate, evenly over the other categories; the rate is estimated from all of them
    by expectation maximization. Of 400 titles with 20 planted errors, 26 were contradicted clearly: 23
    were estimated to be right, 16 were; without planted errors, 31 of 33, and all were.
    """
    given = probabilities[np.arange(len(labels)), labels]
    wrong_rate, others = 0.05, max(1, probabilities.shape[1] - 1)
    for _ in range(50):
        wrong = (1 - given) * wrong_rate / others
        right = given * (1 - wrong_rate)
        posterior: Probabilities = wrong / (wrong + right + 1e-300)
        wrong_rate = float(np.clip(posterior.mean(), 1e-4, 0.5))
    return 1 - posterior


def _ranked_issues(labels: NDArray[np.int64], probabilities: Probabilities) -> NDArray[np.int64]:
    """Rank the doubted labels, the most clearly contradicted first."""
    from cleanlab.filter import find_label_issues

    issues: NDArray[np.int64] = find_label_issues(
        labels, probabilities, return_indices_ranked_by="self_confidence", n_jobs=1
    )
    margins = _margins(labels, probabilities)
    issues = issues[margins[issues] >= LEAST_MARGIN]
    return issues[np.argsort(-margins[issues], kind="stable")]


def _reindexed(suspect: Suspect, indices: Sequence[int]) -> Suspect:
    """Translate the indices of a suspect to those among all titles."""
    return Suspect(
        index=indices[suspect.index],
        given=suspect.given,
        suggested=suspect.suggested,
        margin=suspect.margin,
        right=suspect.right,
        probabilities=suspect.probabilities,
        nearest=tuple((indices[index], similarity) for index, similarity in suspect.nearest),
        for_given=suspect.for_given,
        for_suggested=suspect.for_suggested,
    )


class _CrossValidation:
    """One classifier for each fold, trained on the other folds, and the features they use."""

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
        """Predict out-of-fold probabilities, (titles, categories): by models that have not seen the title."""
        from sklearn.linear_model import LogisticRegression

        found = np.zeros((len(self.labels), num_categories))
        folds = np.unique(self.folds).tolist()
        for done, fold in enumerate(folds):
            progress(done, len(folds))
            held = self.folds == fold
            model = LogisticRegression(C=4.0, max_iter=60, tol=1e-3, class_weight="balanced")
            model.fit(self.features[~held], self.labels[~held])
            found[np.ix_(held, model.classes_)] = model.predict_proba(self.features[held])
            self.models[fold] = model
        progress(len(folds), len(folds))
        return found

    def evidence(self, row: int, probabilities: Probabilities, right: float, names: Sequence[str]) -> Suspect:
        """Explain why a title's label is doubted: probabilities, nearest neighbours, bigrams."""
        given, suggested = int(self.labels[row]), int(probabilities.argmax())
        shown = dict.fromkeys([*probabilities.argsort()[::-1][:3].tolist(), given])
        for_suggested, for_given = self._bigrams(row, suggested, given)
        return Suspect(
            index=row,
            given=names[given],
            suggested=names[suggested],
            margin=round(float(probabilities[suggested] - probabilities[given]), 4),
            right=round(right, 4),
            probabilities={names[index]: round(float(probabilities[index]), 4) for index in shown},
            nearest=self._nearest(row),
            for_given=for_given,
            for_suggested=for_suggested,
        )

    def _nearest(self, row: int) -> tuple[tuple[int, float], ...]:
        """Find the nearest neighbours: rows have norm 1, so the product is the cosine."""
        cosines = (self.features @ self.features[row].T).toarray().ravel()
        cosines[row] = -1.0
        best = np.argsort(-cosines, kind="stable")[:NEAREST]
        return tuple((int(other), round(float(cosines[other]), 3)) for other in best if cosines[other] > 0)

    def _bigrams(self, row: int, suggested: int, given: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Attribute the prediction: bigrams of the largest weight for either category against the other."""
        model = self.models[int(self.folds[row])]
        # With two categories scikit-learn keeps one row of weights: those of the second.
        weights = model.coef_ if len(model.coef_) > 1 else np.vstack((-model.coef_, model.coef_))
        row_of = {int(category): index for index, category in enumerate(model.classes_)}
        title = self.features[row]
        pull = title.data * (
            weights[row_of[suggested], title.indices] - weights[row_of[given], title.indices]
        )
        order = np.argsort(-pull)
        grams = [str(self.grams[title.indices[at]]) for at in order]
        bigrams = [
            (gram, float(pull[at]))
            for gram, at in zip(grams, order, strict=True)
            if len(gram) == 2 and gram.isalnum()
        ]
        return (
            tuple(gram for gram, force in bigrams if force > 0)[:BIGRAMS],
            tuple(gram for gram, force in reversed(bigrams) if force < 0)[:BIGRAMS],
        )
