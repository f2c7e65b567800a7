"""Calibrate confidence, and measure what refusing the least confident answers is worth.

Direct answers: temperature and prior (a bias for each category) are fitted to the probabilities. Chain
answers: the signal is whether direct scoring agrees, and how likely it finds the chain's category. Nothing is
measured on rows that it was fitted on: these are another evaluation's, or the other folds of this one. Pure.
Source: Guo et al. (2017) for temperature scaling; the bias is the intercept of their vector scaling.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.contract import AnswerCalibration, AnswerMode, Prediction
from studio.samples.similarity import group_near
from studio.stats import wilson_interval

FOLDS = 5
FEWEST = 30
"""Rows below which nothing is fitted: the estimate would be worse than none."""
BINS = 8
"""Bins of the reliability chart, each of about as many rows."""
_FLOOR = 1e-6
"""Probabilities are stored with six digits; a smaller one is as good as this."""
_BIAS_RIDGE, _SLOPE_RIDGE = 2.0, 0.1
_STEPS = 25

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Scored:
    """The answers of an evaluation with what their confidence is computed from, a row each.

    `log_p` are log probabilities of direct scoring over `categories`, `answers` and `labels` indices into
    them; an answer that could not be read is -1. `rows` are the numbers of the rows, `folds` those of
    cross-fitting, in which near copies share one.
    """

    answer: AnswerMode
    categories: tuple[str, ...]
    log_p: Floats
    answers: NDArray[np.int64]
    labels: NDArray[np.int64]
    rows: tuple[int, ...]
    titles: frozenset[str]
    folds: NDArray[np.int64]

    @property
    def right(self) -> Truths:
        """Which answers are right."""
        found: Truths = self.answers == self.labels
        return found

    def part(self, chosen: NDArray[Any]) -> "Scored":
        """Return some of the rows."""
        return Scored(
            answer=self.answer,
            categories=self.categories,
            log_p=self.log_p[chosen],
            answers=self.answers[chosen],
            labels=self.labels[chosen],
            rows=tuple(np.array(self.rows)[chosen].tolist()),
            titles=self.titles,
            folds=self.folds[chosen],
        )


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Rows of similar confidence: its mean, and how many of them are right."""

    confidence: float
    rows: int
    right: int

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the share that is right."""
        return wilson_interval(self.right, self.rows)


@dataclass(frozen=True, kw_only=True)
class CoveragePoint:
    """What is answered when answers below a threshold are refused, and how much of it is right."""

    threshold: float
    answered: int
    right: int
    total: int

    @property
    def coverage(self) -> float:
        """Share of the rows that are answered."""
        return self.answered / self.total

    @property
    def accuracy(self) -> float:
        """Share of the answered rows that are right; 0 where none is."""
        return self.right / self.answered if self.answered else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the accuracy."""
        return wilson_interval(self.right, self.answered)

    @property
    def largest_error(self) -> float | None:
        """Error rate that no error in these rows still allows (95 %, exact); None where there are errors."""
        if not self.answered or self.right < self.answered:
            return None
        return float(1 - 0.05 ** (1 / self.answered))


@dataclass(frozen=True, kw_only=True)
class CalibrationReport:
    """Confidences of rows that nothing was fitted on, before and after calibration, and what was fitted.

    `fitted` is fitted on all rows that may be: it is what a server uses. `apart`: the rows that it was fitted
    on are another evaluation's.
    """

    fitted: AnswerCalibration
    apart: bool
    rows: tuple[int, ...]
    raw: Floats
    confidence: Floats
    right: Truths

    @property
    def errors(self) -> tuple[float, float]:
        """Expected calibration error before and after: mean distance of confidence from accuracy."""
        return _calibration_error(self.raw, self.right), _calibration_error(self.confidence, self.right)

    def bins(self, *, calibrated: bool) -> list[Bin]:
        """Group the rows by confidence, for a reliability chart."""
        return _bins(self.confidence if calibrated else self.raw, self.right)

    def at(self, threshold: float) -> CoveragePoint:
        """Tell what refusing below a threshold is worth."""
        answered = self.confidence >= threshold
        return CoveragePoint(
            threshold=threshold,
            answered=int(answered.sum()),
            right=int((answered & self.right).sum()),
            total=len(self.right),
        )

    def curve(self, steps: int = 40) -> list[CoveragePoint]:
        """Tell it for thresholds from answering all to answering the most confident rows alone."""
        levels = np.unique(np.quantile(self.confidence, np.linspace(0, 0.95, steps)))
        return [self.at(0.0), *(self.at(float(level)) for level in levels if level > 0)]


