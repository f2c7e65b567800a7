"""Define the events of a worker: one JSON line each in metrics.jsonl."""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from studio.contract._base import AnswerMode, Frozen


class Step(Frozen):
    """A point of the training curve. Times in seconds, memory in GiB."""

    event: Literal["step"] = "step"
    step: int
    total_steps: int
    epoch: float
    loss: float = Field(description="Mean loss per supervised token since the last point, in nats.")
    learning_rate: float
    grad_norm: float | None = None
    tokens_per_second: float = Field(description="Tokens of the samples (padding not counted) per second.")
    tokens_seen: int
    elapsed_seconds: float
    eta_seconds: float
    memory_gib: float
    samples_seen: int = Field(0, description="Samples so far, over all devices; 0 in files of 0.1.0.")
    clipped: float | None = Field(
        None, ge=0, le=1, description="Share of the steps since the last point whose gradient was clipped."
    )
    preferred: float | None = Field(
        None, ge=0, le=1, description="Of preference pairs: share whose chosen answer has the higher reward."
    )
    margin: float | None = Field(
        None, description="Of preferences: mean reward of the chosen answers less that of the rejected."
    )


class HeldOut(Frozen):
    """A point of the held-out curve: mean loss per supervised token, in nats.

    `accuracy`, if requested: share of the `rows` held-out rows whose category gets the
    highest direct score.
    """

    event: Literal["held_out"] = "held_out"
    step: int
    epoch: float
    loss: float
    loss_error: float | None = Field(
        None, ge=0, description="Standard error of the loss over the held-out rows; None in older files."
    )
    accuracy: float | None = Field(None, ge=0, le=1)
    rows: int = 0
    best: bool = Field(False, description="Whether no earlier point was better, by metric_for_best_model.")


class Progress(Frozen):
    """Progress of the current phase: `done` of `total` in its own unit."""

    event: Literal["progress"] = "progress"
    phase: Literal[
        "loading",
        "training",
        "evaluating",
        "classifying",
        "saving",
        "drafting",
        "downloading",
        "verifying",
        "sweeping",
        "proving",
    ]
    done: int = 0
    total: int = 0
    eta_seconds: float | None = None
    answer: AnswerMode | None = None
    files_done: int = Field(0, description="Complete files of a download, whose unit is the byte.")
    files: int = 0


Event = Annotated[Step | HeldOut | Progress, Field(discriminator="event")]
event: TypeAdapter[Event] = TypeAdapter(Event)
