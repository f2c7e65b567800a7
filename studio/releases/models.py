"""Define what the ledger holds: gates and their results, openings of sealed sets, releases.

What is stored is a code with numbers; `studio.gate.sentences` says it in the reader's language.
"""

from typing import Literal

from pydantic import Field, JsonValue, model_validator

from studio.contract import AnswerMode, CalibrationFile, Frozen, TemplateName

LineCode = Literal["not_worse", "accuracy", "category", "flips", "forgetting", "quotes", "sealed"]
Status = Literal["green", "red", "not_measured"]
Outcome = Literal["passed", "failed", "incomplete", "late"]
Why = Literal[
    "met",
    "missed",
    "first_release",
    "no_evaluation",
    "released_not_evaluated",
    "same_model",
    "category_without_rows",
    "no_chain_evaluation",
    "no_quotes",
    "not_tested",
    "no_probe",
    "probe_unclear",
    "no_sealed_set",
    "not_opened",
    "being_answered",
    "sealed_titles_trained",
]


class GateRule(Frozen):
    """What a candidate must show before it may be released; a line that is empty is not asked for.

    Shares are 0 to 1. The dataset and its hash say on which rows, so that nobody chooses them afterwards.
    """

    format_version: Literal[1] = 1
    dataset: str = Field(description="Version, name@3, or `bundled`, whose evaluation rows count.")
    dataset_sha256: str = Field(description="Of the version's files, or of the bundled evaluation rows.")
    rows: int = Field(ge=1, description="Rows that have to be answered: all of the evaluation set.")
    answer: AnswerMode = Field("direct", description="Way of answering that is judged.")
    not_worse: bool = Field(True, description="Accuracy not worse than the released one's, paired by title.")
    margin: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Loss of accuracy that the interval of the difference must exclude; empty: a loss that "
        "is more than chance turns the line red.",
    )
    accuracy: float | None = Field(None, gt=0, lt=1, description="Least lower end of the 95 % interval.")
    category: float | None = Field(None, gt=0, le=1, description="Least recall of every category.")
    flips: float | None = Field(None, ge=0, lt=1, description="Highest flip rate of a behavioural test.")
    forgetting: bool = Field(False, description="The forgetting probe shows no loss.")
    quotes: float | None = Field(None, gt=0, le=1, description="Least share of quotes that are in the title.")
    sealed: float | None = Field(
        None, gt=0, lt=1, description="Least lower end of the interval of the accuracy on the sealed set."
    )

    @model_validator(mode="after")
    def _asks_for_something(self) -> "GateRule":
        if not self.lines:
            raise ValueError("the gate asks for nothing.")
        return self

    @property
    def lines(self) -> tuple[LineCode, ...]:
        """The lines that are asked for."""
        asked: dict[LineCode, bool] = {
            "not_worse": self.not_worse,
            "accuracy": self.accuracy is not None,
            "category": self.category is not None,
            "flips": self.flips is not None,
            "forgetting": self.forgetting,
            "quotes": self.quotes is not None,
            "sealed": self.sealed is not None,
        }
        return tuple(line for line, is_asked in asked.items() if is_asked)


class LineResult(Frozen):
    """How one line of a gate came out: its status, why, and the numbers behind it."""

    line: LineCode
    status: Status
    why: Why
    wanted: float | None = None
    value: float | None = None
    interval: tuple[float, float] | None = None
    n: int | None = Field(None, description="Rows, quotes or titles behind the value.")
    detail: dict[str, JsonValue] = Field(
        default_factory=dict, description="What else the line says: category, test, run, p-value, openings."
    )


class GateResult(Frozen):
    """How a candidate came out at a gate.

    `late`: the candidate's evaluation was known before the gate was saved, so that the rule may have been
    made to fit. `attempt`: which candidate at this gate it is, from 1; `wear`: comparisons that the
    evaluation rows have served before.
    """

    gate: int
    run: str
    evaluation: str | None
    lines: tuple[LineResult, ...]
    late: bool
    attempt: int
    wear: int

    @property
    def outcome(self) -> Outcome:
        """Sum the lines up: one red line fails it, one that was not measured leaves it incomplete."""
        statuses = {line.status for line in self.lines}
        if "red" in statuses:
            return "failed"
        if "not_measured" in statuses:
            return "incomplete"
        return "late" if self.late else "passed"


class SealedOpening(Frozen):
    """That a sealed set was opened: for which candidate, answered in which job, and why."""

    dataset: str
    number: int
    sha256: str
    run: str
    job: str
    answer: AnswerMode
    reason: str
    opening: int = Field(ge=1, description="Which opening of this set it is, from 1.")


class ReleasedScore(Frozen):
    """An accuracy as it was when the run was released."""

    n: int
    accuracy: float
    interval: tuple[float, float]
    evaluation: str
    recalls: dict[str, tuple[float, int]] = Field(
        default_factory=dict, description="Recall of each category that had titles, and how many."
    )


class Release(Frozen):
    """A checkpoint that was released: under which name, signed by whom, by which gate."""

    number: int = Field(ge=1)
    name: str
    run: str
    checkpoint: str = Field(description="Relative to the run folder.")
    checkpoint_sha256: str
    model_sha256: str | None = Field(description="Of the base model's config and weights, where it is known.")
    template: TemplateName
    dataset: str | None = Field(description="Version that it was trained on, if it was one.")
    dataset_sha256: str | None
    calibration: CalibrationFile | None = Field(description="Confidence and thresholds as they were.")
    scores: dict[AnswerMode, ReleasedScore]
    gate: GateResult | None = Field(description="None: there was no gate.")
    despite: str = Field("", description="Why it was released although the gate was not passed.")
    before: str | None = Field(description="Name of the release that was in force.")
    signed_by: str


class PutInForce(Frozen):
    """That a release came into force: by being released, or because somebody went back to it."""

    number: int
    why: Literal["released", "back"]
