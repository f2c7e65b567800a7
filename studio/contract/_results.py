"""Define the outputs of a worker: predictions, scores, drafts, previews, the result."""

from typing import Literal

from pydantic import ConfigDict, Field

from studio.contract._base import AnswerMode, Frozen, TemplateName, Text


class Prediction(Frozen):
    """A prediction for one row. `predicted` is None when no category could be parsed."""

    row: int = Field(description="Position in the evaluated file, from 0.")
    title: str
    label: str = Field(description="The category in the dataset.")
    label_chain: str = Field(description="The think chain of the dataset.")
    answer: AnswerMode
    predicted: str | None
    chain: str | None = Field(description="The generated think chain; None when none could be parsed.")
    text: str = Field(description="The whole generated answer; empty for direct scoring.")
    probabilities: dict[str, float] | None = Field(
        None, description="Over the categories, after an empty chain; with answer direct only."
    )
    tokens: int = Field(0, description="Generated tokens.")
    forced: bool = Field(False, description="The think chain reached its limit and was force-closed.")
    votes: dict[str, int] | None = Field(
        None, description="Of several samples, how many named each category; None: one answer."
    )


class AnsweredTitle(Frozen):
    """A line of answers.jsonl: the answer to a title of titles.jsonl; of several the last counts.

    `category` is None where none could be parsed, or where `problem` is the reason why there is no answer.
    """

    title: int = Field(description="Position in titles.jsonl, from 0.")
    category: str | None
    confidence: float | None = Field(
        None, description="Of the category, calibrated where that is known; None: nothing tells it."
    )
    probabilities: dict[str, float] | None = Field(
        None,
        description="Over the categories, of direct scoring after an empty chain; calibrated where that is"
        " known.",
    )
    chain: str | None = Field(None, description="The generated think chain.")
    tokens: int = Field(0, description="Generated tokens.")
    forced: bool = Field(False, description="The think chain reached its limit and was force-closed.")
    problem: Text = ""


class SampledAnswer(Frozen):
    """A line of samples.jsonl: a sampled answer to a row; `predicted` is None where it names no category."""

    row: int = Field(description="Position in the answered entry, from 0.")
    sample: int = Field(ge=0, description="Number of the answer to this row, from 0.")
    title: str
    label: str = Field(description="The category in the dataset.")
    predicted: str | None
    chain: str | None = Field(description="The sampled think chain; None when none could be parsed.")
    tokens: int = Field(0, description="Generated tokens.")
    forced: bool = Field(False, description="The think chain reached its limit and was force-closed.")


class TitleToDraft(Frozen):
    """A line of titles.jsonl: a labelled title without a think chain, and the decision that labelled it."""

    title_id: int
    decision_id: int
    title: str
    category: str


class Drafted(Frozen):
    """A line of drafts.jsonl: the teacher's draft for one title.

    `chain` is None when every attempt failed; `problem` is then the reason. `remarks` are
    the codes of the chain lint's findings on the draft. Tokens as the endpoint counted them,
    over all attempts; 0 where it does not report them.
    """

    title_id: int
    decision_id: int
    title: str
    category: str
    chain: str | None
    problem: Text = ""
    remarks: tuple[str, ...] = ()
    prompt_tokens: int = 0
    completion_tokens: int = 0
    attempts: int = 1


class CategoryScore(Frozen):
    """Precision, recall and F1 of one category, 0 to 1, and its number of rows."""

    precision: float
    recall: float
    f1: float
    support: int


class Confusion(Frozen):
    """counts[i][j]: rows of category rows[i] that were answered as columns[j].

    The last column is UNPARSED: answers from which no category could be parsed.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


UNPARSED = "unparsed"


class Piece(Frozen):
    """The smallest sequence of tokens that decodes to whole characters, nearly always one token."""

    text: str
    ids: tuple[int, ...]
    learned: bool = Field(description="Whether the loss counts these tokens.")
    weight: float = Field(description="Their weight in the loss; 1 for most.")


class SeenRow(Frozen):
    """A row as training sees it, with its think chain and, for direct answers, with an empty one."""

    row: int
    chain: tuple[Piece, ...]
    direct: tuple[Piece, ...]


class PreviewFile(Frozen):
    """The content of preview.json. Lengths are tokens of the whole training text, prompt and answer."""

    format_version: Literal[1] = 1
    template: TemplateName = Field(description="The resolved template, where the spec has auto.")
    lengths: dict[str, tuple[int, ...]] = Field(description="Of every row of each counted entry.")
    rows: tuple[SeenRow, ...]


class EngineUsed(Frozen):
    """The engine that answered, as far as it could be found out."""

    name: str = Field(description="studio, or the endpoint's own name, such as vLLM; endpoint: unknown.")
    version: str = ""
    model: str = Field("", description="Name of an endpoint's model, as it calls itself.")
    dtype: str = ""
    device: str = Field("", description="Of an endpoint: its host.")
    batch: int | None = Field(None, description="Titles answered at once.")
    quotes_from_title: bool = Field(False, description="Quotations in a chain were held to the title.")
    categories_only: bool = Field(False, description="Written answers were held to the categories.")
    repeated: tuple[int, int] | None = Field(
        None,
        description="How many answers came out differently when written again in other company, and of how"
        " many; on a GPU, whose rounding depends on the number of rows.",
    )
    prompts: Literal["rendered", "chat"] = Field(
        "rendered",
        description="rendered: the studio wrote the whole prompt. chat: the endpoint's template did.",
    )


class Scores(Frozen):
    """The scores of an evaluation; rates are 0 to 1, ROUGE and BLEU 0 to 100."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    answer: AnswerMode
    n: int
    accuracy: float
    accuracy_interval: tuple[float, float] = Field(description="95 % Wilson interval.")
    macro_f1: float
    per_category: dict[str, CategoryScore]
    confusion: Confusion
    unparsed: int
    forced: int = Field(0, description="Answers whose think chain was force-closed at its limit.")
    rouge_1: float | None = Field(None, alias="rouge-1")
    rouge_2: float | None = Field(None, alias="rouge-2")
    rouge_l: float | None = Field(None, alias="rouge-l")
    bleu_4: float | None = Field(None, alias="bleu-4")
    samples_per_second: float
    baselines: dict[str, float] = Field(description="Accuracy of `majority` and `tfidf` on the same rows.")
    engine: EngineUsed | None = Field(None, description="What answered; None in older files.")


