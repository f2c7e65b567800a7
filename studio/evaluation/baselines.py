"""Train two cheap baselines that a language model has to beat: majority and TF-IDF.

Trained on the same rows as the model, scored on the same held-out rows.
"""

from collections import Counter
from collections.abc import Sequence


def baseline_accuracies(
    train: Sequence[tuple[str, str]], held_out: Sequence[tuple[str, str]]
) -> dict[str, float]:
    """Measure the accuracy, 0 to 1, of `majority` and `tfidf` on held-out (title, category) pairs.

    majority: always the most frequent category of the training rows. tfidf: logistic
    regression over character 1- to 2-grams. Empty when there is nothing to train on
    or to score.
    """
    if not train or not held_out:
        return {}
    majority = Counter(category for _, category in train).most_common(1)[0][0]
    accuracies = {"majority": _accuracy([majority] * len(held_out), held_out)}
    if len({category for _, category in train}) > 1:
        accuracies["tfidf"] = _accuracy(tfidf_predictions(train, [title for title, _ in held_out]), held_out)
    return accuracies


def tfidf_predictions(train: Sequence[tuple[str, str]], titles: Sequence[str]) -> list[str]:
    """Train the TF-IDF classifier on (title, category) pairs and predict the category of each title."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    classifier = make_pipeline(
        TfidfVectorizer(analyzer="char", ngram_range=(1, 2), sublinear_tf=True),
        LogisticRegression(C=1.0, class_weight="balanced", max_iter=1000),
    )
    classifier.fit([title for title, _ in train], [category for _, category in train])
    return [str(category) for category in classifier.predict(list(titles))]


def _accuracy(predicted: Sequence[str], rows: Sequence[tuple[str, str]]) -> float:
    return sum(one == category for one, (_, category) in zip(predicted, rows, strict=True)) / len(rows)
