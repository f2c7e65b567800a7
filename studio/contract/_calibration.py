"""Define calibration.json: how confidence is computed, and the threshold below which a model abstains."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from studio.contract._base import AnswerMode, Frozen

CALIBRATION = "calibration.json"


class ChosenThreshold(Frozen):
    """The confidence below which answers are refused, what that was worth when chosen, and who chose it."""

    confidence: float = Field(ge=0, le=1)
    answered: int = Field(description="Evaluated rows at or above it.")
    right: int = Field(description="Of these, how many were right.")
    rows: int = Field(description="Evaluated rows in all.")
    accuracy_interval: tuple[float, float] = Field(description="95 % Wilson interval of right / answered.")
    evaluation: str = Field(description="The run on whose rows it was chosen.")
    author: str
    at: datetime


class AnswerCalibration(Frozen):
    """How the confidence of one way of answering is computed from direct scoring's probabilities.

    p is softmax(log p / temperature + bias); the confidence is that of the answer's category. With
    `agreement` (answers with a chain) it is sigmoid(a + b log(p / (1 - p)) + c [direct scoring agrees]).
    """

    answer: AnswerMode
    signal: Literal["probability", "agreement"] = Field(description="What the confidence rests on.")
    temperature: float = Field(gt=0)
    bias: dict[str, float] = Field(description="Added to each category's log probability: the prior.")
    agreement: tuple[float, float, float] | None = Field(None, description="a, b and c of above.")
    fitted_on: str = Field(description="The evaluation that it was fitted on, or `crosswise`.")
    rows: int = Field(description="How many rows it was fitted on.")
    threshold: ChosenThreshold | None = None


class CalibrationFile(Frozen):
    """The content of calibration.json: one entry for each way of answering that was calibrated."""

    format_version: Literal[1] = 1
    answers: dict[AnswerMode, AnswerCalibration]
