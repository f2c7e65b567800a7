"""Diagnose a training from its curve: diverging, flat, overfitting, NaN, with the remedy.

Pure over events. Every threshold has its reason beside it; they were set on recorded curves
of the bundled model (tests/training/curves), whose loss jumps a lot from point to point
because rows of similar length share a batch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, median
from typing import Literal

from studio.contract import Event, HeldOut, Step, TrainSpec
from studio.language import say

HealthCode = Literal["not_finite", "diverging", "flat", "clipping", "overfitting"]

WINDOW = 10
"""Points of the moving average that smooths the loss. Single points of a good run differ by a factor of
ten, and even their median jumps by two where short and long rows alternate; the mean by 1.2."""
BLOWN_UP = 1.3
HOPELESS = 7.0
"""Diverged: three points in a row this many times above the first one, and above this many nats, which is
less than the loss of an untrained language model. Broken runs climb to 10 and more within ten steps."""
RISEN = 1.5
"""Diverging: a window's mean this many times the lowest one before. Good recorded runs stay below 1.25."""
FLAT_SHARE = 0.1
"""Flat: a fall of less than this share of the start; the good runs halve their loss meanwhile."""
FLAT_AFTER = 0.3
"""Share of the steps that must have passed: warmup is over, and there is time to stop and think."""
LOW_LOSS = 0.5
"""Nats per token from which a loss has little room to fall; going on from an adapter starts there."""
CLIPPED_SHARE = 0.3
CLIPPED_LENGTH = 5.0
"""Gradient clipping is a concern when it is frequent, in 30 % of the recent steps, and hard, to less than a
fifth. AdamW divides a constant factor out again: the recorded good run is clipped at three of four points,
by two to four times, without harm."""
OVERFIT_POINTS = 2
OVERFIT_RISE = 0.02
"""Overfitting: held-out loss 2 % above its best for two points in a row. It wavers by less than 1 % in
good runs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Concern:
    """A diagnosis at a step: the problem, and its remedy."""

    code: HealthCode
    step: int
    problem: str
    remedy: str


def concerns(events: Sequence[Event], spec: TrainSpec) -> list[Concern]:
    """Diagnose a run from its events so far: its problems, the gravest first; empty for a healthy run."""
    steps = [event for event in events if isinstance(event, Step)]
    held_out = [event for event in events if isinstance(event, HeldOut)]
    if not steps:
        return []
    non_finite = _non_finite(steps, held_out)
    if non_finite:
        return [non_finite]
    diverging = _diverging(steps)
    # The loss of pairs begins at a coin's and has its floor there where they are hard: flat says nothing.
    flat = None if diverging or spec.learns_preferences else _flat(steps)
    found = [diverging, flat, _clipping(steps, spec)]
    return [*(each for each in found if each), *_overfitting(steps, held_out)]


def _non_finite(steps: Sequence[Step], held_out: Sequence[HeldOut]) -> Concern | None:
    """Detect a loss that became NaN or infinite."""
    points = [(point.step, point.loss) for point in steps] + [(point.step, point.loss) for point in held_out]
    bad = next((step for step, loss in points if not math.isfinite(loss)), None)
    if bad is None:
        return None
    return Concern(
        code="not_finite",
        step=bad,
        problem=say(
            f"第 {bad} 步起损失变为 NaN 或无穷大：权重已不可用，请停止运行。",
            f"Loss became NaN or infinite at step {bad}. The weights are unusable; stop the run.",
        ),
        remedy=say(
            "停止并丢弃这次运行；学习率降到三分之一或更低，检查 max_grad_norm 不大于 1。",
            "Stop and discard the run; use a third of the learning rate or less, and max_grad_norm at most "
            "1.",
        ),
    )


def _diverging(steps: Sequence[Step]) -> Concern | None:
    """Detect divergence: a loss far above its start, or a moving average far above its lowest."""
    losses = [step.loss for step in steps]
    start, latest = losses[0], losses[-3:]
    if min(latest) > max(BLOWN_UP * start, HOPELESS):
        return _rising(steps[-1].step, start, mean(latest))
    earlier = [mean(losses[end - WINDOW : end]) for end in range(WINDOW, len(losses) - WINDOW + 1)]
    now = mean(losses[-WINDOW:])
    if earlier and now > max(RISEN * min(earlier), min(earlier) + 0.5):
        return _rising(steps[-1].step, min(earlier), now)
    return None


def _rising(step: int, before: float, now: float) -> Concern:
    return Concern(
        code="diverging",
        step=step,
        problem=say(
            f"损失在上升：从 {before:.2f} 升到 {now:.2f}，训练在发散。",
            f"Loss is rising, from {before:.2f} to {now:.2f}: training is diverging.",
        ),
        remedy=say(
            "停止；学习率降到三分之一再试，或加长预热。若用了 LoRA+，B 的学习率是它的倍率倍。",
            "Stop; try a third of the learning rate, or a longer warmup."
            " With LoRA+, the B matrices learn at a multiple of it.",
        ),
    )


def _flat(steps: Sequence[Step]) -> Concern | None:
    """Detect a loss that does not fall."""
    losses, last = [step.loss for step in steps], steps[-1]
    if len(losses) < 2 * WINDOW or last.step < FLAT_AFTER * last.total_steps:
        return None
    # From the first five points: a good run falls steeply within the first ten.
    start, now = mean(losses[:5]), mean(losses[-WINDOW:])
    if start < LOW_LOSS or now < (1 - FLAT_SHARE) * start or now > start * RISEN:
        return None
    return Concern(
        code="flat",
        step=last.step,
        problem=say(
            f"损失几乎没有下降：开始 {start:.2f}，现在 {now:.2f}。",
            f"Loss hardly falls: {start:.2f} at the start, {now:.2f} now.",
        ),
        remedy=say(
            f"学习率（{_peak(steps):g}）很可能太低：提高 3 到 10 倍再试；也看看数据里的回答是否一致。",
            f"The learning rate ({_peak(steps):g}) is most likely too low: try 3 to 10 times that;"
            " also check that the answers in the data are consistent.",
        ),
    )


def _peak(steps: Sequence[Step]) -> float:
    return max(step.learning_rate for step in steps)


def _clipping(steps: Sequence[Step], spec: TrainSpec) -> Concern | None:
    """Detect gradients that are clipped often and hard."""
    # The first steps of any training have long gradients.
    late = [step for step in steps if step.step > max(0.1, spec.warmup_ratio) * step.total_steps]
    recent = [step for step in late[-2 * WINDOW :] if step.grad_norm is not None]
    if len(recent) < WINDOW:
        return None
    share = sum(_clipped(step, spec) for step in recent) / len(recent)
    length = median(step.grad_norm or 0.0 for step in recent) / spec.max_grad_norm
    if share <= CLIPPED_SHARE or length < CLIPPED_LENGTH:
        return None
    return Concern(
        code="clipping",
        step=recent[-1].step,
        problem=say(
            f"最近 {share:.0%} 的步被裁剪，梯度通常是 max_grad_norm 的 {length:.0f} 倍。",
            f"{share:.0%} of the recent steps are clipped;"
            f" the median gradient norm is {length:.0f} times max_grad_norm.",
        ),
        remedy=say(
            "学习率可能太高，或有异常的样本：降低学习率，加大批或梯度累积，检查最长和损失最高的样本。",
            "The learning rate may be too high, or some samples are outliers: lower it,"
            " raise batch size or gradient accumulation, look at the longest rows and at those of highest "
            "loss.",
        ),
    )


def _clipped(step: Step, spec: TrainSpec) -> float:
    """Return the share of clipped steps since the last point if it was counted, else 1 or 0 for this step."""
    if step.clipped is not None:
        return step.clipped
    return float((step.grad_norm or 0.0) > spec.max_grad_norm)


def _overfitting(steps: Sequence[Step], held_out: Sequence[HeldOut]) -> list[Concern]:
    """Detect a held-out loss that rises while the training loss falls."""
    if len(held_out) <= OVERFIT_POINTS:
        return []
    best = min(held_out, key=lambda point: point.loss)
    since = [point for point in held_out if point.step > best.step]
    rise = held_out[-1].loss / best.loss - 1 if best.loss > 0 else 0.0
    worse = [point for point in since[-OVERFIT_POINTS:] if point.loss > best.loss * (1 + OVERFIT_RISE)]
    if len(worse) < OVERFIT_POINTS or not _still_falling(steps, best.step):
        return []
    return [
        Concern(
            code="overfitting",
            step=held_out[-1].step,
            problem=say(
                f"过拟合：留出损失从第 {best.step} 步的 {best.loss:.3f} 升了 {rise:.0%}，训练损失还在降。",
                f"Overfitting: the held-out loss has risen by {rise:.0%} since step {best.step}"
                f" ({best.loss:.3f}), while the training loss falls.",
            ),
            remedy=say(
                f"训练到第 {best.step} 步左右就够：减少轮数，或打开提前停止和“取最好的检查点”；"
                "更多数据最有用。",
                f"Training to about step {best.step} is enough: fewer epochs, or early stopping"
                " with the best checkpoint; more data helps most.",
            ),
        )
    ]


def _still_falling(steps: Sequence[Step], since: int) -> bool:
    """Return whether the training loss is lower now than around that step."""
    before = [step.loss for step in steps if step.step <= since][-WINDOW:]
    after = [step.loss for step in steps if step.step > since][-WINDOW:]
    return bool(before and after) and mean(after) < mean(before)