def scored(
    rows: Sequence[Prediction], probabilities: Mapping[str, Mapping[str, float]], categories: Sequence[str]
) -> Scored | None:
    """Prepare the rows of one way of answering; None where too few have probabilities of direct scoring.

    Args:
        rows: the predictions.
        probabilities: of direct scoring, by title.
        categories: in the scheme's order.
    """
    names = tuple(categories)
    index = {name: number for number, name in enumerate(names)}
    usable = [row for row in rows if row.label in index and probabilities.get(row.title)]
    if len(usable) < FEWEST:
        return None
    p = np.array([[probabilities[row.title].get(name, 0.0) for name in names] for row in usable])
    return Scored(
        answer=usable[0].answer,
        categories=names,
        log_p=np.log(np.maximum(p, _FLOOR)),
        answers=np.array([index.get(row.predicted or "", -1) for row in usable]),
        labels=np.array([index[row.label] for row in usable]),
        rows=tuple(row.row for row in usable),
        titles=frozenset(row.title for row in usable),
        folds=_folds([row.title for row in usable]),
    )


def calibrate(own: Scored, other: Scored | None = None, *, fitted_on: str = "") -> CalibrationReport:
    """Fit the calibration on another evaluation's rows, or crosswise on the own ones; measure it on the own.

    Args:
        own: the evaluation whose confidences are wanted.
        other: another evaluation of the same model on other titles.
        fitted_on: how the result names the rows that it was fitted on.
    """
    if other is not None:
        fitted = _fit(other, fitted_on)
        confidence = confidences(fitted, own)
    else:
        fitted = _fit(own, fitted_on)
        confidence = np.zeros(len(own.labels))
        for fold in range(FOLDS):
            held = own.folds == fold
            if held.any():
                confidence[held] = confidences(_fit(own.part(~held), fitted_on), own.part(held))
    return CalibrationReport(
        fitted=fitted,
        apart=other is not None,
        rows=own.rows,
        raw=_of_answer(np.exp(own.log_p), own.answers),
        confidence=confidence,
        right=own.right,
    )


def confidences(fitted: AnswerCalibration, rows: Scored) -> Floats:
    """Compute the calibrated confidence of each answer; 0 for one that could not be read."""
    bias = np.array([fitted.bias.get(name, 0.0) for name in rows.categories])
    p = _softmax(rows.log_p / fitted.temperature + bias)
    own = _of_answer(p, rows.answers)
    if fitted.agreement is None:
        return own
    agree = rows.answers == rows.log_p.argmax(axis=1)
    found = _sigmoid(_features(own, agree) @ np.array(fitted.agreement))
    return np.where(rows.answers < 0, 0.0, found)


def confidence_of(fitted: AnswerCalibration, answer: str | None, probabilities: Mapping[str, float]) -> float:
    """Compute the confidence of one answer from direct scoring's probabilities, for a server."""
    names = tuple(probabilities)
    row = Scored(
        answer=fitted.answer,
        categories=names,
        log_p=_log_p(probabilities),
        answers=np.array([names.index(answer) if answer in names else -1]),
        labels=np.array([-1]),
        rows=(0,),
        titles=frozenset(),
        folds=np.zeros(1, dtype=np.int64),
    )
    return float(confidences(fitted, row)[0])


def calibrated_probabilities(
    fitted: AnswerCalibration, probabilities: Mapping[str, float]
) -> dict[str, float]:
    """Calibrate direct scoring's probabilities of one title: by temperature and prior; they sum to 1."""
    bias = np.array([fitted.bias.get(name, 0.0) for name in probabilities])
    p = _softmax(_log_p(probabilities) / fitted.temperature + bias)[0]
    return dict(zip(probabilities, p.tolist(), strict=True))


def _log_p(probabilities: Mapping[str, float]) -> Floats:
    found: Floats = np.log(np.maximum(np.array([list(probabilities.values())]), _FLOOR))
    return found