class ScoreFile(Frozen):
    """The content of scores.json: one entry for each answer mode that was evaluated."""

    format_version: Literal[1] = 1
    evaluations: dict[AnswerMode, Scores]


class Variant(Frozen):
    """A line of variants.jsonl: a title changed by a behavioural test; "" is the original."""

    row: int = Field(description="Row of the evaluated file, from 0.")
    test: str
    title: str


class VariantAnswer(Frozen):
    """A line of answers.jsonl: the likeliest category of a variant, and its probability."""

    row: int
    test: str
    predicted: str
    probability: float


class InfluenceFile(Frozen):
    """The content of influence.json. The numbers are in influence.npz, by the positions of these lists.

    Of the arrays, `influence` is (targets, rows): positive where the row pushed the wrong answer up against
    the label of the dataset, in a unit of its own. `suspicion`, `support` and `loss` are of the rows: how
    doubtful the label is, 0 to 1; what the other rows' gradients say about it, 1 for it, below 0 against it;
    the loss of its label in nats.
    """

    format_version: Literal[1] = 1
    rows: tuple[int, ...] = Field(description="Rows of the trained entry, from 0.")
    targets: tuple[Prediction, ...]
    tokens: Literal["label", "chain", "all"]
    first_pass_steps: int = Field(description="Optimizer steps before labels were judged; 0: none.")
    sketch_length: int
    parameters: int = Field(description="Weights of the adapter.")


class ServerAddress(Frozen):
    """address.json: where a model server listens, written once it does."""

    # Ignored, not refused: a server of a later version may say more about itself.
    model_config = ConfigDict(extra="ignore", frozen=True)

    host: str
    port: int
    url: str


START = "start"
"""Folder in the run of a preference training: predictions and scores of the checkpoint it started from."""

DAMAGED = "damaged.json"


class DamagedCheckpoints(Frozen):
    """The content of damaged.json: checkpoints that a resumed training passed over, and where it went on."""

    damaged: dict[str, str] = Field(description="What is wrong, by the name of the checkpoint.")
    resumed: str | None = Field(None, description="The checkpoint it went on from; none: from the start.")


class Result(Frozen):
    """The content of result.json, moved into place when the worker ends."""

    format_version: Literal[1] = 1
    status: Literal["done", "failed", "cancelled", "paused"]
    message: str = Field("", description="What happened, when not done.")
    remedy: str = Field("", description="What to do about it.")
    code: str = Field("", description="Kind of the end: the name of the error, or `stopped` or `paused`.")
    texts: dict[Literal["message", "remedy"], Text] = Field(
        default_factory=dict, description="`message` and `remedy` for a reader of either language."
    )
    seconds: float = Field(description="Wall time of the worker, start-up included.")
    peak_memory_gib: float
    checkpoint: str | None = Field(None, description="The last checkpoint, relative to the run folder.")
    train_loss: float | None = Field(None, description="Mean loss over all training steps, in nats.")
    left_out: tuple[int, ...] = Field(
        (), description="Rows longer than cutoff_len, from 0; they were dropped from training."
    )
    shortened: tuple[int, ...] = Field(
        (), description="Rows longer than cutoff_len whose think chain was truncated, from 0."
    )
    best_checkpoint: str | None = Field(
        None, description="The checkpoint of the best held-out point, relative to the run folder."
    )
    versions: dict[str, str] = Field(
        default_factory=dict, description="Packages, Python, system, device, code version."
    )
    dataset_sha256: str | None = Field(
        None, description="Of the trained entry's files, in the order that dataset_info.json names them."
    )
    model_sha256: str | None = Field(None, description="Of the base model's config and safetensors files.")

    def text(self, part: Literal["message", "remedy"]) -> str:
        """Read `message` or `remedy`, in the reader's language where it is known in both."""
        return self.texts.get(part) or (self.message if part == "message" else self.remedy)
