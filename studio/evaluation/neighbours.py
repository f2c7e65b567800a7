"""Find the nearest training rows of a title: cosine similarity of TF-IDF over character 1- and 2-grams.

An inverted index in plain Python, exact, without the grams that every tenth title has: a hundred titles among
ten thousand take a second, without the 100 MiB that scikit-learn would cost the web process. Pure.
"""

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from studio.samples.title_text import title_key

MOST_FREQUENT = 0.1
"""Share of the titles above which a gram says nothing."""
LONGEST = 200
"""Characters of a title that are compared."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingRow:
    """A row that a model was trained on; `row` is its index in the file, from 0."""

    row: int
    title: str
    category: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbour:
    """A training row and its similarity to a title, 0 to 1."""

    row: TrainingRow
    similarity: float


class TitleIndex:
    """An index of training rows by the grams of their titles."""

    def __init__(self, rows: Sequence[TrainingRow]) -> None:
        self.rows = rows
        grams = [Counter(_grams(row.title)) for row in rows]
        found = Counter(gram for each in grams for gram in each)
        most = max(3.0, MOST_FREQUENT * len(rows))
        self._idf = {
            gram: math.log((1 + len(rows)) / (1 + count)) + 1 if count <= most else 0.0
            for gram, count in found.items()
        }
        self._postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for index, each in enumerate(grams):
            for gram, weight in self._weights(each).items():
                self._postings[gram].append((index, weight))

    def nearest(self, title: str, count: int = 3) -> list[Neighbour]:
        """Find the nearest rows, the most similar first; none that shares no gram with the title."""
        scores: dict[int, float] = defaultdict(float)
        for gram, weight in self._weights(Counter(_grams(title))).items():
            for index, other in self._postings.get(gram, ()):
                scores[index] += weight * other
        best = heapq.nsmallest(count, scores.items(), key=lambda each: (-each[1], each[0]))
        return [Neighbour(row=self.rows[index], similarity=min(1.0, score)) for index, score in best]

    def _weights(self, grams: Counter[str]) -> dict[str, float]:
        """Weigh grams by TF-IDF, sublinear in their frequency; the vector has length 1."""
        unseen = math.log(1 + len(self.rows)) + 1
        weights = {
            gram: (1 + math.log(count)) * weight
            for gram, count in grams.items()
            if (weight := self._idf.get(gram, unseen))
        }
        length = math.sqrt(sum(weight * weight for weight in weights.values()))
        return {gram: weight / length for gram, weight in weights.items()} if length else {}


def _grams(title: str) -> Iterable[str]:
    key = title_key(title)[:LONGEST]
    yield from key
    yield from (key[start : start + 2] for start in range(len(key) - 1))