def _fit(rows: Scored, fitted_on: str) -> AnswerCalibration:
    """Fit temperature and prior by penalized maximum likelihood; for chains, the weight of agreement, too."""
    slope, bias = _fit_scaling(rows.log_p, rows.labels)
    agreement = None
    if rows.answer == "chain":
        readable = rows.answers >= 0
        own = _of_answer(_softmax(rows.log_p * slope + bias), rows.answers)
        agree = rows.answers == rows.log_p.argmax(axis=1)
        agreement = _fit_logistic(_features(own, agree)[readable], rows.right[readable])
    return AnswerCalibration(
        answer=rows.answer,
        signal="agreement" if agreement else "probability",
        temperature=1 / slope,
        bias={name: round(float(value), 4) for name, value in zip(rows.categories, bias, strict=True)},
        agreement=agreement,
        fitted_on=fitted_on,
        rows=len(rows.labels),
    )


def _fit_scaling(log_p: Floats, labels: NDArray[np.int64]) -> tuple[float, Floats]:
    """Fit softmax(slope * log p + bias) by Newton's method; the biases are drawn to 0, the slope to 1."""
    count, k = log_p.shape
    target = np.eye(k)[labels]
    weights = np.concatenate(([1.0], np.zeros(k)))
    # (N, K, K + 1): how each score changes with slope and biases.
    change = np.concatenate((log_p[:, :, None], np.broadcast_to(np.eye(k), (count, k, k))), axis=2)
    ridge = np.diag([_SLOPE_RIDGE, *[_BIAS_RIDGE] * k])
    start = weights.copy()
    for _ in range(_STEPS):
        p = _softmax(log_p * weights[0] + weights[1:])
        gradient = np.einsum("nk,nkj->j", p - target, change) + ridge @ (weights - start)
        weighted = p[:, :, None] * change
        mean = weighted.sum(axis=1)
        hessian = np.einsum("nki,nkj->ij", weighted, change) - mean.T @ mean + ridge
        step = np.linalg.solve(hessian, gradient)
        weights = weights - step * min(1.0, 1.0 / max(1e-9, float(np.abs(step).max())))
        weights[0] = np.clip(weights[0], 0.05, 20.0)
        if np.abs(step).max() < 1e-7:
            break
    return float(weights[0]), weights[1:]


def _features(own: Floats, agree: Truths) -> Floats:
    """Build what a chain's confidence is computed from: 1, the log odds of its category, and agreement."""
    clipped = np.clip(own, 1e-4, 1 - 1e-4)
    return np.stack([np.ones(len(own)), np.log(clipped / (1 - clipped)), agree.astype(float)], axis=1)


def _fit_logistic(features: Floats, right: Truths) -> tuple[float, float, float]:
    """Fit a logistic regression of three weights by Newton's method, drawn to 0."""
    weights = np.zeros(3)
    ridge = np.diag([0.1, 1.0, 1.0])
    for _ in range(_STEPS):
        p = _sigmoid(features @ weights)
        gradient = features.T @ (p - right) + ridge @ weights
        hessian = features.T @ (features * (p * (1 - p))[:, None]) + ridge
        step = np.linalg.solve(hessian, gradient)
        weights = weights - step
        if np.abs(step).max() < 1e-7:
            break
    return float(weights[0]), float(weights[1]), float(weights[2])


def _folds(titles: Sequence[str]) -> NDArray[np.int64]:
    """Assign each title to a fold by a hash of its text; near copies share one."""
    folds = np.array([hashlib.sha256(title.encode()).digest()[0] % FOLDS for title in titles])
    for group in group_near(titles):
        folds[group] = folds[group[0]]
    return folds


def _of_answer(p: Floats, answers: NDArray[np.int64]) -> Floats:
    """Pick the probability of each answer; 0 for one that could not be read."""
    return np.where(answers < 0, 0.0, p[np.arange(len(p)), np.maximum(answers, 0)])


def _softmax(scores: Floats) -> Floats:
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    found: Floats = powers / powers.sum(axis=1, keepdims=True)
    return found


def _sigmoid(scores: Floats) -> Floats:
    found: Floats = 1 / (1 + np.exp(-np.clip(scores, -30, 30)))
    return found


def _bins(confidence: Floats, right: Truths) -> list[Bin]:
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(BINS, max(1, len(order) // 8)))
    return [
        Bin(confidence=float(confidence[part].mean()), rows=len(part), right=int(right[part].sum()))
        for part in parts
        if len(part)
    ]


def _calibration_error(confidence: Floats, right: Truths) -> float:
    found = _bins(confidence, right)
    return sum(each.rows * abs(each.confidence - each.right / each.rows) for each in found) / len(right)
