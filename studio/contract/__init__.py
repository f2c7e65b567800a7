"""What crosses the border between studio and backend: specs in, events and results out.

A run folder is the whole interface. Studio writes `spec.json`, the worker appends to
`metrics.jsonl` and `predictions.jsonl`, writes `scores.json` and `checkpoints/`, and
moves `result.json` into place last. Field names are those of transformers and
LLaMA-Factory, so that a user's own YAML reads as it is.
"""

from typing import Annotated

from pydantic import Field, TypeAdapter

from studio.contract._base import AnswerMode, TemplateName
from studio.contract._events import Event, HeldOut, Progress, Step, event
from studio.contract._results import (
    UNPARSED,
    CategoryScore,
    Confusion,
    Drafted,
    Piece,
    Prediction,
    PreviewFile,
    Result,
    ScoreFile,
    Scores,
    SeenRow,
    ServerAddress,
    TitleToDraft,
)
from studio.contract._specs import (
    DownloadSpec,
    DraftSpec,
    EvaluateSpec,
    PreviewSpec,
    RangeTestSpec,
    ServeSpec,
    SweepSpec,
)
from studio.contract._training import OptimizerName, SchedulerName, TrainSpec
from studio.language import say

__all__ = [
    "UNPARSED",
    "AnswerMode",
    "CategoryScore",
    "Confusion",
    "DownloadSpec",
    "DraftSpec",
    "Drafted",
    "EvaluateSpec",
    "Event",
    "HeldOut",
    "OptimizerName",
    "Piece",
    "Prediction",
    "PreviewFile",
    "PreviewSpec",
    "Progress",
    "RangeTestSpec",
    "Result",
    "RunSpec",
    "SchedulerName",
    "ScoreFile",
    "Scores",
    "SeenRow",
    "ServeSpec",
    "ServerAddress",
    "Step",
    "SweepSpec",
    "TemplateName",
    "TitleToDraft",
    "TrainSpec",
    "event",
    "run_spec",
    "spec_error",
]

RunSpec = Annotated[
    TrainSpec | EvaluateSpec | ServeSpec | PreviewSpec | DraftSpec | DownloadSpec | RangeTestSpec | SweepSpec,
    Field(discriminator="kind"),
]
run_spec: TypeAdapter[RunSpec] = TypeAdapter(RunSpec)


def spec_error(error: Exception) -> tuple[str, str]:
    """Problem and remedy for a spec that did not validate."""
    return (
        say(f"任务参数不可用：{error}", f"The spec cannot be used: {error}"),
        say("请改正上面列出的字段。", "Mend the fields listed above."),
    )
