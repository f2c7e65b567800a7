"""Evidence by occlusion on the bundled evaluation titles: what it costs, and whether it is worth believing.

    python -m benchmarks.evaluation.evidence [--seed 42]

The bundled model with the recorded adapter, direct scores, one thread. For each title the words that
carry its answer are found as Classify does; then, over the titles that have any: by how much the probability
falls and how often the answer changes without the strongest word, beside a word drawn at random from the
same title; and how often the strongest word shares a character with one of the four pairs of characters by
which a TF-IDF classifier, trained on the 300 training titles, sees that category, beside a random word.
"""

import argparse
import random
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from backend.data.labelled_rows import labelled_rows
from backend.data.templates import Renderer
from backend.engine.answering import Answerer
from backend.engine.local import LocalAnswering
from backend.modeling.loading import load_model
from backend.modeling.tokenizers import load_tokenizer
from studio.samples.occlusion import Evidence, occlusions, select_evidence, touched, without
from studio.samples.scheme import load_scheme
from studio.samples.words import Span, word_spans
from studio.workspace import BUNDLED_DATASET, BUNDLED_MODEL, SAMPLE_RUN

BIGRAMS = 4
Score = Callable[[Sequence[str]], list[dict[str, float]]]


@dataclass(frozen=True)
class Found:
    """A title, its answer, and what was found."""

    title: str
    category: str
    whole: dict[str, float]
    left: dict[Span, dict[str, float]]
    evidence: tuple[Evidence, ...]


def main() -> None:
    """Find the evidence, compare it with chance, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=42, help="Of the words drawn at random.")
    draw = random.Random(parser.parse_args().seed)
    torch.set_num_threads(1)
    scheme = load_scheme()
    adapter = next((SAMPLE_RUN / "checkpoints").glob("step_*"))
    model = load_model(BUNDLED_MODEL, adapter)
    renderer = Renderer(load_tokenizer(adapter, BUNDLED_MODEL), "auto")
    answerer = Answerer(model, renderer)
    titles = [row.title for row in labelled_rows(BUNDLED_DATASET, "eval", scheme)[0]]

    def score(texts: Sequence[str]) -> list[dict[str, float]]:
        return answerer.score(answerer.render_prompts(texts, scheme.prompt), scheme.names)

    score(titles[:2])  # the shared prompt
    began = time.process_time()
    whole = score(titles)
    direct = time.process_time() - began
    began = time.process_time()
    found = [_found(title, scores, score) for title, scores in zip(titles, whole, strict=True)]
    evidence = time.process_time() - began
    began = time.process_time()
    local = LocalAnswering(model, renderer, scheme, max_new_tokens=256, batch_size=64)
    dict(local.answer(titles))
    chains = time.process_time() - began
    texts = statistics.fmean(len(one.left) for one in found)
    each = [f"{1000 * seconds / len(titles):.0f}" for seconds in (direct, evidence, chains)]
    print(f"CPU ms a title: direct {each[0]}, evidence {each[1]}, chain {each[2]}")
    print(f"texts scored a title: {texts:.1f}")
    _print_worth(found, draw)


def _found(title: str, whole: dict[str, float], score: Score) -> Found:
    category = _likeliest(whole)
    spans = occlusions(title)
    left = dict(zip(spans, score([without(title, span) for span in spans]), strict=True))
    chosen = select_evidence(whole[category], spans, [left[span][category] for span in spans])
    return Found(title, category, whole, left, chosen)


def _likeliest(scores: dict[str, float]) -> str:
    return max(scores, key=lambda name: scores[name])


def _print_worth(found: Sequence[Found], draw: random.Random) -> None:
    for_it = [one for one in found if one.evidence and one.evidence[0].effect > 0]
    any_at_all = sum(bool(one.evidence) for one in found)
    print(f"titles: {len(found)}, with evidence {any_at_all}, whose strongest word is for it {len(for_it)}")
    strongest = [(one, one.evidence[0].span) for one in for_it]
    drawn = [
        (one, draw.choice([span for span in word_spans(one.title) if span in one.left])) for one in for_it
    ]
    pairs_of = _classifier()
    for name, chosen in (("strongest", strongest), ("a random word", drawn)):
        falls = [one.whole[one.category] - one.left[span][one.category] for one, span in chosen]
        flips = [_likeliest(one.left[span]) != one.category for one, span in chosen]
        agrees = [bool(touched(one.title, [span], pairs_of(one.title, one.category))) for one, span in chosen]
        print(
            f"{name:>14}: probability falls by {statistics.fmean(falls):.3f}, answer changes {sum(flips)} of "
            f"{len(flips)}, TF-IDF goes by it too {sum(agrees)} of {len(agrees)}"
        )


def _classifier() -> Callable[[str, str], list[str]]:
    """Train the classifier; returns what gives the pairs of characters that speak for a category."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression

    rows, _ = labelled_rows(BUNDLED_DATASET, "train", load_scheme())
    vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 2), sublinear_tf=True, min_df=2)
    features = vectorizer.fit_transform([row.title for row in rows])
    model = LogisticRegression(C=4.0, max_iter=200).fit(features, [row.category for row in rows])
    names, classes = vectorizer.get_feature_names_out(), list(model.classes_)

    def pairs_of(title: str, category: str) -> list[str]:
        vector = vectorizer.transform([title])
        weights = model.coef_[classes.index(category)][vector.indices] * vector.data
        ranked = [names[vector.indices[at]] for at in np.argsort(-weights) if weights[at] > 0]
        return [gram for gram in ranked if len(gram) == 2 and gram.isalnum()][:BIGRAMS]

    return pairs_of


if __name__ == "__main__":
    main()
