"""Forecast from a learning curve what more training rows would bring: a power law with its interval.

error(n) = a n^-b, fitted to the errors of trainings on nested parts of the rows. The interval is a
hierarchical bootstrap over seeds and over stories (near copies of a title are one), plus the scatter of
single seeds: it is meant to hold the next training. Pure. Source: Hestness et al. (2017) for the law.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from studio.samples.similarity import group_near

DRAWS = 400
MORE = 100
"""Rows more of a category whose worth is told."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A training on so many rows: which of the evaluated titles it answered wrong."""

    rows: int
    seed: int
    wrong: Mapping[str, bool]


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Expected(_Kept):
    """An accuracy, or a gain of it, with its 95 % interval."""

    value: float
    low: float
    high: float


class Measured(_Kept):
    """Accuracies of the trainings on so many rows, one each seed."""

    rows: int
    accuracies: tuple[float, ...]


class CategoryGain(_Kept):
    """What MORE rows of a category would bring to its recall, if it learns like the whole."""

    rows: int
    titles: int
    recall: float
    gain: Expected


class Forecast(_Kept):
    """A fitted curve. `draws` are resampled (log a, b); `scatter` the deviation of one seed from its mean."""

    format_version: int = 1
    measured: tuple[Measured, ...]
    draws: tuple[tuple[float, float], ...]
    best: tuple[float, float]
    scatter: float
    titles: tuple[str, ...]
    categories: dict[str, CategoryGain]

    def accuracy_at(self, rows: int, *, seed: int = 0) -> Expected:
        """Forecast the accuracy of one training on so many rows."""
        random = np.random.default_rng(seed)
        errors = np.array([_error(draw, rows) for draw in self.draws])
        found = 1 - errors + random.normal(0, self.scatter, len(errors))
        low, high = np.quantile(found, [0.025, 0.975])
        best = 1 - _error(self.best, rows)
        return Expected(
            value=best, low=max(0.0, min(float(low), best)), high=min(1.0, max(float(high), best))
        )

    @property
    def exponent(self) -> Expected:
        """How fast errors fall: at 0.3 twice the rows leave 81 % of the errors, at 0 all of them."""
        low, high = np.quantile([draw[1] for draw in self.draws], [0.025, 0.975])
        return Expected(value=self.best[1], low=float(low), high=float(high))


def forecast(
    trained: Sequence[Trained],
    labels: Mapping[str, str],
    rows_of: Mapping[str, int],
    *,
    seed: int = 0,
) -> Forecast | None:
    """Fit the curve; None where fewer than two sizes were trained.

    Args:
        trained: the trainings.
        labels: category of each evaluated title.
        rows_of: training rows of each category in the whole set.
        seed: of the resampling.
    """
    titles = [title for title in labels if all(title in each.wrong for each in trained)]
    sizes = sorted({each.rows for each in trained})
    if len(sizes) < 2 or not titles:
        return None
    wrong = np.array([[each.wrong[title] for title in titles] for each in trained], dtype=float)
    of_size = [[index for index, each in enumerate(trained) if each.rows == size] for size in sizes]
    story = _stories(titles)
    random = np.random.default_rng(seed)
    draws, category_draws = [], []
    names = list(dict.fromkeys(labels[title] for title in titles))
    member = np.array([[labels[title] == name for name in names] for title in titles], dtype=float)
    for _ in range(DRAWS):
        weights = np.bincount(
            random.integers(0, story.max() + 1, story.max() + 1), minlength=story.max() + 1
        )[story]
        chosen = [random.choice(group, len(group)) for group in of_size]
        draws.append(_fit(sizes, wrong, chosen, weights))
        category_draws.append(_category_errors(wrong, chosen[-1], weights, member))
    best = _fit(sizes, wrong, of_size, np.ones(len(titles)))
    now = _category_errors(wrong, of_size[-1], np.ones(len(titles)), member)
    return Forecast(
        measured=tuple(
            Measured(rows=size, accuracies=tuple(float(1 - wrong[index].mean()) for index in group))
            for size, group in zip(sizes, of_size, strict=True)
        ),
        draws=tuple(draws),
        best=best,
        scatter=_scatter(wrong, of_size),
        titles=tuple(titles),
        categories={
            name: _gain(
                rows_of.get(name, 0),
                int(member[:, place].sum()),
                now[place],
                best[1],
                [each[place] for each in category_draws],
                [draw[1] for draw in draws],
            )
            for place, name in enumerate(names)
        },
    )


def _error(curve: tuple[float, float], rows: int) -> float:
    return float(min(1.0, np.exp(curve[0] - curve[1] * np.log(max(1, rows)))))


def _stories(titles: Sequence[str]) -> NDArray[np.int64]:
    """Return the number of each title's story."""
    first = np.arange(len(titles))
    for group in group_near(titles):
        first[group] = group[0]
    return np.unique(first, return_inverse=True)[1]


def _fit(sizes: Sequence[int], wrong: Any, chosen: Sequence[Any], weights: Any) -> tuple[float, float]:
    """Fit log error = log a - b log n by least squares; half an error more keeps the logarithm finite."""
    total = weights.sum()
    errors = [((wrong[list(group)] @ weights).mean() + 0.5) / (total + 1) for group in chosen]
    slope, level = np.polyfit(np.log(sizes), np.log(errors), 1)
    return float(level), float(-slope)


def _category_errors(wrong: Any, chosen: Any, weights: Any, member: Any) -> Any:
    """Return the error rate of each category in the trainings on all rows."""
    count = weights @ member
    return (wrong[list(chosen)] * weights @ member).mean(axis=0) / np.maximum(count, 1e-9)


def _scatter(wrong: Any, of_size: Sequence[Sequence[int]]) -> float:
    """Pool the deviation of single seeds from their mean; 0 where each size has one."""
    rates = wrong.mean(axis=1)
    parts = [rates[list(group)] for group in of_size if len(group) > 1]
    free = sum(len(part) - 1 for part in parts)
    return float(np.sqrt(sum(((part - part.mean()) ** 2).sum() for part in parts) / free)) if free else 0.0


def _gain(
    rows: int, titles: int, error: float, power: float, errors: list[float], powers: list[float]
) -> CategoryGain:
    """Forecast the gain of MORE rows of a category by the law of the whole."""

    def gain(rate: float, exponent: float) -> float:
        return float(rate * (1 - ((max(1, rows) + MORE) / max(1, rows)) ** -exponent))

    found = [gain(rate, exponent) for rate, exponent in zip(errors, powers, strict=True)]
    low, high = np.quantile(found, [0.025, 0.975])
    best = gain(error, power)
    return CategoryGain(
        rows=rows,
        titles=titles,
        recall=1 - error,
        gain=Expected(value=best, low=min(float(low), best), high=max(float(high), best)),
    )
