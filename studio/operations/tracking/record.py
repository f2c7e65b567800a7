"""Gather what a tracker keeps of a run: metrics over time, settings, scores, tags. Knows no tracker."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from studio import runs
from studio.contract import HeldOut, Scores, Step
from studio.messages import shown
from studio.runs import Run, RunState
from studio.training.run_table import settings_in_full


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """A value of a metric at a step, and when it was measured."""

    metric: str
    value: float
    step: int
    at: datetime


@dataclass(frozen=True, kw_only=True)
class TrackedRun:
    """A run as trackers know one.

    `points` are the curves, by metric and step; `scores` the final numbers, such as `direct/accuracy`, each 0
    to 1 but for ROUGE and BLEU (0 to 100); `params` every setting that has an effect, as text.
    """

    id: str
    name: str
    state: RunState
    started: datetime
    ended: datetime | None
    params: Mapping[str, str]
    tags: Mapping[str, str]
    points: tuple[Point, ...]
    scores: Mapping[str, float]


def tracked(run: Run) -> TrackedRun:
    """Gather a run.

    Raises:
        UnreadableFile: its scores are not what a worker writes.
    """
    result, started = run.result, run.created_at
    return TrackedRun(
        id=run.id,
        name=run.label or run.id,
        state=run.state,
        started=started,
        ended=started + timedelta(seconds=result.seconds) if result else None,
        params={name: _text(value) for name, value in settings_in_full(run).items() if value is not None},
        tags=_tags(run),
        points=tuple(_points(run, started)),
        scores=dict(_scores(run)),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def _tags(run: Run) -> dict[str, str]:
    """Name the run, its data and the versions of what made it, and the tags that people gave it."""
    tags = {"studio.run": run.id, "studio.kind": run.spec.kind, "studio.state": run.state}
    tags |= {f"studio.tag.{word}": "true" for word in run.record.tags}
    result = run.result
    known = {
        "studio.version": run.version,
        "studio.note": shown(run.record.note),
        "studio.dataset_sha256": result.dataset_sha256 if result else None,
        "studio.model_sha256": result.model_sha256 if result else None,
    }
    tags |= {name: value for name, value in known.items() if value}
    versions = result.versions if result else {}
    return tags | {f"studio.versions.{name}": value for name, value in versions.items()}


def _points(run: Run, started: datetime) -> Iterator[Point]:
    """Read the curves; a held-out point was measured when the step before it was."""
    at = started
    for event in runs.read_events(run):
        if isinstance(event, Step):
            at = started + timedelta(seconds=event.elapsed_seconds)
            values = {
                "train/loss": event.loss,
                "train/learning_rate": event.learning_rate,
                "train/grad_norm": event.grad_norm,
                "train/epoch": event.epoch,
                "train/tokens_per_second": event.tokens_per_second,
                "train/memory_gib": event.memory_gib,
            }
        elif isinstance(event, HeldOut):
            values = {"held_out/loss": event.loss, "held_out/accuracy": event.accuracy}
        else:
            continue
        for metric, value in values.items():
            if value is not None:
                yield Point(metric=metric, value=value, step=event.step, at=at)


def _scores(run: Run) -> Iterator[tuple[str, float]]:
    file = runs.load_scores(run)
    for answer, scores in (file.evaluations if file else {}).items():
        for name, value in _numbers(scores).items():
            if value is not None:
                yield f"{answer}/{name}", value
    if run.result and run.result.train_loss is not None:
        yield "train/mean_loss", run.result.train_loss


def _numbers(scores: Scores) -> dict[str, float | None]:
    low, high = scores.accuracy_interval
    return {
        "accuracy": scores.accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
        "macro_f1": scores.macro_f1,
        "n": float(scores.n),
        "unparsed": float(scores.unparsed),
        "rouge-1": scores.rouge_1,
        "rouge-2": scores.rouge_2,
        "rouge-l": scores.rouge_l,
        "bleu-4": scores.bleu_4,
        **{f"recall/{name}": entry.recall for name, entry in scores.per_category.items() if entry.support},
        **{f"f1/{name}": entry.f1 for name, entry in scores.per_category.items() if entry.support},
    }
