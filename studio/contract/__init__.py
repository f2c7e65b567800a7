"""Define the contract between studio and backend: specs in, events and results out.

A run folder is the whole interface. Studio writes `spec.json`, the worker appends to
`metrics.jsonl` and `predictions.jsonl`, writes `scores.json` and `checkpoints/`, and
moves `result.json` into place last. Field names are those of transformers and
LLaMA-Factory, so that a user's own YAML reads as it is.

    _base         Define the base class of all models of the contract, and the types that they share.
    _calibration  Define calibration.json: confidence, and the threshold below which a model abstains.
    _events       Define the events of a worker: one JSON line each in metrics.jsonl.
    _exports      Define an export: its spec, how it was proven, and the report beside its files.
    _forgetting   Define the forgetting probe: its items, the spec of its worker, what it finds.
    _results      Define the outputs of a worker: predictions, scores, drafts, previews, the result.
    _specs        Define the specs of workers: evaluate, serve, preview, draft, sweep, and others.
    _training     Define the spec of one training run.
"""

from typing import Annotated

from pydantic import Field, TypeAdapter

from studio.contract._base import AnswerMode, Frozen, TemplateName, Text
from studio.contract._calibration import (
    CALIBRATION,
    AnswerCalibration,
    CalibrationFile,
    ChosenThreshold,
)
from studio.contract._events import Event, HeldOut, Progress, Step, event
from studio.contract._exports import (
    GGUF_QUANTS,
    PACKAGE_FILES,
    QUANTS_OF,
    SAFETENSORS_QUANTS,
    ChainTrial,
    Divergence,
    ExportFormat,
    ExportQuant,
    ExportReport,
    ExportSpec,
    Proof,
)
from studio.contract._forgetting import (
    FORGETTING,
    LETTERS,
    CheckName,
    ChoiceScoring,
    CountCode,
    ForgettingCode,
    ForgettingFile,
    ForgettingSpec,
    ProbeAnswer,
    ProbeAnswers,
    ProbeCheck,
    ProbeCount,
    ProbedItem,
    ProbeItem,
    ProbeKind,
)
from studio.contract._results import (
    DAMAGED,
    START,
    UNPARSED,
    AnsweredTitle,
    CategoryScore,
    Confusion,
    DamagedCheckpoints,
    Drafted,
    EngineUsed,
    InfluenceFile,
    Piece,
    Prediction,
    PreviewFile,
    Result,
    SampledAnswer,
    ScoreFile,
    Scores,
    SeenRow,
    ServerAddress,
    TitleToDraft,
    Variant,
    VariantAnswer,
)
from studio.contract._specs import (
    AnsweringSpec,
    BehaviourSpec,
    ClassifySpec,
    DownloadSpec,
    DraftSpec,
    EndpointSpec,
    EvaluateSpec,
    InfluenceSpec,
    PreviewSpec,
    RangeTestSpec,
    SampleSpec,
    ServedModel,
    ServeSpec,
    SweepSpec,
)
from studio.contract._training import PREFERENCE_STAGES, OptimizerName, SchedulerName, Stage, TrainSpec
from studio.language import say

__all__ = [
    "CALIBRATION",
    "DAMAGED",
    "FORGETTING",
    "GGUF_QUANTS",
    "LETTERS",
    "PACKAGE_FILES",
    "PREFERENCE_STAGES",
    "QUANTS_OF",
    "SAFETENSORS_QUANTS",
    "START",
    "UNPARSED",
    "AnswerCalibration",
    "AnswerMode",
    "AnsweredTitle",
    "AnsweringSpec",
    "BehaviourSpec",
    "CalibrationFile",
    "CategoryScore",
    "ChainTrial",
    "CheckName",
    "ChoiceScoring",
    "ChosenThreshold",
    "ClassifySpec",
    "Confusion",
    "CountCode",
    "DamagedCheckpoints",
    "Divergence",
    "DownloadSpec",
    "DraftSpec",
    "Drafted",
    "EndpointSpec",
    "EngineUsed",
    "EvaluateSpec",
    "Event",
    "ExportFormat",
    "ExportQuant",
    "ExportReport",
    "ExportSpec",
    "ForgettingCode",
    "ForgettingFile",
    "ForgettingSpec",
    "Frozen",
    "HeldOut",
    "InfluenceFile",
    "InfluenceSpec",
    "OptimizerName",
    "Piece",
    "Prediction",
    "PreviewFile",
    "PreviewSpec",
    "ProbeAnswer",
    "ProbeAnswers",
    "ProbeCheck",
    "ProbeCount",
    "ProbeItem",
    "ProbeKind",
    "ProbedItem",
    "Progress",
    "Proof",
    "RangeTestSpec",
    "Result",
    "RunSpec",
    "SampleSpec",
    "SampledAnswer",
    "SchedulerName",
    "ScoreFile",
    "Scores",
    "SeenRow",
    "ServeSpec",
    "ServedModel",
    "ServerAddress",
    "Stage",
    "Step",
    "SweepSpec",
    "TemplateName",
    "Text",
    "TitleToDraft",
    "TrainSpec",
    "Variant",
    "VariantAnswer",
    "event",
    "run_spec",
    "spec_error",
]

RunSpec = Annotated[
    TrainSpec
    | EvaluateSpec
    | ClassifySpec
    | ServeSpec
    | PreviewSpec
    | DraftSpec
    | DownloadSpec
    | ExportSpec
    | RangeTestSpec
    | SweepSpec
    | BehaviourSpec
    | SampleSpec
    | ForgettingSpec
    | InfluenceSpec,
    Field(discriminator="kind"),
]
run_spec: TypeAdapter[RunSpec] = TypeAdapter(RunSpec)


def spec_error(error: Exception) -> tuple[str, str]:
    """Describe a spec that did not validate; returns problem and remedy."""
    return (
        say(f"任务参数不可用：{error}", f"The spec cannot be used: {error}"),
        say("请改正上面列出的字段。", "Correct the fields listed above."),
    )
