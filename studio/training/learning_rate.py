"""Advise a learning rate from a range test and a sweep, in numbers and in a sentence.

Pure functions over the points that workers recorded. This module starts nothing and
reads no file.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from studio.contract import HeldOut, Step
from studio.language import say
from studio.stats import wilson_interval

_MEMORY = 0.5
"""Smoothing factor, the weight of the past: low, as every step is measured on the same rows."""
_TURNED = 1.15
"""A smoothed loss this many times its minimum has turned: what follows is only divergence."""
_ENOUGH_STEPS = 10
"""Steps before a turn is believed."""


class Smoothed:
    """Bias-corrected exponential moving average; `memory` is the weight of the past."""

    def __init__(self, memory: float = _MEMORY) -> None:
        self._memory = memory
        self._sum, self._weight = 0.0, 0.0

    def add(self, value: float) -> float:
        """Update the average with a value and return it."""
        self._sum = self._memory * self._sum + (1 - self._memory) * value
        self._weight = self._memory * self._weight + (1 - self._memory)
        return self._sum / self._weight


def has_turned(smoothed: Sequence[float]) -> bool:
    """Return whether a smoothed loss has clearly risen from its minimum."""
    return len(smoothed) >= _ENOUGH_STEPS and smoothed[-1] > _TURNED * min(smoothed)


@dataclass(frozen=True, kw_only=True, slots=True)
class RangeAdvice:
    """The result of a learning-rate range test: the rate to start at, the range to sweep, and why.

    `turned_at` is the rate at the lowest smoothed loss, the last that still helped.
    """

    start: float
    low: float
    high: float
    turned_at: float
    sentence: str


def range_advice(points: Sequence[Step]) -> RangeAdvice | None:
    """Evaluate a learning-rate range test; None while it has too few points for any advice.

    The rate at the lowest smoothed loss bounds the useful rates from above. A tenth of it is
    the usual start (Smith 2017); a sweep from a thirtieth up to it surrounds that start. On a
    few hundred rows the curve is noisy and a new LoRA adapter begins flat, so the test only
    bounds a sweep, it does not replace it.
    """
    if len(points) < _ENOUGH_STEPS:
        return None
    average = Smoothed()
    smoothed = [average.add(point.loss) for point in points]
    lowest = min(range(len(points)), key=lambda i: smoothed[i])
    turned_at = points[lowest].learning_rate
    advice = RangeAdvice(
        start=neat(turned_at / 10),
        low=neat(turned_at / 30),
        high=neat(turned_at),
        turned_at=turned_at,
        sentence="",
    )
    return replace(advice, sentence=_range_sentence(advice, smoothed, at_end=lowest == len(points) - 1))


def _range_sentence(advice: RangeAdvice, smoothed: Sequence[float], *, at_end: bool) -> str:
    fell = smoothed[0] - min(smoothed)
    if fell < 0.02 * smoothed[0]:
        return say(
            "损失几乎没有下降：这个范围里没有合适的学习率，请检查数据，或把范围放高、步数加多。",
            "Loss hardly fell: no learning rate in this range worked."
            " Check the data, or raise the range and the steps.",
        )
    if at_end:
        return say(
            f"到 {advice.turned_at:.2g} 损失还在下降，没有看到上限；请把最高学习率再放高。"
            f"可先试 {advice.low:g} 到 {advice.high:g}。",
            f"Loss was still falling at {advice.turned_at:.2g}: no upper bound was found,"
            f" raise the highest rate. Meanwhile try {advice.low:g} to {advice.high:g}.",
        )
    return say(
        f"损失在 {advice.turned_at:.2g} 之后回升；起点取它的十分之一 {advice.start:g}，"
        f"在 {advice.low:g} 到 {advice.high:g} 之间扫描。",
        f"Loss rises again after {advice.turned_at:.2g}; start at a tenth of that, {advice.start:g}, "
        f"and try rates from {advice.low:g} to {advice.high:g}.",
    )


def neat(value: float) -> float:
    """Round a rate to two significant digits."""
    return float(f"{value:.1e}")


def spaced(low: float, high: float, count: int) -> list[float]:
    """Space `count` rates geometrically from low to high, both included; two significant digits each."""
    if count == 1:
        return [neat(math.sqrt(low * high))]
    ratio = (high / low) ** (1 / (count - 1))
    return [neat(low * ratio**i) for i in range(count)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """A member of a sweep: the value that was tried, and its metrics on the held-out rows.

    Loss in nats per token, `loss_error` its standard error over the rows (None where it was
    not measured); accuracy of direct answers over `rows` rows.
    """

    run: str
    value: float | int | str | bool
    loss: float
    loss_error: float | None
    accuracy: float | None
    rows: int

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % Wilson interval of the accuracy."""
        if self.accuracy is None or not self.rows:
            return None
        return wilson_interval(round(self.accuracy * self.rows), self.rows)


