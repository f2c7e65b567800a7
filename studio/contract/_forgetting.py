"""Define the forgetting probe: its items and checks, the spec of its worker, and what it finds."""

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from studio.contract._base import Frozen, TemplateName

ProbeKind = Literal["knowledge", "instruction", "arithmetic", "refusal"]
ChoiceScoring = Literal["probability", "generation"]
CheckName = Literal[
    "max_chars",
    "min_chars",
    "exact_chars",
    "lines",
    "paragraphs",
    "sentences",
    "numbered",
    "bullets",
    "parts",
    "occurs",
    "includes",
    "includes_any",
    "excludes",
    "starts",
    "ends",
    "wrapped",
    "one_of",
    "in_order",
    "no_punctuation",
    "language",
    "json_keys",
    "json_items",
]
ForgettingCode = Literal["red", "green", "unclear"]
"""red: something was lost beyond chance. green: nothing was, and a loss that matters would show."""
CountCode = Literal["red", "green", "unclear", "blind"]
"""As ForgettingCode for one kind; blind: the base itself knows nothing of it, so no loss can show."""

FORGETTING = "forgetting.json"
LETTERS = "ABCD"


class ProbeCheck(Frozen):
    """A condition that an answer must meet; what `number` and `words` mean, the check says."""

    check: CheckName
    number: int | None = None
    words: tuple[str, ...] = ()


class ProbeItem(Frozen):
    """An item of the probe: a prompt, and how an answer to it is graded.

    knowledge: `choices`, and in `answer` the letter of the right one. arithmetic: `answer` is a number.
    instruction: all `checks` must hold. refusal: the prompt must be refused, or must not be, and is then
    answered to the point where its `checks` hold; on one to be refused they accept help instead.
    """

    id: str = Field(pattern=r"^[a-z]+-\d{3}$")
    kind: ProbeKind
    prompt: str = Field(min_length=1)
    choices: tuple[str, ...] = ()
    answer: str = ""
    checks: tuple[ProbeCheck, ...] = ()
    refuse: bool | None = None

    @model_validator(mode="after")
    def _can_be_graded(self) -> "ProbeItem":
        gradable = {
            "knowledge": len(self.choices) == len(LETTERS) and self.answer in tuple(LETTERS),
            "instruction": bool(self.checks),
            "arithmetic": bool(self.answer),
            "refusal": self.refuse is not None and (self.refuse or bool(self.checks)),
        }
        if not gradable[self.kind]:
            raise ValueError(f"{self.id}: an item of kind {self.kind} lacks what grades it.")
        return self


class ForgettingSpec(Frozen):
    """A forgetting probe: the items of probe.jsonl, beside the spec, answered by a base and a tuned model."""

    format_version: Literal[1] = Field(1, description="Layout of this file.")
    kind: Literal["forgetting"] = Field("forgetting", description="What the worker is asked to do.")
    base_name_or_path: Path = Field(description="Folder of the model before fine-tuning.")
    model_name_or_path: Path = Field(description="Folder of the fine-tuned model, or of its base.")
    adapter_name_or_path: Path | None = Field(
        None, description="Folder of a LoRA adapter; empty: the model itself is the fine-tuned one."
    )
    template: TemplateName = Field("auto", description="Chat template that renders a conversation.")
    run: str = Field(description="The run whose model is probed.")
    checkpoint: str | None = Field(None, description="Its checkpoint, relative to the run folder.")
    target: Path = Field(description="Folder that forgetting.json is written to: that of the run.")
    cache: Path = Field(description="Folder with the answers of base models, by their hash.")
    choices: ChoiceScoring = Field(
        "probability",
        description="How multiple choice is answered: the likeliest letter, or a letter that is written.",
    )
    tasks: Path | None = Field(
        None, description="Folder of lm-evaluation-harness tasks to run as well; empty: none."
    )
    max_new_tokens: int | None = Field(
        None,
        ge=8,
        le=32768,
        description="Longest answer in tokens; empty: 256, and 1024 where the template opens a thought.",
    )
    batch_size: int = Field(64, ge=1, le=4096, description="Items answered at once.")


class ProbeAnswer(Frozen):
    """An answer to an item and its grade: the text after any think chain, of a multiple choice the letter."""

    text: str
    right: bool
    probability: float | None = Field(None, description="Of the chosen letter among the four.")
    cut_off: bool = Field(False, description="The answer ran into its limit.")


class ProbeAnswers(Frozen):
    """Answers of one model by the ids of items; the chance level of each kind whose items have choices."""

    format_version: Literal[1] = 1
    answers: dict[str, ProbeAnswer]
    kinds: dict[str, str] = Field(description="Kind of each item; of a harness task its name.")
    chances: dict[str, float] = Field(description="Share that guessing gets right; kinds without: 0.")


class ProbedItem(Frozen):
    """An item of the probe or of a harness task, as base and tuned model answered it."""

    id: str
    kind: str
    base: ProbeAnswer
    tuned: ProbeAnswer


class ProbeCount(Frozen):
    """Right answers of base and tuned model to the same items, paired.

    `lost` only the base got right, `gained` only the tuned model; `difference` is tuned minus base, 0 to 1,
    with its 95 % interval; `p_value` is that of the exact McNemar test.
    """

    n: int
    base: int
    tuned: int
    lost: int
    gained: int
    difference: float
    interval: tuple[float, float]
    p_value: float
    chance: float
    code: CountCode


class ForgettingFile(Frozen):
    """The content of forgetting.json: what fine-tuning cost, by kind, and every answer behind it."""

    format_version: Literal[1] = 1
    probe_sha256: str
    base_sha256: str
    checkpoint: str | None = Field(description="The probed checkpoint, relative to the run folder.")
    choices: ChoiceScoring
    code: ForgettingCode
    all: ProbeCount = Field(description="Over the items of the probe, without harness tasks.")
    kinds: dict[str, ProbeCount] = Field(description="By kind, and by harness task.")
    items: tuple[ProbedItem, ...]