def tried(
    run: str, value: float | int | str | bool, points: Sequence[HeldOut], *, best: bool
) -> Tried | None:
    """Build a member from its held-out points: the last, or with `best` the best; None without points."""
    if not points:
        return None
    point = next((p for p in reversed(points) if p.best), points[-1]) if best else points[-1]
    return Tried(
        run=run,
        value=value,
        loss=point.loss,
        loss_error=point.loss_error,
        accuracy=point.accuracy,
        rows=point.rows,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Recommendation:
    """The recommended member of a sweep, and why, in a sentence."""

    tried: Tried
    sentence: str


def recommend(found: Sequence[Tried], *, field: str = "learning_rate") -> Recommendation | None:
    """Recommend the largest learning rate whose held-out loss is within one standard error of the lowest.

    Within that error the rates cannot be distinguished; runs of a few hundred rows are short,
    and short runs rather err on the low side, hence the largest. Of other fields the value
    with the lowest loss is chosen. None where nothing was measured.

    Source of the one-standard-error rule: Breiman et al. 1984, "Classification and
    Regression Trees", section 3.4.3.
    """
    measured = [each for each in found if math.isfinite(each.loss)]
    if not measured:
        return None
    lowest = min(measured, key=lambda each: each.loss)
    bound = lowest.loss + (lowest.loss_error or 0.0)
    tied = [each for each in measured if each.loss <= bound]
    chosen = lowest
    if field == "learning_rate":
        chosen = max(tied, key=lambda each: float(each.value))
    return Recommendation(tried=chosen, sentence=_reasons(chosen, lowest, tied, measured, field))


def _reasons(
    chosen: Tried, lowest: Tried, tied: Sequence[Tried], measured: Sequence[Tried], field: str
) -> str:
    parts = [_loss_reason(chosen, lowest, tied, field)]
    if field == "learning_rate" and len(measured) > 1:
        parts.append(_boundary_advice(chosen, measured))
    if len(measured) == 1:
        parts.append(
            say("只试了一个值，无从比较。", "Only one value was tried: there is nothing to compare.")
        )
    parts.append(_accuracy_comparison(chosen, measured))
    return " ".join(part for part in parts if part)


def _loss_reason(chosen: Tried, lowest: Tried, tied: Sequence[Tried], field: str) -> str:
    value, loss = show(chosen.value), f"{chosen.loss:.3f}"
    if lowest.loss_error is None:
        return say(
            f"建议 {field} = {value}：留出损失 {loss} 最低。",
            f"Take {field} = {value}: its held-out loss of {loss} is the lowest.",
        )
    if len(tied) == 1:
        return say(
            f"建议 {field} = {value}：留出损失 {loss} 最低，其余都高出一个标准误以上。",
            f"Take {field} = {value}: its held-out loss of {loss} is the lowest, all others are more than "
            "one standard error above it.",
        )
    others = say("、", ", ").join(show(each.value) for each in tied if each is not chosen)
    if chosen is lowest:
        return say(
            "建议 {field} = {value}：留出损失 {loss} 最低；{others} 与它相差不到一个标准误，分不出高下。",
            "Take {field} = {value}: its held-out loss of {loss} is the lowest; {others} are within one "
            "standard error of it and cannot be distinguished.",
            field=field,
            value=value,
            loss=loss,
            others=others,
        )
    return say(
        f"建议 {field} = {value}：留出损失 {loss}，与最低的 {lowest.loss:.3f}（{show(lowest.value)}）"
        "相差不到一个标准误，其中取最大的：训练步数少时宁大勿小。",
        f"Take {field} = {value}: its held-out loss of {loss} is within one standard error of the lowest, "
        f"{lowest.loss:.3f} at {show(lowest.value)}, and of those it is the largest: "
        "short runs favour rates that are too low.",
    )


def _boundary_advice(chosen: Tried, measured: Sequence[Tried]) -> str:
    """Advise to extend the range where the choice is its smallest or largest value."""
    values = sorted(float(each.value) for each in measured)
    if float(chosen.value) == values[-1]:
        return say(
            f"它是试过的最大值，更大的也许更好：请再试 {show(neat(values[-1] * 2))} 以上。",
            "It is the largest that was tried; a larger one may be better: "
            f"try {show(neat(values[-1] * 2))} and above.",
        )
    if float(chosen.value) == values[0]:
        return say(
            f"它是试过的最小值，请再试 {show(neat(values[0] / 2))} 以下。",
            f"It is the smallest that was tried: try {show(neat(values[0] / 2))} and below.",
        )
    return ""


def _accuracy_comparison(chosen: Tried, measured: Sequence[Tried]) -> str:
    """Compare category accuracies by their intervals: is one clearly better than the choice."""
    scored = [each for each in measured if each.accuracy is not None]
    if chosen.accuracy is None or len(scored) < 2:
        return ""
    top = max(scored, key=lambda each: each.accuracy or 0.0)
    mine, best = chosen.interval, top.interval
    assert mine and best and top.accuracy is not None
    if best[0] > mine[1]:
        return say(
            f"但按类别准确率，{show(top.value)} 明显更好（{top.accuracy:.1%} 对 {chosen.accuracy:.1%}）。",
            f"By category accuracy, however, {show(top.value)} is clearly better ({top.accuracy:.1%} against "
            f"{chosen.accuracy:.1%}).",
        )
    return say(
        f"类别准确率 {chosen.accuracy:.1%}，没有别的值明显更好。",
        f"Its category accuracy is {chosen.accuracy:.1%}, and no other value is clearly better.",
    )


def show(value: float | int | str | bool) -> str:
    """Format a tried value as people write it."""
    return f"{value:g}" if isinstance(value, float) else str(value)
